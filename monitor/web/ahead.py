"""What may come on a board, for its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from alerts import outlooks
from monitor.web.site import Site
from warehouse.forecasts import forecast
from warehouse.forecasts.forecast import Outlook

LEAST = 0.1
"""Chance within the last horizon from which a page shows it."""

MOST = 8
"""Rows on a page."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a page says of the days to come."""

    challenger: Outlook | None
    """Who is likeliest to pass the one who leads."""
    lead: str
    """The same as a sentence."""
    rows: Sequence[Outlook]
    """The likeliest passages, as far as they are likely at all."""
    known: bool
    """Whether enough is known for any forecast."""
    totals: bool
    least: float = LEAST


def likely(site: Site, board: dict[str, Any], day: date | None, leaders: Sequence[str]) -> Ahead | None:
    """What may come, seen from a day of a board and who led on it; None without one, and for boards of single models.

    It is worked out once for each state of the file.
    """
    if day is None or board["kind"] not in forecast.RANKED:
        return None
    name = board["board"]
    found = site.published.once(("ahead", name, day), lambda browsing: browsing.outlooks(name, at=day))
    return Ahead(
        challenger=outlooks.challenger(leaders, found),
        lead=outlooks.on_the_lead(board["kind"], leaders, found),
        rows=[one for one in found if one.within_180d >= LEAST][:MOST],
        known=bool(found),
        totals=board["measure"] in forecast.ACCUMULATE,
    )
