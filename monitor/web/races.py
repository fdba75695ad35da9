"""The race of a board, gathered once for the page, its picture and its chart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from markupsafe import Markup

from alerts.names import entity_name
from alerts.text import humanise, percent
from monitor.web import svg
from monitor.web.site import Site
from warehouse.published.browsing import Browsing, Filter, Line

Leader = dict[str, Any]

PLACES = {"race": 8, "bump": 10, "shares": 7}
"""How many lines each kind of chart has."""

_MARKS = 60


@dataclass(frozen=True, slots=True)
class Race:
    """What a chart is about."""

    board: str
    names: Sequence[str]
    """Whose lines, in the order of their colours."""
    lines: Sequence[Line]
    unjudged: Sequence[dict[str, Any]] = ()
    flips: Sequence[dict[str, Any]] = ()


def of(site: Site, leader: Leader, kind: str) -> Race:
    """The race of a board as a kind of chart wants it; the looking up is done once for all kinds."""
    whole = site.published.once(("race", leader["board"]), lambda browsing: gather(browsing, leader))
    names = whole.names[: PLACES[kind]]
    return replace(
        whole,
        names=names,
        lines=[line for line in whole.lines if line[1] in names],
        flips=[flip for flip in whole.flips if flip["entity"] in names and flip["rival"] in names],
        unjudged=_come(whole.unjudged, site.now().date()),
    )


def _come(unjudged: Sequence[dict[str, Any]], today: date) -> list[dict[str, Any]]:
    """Without days to come, which a wrong clock has dated: the axis of a chart would go on to them."""
    return [row for row in unjudged if row["day"] <= today]


def gather(browsing: Browsing, leader: Leader) -> Race:
    """The first of a board, over all its days."""
    board, kind = leader["board"], leader["kind"]
    places = max(PLACES.values())
    entities = [row["entity"] for row in browsing.standing(board, top=places)][:places]
    lines = [
        (day, entity_name(kind, entity), value, share, rank)
        for day, entity, value, share, rank in browsing.lines(board, entities)
    ]
    flips = [
        flip | {"entity": entity_name(kind, flip["entity"]), "rival": entity_name(kind, flip["rival"])}
        for flip in browsing.newest_flips(Filter(board), most=2000)
        if flip["entity"] in entities and flip["rival"] in entities and flip["panel_holds"] is not False
    ]
    return Race(
        board=board,
        names=list(dict.fromkeys(entity_name(kind, entity) for entity in entities)),
        lines=lines,
        unjudged=browsing.unjudged_days(leader["source"]) if leader["source"] else [],
        flips=flips[:_MARKS],
    )


def picture(about: Race, kind: str = "race") -> Markup:
    """The race as SVG, for where there is no script."""
    pick, form = _COLUMNS[kind]
    series: dict[str, list[tuple[date, float]]] = {name: [] for name in about.names}
    for line in about.lines:
        value = line[pick]
        if isinstance(value, int | float) and (kind != "bump" or value <= PLACES["bump"]):
            series[line[1]].append((line[0], float(value)))
    return svg.lines(
        {name: values for name, values in series.items() if values},
        label=f"{about.board}: {_WHAT[kind]}",
        form=form,
        shaded=[row["day"] for row in about.unjudged],
        marked=[] if kind != "race" else [flip["day"] for flip in about.flips if flip["kind"] == "lead_change"],
        ranks=kind == "bump",
    )


_COLUMNS: dict[str, tuple[int, Callable[[float], str]]] = {
    "race": (2, humanise),
    "bump": (4, lambda rank: f"{rank:g}"),
    "shares": (3, percent),
}

_WHAT = {"race": "values day by day", "bump": "ranks day by day", "shares": "shares day by day"}


def duel(browsing: Browsing, flip: dict[str, Any], today: date) -> Race:
    """The two of a flip, over all days of its board up to today."""
    kind = flip["entity_kind"]
    pair = [flip["entity"], flip["rival"]]
    lines = [
        (day, entity_name(kind, entity), value, share, rank)
        for day, entity, value, share, rank in browsing.lines(flip["board"], pair)
    ]
    unjudged = browsing.unjudged_days(flip["source"]) if flip["source"] else []
    names = [entity_name(kind, name) for name in pair]
    return Race(flip["board"], names, lines, _come(unjudged, today), [flip])
