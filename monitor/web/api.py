"""The JSON API: what the pages show, as data. Every table also as CSV or Parquet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from monitor.output import named
from monitor.web import formats, meant, questions, schema, words
from monitor.web.formats import Form
from monitor.web.lost import known_flip
from monitor.web.pages import address, known_board, leader_of
from monitor.web.security import HEAD_ONLY
from monitor.web.site import Site
from monitor.web.sqlpage import Desk
from warehouse.errors import NotKnownError
from warehouse.published.browsing import Filter

As = Annotated[Form, Query(alias="format", description="json, csv or parquet")]
Day = Annotated[date | None, Query(description="A UTC day, as YYYY-MM-DD")]
Most = Annotated[int, Query(ge=1, le=10_000, description="At most so many rows")]
BoardName = Annotated[str, Path(description="Name of a board")]
Kind = Literal["lead_change", "overtake"]
_BY_ANY_NAME = ", in any case, by a former name too, a country by its name"

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    503: {"model": schema.Problem, "description": "The published file cannot be read"}
}
_GONE: dict[int | str, dict[str, Any]] = {
    410: {"model": schema.Problem, "description": "It was told, and is not on record any more"}
}
_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": schema.Problem, "description": "Nothing has this name"}}


class Api:
    """The routes, over one site."""

    def __init__(self, site: Site, desk: Desk) -> None:
        self.site = site
        self.desk = desk

    def router(self) -> APIRouter:
        """Which path leads where."""
        routes = APIRouter(prefix="/api")
        for path, endpoint, row, more in (
            ("/boards", self.boards, schema.BoardRow, {}),
            ("/boards/{board}/standing", self.standing, schema.StandingRow, _UNKNOWN),
            ("/boards/{board}/values", self.values, schema.LineRow, _UNKNOWN),
            ("/boards/{board}/forecast", self.forecast, schema.ForecastRow, _UNKNOWN),
            # A family may have a slash in its name, so the longer path comes first.
            ("/families/{family:path}/models", self.family_models, schema.ModelRow, _UNKNOWN),
            ("/families/{family:path}", self.family, schema.FamilyRow, _UNKNOWN),
            ("/flips", self.flips, schema.FlipRow, _UNKNOWN),
            ("/alerts", self.alerts, schema.AlertRow, {}),
            ("/deliveries", self.deliveries, schema.DeliveryRow, {}),
            ("/snapshots", self.snapshots, schema.SnapshotRow, {}),
            ("/tables", self.tables, schema.TableRow, {}),
        ):
            _add(routes, path, endpoint, _rows_of(row), more)
        _add(routes, "/flips/{flip_id}", self.flip, {"application/json": _ref(schema.FlipPage)}, _UNKNOWN | _GONE)
        _add(routes, "/tables/{relation}", self.table, _FILES, _UNKNOWN)
        refused = {"model": schema.Problem, "description": "The query is refused"}
        answers = {"application/json": _ref(schema.SqlAnswer), "text/csv": _TEXT}
        _add(routes, "/sql", self.sql, answers, {400: refused})
        return routes

    def boards(self, form: As = "json") -> Response:
        """Every board with its definition, and who leads it."""
        return formats.answer(self.site.leaders(), list(schema.BoardRow.model_fields), form, "boards")

    def standing(self, board: BoardName, at: Day = None, top: Most = 1000, form: As = "json") -> Response:
        """A board's standing on the last day up to one."""
        with self.site.published.browsing() as browsing:
            leader_of(self.site.leaders(), board)
            rows = browsing.standing(board, at=at, top=top)
        return formats.answer(rows, list(schema.StandingRow.model_fields), form, f"{board}-standing")

    def values(
        self,
        board: BoardName,
        entity: Annotated[
            list[str] | None,
            Query(description=f"Whose{_BY_ANY_NAME}; repeat it for several. Without: the first ten"),
        ] = None,
        form: As = "json",
    ) -> Response:
        """Values, shares and ranks of some entities of a board, day by day."""
        with self.site.published.browsing() as browsing:
            about = leader_of(self.site.leaders(), board)
            written = {line[1] for line in browsing.lines(board, entity or ())}
            wanted = [name if name in written else meant.entity(browsing, name, about) for name in entity or ()]
            wanted = wanted or [row["entity"] for row in browsing.standing(board, top=10)]
            rows = [dict(zip(schema.LineRow.model_fields, line, strict=True)) for line in browsing.lines(board, wanted)]
        return formats.answer(rows, list(schema.LineRow.model_fields), form, f"{board}-values")

    def forecast(
        self,
        board: BoardName,
        at: Day = None,
        entity: Annotated[str | None, Query(description=f"Who passes, or is passed{_BY_ANY_NAME}")] = None,
        top: Annotated[int, Query(ge=2, le=50, description="Each two of so many first places")] = 10,
        form: As = "json",
    ) -> Response:
        """Who may pass whom, and by when, seen from the last day up to one; nothing on boards of single models."""
        with self.site.published.browsing() as browsing:
            about = leader_of(self.site.leaders(), board)
            found = browsing.outlooks(board, at=at, top=top)
            if entity and not any(entity in (one.entity, one.rival) for one in found):
                entity = meant.entity(browsing, entity, about)
        rows = [asdict(one) for one in found if not entity or entity in (one.entity, one.rival)]
        return formats.answer(rows, list(schema.ForecastRow.model_fields), form, f"{board}-forecast")

    def family(self, family: Annotated[str, Path(description="Name of a family")], form: As = "json") -> Response:
        """A family of the registry, as a list of one."""
        with self.site.published.browsing() as browsing:
            found = browsing.family(family)
            if found is None:
                raise NotKnownError("family", family, browsing.family_names())
        return formats.answer([found], list(found), form, family)

    def family_models(
        self, family: Annotated[str, Path(description="Name of a family")], top: Most = 1000, form: As = "json"
    ) -> Response:
        """The models of a family, most downloaded first."""
        with self.site.published.browsing() as browsing:
            if browsing.family(family) is None:
                raise NotKnownError("family", family, browsing.family_names())
            rows = browsing.family_models(family, most=top)
        return formats.answer(rows, list(schema.ModelRow.model_fields), form, f"{family}-models")

    def flips(
        self,
        board: Annotated[str | None, Query(description="Only of this board")] = None,
        kind: Annotated[Kind | None, Query(description="Only of this kind")] = None,
        entity: Annotated[str | None, Query(description=f"Only about this one{_BY_ANY_NAME}")] = None,
        since: Day = None,
        top: Most = 1000,
        form: As = "json",
    ) -> Response:
        """Flips, newest first."""
        with self.site.published.browsing() as browsing:
            chosen = Filter(known_board(self.site, board), kind, entity or None, since)
            rows = browsing.newest_flips(chosen, most=top)
            if chosen.entity and not rows:
                about = leader_of(self.site.leaders(), board) if board else None
                now = meant.entity(browsing, chosen.entity, about)
                rows = browsing.newest_flips(replace(chosen, entity=now), most=top)
        return formats.answer(rows, list(schema.FlipRow.model_fields), form, "flips")

    def flip(self, request: Request, flip_id: Annotated[str, Path(description="As in /api/flips")]) -> Response:
        """One flip, with a sentence to quote and a line to cite."""
        with self.site.published.browsing() as browsing:
            found = known_flip(browsing, flip_id)
        link = address(self.site, request, "flips", flip_id)
        said = {"statement": words.statement(found), "citation": words.citation(found, self.site.version, link)}
        return _one(found | said)

    def alerts(self, form: As = "json") -> Response:
        """What the rules said, oldest first."""
        with self.site.published.browsing() as browsing:
            rows = browsing.alerts()
        return formats.answer(rows, list(schema.AlertRow.model_fields), form, "alerts")

    def deliveries(self, form: As = "json") -> Response:
        """What was sent, what failed and why."""
        with self.site.published.browsing() as browsing:
            rows = browsing.deliveries()
        return formats.answer(rows, list(schema.DeliveryRow.model_fields), form, "deliveries")

    def snapshots(
        self,
        source: Annotated[str | None, Query(description="Only of this source")] = None,
        form: As = "json",
    ) -> Response:
        """Every look at a source, with its verdict, oldest first."""
        with self.site.published.browsing() as browsing:
            rows = browsing.snapshots(source=source)
        return formats.answer(rows, list(schema.SnapshotRow.model_fields), form, "snapshots")

    def tables(self) -> Response:
        """The published relations with their meanings and columns."""
        rows = [
            {
                "relation": relation.name,
                "meaning": relation.meaning,
                "columns": [column["column_name"] for column in relation.columns],
            }
            for relation in self._relations()
        ]
        return formats.answer(rows, [], "json", "tables")

    def table(
        self, request: Request, relation: Annotated[str, Path(description="As in /api/tables")], form: As = "json"
    ) -> Response:
        """A whole relation."""
        known = {found.name: found for found in self._relations()}
        if relation not in known:
            raise NotKnownError("relation", relation, known)
        if HEAD_ONLY in request.scope:
            return formats.headers_of(relation, form)
        columns = {column["column_name"]: column["data_type"] for column in known[relation].columns}
        return formats.relation(self.site.published, relation, columns, form)

    def sql(
        self,
        q: Annotated[str, Query(max_length=20_000, description="One SELECT, in DuckDB's SQL")],
        form: Annotated[Literal["json", "csv"], Query(alias="format", description="json or csv")] = "json",
    ) -> Response:
        """The answer to a query, within limits of rows, time and memory."""
        found = self.desk.ask(q)
        if form == "json":
            return _one(asdict(found))
        columns, rows = named(found.columns, found.rows)
        # Nothing within CSV could say so.
        name = f"answer-first-{len(rows)}" if found.truncated else "answer"
        return formats.answer(rows, columns, "csv", name)

    def _relations(self) -> list[questions.Relation]:
        with self.site.published.browsing() as browsing:
            return questions.relations(browsing.described())


def _one(record: dict[str, Any]) -> Response:
    """A single object as JSON."""
    body = formats.answer([record], [], "json", "").body
    return Response(bytes(body)[1:-1], media_type=formats.MEDIA["json"])


# What OpenAPI says of the answers.

_TEXT: dict[str, Any] = {"schema": {"type": "string"}}
_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FILES = {
    "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
    "text/csv": _TEXT,
    formats.MEDIA["parquet"]: _BYTES,
}


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"schema": model.model_json_schema(mode="serialization")}


def _rows_of(model: type[BaseModel]) -> dict[str, Any]:
    items = model.model_json_schema(mode="serialization")
    return {
        "application/json": {"schema": {"type": "array", "items": items}},
        "text/csv": _TEXT,
        formats.MEDIA["parquet"]: _BYTES,
    }


def _add(
    routes: APIRouter,
    path: str,
    endpoint: Callable[..., Response],
    content: dict[str, Any],
    more: dict[int | str, dict[str, Any]],
) -> None:
    """A route with all that it may answer."""
    routes.add_api_route(
        path,
        endpoint,
        response_class=Response,
        responses={200: {"content": content, "description": "Found"}, **_PROBLEMS, **more},
    )
