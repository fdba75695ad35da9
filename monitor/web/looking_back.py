"""Why a flip happened, and when it did under other definitions, as far as that is known in reasonable time."""

from __future__ import annotations

from typing import Any

from alerts.names import spoken
from alerts.text import plain
from alerts.wording import capital
from monitor.web.view import day_in_words
from warehouse.amounts import amount
from warehouse.changes import explain, when
from warehouse.errors import LeadchangeError
from warehouse.published.browsing import Browsing

SECONDS = 4.0
"""What either may take; a page is worked out once for each state of the file."""


def split(browsing: Browsing, flip: dict[str, Any]) -> explain.Explanation | None:
    """What moved the gap, split by kind of models; None when that takes too long."""
    try:
        with browsing.db.at_most(SECONDS):
            return explain.of_flip(browsing.db, flip["flip_id"])
    except LeadchangeError:
        return None


def dates(browsing: Browsing, flip: dict[str, Any]) -> dict[str, Any] | None:
    """When the one passed the other under every definition; None for single models, and when it takes too long."""
    kind = flip["entity_kind"]
    try:
        with browsing.db.at_most(SECONDS):
            found = when.crossings(browsing.db, flip["entity"], flip["rival"], kind)
    except LeadchangeError:
        return None
    if not found:
        return None
    who, whom = (plain(spoken(kind, flip[name]), 60) for name in ("entity", "rival"))
    return {"line": capital(when.in_one_line(who, whom, found)), "rows": [_row(dated) for dated in found]}


def _row(dated: when.Dated) -> dict[str, Any]:
    crossing = dated.crossing
    return {
        "measure": dated.board.measure,
        "scope": "as published" if dated.board.series else dated.board.scope,
        "first": _range(crossing.first, "never"),
        "sure": crossing.first.verdict if crossing.first else "",
        "good": _range(crossing.for_good, "does not lead now"),
        "good_sure": crossing.for_good.verdict if crossing.for_good else "",
        "changes": crossing.changes,
        "seen": f"{amount(crossing.days, 'day')}, {day_in_words(crossing.since)} to {day_in_words(crossing.until)}",
    }


def _range(passage: when.Passage | None, otherwise: str) -> str:
    if passage is None:
        return otherwise
    if passage.after is None:
        return f"from the first day, {day_in_words(passage.by)}"
    after, by = day_in_words(passage.after), day_in_words(passage.by)
    return f"{after.removesuffix(by[-5:])} to {by}"
