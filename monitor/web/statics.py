"""The bundled files, held in memory and kept by browsers for ever: their addresses carry their contents' hash."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

FOLDER = Path(__file__).parent / "static"
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}


@cache
def packed(name: str) -> bytes | None:
    """A bundled file, packed; None when there is no such file."""
    known = {file.name.removesuffix(".gz"): file for file in FOLDER.iterdir()}
    file = known.get(name)
    if file is None:
        return None
    return file.read_bytes() if file.suffix == ".gz" else gzip.compress(file.read_bytes(), 9, mtime=0)


def version(name: str) -> str:
    """What stands in the address of a bundled file, and is another one when its contents are."""
    return hashlib.sha256(packed(name) or b"").hexdigest()[:12]


def router() -> APIRouter:
    """`/static/NAME`."""
    routes = APIRouter(include_in_schema=False)
    routes.add_api_route("/static/{name}", static)
    routes.add_api_route("/favicon.ico", favicon)
    return routes


def favicon(request: Request) -> Response:
    """The mark, for browsers that ask without being told."""
    return static(request, "mark.svg")


def static(request: Request, name: str) -> Response:
    """A bundled file."""
    body = packed(name)
    if body is None:
        return Response("no such file\n", 404, media_type="text/plain")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(body, media_type=kind, headers={**_FOR_EVER, "content-encoding": "gzip"})
    return Response(gzip.decompress(body), media_type=kind, headers=_FOR_EVER)
