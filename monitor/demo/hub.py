"""A Hub on this machine: the real one's API, paging, rate limit and refusals, over models one hands it.

The demo, the tests and the benchmark collect from it over a real socket. `show` moves it to another day.
"""

from __future__ import annotations

import asyncio
import base64
import bisect
import functools
import hashlib
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from warehouse.records import HubModel

Fault = Callable[[Request], Response | None]
"""Looks at a request and answers it wrongly, or returns None to let it pass."""

EXPANDABLE = frozenset(
    """
    author baseModels cardData childrenModelCount config createdAt disabled downloads downloadsAllTime evalResults
    gated gguf inference inferenceProviderMapping lastModified library_name likes mask_token model-index pipeline_tag
    private resourceGroup safetensors sha siblings spaces tags transformersInfo trendingScore usedStorage widgetData
    """.split()  # noqa: SIM905  (a table to compare with the Hub's own)
)
"""Every field that the real Hub knows; another one is refused."""
_UNEXPANDED = frozenset(
    {"createdAt", "downloads", "library_name", "likes", "modelId", "pipeline_tag", "private", "tags"}
)
_ALWAYS = frozenset({"_id", "id"})
_LARGEST_PAGE = 1000
_JSON = "application/json; charset=utf-8"
_SORTS: dict[str, Callable[[HubModel], Any]] = {
    "createdAt": lambda model: model.created_at.isoformat() if model.created_at else "",
    "downloads": lambda model: model.downloads_30d or 0,
    "likes": lambda model: model.likes or 0,
    "trendingScore": lambda model: model.likes or 0,  # the real formula is not public
}


def hub_id(repo_id: str) -> str:
    """An `_id` for a repository that has none on record: 24 hex digits, always the same for the same name."""
    return hashlib.sha1(repo_id.encode(), usedforsecurity=False).hexdigest()[:24]


