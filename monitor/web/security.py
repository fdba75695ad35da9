"""Who may see the site, and what a browser may do with what it gets."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

from monitor.web.under import within

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


HEAD_ONLY = "leadchange.head"
"""In the scope of a GET that is a HEAD in truth, for who would work long for a body that nobody gets."""


class Guard:
    """An ASGI layer that knows the site's names, asks for the token, answers HEAD, and adds the headers."""

    def __init__(self, app: App, token: str | None = None, hosts: Sequence[str] = ()) -> None:
        self.app = app
        self.token = token
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: App, send: App) -> None:
        """Refuse who asks for another site or has no token; otherwise let the app answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        guarded = _Guarded(send, abroad=within(scope).startswith(_FOR_OTHER_PAGES))
        try:
            await self._answer(scope, receive, guarded)
        except Exception:
            # Whoever else says that something is broken stands outside of this layer, and says it without the headers.
            if not guarded.begun:
                await _refuse(guarded, 500, "something is broken here: the log says what\n")
            raise

    async def _answer(self, scope: Scope, receive: App, send: App) -> None:
        headers = dict(scope["headers"])
        if not self._is_ours(headers.get(b"host", b"").decode("latin-1")):
            await _refuse(send, 421, "this site has no such name: add it to hosts under [web] in leadchange.toml\n")
        elif self.token and within(scope) not in _OPEN and not _knows(self.token, headers):
            await _refuse(send, 401, "a token is needed: as a bearer, or as the password\n")
        elif scope["method"] == "HEAD":
            await self.app({**scope, "method": "GET", HEAD_ONLY: True}, receive, _without_body(send))
        else:
            await self.app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        """Whether a Host is a name of this site: one that is configured, an address, or a name of the own network.

        A page elsewhere could let its own name point to this machine and have a visitor's browser read what is here
        (DNS rebinding). It needs a name with a dot for that.
        """
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1].lower().rstrip(".")
        return name in self.hosts or "*" in self.hosts or "." not in name or _is_address(name)


_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(?::\d+)?")


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


class _Guarded:
    """Sends an answer with the headers, and knows whether it has begun."""

    def __init__(self, send: App, *, abroad: bool) -> None:
        self._send = send
        self._more = _HEADERS + (_ABROAD if abroad else _AT_HOME)
        self.begun = False

    async def __call__(self, message: Scope) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message = {**message, "headers": [*message["headers"], *self._more]}
        await self._send(message)


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


_BESIDE = {
    401: [(b"www-authenticate", b'Basic realm="leadchange"')],
    # The server ends the connection of whom it could not answer, and who is not told asks there again.
    500: [(b"connection", b"close")],
}
"""Status -> what else is said with it."""


async def _refuse(send: App, status: int, why: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_BESIDE.get(status, ())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": why.encode()})
