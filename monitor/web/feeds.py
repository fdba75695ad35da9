"""What other programs and pages take: the Atom feed of flips, and badges."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time
from typing import Any
from unicodedata import east_asian_width

import jinja2
from fastapi import APIRouter, Request
from fastapi.responses import Response

from alerts.message import NAMESPACE
from alerts.names import entity_name
from alerts.text import humanise, plain, together
from monitor.web import words
from monitor.web.pages import Kind, address, known_board, leader_of
from monitor.web.site import Site
from monitor.web.under import link
from warehouse.published.browsing import Filter

ENTRIES = 60
"""Flips in the feed."""

_WIDE, _NARROW = "mwMW@%", "iIlj.,:'| ftr1()"


class Feeds:
    """The routes, over one site."""

    def __init__(self, site: Site, pages: jinja2.Environment) -> None:
        self.site = site
        self.pages = pages

    def router(self) -> APIRouter:
        """`/flips.atom` and `/badge/BOARD.svg`."""
        routes = APIRouter(include_in_schema=False)
        routes.add_api_route("/flips.atom", self.atom)
        routes.add_api_route("/badge/{name}.svg", self.badge)
        return routes

    def atom(self, request: Request, board: str | None = None, kind: Kind | None = None) -> Response:
        """The newest flips that are true of the models, as an Atom feed."""
        with self.site.published.browsing() as browsing:
            newest = browsing.newest_flips(Filter(known_board(self.site, board), kind), most=4 * ENTRIES)
            looked = [look["taken_at"] for look in browsing.looks(self.site.now())]
        entries = [
            _entry(row) | {"link": address(self.site, request, "flips", row["flip_id"])}
            for row in newest
            if row["panel_holds"] is not False
        ][:ENTRIES]
        chosen = {"board": board, "kind": kind}
        text = self.pages.get_template("flips.atom").render(
            feed_id=_urn(f"feed{link('', **chosen).removeprefix('/')}"),
            here=address(self.site, request, "flips.atom", **chosen),
            page=address(self.site, request, "flips", **chosen),
            where=f" on {plain(board, 40)}" if board else "",
            # Where nobody has passed anybody, that is so as of the last look.
            updated=max((entry["updated"] for entry in entries), default=_moment(max(looked, default=self.site.now()))),
            entries=entries,
        )
        return Response(text, media_type="application/atom+xml")

    def badge(self, name: str) -> Response:
        """Who leads a board, as a badge."""
        chosen = leader_of(self.site.leaders(), name)
        names = [plain(entity_name(chosen["kind"], who), 28) for who in chosen["leaders"] or ()]
        text = f"{together(names)} {humanise(chosen['value'])}" if names else "not known yet"
        label = f"{'lead' if len(names) > 1 else 'leads'} {plain(name, 24)}"
        svg = self.pages.get_template("badge.svg").render(
            label=label,
            text=text,
            left=_width(label),
            right=_width(text),
            colour="#0b5c97" if names else "#6b7280",
        )
        return Response(svg, media_type="image/svg+xml")


def _entry(flip: dict[str, Any]) -> dict[str, str]:
    at = flip["taken_at"] or datetime.combine(flip["day"], time(), UTC)
    return {
        "id": _urn(flip["flip_id"]),
        "kind": flip["kind"],
        "title": words.headline(flip),
        "summary": f"{words.statement(flip)} {words.worth(flip)}",
        "updated": _moment(at),
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _urn(name: str) -> str:
    """The same for a flip for ever, wherever it is read."""
    return uuid.uuid5(NAMESPACE, f"flip/{name}").urn


def _width(text: str) -> int:
    """About how wide a text is in the badge's font, with room at both ends."""
    return 14 + round(sum(map(_letter, text)))


def _letter(c: str) -> float:
    """About how wide a character is."""
    if east_asian_width(c) in "WF":
        return 11.0
    return 10.5 if c in _WIDE else 4.4 if c in _NARROW else 7.0
