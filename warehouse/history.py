"""What the verdict needs to know of earlier looks at a source, gathered in the database."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from warehouse.counters import DIP, LARGE, Comparison, Look
from warehouse.db import Database
from warehouse.queries import sql
from warehouse.records import Listing
from warehouse.store import Models
from warehouse.verdict import Before, Listed, vouched

_DAYS = 60
"""Earlier days looked at: eight of each weekday."""
_LOOKS = 8
"""Looks since the reference whose values are not new."""
_EVERYBODY = ""


def before(
    db: Database,
    source: str,
    models: Models,
    *,
    taken_at: datetime,
    day: date,
    listings: Sequence[Listing] | None = None,
) -> Before:
    """What is known from before a look that is not yet written.

    Args:
        db: the warehouse.
        source: of the look.
        models: what it saw, as `store.Models`.
        taken_at: when it began, aware.
        day: the day it shows.
        listings: how each publisher was listed; None for a table of all models, for which no count of the Hub's speaks.
    """
    reference = db.rows(sql("reference_look"), {"source": source, "taken_at": taken_at})
    looks = [_look(*row) for row in db.rows(sql("earlier_days"), {"source": source, "day": day, "most": _DAYS})]
    listed = _listed(db, source, day) if listings is not None else {}
    if not reference:
        return Before(day, None, looks, listed)
    snapshot_id, reference_day, reference_at = reference[0]
    with db.view_of("incoming", models):
        rows = _rows_gone(db, snapshot_id, listings)
        keys = {"source": source, "taken_at": taken_at, "reference": snapshot_id, "reference_at": reference_at}
        since = [row[0] for row in db.rows(sql("looks_since"), keys | {"most": _LOOKS})]
        counters = db.records(
            sql("compare_counters"), {"reference": snapshot_id, "since": since, "large": LARGE, "dip": DIP}
        )[0]
    comparison = Comparison(
        reference=reference_day,
        days=_apart(taken_at - reference_at, day - reference_day),
        **_coverage(rows, {one.publisher for one in listings or () if vouched(one, listed.get(one.publisher, ()))}),
        **counters,
    )
    return Before(day, comparison, looks, listed, {row["publisher"]: row["lost"] for row in rows if row["lost"]})


def _apart(looked: timedelta, shown: timedelta) -> float:
    """Days between two looks; between the days that they show, where a source shows another day than today's."""
    return (looked if abs(looked - shown) < timedelta(days=1.5) else shown) / timedelta(days=1)


def _rows_gone(db: Database, reference: int, listings: Sequence[Listing] | None) -> list[dict[str, Any]]:
    """One record a publisher that was asked; one for everybody when nobody was asked by name."""
    asked = [_EVERYBODY] if listings is None else [listing.publisher for listing in listings]
    publisher = f"'{_EVERYBODY}'" if listings is None else "split_part(repo_id, '/', 1)"
    with db.view_of("asked", pl.DataFrame({"publisher": asked}, schema={"publisher": pl.String})):
        return db.records(sql("rows_gone", publisher=publisher), {"reference": reference})


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
