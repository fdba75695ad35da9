"""Posting to one configured URL and nowhere else: no redirect, no proxy, no unvetted address, no endless answer.

The only importer of httpcore beside `guard`; its errors end here.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import httpcore
from pydantic import SecretStr

from alerts.channels.base import ChannelError
from alerts.channels.deadline import Deadline
from alerts.channels.guard import AddressRefusedError, Guard, Kind, Resolver
from alerts.channels.secrets import SecretError, redacted
from warehouse.errors import LeadchangeError

_BODY_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    said: bytes
    """The beginning of the body."""
    headers: Mapping[str, str]
    """By lower-case names."""


class Poster:
    """Posts to a URL that is a secret. `what` is the URL's name in errors; `timeout` is for everything together."""

    def __init__(
        self,
        url: SecretStr,
        what: str,
        *,
        allow_private: bool,
        timeout: float,
        ca_file: Path | None,
        resolver: Resolver,
    ) -> None:
        parts = _parts(url, what)
        if parts.scheme == "http" and not allow_private:
            raise SecretError(f"the {what} must begin with https://; http is for private addresses, with allow_private")
        # Without encryption only within one's own walls, wherever the name may lead.
        public: set[Kind] = {"public"} if parts.scheme == "https" else set()
        private: set[Kind] = {"private"} if allow_private else set()
        self._allowed = public | private
        self._url = url
        self._timeout = timeout
        self._resolver = resolver
        try:
            self._context = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise LeadchangeError(f"the certificates in {ca_file} cannot be used: {error.strerror}") from None

    def post(self, content: bytes, headers: Mapping[str, str]) -> Answer:
        """One request, and the beginning of its answer.

        Raises:
            ChannelError: no answer came.
        """
        with Deadline(self._timeout) as deadline, self._failures():
            guard = Guard(self._allowed, deadline, self._resolver)
            with httpcore.ConnectionPool(ssl_context=self._context, network_backend=guard) as pool:
                return self._request(pool, content, headers)

    def _request(self, pool: httpcore.ConnectionPool, content: bytes, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(self._url.get_secret_value())
        # Parsed once, and passed in its parts: two parsers that disagree are how checks are passed by.
        url = httpcore.URL(
            scheme=parts.scheme.encode(),
            host=(parts.hostname or "").encode(),
            port=parts.port,
            target=f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}".encode(),
        )
        sent = [*headers.items(), ("Host", parts.netloc), ("Accept-Encoding", "identity")]
        limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)}
        with pool.stream("POST", url, headers=sent, content=content, extensions=limits) as answer:
            names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
            return Answer(answer.status, _beginning(answer.iter_stream()), names)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """What happens on the way, as our error. From the first byte on the message may be there."""
        try:
            yield
        except AddressRefusedError as error:
            raise ChannelError(f"the webhook is not called: {error}", closed=True) from None
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise ChannelError(f"the webhook cannot be reached: {self._reason(error)}") from None
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            reason = f"the webhook did not answer, the message may be there: {self._reason(error)}"
            raise ChannelError(reason, uncertain=True) from None

    def _reason(self, error: Exception) -> str:
        return redacted(error, [self._url]) or type(error).__name__


def _parts(secret: SecretStr, what: str) -> SplitResult:
    """The URL's parts, unless there is anything in it that somebody else may read differently."""
    url = secret.get_secret_value()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise SecretError(f"the {what} is no URL") from None
    if not url.isascii() or set(url) & set(" @\\#") or not host or parts.scheme not in {"http", "https"}:
        raise SecretError(f"the {what} is unusable; it looks like https://example.org/path, without user, @, \\ or #")
    return parts


def _beginning(chunks: Iterator[bytes]) -> bytes:
    """As much of an answer as anyone wants to know; the rest is not even read."""
    said = b""
    for chunk in chunks:
        said += chunk
        if len(said) >= _BODY_LIMIT:
            break
    return said[:_BODY_LIMIT]
