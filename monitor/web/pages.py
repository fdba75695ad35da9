"""The pages for people."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urljoin

import jinja2
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from monitor.web import ahead, races, words
from monitor.web.lost import known_flip
from monitor.web.site import Site
from monitor.web.view import render
from warehouse.errors import NotKnownError
from warehouse.published.browsing import Browsing, Filter

Kind = Literal["lead_change", "overtake"]
Theme = Literal["light", "dark"]
Axis = Literal["linear", "log"]
PAGE = 100
"""Flips on a page."""


class Pages:
    """The routes, over one site."""

    def __init__(self, site: Site, pages: jinja2.Environment) -> None:
        self.site = site
        self.pages = pages

    def router(self) -> APIRouter:
        """Which path leads where."""
        routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
        routes.add_api_route("/", self.overview)
        routes.add_api_route("/board/{name}", self.board_page)
        routes.add_api_route("/family/{name:path}", self.family_page)
        routes.add_api_route("/flips", self.flips_page)
        routes.add_api_route("/flips/{flip_id}", self.flip_page)
        routes.add_api_route("/embed/{name}", self.embed)
        routes.add_api_route("/charts/{name}/{kind}.json", self.chart)
        routes.add_api_route("/charts/flip/{flip_id}/duel.json", self.duel_chart)
        return routes

    def page(self, request: Request, template: str, **context: Any) -> HTMLResponse:  # noqa: ANN401 templates take anything
        """A template filled in."""
        return render(self.site, self.pages, request, template, **context)

    def overview(self, request: Request, board: str | None = None) -> HTMLResponse:
        """Who leads now, the race, and how good the data is."""
        with self.site.published.browsing() as browsing:
            leaders = self.site.leaders()
            chosen = leader_of(leaders, board) if board else next((row for row in leaders if row["day"]), None)
            race = races.of(self.site, chosen, "race") if chosen else None
            return self.page(
                request,
                "overview.html",
                leaders=leaders,
                chosen=chosen,
                statement=words.standing_in_words(chosen) if chosen else "",
                leading=words.leading(chosen) if chosen else "",
                unit=words.unit,
                no_standing=words.no_standing,
                picture=races.picture(race) if race else "",
                trouble=trouble(browsing, chosen, self.site.now()),
                alerts=browsing.newest_alerts(8),
                flips=browsing.notable_flips(7),
                looks=browsing.looks(self.site.now()),
                ahead=ahead.likely(self.site, chosen, chosen["day"], chosen["leaders"] or []) if chosen else None,
            )

    def board_page(
        self, request: Request, name: str, at: date | None = None, top: Annotated[int, Query(ge=1, le=1000)] = 25
    ) -> HTMLResponse:
        """A board: its definition, its standing on a day, ranks and shares over time."""
        with self.site.published.browsing() as browsing:
            leaders = self.site.leaders()
            chosen = leader_of(leaders, name)
            days = browsing.days(name)
            rows = browsing.standing(name, at=at, top=top)
            return self.page(
                request,
                "board.html",
                leaders=leaders,
                chosen=chosen,
                rows=rows,
                days=days,
                at=at,
                shown=rows[0]["day"] if rows else None,
                top=top,
                unit=words.unit,
                no_standing=words.no_standing,
                statement=words.standing_in_words(chosen),
                pictures={kind: races.picture(races.of(self.site, chosen, kind), kind) for kind in races.PLACES},
                trouble=trouble(browsing, chosen, self.site.now()),
                flips=browsing.newest_flips(Filter(name), most=12),
                ahead=ahead.likely(self.site, chosen, rows[0]["day"] if rows else None, browsing.first(name, at=at)),
                badge=address(self.site, request, "badge", f"{name}.svg"),
                frame=address(self.site, request, "embed", name),
            )

    def family_page(self, request: Request, name: str) -> HTMLResponse:
        """A family: its places, its models, what descends from it and who publishes it."""
        with self.site.published.browsing() as browsing:
            family = browsing.family(name)
            if family is None:
                raise NotKnownError("family", name, browsing.family_names())
            return self.page(
                request,
                "family.html",
                family=family,
                places=browsing.family_places(name),
                models=browsing.family_models(name),
                relations=browsing.family_relations(name),
                publishers=browsing.family_publishers(name),
                flips=browsing.newest_flips(Filter(entity=name, ranked="family"), most=12),
            )

    def flips_page(
        self,
        request: Request,
        board: str = "",
        kind: Literal["", "lead_change", "overtake"] = "",
        start: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> HTMLResponse:
        """All flips, newest first."""
        with self.site.published.browsing() as browsing:
            chosen = Filter(known_board(self.site, board), kind or None)
            return self.page(
                request,
                "flips.html",
                boards=list(browsing.definitions()),
                chosen=chosen,
                flips=browsing.newest_flips(chosen, most=PAGE, skip=start),
                found=browsing.count_flips(chosen),
                start=start,
                step=PAGE,
            )

    def flip_page(self, request: Request, flip_id: str) -> HTMLResponse:
        """One flip, to be quoted."""
        from monitor.web import looking_back  # noqa: PLC0415 see chart

        with self.site.published.browsing() as browsing:
            flip = known_flip(browsing, flip_id)
            return self.page(
                request,
                "flip.html",
                flip=flip,
                headline=words.headline(flip),
                statement=words.statement(flip),
                worth=words.worth(flip),
                citation=words.citation(flip, self.site.version, address(self.site, request, "flips", flip_id)),
                unit=words.unit,
                picture=races.picture(races.duel(browsing, flip, self.site.now().date())),
                split=looking_back.split(browsing, flip),
                dates=looking_back.dates(browsing, flip),
                alerts=[row for row in browsing.newest_alerts(1000) if _is_about(row, flip)],
            )

    def embed(self, request: Request, name: str) -> HTMLResponse:
        """A board for a frame in another page."""
        chosen = leader_of(self.site.leaders(), name)
        race = races.of(self.site, chosen, "race")
        statement = words.standing_in_words(chosen)
        return self.page(request, "embed.html", chosen=chosen, statement=statement, picture=races.picture(race))

    def chart(
        self, name: str, kind: Literal["race", "bump", "shares"], theme: Theme = "light", axis: Axis = "linear"
    ) -> Response:
        """The specification of a chart of a board."""
        # Here, not above: with Altair and polars the process would have 80 MB more before anybody looks.
        from monitor.web import charts  # noqa: PLC0415

        race = races.of(self.site, leader_of(self.site.leaders(), name), kind)
        if kind == "race":
            return JSONResponse(charts.race(race, charts.THEMES[theme], link=self.site.link, log=axis == "log"))
        drawn = charts.bump if kind == "bump" else charts.shares
        return JSONResponse(drawn(race, charts.THEMES[theme]))

    def duel_chart(self, flip_id: str, theme: Theme = "light", axis: Axis = "linear") -> Response:
        """The specification of the chart of a flip."""
        from monitor.web import charts  # noqa: PLC0415 see chart

        with self.site.published.browsing() as browsing:
            race = races.duel(browsing, known_flip(browsing, flip_id), self.site.now().date())
        return JSONResponse(charts.race(race, charts.THEMES[theme], link=self.site.link, log=axis == "log"))


def leader_of(leaders: list[dict[str, Any]], board: str) -> dict[str, Any]:
    """The board of this name with its leader; NotKnownError offers the nearest."""
    for row in leaders:
        if row["board"] == board:
            return row
    raise NotKnownError("board", board, [row["board"] for row in leaders])


def known_board(site: Site, asked: str | None) -> str | None:
    """The board that is asked for, None when all are; NotKnownError offers the nearest."""
    if not asked:
        return None
    leader_of(site.leaders(), asked)
    return asked


def trouble(browsing: Browsing, chosen: dict[str, Any] | None, now: datetime) -> dict[str, Any] | None:
    """The last look at a board's source, when the board does not stand on it."""
    if chosen is None or chosen["source"] is None:
        return None
    for look in browsing.looks(now):
        if look["source"] == chosen["source"] and look["verdict"] != "complete":
            return look
    return None


def address(site: Site, request: Request, *parts: str, **query: object) -> str:
    """A link that works outside the site."""
    return urljoin(site.public_url or str(request.base_url), site.link(*parts, **query))


def _is_about(alert: dict[str, Any], flip: dict[str, Any]) -> bool:
    same_pair = {alert["entity"], alert["rival"]} == {flip["entity"], flip["rival"]}
    return bool(alert["board"] == flip["board"] and same_pair)
