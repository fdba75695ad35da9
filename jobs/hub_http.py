"""One question to the Hub, asked patiently: time limits, retries, rate limit, redirects, no trust in the answer.

Knows nothing of models; `jobs.hub` asks the questions. The token goes to the endpoint's own origin and nowhere else:
not to a host that a redirect or a link names, not into an error, not into a log.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import getproxies

import httpx
from pydantic_core import from_json

from jobs.hub_base import HubError, HubSettings, TokenRefusedError, UnreadableError
from jobs.rate_limit import RESET_GRACE_SECONDS, Gate, Quota, backoff_seconds, retry_after_seconds

# httpx tells the whole URL of every request at INFO, httpcore every step at DEBUG.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

_MAX_BODY_BYTES = 32 * 2**20  # a page of 1,000 models with all their tags is about 1 MB
_MAX_REDIRECTS = 5
_RETRIED = frozenset({408, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """A proper answer: its JSON, the address that gave it, and the next page as it is named there."""

    data: Any
    url: httpx.URL
    link: str | None


@dataclass(frozen=True, slots=True)
class _Raw:
    status: int
    url: httpx.URL
    headers: httpx.Headers
    links: dict[str | None, dict[str, str]]
    body: bytes


class _AgainError(Exception):
    """What may go away by itself."""


class HubClient:
    """Asks the Hub, a question at a time or several at once; use it as an async context manager.

    `read_quota` finds the rate limit in an answer's headers. `sleep`, `jitter` (0 to 1), `clock` (monotonic seconds)
    and `wall` (seconds since 1970) are there to be replaced.
    """

    def __init__(
        self,
        settings: HubSettings,
        token: str | None,
        read_quota: Callable[[Mapping[str, str]], Quota | None],
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.requests = 0
        self.answered = False
        """Whether anything at all was answered properly so far."""
        self._settings = settings
        self._has_token = token is not None
        self._read_quota = read_quota
        self._sleep, self._jitter, self._clock, self._wall = sleep, jitter, clock, wall
        self._gate = Gate(settings.quota_share)
        self._in_flight = 0
        # One for each lane: httpcore looks through a whole pool of connections, several times for every request, which
        # with sixteen of them takes longer than all the rest.
        trusted = authorities(settings.endpoint)
        self._pools = [_open(settings, token, trusted) for _ in range(settings.concurrency)]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for pool in self._pools:
            await pool.aclose()

    @property
    def quota(self) -> Quota | None:
        """The rate limit as the Hub last told it."""
        return self._gate.quota

    def url(self, path: str, params: list[tuple[str, str]] | None = None) -> httpx.URL:
        """An address of the endpoint's API."""
        # Not given to httpx apart from it, which would take everything to pieces twice.
        query = f"?{urlencode(params)}" if params else ""
        return httpx.URL(self._settings.endpoint + path + query)

    async def get(self, url: httpx.URL, kind: type[list[Any] | dict[str, Any]]) -> Answer | None:
        """The answer at `url`, whose JSON must be of this `kind`; None if the Hub has no such thing.

        Raises:
            UnreadableError: it was not to be had, and why.
            TokenRefusedError: the token is wrong, for this and for everything.
        """
        for attempt in range(1, self._settings.attempts + 1):
            try:
                return self._judge(await self._follow(url), kind)
            except _AgainError as error:
                if attempt == self._settings.attempts:
                    times = f" ({attempt} attempts)" if attempt > 1 else ""
                    raise UnreadableError(f"{error}{times}", exhausted=True) from None
            await self._sleep(backoff_seconds(attempt, self._jitter()))
        raise AssertionError("unreachable")

    def next_url(self, answer: Answer) -> httpx.URL | None:
        """The address of the next page; None on the last. Raises UnreadableError if it is not at home."""
        return self._resolve(answer.url, answer.link, "continues") if answer.link is not None else None

    async def _follow(self, url: httpx.URL) -> _Raw:
        for _ in range(_MAX_REDIRECTS + 1):
            raw = await self._exchange(url)
            target = raw.headers.get("location")
            if raw.status not in {301, 302, 303, 307, 308} or target is None:
                return raw
            url = self._resolve(raw.url, target, "redirects")
        raise UnreadableError(f"redirects more than {_MAX_REDIRECTS} times")

    async def _exchange(self, url: httpx.URL) -> _Raw:
        """One request and its whole answer, once the rate limit allows it."""
        await self._admit()
        pool = self._pools[self.requests % len(self._pools)]
        self._in_flight += 1
        self.requests += 1
        try:
            async with asyncio.timeout(self._settings.timeout_seconds), pool.stream("GET", url) as response:
                self._heed(response)
                body = await _read_body(response)
        except (TimeoutError, httpx.TimeoutException):
            raise _AgainError(f"no complete answer within {self._settings.timeout_seconds:g} s") from None
        except httpx.RequestError as error:
            raise _AgainError(f"{type(error).__name__}: {error}") from None
        finally:
            self._in_flight -= 1
        return _Raw(response.status_code, url, response.headers, response.links, body)

    async def _admit(self) -> None:
        while (wait := self._gate.wait(self._in_flight, self._clock())) > 0:
            if wait > self._settings.max_wait_seconds:
                longest = f"more than the {self._settings.max_wait_seconds:g} s allowed"
                raise UnreadableError(f"its rate limit asks to wait {wait:.0f} s, {longest}", exhausted=True)
            await self._sleep(wait + RESET_GRACE_SECONDS)

    def _heed(self, response: httpx.Response) -> None:
        """Take in what the answer says about the rate limit."""
        now = self._clock()
        if quota := self._read_quota(response.headers):
            self._gate.note(quota, now)
        if response.status_code in {429, 503}:
            headers = response.headers
            seconds = retry_after_seconds(headers.get("retry-after"), headers.get("date"), self._wall())
            self._gate.hold(seconds or 0.0, now)

    def _judge(self, raw: _Raw, kind: type[list[Any] | dict[str, Any]]) -> Answer | None:
        code, message = raw.headers.get("x-error-code"), raw.headers.get("x-error-message", "")
        if raw.status == 401 and self._has_token and (code is None or message.startswith("Invalid credentials")):
            raise TokenRefusedError
        if raw.status == 404 or (raw.status == 401 and code == "RepoNotFound"):
            self.answered = True
            return None
        if raw.status in _RETRIED or raw.status >= 500:
            raise _AgainError(f"answered {raw.status}")
        if raw.status != 200:
            raise UnreadableError(f"answered {raw.status}: {_excerpt(raw)}")
        data = _parse(raw, kind)
        self.answered = True
        # A Link header is not always about pages, so only the relation `next` counts.
        return Answer(data, raw.url, raw.links.get("next", {}).get("url"))

    def _resolve(self, base: httpx.URL, target: str, verb: str) -> httpx.URL:
        """The absolute address of `target`, if it stays at home."""
        try:
            url = base.join(target)
        except httpx.InvalidURL:
            raise UnreadableError(f"{verb} at {target[:200]!r}, which is no address") from None
        home = httpx.URL(self._settings.endpoint)
        if (url.scheme, url.host, url.port) != (home.scheme, home.host, home.port) or url.userinfo:
            raise UnreadableError(f"{verb} at another origin, {url.scheme}://{url.netloc.decode()!r}: not followed")
        if "/resolve/" in url.path:  # a request there counts as a download
            raise UnreadableError(f"{verb} at a file, {url.path[:200]!r}: not followed")
        return url


