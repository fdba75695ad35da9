"""What the verdict needs to know of earlier looks at a source, gathered in the database."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from warehouse.db import Database
from warehouse.queries import sql
from warehouse.records import Listing
from warehouse.snapshots.counters import DIP, LARGE, Comparison, Look
from warehouse.snapshots.store import Models
from warehouse.snapshots.verdict import Before, Listed, vouched

_DAYS = 60
"""Earlier days looked at: eight of each weekday."""
_LOOKS = 8
"""Looks since the reference whose values are not new."""
_EVERYBODY = ""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a source whatever a look shows."""

    reference: tuple[int, date, datetime] | None
    """The last complete look: its snapshot, day, and when it began. None when there is none yet."""
    since: Mapping[int, bool]
    """Snapshots after it, and whether each is a look that broke off on the same day."""
    looks: Sequence[Look]
    """Earlier days, newest first."""
    listed: Mapping[str, Sequence[Listed]]
    """Publisher -> what it listed on the last three days, newest first."""


def past(db: Database, source: str, *, taken_at: datetime, day: date, by_name: bool = True) -> Past:
    """What can be told before a look is there. The arguments are those of `before`; `by_name`: publishers are asked."""
    keys = {"source": source, "taken_at": taken_at}
    looks = [_look(*row) for row in db.rows(sql("earlier_days"), {"source": source, "day": day, "most": _DAYS})]
    listed = _listed(db, source, day) if by_name else {}
    for reference, shown, began in db.rows(sql("reference_look"), keys):
        keys |= {"reference": reference, "reference_at": began, "day": day, "most": _LOOKS}
        since: dict[int, bool] = dict(db.rows(sql("looks_since"), keys))
        return Past((reference, shown, began), since, looks, listed)
    return Past(None, {}, looks, listed)


def before(
    db: Database,
    source: str,
    models: Models,
    *,
    taken_at: datetime,
    day: date,
    listings: Sequence[Listing] | None = None,
    known: Past | None = None,
) -> Before:
    """What is known from before a look that is not yet written.

    Args:
        db: the warehouse.
        source: of the look.
        models: what it saw, as `store.Models`.
        taken_at: when it began, aware.
        day: the day it shows.
        listings: how each publisher was listed; None for a table of all models, for which no count of the Hub's speaks.
        known: the `past` of this look, where it was asked for already.
    """
    known = known or past(db, source, taken_at=taken_at, day=day, by_name=listings is not None)
    if known.reference is None:
        return Before(day, None, known.looks, known.listed)
    snapshot_id, reference_day, reference_at = known.reference
    with db.view_of("incoming", models):
        rows = _rows_gone(db, snapshot_id, listings)
        counters = _counters(db, snapshot_id, known.since)
    explained = {one.publisher for one in listings or () if vouched(one, known.listed.get(one.publisher, ()))}
    comparison = Comparison(
        reference=reference_day,
        days=_apart(taken_at - reference_at, day - reference_day),
        **_coverage(rows, explained),
        **counters,
    )
    gone = {row["publisher"]: row["lost"] for row in rows if row["lost"]}
    return Before(day, comparison, known.looks, known.listed, gone)


def _counters(db: Database, reference: int, since: Mapping[int, bool]) -> dict[str, Any]:
    """The counters of the view `incoming` beside those of the reference; `since` are the looks in between.

    What looks that broke off on the same day have shown is still new where most of it is: the day is asked for again.
    Where little is new, it was they who had found it, in a list that nobody read again.
    """
    whole = [snapshot_id for snapshot_id, part in since.items() if not part]
    counters = _compared(db, reference, whole)
    if len(whole) < len(since) and 2 * counters["fresh"] < counters["large"]:
        return _compared(db, reference, list(since))
    return counters


def _compared(db: Database, reference: int, since: Sequence[int]) -> dict[str, Any]:
    """These counters, where what the looks `since` have shown is not new."""
    keys = {"reference": reference, "large": LARGE, "dip": DIP} | ({"since": since} if since else {})
    shown = sql("count_shown") if since else "0"  # to ask it of no look takes as long as of one
    return db.records(sql("compare_counters", shown=shown), keys)[0]


def _apart(looked: timedelta, shown: timedelta) -> float:
    """Days between two looks; between the days that they show, where a source shows another day than today's."""
    return (looked if abs(looked - shown) < timedelta(days=1.5) else shown) / timedelta(days=1)


def _rows_gone(db: Database, reference: int, listings: Sequence[Listing] | None) -> list[dict[str, Any]]:
    """One record a publisher that was asked; one for everybody when nobody was asked by name."""
    asked = {_EVERYBODY: _EVERYBODY} if listings is None else _asked(listings)
    of = f"'{_EVERYBODY}'" if listings is None else "lower(split_part(repo_id, '/', 1))"
    with db.rows_as("asked", list(asked.items()), {"name": str, "publisher": str}):
        return db.records(sql("rows_gone", publisher=of), {"reference": reference})


def _asked(listings: Sequence[Listing]) -> dict[str, str]:
    """Every name that a listing speaks for, in lower case as the Hub compares them -> whose listing it is."""
    called = {listing.called.lower(): listing.publisher for listing in listings if listing.called}
    return called | {listing.publisher.lower(): listing.publisher for listing in listings}


def _coverage(rows: Sequence[dict[str, Any]], explained: Collection[str]) -> dict[str, int]:
    """What is gone in all, and what of it was not at the publishers that are `explained`."""
    figures = ("before", "lost", "downloads_before", "downloads_lost")
    unexplained = sum(row["lost"] for row in rows if row["publisher"] not in explained)
    return {name: sum(row[name] for row in rows) for name in figures} | {"unexplained": unexplained}


def _look(day: date, complete: bool, measured: str | None) -> Look:
    figures = json.loads(measured) if measured else {}
    kinds = figures.get("findings")
    return Look(
        day,
        complete,
        None if kinds is None else frozenset(kinds),
        figures.get("still_share"),
        figures.get("movement_per_day"),
    )


def _listed(db: Database, source: str, day: date) -> dict[str, list[Listed]]:
    """Publisher -> what it listed on the last three days, newest first."""
    found: dict[str, list[Listed]] = {}
    for publisher, *figures in db.rows(sql("earlier_listings"), {"source": source, "day": day, "most": 3}):
        found.setdefault(publisher, []).append(Listed(*figures))
    return found
