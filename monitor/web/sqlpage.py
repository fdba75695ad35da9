"""`/sql`: somebody's own query, answered in the sandbox, in the manner of Datasette."""

from __future__ import annotations

import threading
from typing import Annotated

import jinja2
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from monitor.web import questions
from monitor.web.site import Site
from monitor.web.view import render
from warehouse.errors import LeadchangeError, QueryRefusedError
from warehouse.published import sandbox

AT_ONCE = 2
"""Queries that run at the same time; each has a process."""

PATIENCE = 3.0
"""Seconds that a query waits for its turn."""

DEFAULT = "SELECT day, entity, value, share\nFROM standings\nWHERE board = 'families' AND rank = 1\nORDER BY day DESC"


class BusyError(LeadchangeError):
    """Too many ask at the same time."""


class Desk:
    """Where queries wait for their turn."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def ask(self, query: str) -> sandbox.Answer:
        """The answer to a query.

        Raises:
            QueryRefusedError: it may not run, or needs more than the limits allow.
            BusyError: it was not its turn for long.
        """
        if not self._turns.acquire(timeout=PATIENCE):
            raise BusyError("others are asking: try again in a moment")
        try:
            return sandbox.ask(self.site.published.path, query, self.site.limits)
        finally:
            self._turns.release()


class SqlPage:
    """The page around the desk."""

    def __init__(self, site: Site, pages: jinja2.Environment, desk: Desk) -> None:
        self.site = site
        self.pages = pages
        self.desk = desk

    def router(self) -> APIRouter:
        """`/sql`."""
        routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
        routes.add_api_route("/sql", self.page)
        return routes

    def page(self, request: Request, q: Annotated[str, Query(max_length=20_000)] = "") -> HTMLResponse:
        """A query, its answer, and what can be asked."""
        answer, refused = None, ""
        if q.strip():
            try:
                answer = self.desk.ask(q)
            except QueryRefusedError as error:
                refused = str(error)
        with self.site.published.browsing() as browsing:
            relations = questions.relations(browsing.described())
        return render(
            self.site,
            self.pages,
            request,
            "sql.html",
            status=400 if refused else 200,
            query=q or DEFAULT,
            answer=answer,
            numeric=_numeric(answer) if answer else [],
            refused=refused,
            limits=self.site.limits,
            questions=questions.worked(),
            relations=relations,
        )


def _numeric(answer: sandbox.Answer) -> list[bool]:
    """Which columns hold numbers and nothing else."""
    return [
        any(cell is not None for cell in cells)
        and all(cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool)) for cell in cells)
        for cells in ([row[number] for row in answer.rows] for number in range(len(answer.columns)))
    ]