class _Server(uvicorn.Server):
    """uvicorn's, ended at once: that one looks every 100 ms whether it is to end, and then waits for as long again."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        while not self._ended.is_set():
            await self.on_tick(0)  # the date of the answers
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), timeout=1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()

    def end(self) -> None:
        """Stop listening, hang up, give up what is being answered; for another thread."""
        self._loop.call_soon_threadsafe(self._ended.set)


class LocalHub:
    """A Hub at `endpoint` while its `with` block runs.

    Args:
        models_by_publisher: what it lists on its first day; its keys are organisations even when they list nothing.
        users: publishers that are people, so that they have no organisation overview.
        token: the only token it knows; None: it takes any.
        quota: requests it grants in a window of `window_seconds` (the real one: 500 to the anonymous, up to 100,000).
        latency_seconds: how long it thinks about each request, at least.
    """

    def __init__(
        self,
        models_by_publisher: Mapping[str, Iterable[HubModel]] | None = None,
        *,
        users: Iterable[str] = (),
        token: str | None = None,
        quota: int = 100_000,
        window_seconds: float = 300.0,
        latency_seconds: float = 0.0,
    ) -> None:
        self.faults: list[Fault] = []
        """Asked in turn before each answer; the first that answers wins."""
        self.moved: dict[str, str] = {}
        """Old name -> new name, of repositories (`show` finds those by `_id`) and of publishers."""
        self.latency_seconds = latency_seconds
        self.requests = 0
        self.most_at_once = 0
        """Requests that it was thinking about at one moment, at most."""
        self._thinking = 0
        self.endpoint = ""
        self._users = frozenset(users)
        self._token = token
        self._window = _Window(quota, window_seconds)
        self._organisations: set[str] = set(models_by_publisher or ())
        self._names: dict[str, str] = {}
        self.show(model for models in (models_by_publisher or {}).values() for model in models)

    def show(self, models: Iterable[HubModel], num_models: Mapping[str, int] | None = None) -> None:
        """List these models from now on, and no others. One that has a new name redirects from its old one.

        `num_models` is what the overviews of organisations say, where that is not how many models are listed.
        """
        catalog = _Catalog(models)
        names = {model.hub_id: repo_id for repo_id, model in catalog.by_repo.items()}
        self.moved.update(
            (old, names[known]) for known, old in self._names.items() if known in names and names[known] != old
        )
        self._names.update(names)
        self._stated = dict(num_models or {})
        self._organisations.update(catalog.by_publisher, self._stated)
        self._catalog = catalog

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        # asyncio does this only where the socket names its protocol; without it every answer waits 40 ms for an ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server = _Server(
            uvicorn.Config(
                self._app(), log_config=None, log_level="critical", access_log=False, lifespan="off", ws="none",
                timeout_graceful_shutdown=0,
            )
        )  # fmt: skip
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="local-hub", daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.001)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._server.end()
        self._thread.join()

    def _app(self) -> Starlette:
        paths = {
            "/api/models": self._models,
            "/api/models/{publisher}/{name}": self._model,
            "/api/organizations/{name}/overview": self._overview,
            "/api/agent-harnesses": lambda _: _json({}),  # huggingface_hub asks for it before anything else
        }
        return Starlette(routes=[Route(path, self._guarded(answer)) for path, answer in paths.items()])

    def _guarded(self, answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            began = time.monotonic()
            self.requests += 1
            self._thinking += 1
            self.most_at_once = max(self.most_at_once, self._thinking)
            granted, limits = self._window.take()
            response = next(filter(None, (fault(request) for fault in self.faults)), None)
            response = response or self._refusal(request, granted=granted) or answer(request)
            for name, value in limits.items():
                response.headers.setdefault(name, value)
            if self.latency_seconds:
                await asyncio.sleep(began + self.latency_seconds - time.monotonic())
            self._thinking -= 1
            return response

        return endpoint

    def _refusal(self, request: Request, *, granted: bool) -> Response | None:
        if not granted:
            return _error(429, "Too Many Requests")
        shown = request.headers.get("authorization")
        if shown and self._token and shown != f"Bearer {self._token}":
            return _error(401, "Invalid credentials in Authorization header")
        return None

    def _models(self, request: Request) -> Response:
        query = request.query_params
        limit, sort, fields = (
            query.get("limit", str(_LARGEST_PAGE)),
            query.get("sort", "trendingScore"),
            _fields(request),
        )
        if fields is None or sort not in _SORTS or not limit.isdecimal() or int(limit) < 1:
            return _error(400, "Bad request: check expand, sort and limit")
        author = query.get("author")
        direction, most = query.get("direction", "-1"), min(int(limit), _LARGEST_PAGE)
        author = self.moved.get(author, author) if author else None
        body, cursor = self._catalog.page(author, fields, sort, direction, most, query.get("cursor"))
        response = Response(body, media_type=_JSON)
        if cursor:
            rest = [(name, value) for name, value in query.multi_items() if name != "cursor"]
            link = f"{self.endpoint}/api/models?{urlencode([*rest, ('cursor', cursor)])}"
            response.headers["link"] = f'<{link}>; rel="next"'
        return response

    def _model(self, request: Request) -> Response:
        repo_id = f"{request.path_params['publisher']}/{request.path_params['name']}"
        model = self._catalog.by_repo.get(repo_id)
        if model:
            fields = _fields(request)
            return _error(400, "Bad request: check expand") if fields is None else _json(_row(model, fields))
        if repo_id in self.moved:
            query = f"?{request.url.query}" if request.url.query else ""
            return Response(status_code=307, headers={"location": f"/api/models/{self.moved[repo_id]}{query}"})
        return _error(401, "Invalid username or password.", "RepoNotFound")

    def _overview(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name in self.moved:
            return Response(status_code=307, headers={"location": f"/api/organizations/{self.moved[name]}/overview"})
        if name not in self._organisations - self._users:
            return _error(404, "This organization does not exist")
        listed = len(self._catalog.by_publisher.get(name, ()))
        return _json({"name": name, "fullname": name, "numModels": self._stated.get(name, listed)})


class _Catalog:
    """What is listed on one day. Never changed, so that a request sees one day only."""

    def __init__(self, models: Iterable[HubModel]) -> None:
        self.by_repo = {model.repo_id: model for model in models}
        self.by_publisher: dict[str, list[HubModel]] = {}
        for model in self.by_repo.values():
            self.by_publisher.setdefault(model.publisher, []).append(model)
        self.page = functools.cache(self._page)  # here and not on the class, to be forgotten with the day

    def _page(
        self, author: str | None, fields: frozenset[str], sort: str, direction: str, limit: int, cursor: str | None
    ) -> tuple[bytes, str | None]:
        """A page as JSON, and the cursor to the next: like the Hub's, it names the last row and not a position."""

        def key(model: HubModel) -> tuple[Any, str]:
            return _SORTS[sort](model), model.hub_id

        ordered = sorted(self.by_repo.values() if author is None else self.by_publisher.get(author, ()), key=key)
        after = _uncursor(cursor) if cursor else None
        if direction == "1":
            rest = ordered[bisect.bisect_right(ordered, after, key=key) :] if after else ordered
        else:
            rest = ordered[: bisect.bisect_left(ordered, after, key=key)][::-1] if after else ordered[::-1]
        page = rest[:limit]
        return _dumps([_row(model, fields) for model in page]), _cursor(key(page[-1])) if len(rest) > limit else None


