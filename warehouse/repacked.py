"""Runs of counts in the published file: those that only pack anew what it holds are carried into it a slice at a time.

A month of the whole Hub that is packed is a hundred million counts that everybody can read already, day by day. To
carry them over at once makes one publication a month, and of both copies, take twice as long as all others. Until the
last slice is there a copy keeps the runs of the days and weeks: nobody reads a run that `run_days` does not list.

    run --slices of its models, numbered below 0--> whole --its own number, listed--> what it replaces is gone
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import NamedTuple

from warehouse.db import Database
from warehouse.queries import sql

AT_ONCE = 25_000_000
"""Counts (of one model in one snapshot) that are carried over at once."""

SLICES = 4
"""Publications after which a run is whole, however large it is: the next one may be there in a week."""


class Run(NamedTuple):
    """A run of the warehouse, or of a copy."""

    number: int
    snapshots: tuple[int, ...]
    sign: int
    """Of what it holds."""


def bring(db: Database) -> None:
    """Bring the runs of the copy that is attached as `published` up to date."""
    ours, theirs = (_runs(db, file) for file in ("", "published."))
    fresh = [run for run in ours.values() if theirs.get(run.number) != run]
    slices = {run: count for run in _repacked(fresh, theirs) if (count := _slices(db, run)) > 1}
    whole = [run for run, count in slices.items() if _brought(db, run, count)]
    late = slices.keys() - set(whole)
    held = {snapshot for run in late for snapshot in run.snapshots}
    gone = [run for run in theirs.values() if ours.get(run.number) != run and held.isdisjoint(run.snapshots)]
    _carry(db, "observation_runs", gone, [run for run in fresh if run not in slices])
    for run in whole:
        db.execute(sql("number_slices"), {"run": run.number, "apart": _apart(run, slices[run])})
    _carry(db, "run_days", gone, [run for run in fresh if run not in late])
    db.execute(sql("forget_slices"), {"late": [_apart(run, slices[run]) for run in late]})


def _carry(db: Database, relation: str, gone: Sequence[Run], fresh: Sequence[Run]) -> None:
    """Take the rows of some runs out of the copy, and write those of others."""
    for query, runs in (("drop_changed", gone), ("bring_changed", fresh)):
        if runs:
            db.execute(sql("note_runs"), {"runs": [run.number for run in runs]})
            db.execute(sql(query, relation=relation, key="run"))
    db.execute(sql("forget_changed"))


def _runs(db: Database, file: str) -> dict[int, Run]:
    return {number: Run(number, tuple(held), sign) for number, held, sign in db.rows(sql("runs_of", file=file))}


def _repacked(fresh: Sequence[Run], theirs: Mapping[int, Run]) -> list[Run]:
    """Runs of which the copy has every snapshot, in others; none where two runs would have one number."""
    there = {snapshot for run in theirs.values() for snapshot in run.snapshots}
    apart = theirs.keys().isdisjoint(run.number for run in fresh)
    return [run for run in fresh if there.issuperset(run.snapshots)] if apart else []


def _slices(db: Database, run: Run) -> int:
    """In how many a run is carried over."""
    models = int(db.value(sql("count_run"), {"run": run.number}))
    return min(SLICES, ceil(models * len(run.snapshots) / AT_ONCE))


def _apart(run: Run, slices: int) -> int:
    """The number under which slices of a run stand by themselves: another one if it holds, or is cut, otherwise."""
    return -1 - (run.sign * (SLICES + 1) + slices) % 2**30


def _brought(db: Database, run: Run, slices: int) -> bool:
    """Carry one more slice of a run over; whether all are there."""
    keys = {"run": run.number, "apart": _apart(run, slices), "slices": slices}
    missing = [part for (part,) in db.rows(sql("slices_missing"), keys)]
    db.execute(sql("bring_slice"), keys | {"part": missing[0]})
    return len(missing) == 1
