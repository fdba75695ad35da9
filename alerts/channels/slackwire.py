"""What both ways of reaching Slack share: requests that follow no redirect, read no endless answer, and log nothing.

slack_sdk logs URLs and bodies at DEBUG and in its errors, and follows redirects with the token in hand.
"""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any
from urllib.parse import urlsplit

from alerts.channels.base import ChannelError, is_loopback
from alerts.channels.deadline import Deadline
from alerts.message import Message
from alerts.text import slack_mrkdwn

# Nothing is loud enough for this logger.
SILENT = logging.getLogger("alerts.channels.slack.silent")
SILENT.setLevel(logging.CRITICAL + 1)

PAUSE = 1.0
"""Seconds that Slack wants between two messages to a channel."""

CLOSED = frozenset({
    "access_denied", "account_inactive", "action_prohibited", "channel_is_archived", "channel_not_found",
    "invalid_auth", "invalid_token", "is_archived", "missing_scope", "no_active_hooks", "no_permission",
    "no_service", "no_service_id", "no_team", "not_allowed_token_type", "not_authed", "not_in_channel",
    "org_login_required", "posting_to_general_channel_denied", "restricted_action", "team_access_not_granted",
    "team_disabled", "token_expired", "token_revoked", "user_not_found",
})  # fmt: skip
"""Slack's words for why nothing gets through, whatever the message."""

_QUIET = {"unfurl_links": False, "unfurl_media": False}


class SlackError(ChannelError):
    """Slack said no; `code` is its word for why."""

    def __init__(self, code: str, reason: str, **keys: Any) -> None:  # noqa: ANN401 those of ChannelError
        super().__init__(reason, **keys)
        self.code = code


def checked_endpoint(url: str) -> str:
    """The base URL, if a token may be sent there.

    Raises:
        ValueError: it is neither https nor this machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    allowed = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    if not allowed or not host or set(url) & set(" @\\?#") or not url.isascii():
        raise ValueError("the endpoint must begin with https://, except on a loopback host")
    return url


def payload(message: Message) -> dict[str, Any]:
    """What is posted: the blocks, and the title for notifications."""
    return {**_QUIET, "text": slack_mrkdwn(message.title, 500), "blocks": message.blocks}


def plain_payload(message: Message) -> dict[str, Any]:
    """What is posted when Slack refuses the blocks: the same words without any layout."""
    lines = [slack_mrkdwn(line, 2000) for line in message.text.splitlines()]
    return {**_QUIET, "text": "\n".join(lines).strip(), "mrkdwn": False}


def request(
    url: str, content: urllib.request.Request, *, timeout: float, limit: int
) -> tuple[int, str, dict[str, str]]:
    """One request: status, as much of the body as `limit` allows, headers by lower-case names.

    `timeout` is for all of it together.
    """
    # A proxy of the environment is used, but not for this machine itself.
    proxies: dict[str, str] | None = {} if is_loopback(urlsplit(url).hostname or "") else None
    with Deadline(timeout) as deadline:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies), _Watching(deadline), _NoRedirect)
        try:
            answer = opener.open(content, timeout=timeout)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = _read(answer, limit).decode("utf-8", "replace")
            if deadline.over:
                # Headers that were cut look like headers that ended.
                raise TimeoutError("timed out")
            return answer.status, body, {name.lower(): value for name, value in answer.headers.items()}


def _read(answer: Any, limit: int) -> bytes:  # noqa: ANN401 a response, or the error that is one
    """The body; one that breaks off says nothing, and is no answer."""
    said: bytes = answer.read(limit)
    if len(said) < limit and answer.length:
        raise IncompleteRead(said, answer.length)
    return said


class _Watched(HTTPConnection):
    """A connection that is cut when its time is over: a byte now and then outlives every time limit of a socket."""

    deadline: Deadline

    def connect(self) -> None:
        """Connect, and have the connection watched from before it is encrypted."""
        super().connect()
        self.deadline.watch(self.sock)


class _WatchedTls(HTTPSConnection, _Watched):
    """The same, encrypted: what HTTPSConnection encrypts is what `_Watched` connected."""


class _Watching(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens http:// and https:// over watched connections."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        """Do one request."""
        return self.do_open(_watched_by(self._deadline, _Watched), req)

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        """Do one request, encrypted."""
        return self.do_open(_watched_by(self._deadline, _WatchedTls), req)


def _watched_by(deadline: Deadline, kind: type[_Watched]) -> Callable[..., HTTPConnection]:
    """What makes connections of a kind that end when the time is over."""

    def made(host: str, **keys: Any) -> HTTPConnection:  # noqa: ANN401 those of http.client
        connection = kind(host, **keys)
        connection.deadline = deadline
        return connection

    return made


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: following it would carry the message to somewhere unchecked."""

    def http_error_302(self, *_: object) -> None:
        """Leave it; where it leads is not even read, for it may be no address."""

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302  # type: ignore[assignment]


@contextmanager
def failures(redact: Callable[[object], str]) -> Iterator[None]:
    """What happens on the way to Slack, as our error."""
    try:
        yield
    except urllib.error.URLError as error:
        # urllib wraps what happens up to the end of the request, and nothing after it.
        raise ChannelError(f"Slack cannot be reached: {redact(error.reason)}") from None
    except UnicodeError:
        raise ChannelError("Slack cannot be reached: no server can have the name in its endpoint") from None
    except (OSError, HTTPException) as error:
        reason = redact(error) or type(error).__name__
        raise ChannelError(f"Slack did not answer, the message may be there: {reason}", uncertain=True) from None


def seconds(value: str | None) -> float | None:
    """A `Retry-After` in seconds; None for a date or nonsense, which Slack does not send."""
    return float(value) if value is not None and value.strip().isdecimal() else None