class _Window:
    """A fixed window of requests, and what the headers say about it."""

    def __init__(self, quota: int, seconds: float) -> None:
        self._quota, self._seconds = quota, seconds
        self._used, self._reset_at = 0, 0.0

    def take(self) -> tuple[bool, dict[str, str]]:
        """Count one request: whether it is granted, and the headers."""
        now = time.monotonic()
        if now >= self._reset_at:
            self._used, self._reset_at = 0, now + self._seconds
        self._used += 1
        left = max(0, self._quota - self._used)
        return self._used <= self._quota, {
            "RateLimit": f'"api";r={left};t={int(self._reset_at - now)}',
            "RateLimit-Policy": f'"fixed window";"api";q={self._quota};w={int(self._seconds)}',
        }


def _fields(request: Request) -> frozenset[str] | None:
    """The fields asked for; None if one of them does not exist."""
    query = request.query_params
    expand = {*query.getlist("expand"), *query.getlist("expand[]")}
    if not expand <= EXPANDABLE:
        return None
    return _ALWAYS | expand if expand else _ALWAYS | _UNEXPANDED


def _row(model: HubModel, fields: frozenset[str]) -> dict[str, Any]:
    """A model as the Hub writes it. What is not known is not there."""
    row = {
        "_id": model.hub_id,
        "id": model.repo_id,
        "modelId": model.repo_id,
        "author": model.publisher,
        "createdAt": model.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if model.created_at
        else None,
        "disabled": model.disabled,
        "downloads": model.downloads_30d,
        "downloadsAllTime": model.downloads_all_time,
        "gated": {"no": False, None: None}.get(model.gated, model.gated),
        "library_name": model.library,
        "likes": model.likes,
        "pipeline_tag": model.pipeline_tag,
        "private": False,
        "safetensors": {"total": model.parameters} if model.parameters else None,
        "tags": _tags(model),
    }
    return {name: value for name, value in row.items() if value is not None and name in fields}


def _tags(model: HubModel) -> list[str]:
    tags = [model.library] if model.library else []
    if model.license:
        tags.append(f"license:{model.license}")
    for parent in model.parents:
        tags.append(f"base_model:{parent.repo_id}")
        if parent.relation:
            tags.append(f"base_model:{parent.relation}:{parent.repo_id}")
    return tags


def _cursor(key: tuple[Any, str]) -> str:
    return base64.b64encode(json.dumps(key).encode()).decode()


def _uncursor(cursor: str) -> tuple[Any, str]:
    value, last_id = json.loads(base64.b64decode(cursor))
    return value, last_id


def _dumps(data: object) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def _json(data: object) -> Response:
    return Response(_dumps(data), media_type=_JSON)


def _error(status: int, message: str, code: str | None = None) -> Response:
    response = _json({"error": message})
    response.status_code = status
    response.headers["x-error-message"] = message
    if code:
        response.headers["x-error-code"] = code
    return response
