"""A Hub on this machine that also serves dataset repositories: commits, folders, and files by range.

    Revision, Revision, ... of each repository --> /api/datasets/.../commits, /tree, /resolve --302--> /storage/...

What a file holds is up to who hands it over; `monitor.demo.dataset_files` writes the documented ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.demo.hub import LocalHub

_MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit, and the files that it wrote; None: that it deleted."""

    title: str
    at: datetime
    files: Mapping[str, bytes | None]

    @property
    def sha(self) -> str:
        """40 hex digits, always the same for the same commit."""
        return _sha(f"{self.at.isoformat()} {self.title}".encode())


@dataclass(frozen=True, slots=True)
class Served:
    """One request for a file, or for a part of one."""

    path: str
    range: str | None
    authorization: str | None
    host: str
    status: int
    bytes: int
    """Of the file, that were sent."""


class LocalDatasets(LocalHub):
    """A Hub at `endpoint` while its `with` block runs; of models it lists what a `LocalHub` does.

    Args:
        repositories: name -> its commits, oldest first. More may be added while it runs.
        storage_host: where redirects of files lead; `localhost` is another origin than 127.0.0.1, where the Hub is.
        others: as `LocalHub`.
    """

    def __init__(
        self,
        repositories: Mapping[str, Sequence[Revision]],
        *,
        storage_host: str = "127.0.0.1",
        **others: Any,  # noqa: ANN401  (what LocalHub takes)
    ) -> None:
        super().__init__(**others)
        self.repositories = {name: list(revisions) for name, revisions in repositories.items()}
        self.storage_host = storage_host
        self.served: list[Served] = []
        """Every request for a file, in the order in which they were answered."""
        self._damaged: dict[tuple[str, str], bytes | None] = {}

    @property
    def bytes_served(self) -> int:
        """Bytes of files that were sent."""
        return sum(each.bytes for each in self.served)

    def damage(self, revision: Revision, path: str, how: Callable[[bytes], bytes | None]) -> None:
        """Serve something else in place of a file of one commit; None: it is gone."""
        content = revision.files[path]
        self._damaged[revision.sha, path] = how(content or b"")

    def _app(self) -> Starlette:
        app = super()._app()
        dataset = "/api/datasets/{owner}/{name}"
        for path, answer in {
            f"{dataset}/commits/{{revision}}": self._commits,
            f"{dataset}/tree/{{revision}}": self._tree,
            f"{dataset}/tree/{{revision}}/{{path:path}}": self._tree,
            "/datasets/{owner}/{name}/resolve/{revision}/{path:path}": self._resolve,
            "/storage/{owner}/{name}/{revision}/{path:path}": self._storage,
        }.items():
            app.router.routes.append(Route(path, self._guarded(answer)))
        return app

    def _history(self, request: Request) -> list[Revision] | None:
        """The commits of the repository asked about, up to the revision asked about, oldest first."""
        revisions = self.repositories.get("{owner}/{name}".format(**request.path_params))
        wanted = request.path_params["revision"]
        if revisions is None or wanted == "main":
            return revisions
        ends = [number for number, revision in enumerate(revisions, 1) if revision.sha == wanted]
        return revisions[: ends[0]] if ends else None

    def _commits(self, request: Request) -> Response:
        history = self._history(request)
        if history is None:
            return _missing()
        page, limit = int(request.query_params.get("p", "0")), int(request.query_params.get("limit", "50"))
        limit = min(limit, _MAX_PAGE)
        shown = history[::-1][page * limit : (page + 1) * limit]
        rows = [
            {"id": one.sha, "title": one.title, "message": "", "authors": [{"user": "somebody"}], "date": _iso(one.at)}
            for one in shown
        ]
        headers = {"x-total-count": str(len(history))}
        if (page + 1) * limit < len(history):
            headers["link"] = f'<{self.endpoint}{request.url.path}?p={page + 1}&limit={limit}>; rel="next"'
        return JSONResponse(rows, headers=headers)

    def _tree(self, request: Request) -> Response:
        history = self._history(request)
        if history is None:
            return _missing()
        below = request.path_params.get("path", "")
        last: dict[str, Revision] = {path: revision for revision in history for path in revision.files}
        rows = []
        for path, revision in sorted(last.items()):
            content = self._content(revision, path)
            if content is not None and path.startswith(f"{below}/" if below else ""):
                commit = {"id": revision.sha, "title": revision.title, "date": _iso(revision.at)}
                rows.append(
                    {"type": "file", "oid": _sha(content), "size": len(content), "path": path, "lastCommit": commit}
                )
        return JSONResponse(rows) if rows or not below else _missing("EntryNotFound", 404)

    def _resolve(self, request: Request) -> Response:
        content = self._file(request)
        if content is None:
            return self._told(request, _missing("EntryNotFound", 404), 0)
        target = request.url.path.replace("/datasets/", "/storage/", 1).replace("/resolve/", "/", 1)
        port = request.url.port
        headers = {
            "location": f"http://{self.storage_host}:{port}{quote(target)}?signature=0",
            "x-linked-etag": "linked",
        }
        return self._told(request, Response(status_code=302, headers=headers), 0)

    def _storage(self, request: Request) -> Response:
        content = self._file(request)
        if content is None:
            return self._told(request, _missing("EntryNotFound", 404), 0)
        etag = f'"{_sha(content)}"'
        span = _span(request.headers.get("range"), len(content))
        if span is None or request.headers.get("if-range", etag) != etag:
            return self._told(
                request, Response(content, headers={"etag": etag, "accept-ranges": "bytes"}), len(content)
            )
        start, end = span
        if start >= end:
            headers = {"content-range": f"bytes */{len(content)}"}
            return self._told(request, Response(status_code=416, headers=headers), 0)
        headers = {"etag": etag, "content-range": f"bytes {start}-{end - 1}/{len(content)}", "accept-ranges": "bytes"}
        return self._told(request, Response(content[start:end], 206, headers), end - start)

    def _file(self, request: Request) -> bytes | None:
        """What the path asked for holds at the revision asked for."""
        path = request.path_params["path"]
        for revision in reversed(self._history(request) or []):
            if path in revision.files:
                return self._content(revision, path)
        return None

    def _content(self, revision: Revision, path: str) -> bytes | None:
        return self._damaged.get((revision.sha, path), revision.files[path])

    def _told(self, request: Request, response: Response, sent: int) -> Response:
        headers = request.headers
        self.served.append(
            Served(
                request.url.path,
                headers.get("range"),
                headers.get("authorization"),
                headers.get("host", "").partition(":")[0],
                response.status_code,
                sent,
            )
        )
        return response


def _span(asked: str | None, size: int) -> tuple[int, int] | None:
    """First byte, and the one after the last, of a `Range` header; None where it asks for no single range."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked or "")
    if found is None or found[0] == "bytes=-":
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size
    return int(found[1]), min(int(found[2]) + 1, size) if found[2] else size


def _missing(code: str = "RepoNotFound", status: int = 401) -> Response:
    return JSONResponse({"error": "not found"}, status, headers={"x-error-code": code})


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _sha(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
