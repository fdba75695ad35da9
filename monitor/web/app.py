"""The dashboard put together: one application over one published file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import urlsplit

import jinja2
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from monitor.health import Health
from monitor.web import statics
from monitor.web.api import Api
from monitor.web.cache import PageCache
from monitor.web.feeds import Feeds
from monitor.web.lost import GoneError
from monitor.web.operations import Operations
from monitor.web.pages import Pages
from monitor.web.published import Published
from monitor.web.security import Guard
from monitor.web.site import Site
from monitor.web.sqlpage import BusyError, Desk, SqlPage
from monitor.web.under import Under, root_of, within
from monitor.web.view import render, templates
from warehouse.errors import LeadchangeError, NotKnownError, QueryRefusedError, WarehouseError
from warehouse.published.sandbox import Limits

_TITLES = {
    400: "That cannot be asked",
    404: "There is no such page",
    405: "These pages only read",
    410: "This flip is not on record any more",
    422: "That cannot be asked",
    503: "The data cannot be read now",
}


def create_app(
    published: Published,
    *,
    now: Callable[[], datetime],
    health: Callable[[], Health] | None = None,
    token: str | None = None,
    public_url: str | None = None,
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    limits: Limits = Limits(),  # noqa: B008 it is frozen
    collectors: Sequence[Collector] = (),
) -> FastAPI:
    """The dashboard of a published file, as an ASGI application.

    Args:
        published: the file, which may be missing, and may be replaced at any time.
        now: the clock.
        health: what the daemon says of itself; without it, the file alone is judged.
        token: asked for on every path but `/healthz`, as a bearer or as the password of HTTP Basic.
        public_url: where people find the site; with a path, all of it stands under that.
        hosts: names under which it is asked for, beside addresses, names without a dot, and that of `public_url`.
        origins: whose pages may read this site in a browser; `*` stands for everybody's.
        limits: what one query on `/sql` may use.
        collectors: more metrics for `/metrics`.
    """
    site = Site(published, now, health, public_url, limits)
    pages = templates(site)
    desk = Desk(site)
    app = FastAPI(
        title="leadchange",
        version=site.version,
        description="Who leads in open models, since when, and by how much. Read-only.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for part in (
        Pages(site, pages),
        Feeds(site, pages),
        Api(site, desk),
        SqlPage(site, pages, desk),
        Operations(site, pages, collectors),
        statics,
    ):
        app.include_router(part.router())
    _explain_errors(app, site, pages)
    app.add_middleware(PageCache, state=site.state)
    app.add_middleware(Guard, token=token, hosts=(*hosts, urlsplit(public_url or "").hostname or ""))
    if origins:
        # Outside of the guard: a browser asks beforehand without the token, and a page may read why it is refused.
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=("GET", "HEAD"), allow_headers=("authorization",)
        )
    app.add_middleware(Under, root=root_of(public_url))
    return app


def _explain_errors(app: FastAPI, site: Site, pages: jinja2.Environment) -> None:
    """Say what went wrong: a page to people, JSON to programs."""

    def explain(request: Request, code: int, message: str, instead: str | None = None) -> Response:
        if within(request.scope).startswith("/api"):
            return JSONResponse({"problem": message}, code)
        title = _TITLES.get(code, "No")
        return render(
            site, pages, request, "error.html", status=code, code=code, title=title, message=message, instead=instead
        )

    @app.exception_handler(LeadchangeError)
    def _ours(request: Request, error: LeadchangeError) -> Response:
        return explain(request, _code(error), str(error), error.instead if isinstance(error, GoneError) else None)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        answer = explain(request, error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> Response:
        if within(request.scope).startswith("/api"):
            return JSONResponse({"detail": _complaints(error)}, 422)
        return explain(request, 422, "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()))


def _complaints(error: RequestValidationError) -> list[dict[str, object]]:
    """What is wrong with a request, without repeating it."""
    return [{name: complaint[name] for name in ("type", "loc", "msg")} for complaint in error.errors()]


def _code(error: LeadchangeError) -> int:
    """The status that says what a LeadchangeError says."""
    codes: dict[type[LeadchangeError], int] = {
        NotKnownError: 404,
        QueryRefusedError: 400,
        WarehouseError: 503,
        BusyError: 503,
        GoneError: 410,
    }
    return next((code for kind, code in codes.items() if isinstance(error, kind)), 404)
