"""What can go wrong at a Hub, one at a time: to be put into `LocalHub.faults`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from monitor.demo.hub import Fault


def at(path: str, answer: Callable[[], Response], *, times: int | None = None, author: str | None = None) -> Fault:
    """A fault at addresses that hold `path`, for one publisher's listing or for all, so many times or for ever."""
    happened = 0

    def fault(request: Request) -> Response | None:
        nonlocal happened
        if path not in request.url.path or (author and request.query_params.get("author") != author):
            return None
        if times is not None and happened >= times:
            return None
        happened += 1
        return answer()

    return fault


class Silence(Response):
    """The connection is taken and never answered."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait until the other side gives up."""
        while (await receive())["type"] != "http.disconnect":
            pass


class CutShort(Response):
    """The body ends before the length that was promised."""

    def __init__(self) -> None:
        super().__init__(b'[{"_id":"0', media_type="application/json", headers={"content-length": "4096"})


def drip(seconds_a_byte: float = 1.0) -> Response:
    """A body that comes byte by byte and does not end, so that no read ever times out."""

    async def body() -> AsyncIterator[bytes]:
        yield b"["
        while True:
            await asyncio.sleep(seconds_a_byte)
            yield b" "

    return StreamingResponse(body(), media_type="application/json")


def maintenance() -> Response:
    """A page for people, with status 200."""
    return Response("<!doctype html><title>Hugging Face</title><h1>We'll be back soon</h1>", media_type="text/html")
