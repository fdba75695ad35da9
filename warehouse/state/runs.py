"""What the daemon did when, one method a query."""

from __future__ import annotations

from datetime import datetime, timedelta

from warehouse.db import Database
from warehouse.queries import sql

KEPT = timedelta(days=30)
"""How long runs are kept."""


class Runs:
    """The rows of `job_runs`."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def last(self, job: str) -> tuple[datetime, datetime | None, bool, int] | None:
        """(slot, ended_at, ok, tries) of the last slot that was begun; None when none was."""
        rows = self.db.rows(sql("last_run"), {"job": job})
        return (rows[0][0], rows[0][1], rows[0][2], rows[0][3]) if rows else None

    def begin(self, job: str, slot: datetime, *, tries: int, now: datetime) -> None:
        """Note that a slot is being tried, for the `tries`-th time."""
        with self.db.transaction():
            self.db.execute(sql("forget_run"), {"job": job, "slot": slot})
            self.db.execute(sql("begin_run"), {"job": job, "slot": slot, "tries": tries, "now": now})
            self.db.execute(sql("prune_runs"), {"before": now - KEPT})

    def forget(self, job: str, slot: datetime) -> None:
        """Take back that a slot was begun."""
        with self.db.transaction():
            self.db.execute(sql("forget_run"), {"job": job, "slot": slot})

    def end(self, job: str, slot: datetime, *, now: datetime, ok: bool, outcome: str) -> None:
        """Note what came of a try."""
        with self.db.transaction():
            self.db.execute(sql("end_run"), {"job": job, "slot": slot, "now": now, "ok": ok, "outcome": outcome})
