"""Whose attribution can be another than it was: of all models few, on most days.

What a model descends from follows from its own declarations and its ancestors', from who answers to a name, and from
the registry. So it stays as it was said unless the model is new or changed, or descends from what was, or is, called
like one that is. A model that is new or changed has no relation; what it was called and declared before, its
descriptions say. All is said anew where it is read in another way: by another registry, or under other publishers'
names.

    models without relation --their names, then and now--> affected --and all their ancestors--> kindred

What is traced of the kindred alone is what would be of everybody, for whatever decides it is among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from warehouse.db import Database
from warehouse.queries import sql

MOST = 0.02
"""Share of models up to which only those affected are attributed again: where twice as many are, all are as quickly."""

SMALL = 5_000
"""Models that do not count in that: among so few it takes longer to find those affected than to attribute all."""

BLANKS = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""What `lineage.trace` strips from the name of a parent."""

_DECLARE_NOTHING = pl.DataFrame(schema={"model": pl.Int64, "relation": pl.String, "parent_repo_id": pl.String})


class Standing(NamedTuple):
    """What is said of models already."""

    reading: str | None
    """How they were attributed last; None: never."""
    models: int
    """How many there are."""
    unread: int
    """How many of them are new or changed."""
    renamed: bool
    """Whether any ever had another name."""


def standing(db: Database) -> Standing:
    """How far models are attributed."""
    return Standing(*db.rows(sql("attribution_stands"))[0])


def note(db: Database, reading: str) -> None:
    """Note how models are attributed now."""
    db.execute(sql("forget_reading"))
    db.execute(sql("note_reading"), {"reading": reading})


def find(
    db: Database, known: Standing, publishers: Sequence[str], most: float
) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """The kindred of what is new or changed, and what they declare; None where more than `most` models are affected.

    Returns:
        model, hub_id, repo_id, ours (one of `publishers`, in lower case, published it), affected; and model, relation,
        parent_repo_id.
    """
    if known.unread > most:
        return None
    affected, declaring = _find_affected(db, known)
    # What declares nothing and is declared by nobody has no ancestors: to look for them takes longer than all the rest.
    alone = affected == known.unread and not declaring
    found = None if affected > most else _taken(db, publishers, alone=alone)
    for query in ("forget_fresh", "forget_affected", "forget_kindred", "forget_declared"):
        db.execute(sql(query))
    return found


def _find_affected(db: Database, known: Standing) -> tuple[int, bool]:
    """Find who is affected; how many are, and whether what is new or changed ever declared anything."""
    db.execute(sql("find_declared"), {"blanks": BLANKS})
    db.execute(sql("find_fresh"))
    db.execute(sql("find_affected"))
    affected, declaring = db.rows(sql("count_affected"))[0]
    if declaring:
        affected += db.value(sql("add_spelled"), {"blanks": BLANKS})
    if affected > known.unread:
        affected += db.value(sql("add_descendants"))
    return affected, declaring


def _taken(db: Database, publishers: Sequence[str], *, alone: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The kindred; where those affected stand `alone`, nobody else."""
    kindred = "SELECT model, true AS affected FROM affected" if alone else "FROM kindred"
    if not alone:
        db.execute(sql("find_kindred"))
    models = db.frame(sql("kindred_to_attribute", kindred=kindred), {"publishers": publishers})
    return models, _DECLARE_NOTHING if alone else db.frame(sql("kindred_parents"), {"blanks": BLANKS})
