"""A run that is new to the published copy, carried there a slice at a time: a month's takes longer than all the rest.

    its rows, a slice a publication --> in the copy, unseen: `observations` asks `run_days`, which does not name it yet
    with the last of them --> it is named, and whatever held its snapshots until then is dropped

Until then the copy keeps what holds the snapshots of such a run, so that at any time every count is there once.
"""

from __future__ import annotations

from warehouse.db import Database
from warehouse.queries import sql

SLICE = 20_000_000
"""Counts that a publication carries at most, in about a second on two processors."""

BROUGHT = "SELECT run FROM new_runs UNION SELECT run FROM held_runs"
"""Runs whose rows in the copy are as they are to be."""

UNNAMED = "SELECT run FROM new_runs WHERE missing > 0 UNION SELECT run FROM held_runs"
"""Runs about which the copy is not to say anything else yet."""

ON_ITS_WAY = "run IN (SELECT run FROM new_runs WHERE missing > 0)"
"""Of which runs the copy has rows without naming them, once it is renewed, as a condition."""

HELD = "FROM held_snapshots"
"""Snapshots whose run is on its way."""


def bring(db: Database, most: int) -> int:
    """Bring the next rows of the runs that are new to the copy; how many runs are still on their way after that.

    Args:
        db: the warehouse, with the copy attached as `published`.
        most: how many counts to bring, of all runs together.
    """
    if strays := [run for (run,) in db.rows(sql("forget_strays"))]:
        db.execute(sql("drop_strays"), {"runs": strays})
    db.execute(sql("note_new_runs"))
    for run, first, last, missing, days, at_once in db.rows(sql("new_runs")):
        rows = missing if at_once else min(missing, max(most // days, 1)) if most > 0 else 0
        if rows:
            until = last if rows == missing else first + rows - 1
            db.execute(sql("bring_rows"), {"run": run, "first": first, "last": until})
            db.execute(sql("note_brought"), {"run": run, "rows": rows})
        most -= rows * days
    db.execute(sql("note_held_snapshots"))
    db.execute(sql("note_held_runs"))
    return int(db.value(sql("count_on_their_way")))