def _open(settings: HubSettings, token: str | None, trusted: ssl.SSLContext) -> httpx.AsyncClient:
    headers = {"user-agent": user_agent(), "accept": "application/json"}
    if token is not None:
        # Checked here, for a later complaint about a header would quote it.
        if not (token.isascii() and token.isprintable() and token) or " " in token:
            raise HubError("the Hub token is empty or holds characters that no token has; see HF_TOKEN")
        headers["authorization"] = f"Bearer {token}"
    try:
        return httpx.AsyncClient(headers=headers, timeout=settings.timeout_seconds, verify=trusted)
    except (ValueError, ImportError, httpx.InvalidURL) as error:
        raise HubError(f"the proxy named in the environment cannot be used: {error}") from None


@functools.cache
def user_agent() -> str:
    """What we call ourselves; looked up once, for it is read from a file."""
    return f"leadchange/{version('leadchange')}"


def authorities(endpoint: str) -> ssl.SSLContext:
    """Whom to trust at an endpoint; nobody at a plain http:// without any proxy on the way, where nobody speaks TLS.

    To read whom takes a quarter of a process's first small look.
    """
    if endpoint.startswith("http://") and not getproxies():
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return certificates()


@functools.cache
def certificates() -> ssl.SSLContext:
    """The authorities to trust; read once, for that takes as long as a request."""
    return httpx.create_ssl_context()


async def _read_body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise UnreadableError(f"answered more than {_MAX_BODY_BYTES // 2**20} MB")
    return bytes(body)


def _parse(raw: _Raw, kind: type[list[Any] | dict[str, Any]]) -> Any:  # noqa: ANN401  (JSON is anything)
    try:
        data = read_json(raw.body)
    except (ValueError, RecursionError):
        raise _AgainError(f"answered no JSON: {_excerpt(raw)}") from None
    if not isinstance(data, kind) or (isinstance(data, dict) and "error" in data):
        raise _AgainError(f"answered something else than asked: {_excerpt(raw)}")
    return data


def read_json(body: bytes) -> Any:  # noqa: ANN401  (JSON is anything)
    """As `json.loads`, in half the time: while one answer is read, the lanes of others wait.

    What the quicker reader refuses is read by the other, which takes halves of surrogate pairs, other encodings than
    UTF-8, and more depth. Raises ValueError or RecursionError.
    """
    try:
        return from_json(body, cache_strings="keys")
    except ValueError:
        return json.loads(body)


def _excerpt(raw: _Raw) -> str:
    """Enough of an answer to recognise it, escaped, for it may be anything; the hash finds it again in a capture."""
    start = raw.headers.get("x-error-message") or raw.body[:120].decode("utf-8", "replace")
    return f"{start[:120]!r} ({len(raw.body)} bytes, sha256 {hashlib.sha256(raw.body).hexdigest()[:12]})"
