"""Prune: pack counts of days that are over, and give up daily detail that is older than it is kept.

    plain rows --> runs of days, weeks, months --> of what is old: one complete snapshot a week, and what was told about

Every run is written in a transaction of its own: an interruption anywhere leaves the rest for the next time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from warehouse.amounts import amount
from warehouse.db import Database
from warehouse.queries import sql
from warehouse.ranking.boards import SPANS
from warehouse.snapshots import compact

KEEP_DAILY_DAYS = 400
"""A year and a month: any day can be held against the same day a year before."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What pruning did."""

    packed: int
    """Snapshots whose plain rows were packed."""
    merged: int
    """Runs made of several, or without what was given up."""
    thinned: int
    """Snapshots whose counts were given up."""

    def __str__(self) -> str:
        packed, merged, thinned = (
            amount(self.packed, "snapshot"),
            amount(self.merged, "run"),
            amount(self.thinned, "snapshot"),
        )
        return f"{packed} packed, {merged} merged, {thinned} thinned out"


def run(db: Database, *, now: datetime, keep_daily_days: int = KEEP_DAILY_DAYS) -> Summary:
    """Pack what is over, and thin out what is older than `keep_daily_days`.

    What a snapshot was, the standings made of it, and the counts behind every flip and alert stay.
    """
    today = now.astimezone(UTC).date()
    packed = compact.close_days(db, today)
    kept = min(keep_daily_days, today.toordinal() - 1)  # who writes more means for ever
    before = datetime.combine(today - timedelta(days=kept), time())
    with db.rows_as("spans", sorted(SPANS.items()), {"measure": str, "span": int}):
        thin = [int(row[0]) for row in db.rows(sql("snapshots_to_thin"), {"before": before})]
    merged = compact.merge_spans(db, today, thin, now=now)
    if packed or merged:
        db.checkpoint()
    return Summary(packed, merged, len(thin))
