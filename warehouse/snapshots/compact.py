"""Counts of days that are over, packed: one row for a model and a span of days instead of one for a model and a day.

    plain rows --close--> a run of each day --merge--> of each week --merge--> of each month
                                                         without what is given up --^

What a run holds is never changed: a run is written anew beside the old ones, held against them, and takes their place,
all in one transaction. `observations` is a view over plain rows and runs, and answers the same before and after.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any

import polars as pl

from warehouse.db import Database
from warehouse.errors import WarehouseError
from warehouse.queries import sql

SLICE = 122_880
"""Models whose lists are put together at once, a row group of DuckDB's; it bounds the memory, not the outcome."""

BLOCK = 4 * SLICE
"""Numbers whose models stand together in a run, so that a model is looked for among these alone: one of three million
is found in a fifth of the time, and they take a hundredth more."""

_WEEKS = (1, 8, 15, 22)
"""Days of the month on which a span of a week begins; the last one ends with the month."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run, and the snapshots that it holds, in their places."""

    number: int
    source: str
    snapshots: tuple[int, ...]
    day: date
    """Of its first snapshot; all its days are in one span."""


def span_of(day: date, today: date) -> tuple[date, date]:
    """The first and the last day of the longest span around a day that is over: its month, its week, or itself."""
    month = (day.replace(day=1), (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1))
    start = max(first for first in _WEEKS if first <= day.day)
    ends = [day.replace(day=first) - timedelta(days=1) for first in _WEEKS if first > day.day]
    week = (day.replace(day=start), min(ends, default=month[1]))
    return next((span for span in (month, week) if span[1] < today), (day, day))


def close_days(db: Database, today: date) -> int:
    """Make a run of every snapshot of a day before `today`; how many."""
    found = db.rows(sql("recent_snapshots"), {"today": today})
    for snapshot_id, day in found:
        with db.transaction():
            _close(db, snapshot_id, day)
    return len(found)


def runs_of(db: Database) -> list[Run]:
    """All runs."""
    held: dict[tuple[int, str], list[tuple[int, date]]] = defaultdict(list)
    for number, source, snapshot_id, day in db.rows(sql("known_runs")):
        held[number, source].append((snapshot_id, day))
    return [
        Run(number, source, tuple(snapshot_id for snapshot_id, _ in rows), rows[0][1])
        for (number, source), rows in held.items()
    ]


def merge_spans(db: Database, today: date, thin: Collection[int] = (), *, now: datetime | None = None) -> int:
    """Merge the runs of each source and span that is over, leaving out the snapshots to `thin`; how many were made.

    Args:
        db: the warehouse.
        today: what is before it is over.
        thin: snapshots to give up.
        now: when they are given up; needed if there are any.
    """
    spans: dict[tuple[str, date], list[Run]] = defaultdict(list)
    for run in runs_of(db):
        spans[run.source, span_of(run.day, today)[0]].append(run)
    given_up = frozenset(thin)
    due = [runs for runs in spans.values() if len(runs) > 1 or not given_up.isdisjoint(runs[0].snapshots)]
    for runs in due:
        with db.transaction():
            _merge(db, sorted(runs, key=lambda run: run.snapshots), given_up, now)
    return len(due)


def _close(db: Database, snapshot_id: int, day: date) -> None:
    """One snapshot's plain rows into a run of its own."""
    run = int(db.value(sql("next_run")))
    db.execute(sql("close_snapshot"), {"run": run, "snapshot_id": snapshot_id, "block": BLOCK})
    db.execute(sql("insert_run_day"), {"run": run, "snapshot_id": snapshot_id, "day": day})
    _require_true(db, run)
    db.execute(sql("forget_recent"), {"snapshot_id": snapshot_id})


def _merge(db: Database, runs: Sequence[Run], thin: frozenset[int], now: datetime | None) -> None:
    """Some runs into one, without the snapshots to thin."""
    numbers = [run.number for run in runs]
    kept = [snapshot_id for run in runs for snapshot_id in run.snapshots if snapshot_id not in thin]
    given_up = [snapshot_id for run in runs for snapshot_id in run.snapshots if snapshot_id in thin]
    if kept:
        number = int(db.value(sql("next_run")))
        _write_merged(db, number, _parts(runs, thin))
        _require_true(db, number)
    db.execute(sql("forget_run_rows"), {"runs": numbers})
    db.execute(sql("forget_run_days"), {"runs": numbers})
    if given_up:
        db.execute(sql("insert_thinned"), {"snapshots": given_up, "now": now})


def _write_merged(db: Database, number: int, parts: pl.DataFrame) -> None:
    """The merged run, a slice of the models at a time, in their order."""
    with db.view_of("parts", parts):
        db.execute(sql("order_models"), {"block": BLOCK})
        models = int(db.value(sql("count_places")))
        for low, high in pairwise([*range(0, models, SLICE), models]):
            db.execute(sql("merge_runs"), {"run": number, "low": low, "high": high})
        db.execute(sql("forget_places"))
        db.execute(sql("insert_run_days"), {"run": number})


def _parts(runs: Sequence[Run], thin: frozenset[int]) -> pl.DataFrame:
    """run; kept: its places that stay; before: how many places stand before them; positions: their new ones; blank."""
    kept = [[place for place, one in enumerate(run.snapshots, start=1) if one not in thin] for run in runs]
    before = list(accumulate((len(places) for places in kept), initial=0))[:-1]
    positions = [list(range(first + 1, first + 1 + len(places))) for first, places in zip(before, kept, strict=True)]
    frame = {
        "run": [run.number for run in runs],
        "kept": kept,
        "before": before,
        "positions": positions,
        "blank": [[None] * len(places) for places in kept],
    }
    integers = pl.List(pl.Int32)
    schema: dict[str, Any] = {
        "run": pl.Int32,
        "kept": integers,
        "before": pl.Int32,
        "positions": integers,
        "blank": pl.List(pl.Int64),
    }
    return pl.DataFrame(frame, schema=schema)


def _require_true(db: Database, run: int) -> None:
    """Nothing takes the place of rows that it does not equal."""
    if db.rows(sql("falsified"), {"run": run}):
        raise WarehouseError("packing observations would have changed them: nothing was changed; please report this")
