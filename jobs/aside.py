"""Set a snapshot aside: somebody knows that it must not be judged by, such as one that a wrong clock has dated.

What it saw is kept. The boards and rules forget it with the next detection.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from warehouse.db import Database
from warehouse.errors import LeadchangeError, NotKnownError
from warehouse.queries import sql

NAMED = 20
"""Of so many of the last snapshots one is offered for an id that none has."""


def run(db: Database, snapshot_id: int, why: str, *, now: datetime) -> date:
    """Judge by a snapshot no longer; the day it was of.

    Raises:
        LeadchangeError: there is none of this id, or it is not judged by as it is.
    """
    known: dict[int, tuple[str, date]] = {one: (verdict, day) for one, verdict, day in db.rows(sql("verdicts"))}
    if snapshot_id not in known:
        newest = sorted(known)[-NAMED:]  # nearly always it is one of them
        raise NotKnownError("snapshot", str(snapshot_id), map(str, newest), "has the id")
    verdict, day = known[snapshot_id]
    if verdict != "complete":
        raise LeadchangeError(f"snapshot {snapshot_id} is {verdict}: nothing is judged by it as it is")
    with db.transaction():
        db.execute(sql("set_aside"), {"snapshot_id": snapshot_id, "why": why})
        db.execute(sql("forget_days_to_come"), {"today": now.astimezone(UTC).date()})
    return day
