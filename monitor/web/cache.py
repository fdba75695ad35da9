"""Pages are worked out once for each state of the file, and once for everybody who asks at the same time."""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from monitor.web.under import within

Scope = dict[str, Any]
App = Callable[..., Any]
Headers = list[tuple[bytes, bytes]]
Key = tuple[str, str, bytes]

UNCACHED = ("/healthz", "/metrics", "/static/", "/api/tables/")
"""What must be fresh, is small and on disk, or is too large to keep."""

KEPT = 24_000_000
LARGEST = 2_000_000
"""How many bytes all answers that are kept have together, and one of them."""

_PACKABLE = (b"text/", b"application/json", b"image/svg+xml", b"application/atom+xml")


@dataclass(frozen=True, slots=True)
class _Entry:
    """An answer of 200, plain and packed."""

    status: int
    headers: Headers
    body: bytes
    packed: bytes | None
    etag: bytes

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return len(self.body) + len(self.packed or b"") + 1000


class PageCache:
    """An ASGI layer that keeps the answers of the app below until `state` changes."""

    def __init__(self, app: App, state: Callable[[], str]) -> None:
        self.app = app
        self.state = state
        self._of = ""
        self._bytes = 0
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._filling: dict[Key, asyncio.Lock] = {}

    async def __call__(self, scope: Scope, receive: App, send: App) -> None:
        """Answer from what is kept, or keep what the app answers."""
        if scope["type"] != "http" or scope["method"] != "GET" or within(scope).startswith(UNCACHED):
            await self.app(scope, receive, send)
            return
        wanted = dict(scope["headers"])
        key = (wanted.get(b"host", b"").decode("latin-1"), scope["path"], scope["query_string"])
        entry = self._kept(key)
        if entry is None:
            try:
                async with self._filling.setdefault(key, asyncio.Lock()):
                    entry = self._kept(key) or await self._fill(key, scope, receive)
            finally:
                self._filling.pop(key, None)
        await _answer(entry, wanted, send)

    def _kept(self, key: Key) -> _Entry | None:
        state = self.state()
        if state != self._of:
            self._of = state
            self._entries.clear()
            self._bytes = 0
        return self._entries.get(key)

    async def _fill(self, key: Key, scope: Scope, receive: App) -> _Entry:
        state, parts = self._of, []

        async def note(message: Scope) -> None:
            parts.append(message)

        await self.app(scope, receive, note)
        body = b"".join(part.get("body", b"") for part in parts[1:])
        entry = await asyncio.to_thread(_entry, parts[0]["status"], parts[0]["headers"], body)
        if entry.status == 200 and len(body) <= LARGEST and state == self._of:
            self._entries[key] = entry
            self._bytes += entry.size
            while self._bytes > KEPT:
                self._bytes -= self._entries.popitem(last=False)[1].size
        return entry


def _entry(status: int, headers: Headers, body: bytes) -> _Entry:
    kind = dict(headers).get(b"content-type", b"")
    packed = gzip.compress(body, 5, mtime=0) if len(body) > 800 and kind.startswith(_PACKABLE) else None
    return _Entry(status, headers, body, packed, b'W/"' + sha256(body).hexdigest()[:20].encode() + b'"')


def _is_known(etag: bytes, known: bytes) -> bool:
    """Whether `If-None-Match` names the tag, also where a proxy made a strong one of it, or says that any will do."""
    return known.strip() == b"*" or etag.removeprefix(b"W/") in known


def _takes_gzip(accepted: bytes) -> bool:
    """Whether `Accept-Encoding` names gzip, and does not name it to say that it is not wanted (`gzip;q=0`)."""
    for one in accepted.lower().split(b","):
        name, _, weight = one.replace(b" ", b"").partition(b";")
        if name in (b"gzip", b"x-gzip"):
            return not weight or weight.removeprefix(b"q=").strip(b"0.") != b""
    return False


async def _answer(entry: _Entry, wanted: dict[bytes, bytes], send: App) -> None:
    headers = [(name, value) for name, value in entry.headers if name != b"content-length"]
    status, body = entry.status, entry.body
    if status == 200:
        headers += [(b"etag", entry.etag), (b"vary", b"accept-encoding"), (b"cache-control", b"no-cache")]
        if _is_known(entry.etag, wanted.get(b"if-none-match", b"")):
            status, body = 304, b""
    if body and entry.packed and _takes_gzip(wanted.get(b"accept-encoding", b"")):
        body = entry.packed
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
