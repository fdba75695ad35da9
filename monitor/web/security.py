"""The outermost layer: who may see the site, and what a browser may do with what it gets."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from typing import Any

Scope = dict[str, Any]
App = Callable[..., Any]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; "
)
"""Nothing inline, nothing foreign, and no `eval`: the charts run on Vega's own interpreter."""

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), interest-cohort=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_AT_HOME = [
    (b"content-security-policy", (POLICY + "frame-ancestors 'none'").encode()),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_ABROAD = [
    (b"content-security-policy", (POLICY + "frame-ancestors *").encode()),
    (b"cross-origin-resource-policy", b"cross-origin"),
]

_FOR_OTHER_PAGES = ("/badge/", "/embed/")
_OPEN = ("/healthz",)
"""A health check has no token."""


class Guard:
    """An ASGI layer that asks for the token, if there is one, answers HEAD, and adds the headers."""

    def __init__(self, app: App, token: str | None = None) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: App, send: App) -> None:
        """Refuse who has no token; otherwise let the app answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        guarded = _with_headers(send, scope["path"].startswith(_FOR_OTHER_PAGES))
        if self.token and scope["path"] not in _OPEN and not _knows(self.token, dict(scope["headers"])):
            await _refuse(guarded)
        elif scope["method"] == "HEAD":
            await self.app({**scope, "method": "GET"}, receive, _without_body(guarded))
        else:
            await self.app(scope, receive, guarded)


def _with_headers(send: App, abroad: bool) -> App:
    more = _HEADERS + (_ABROAD if abroad else _AT_HOME)

    async def guarded(message: Scope) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return guarded


def _without_body(send: App) -> App:
    async def headers_only(message: Scope) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_only


def _knows(token: str, headers: dict[bytes, bytes]) -> bool:
    """`Authorization: Bearer TOKEN` for programs; Basic with the token as password, which browsers ask for."""
    scheme, _, credentials = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "basic":
        try:
            credentials = base64.b64decode(credentials).decode("utf-8", "replace").partition(":")[2]
        except (binascii.Error, ValueError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(credentials.strip().encode(), token.encode())


async def _refuse(send: App) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"www-authenticate", b'Basic realm="leadchange"')]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b"a token is needed: as a bearer, or as the password\n"})
