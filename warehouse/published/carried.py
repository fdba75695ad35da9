"""What a published copy remembers of what it carries, so that it need not be read to see what has changed since.

Of the largest relations the copy keeps what each part was when it was brought, and of runs on their way how far they
are. Who renews it compares these with the warehouse alone:

    the warehouse's parts  --held against-->  those remembered, replaced with what they tell of

It is believed by day, and only while every relation has as many rows as when it was noted: whoever else wrote in the
copy, such as an older version of this program, has it read as a whole again.
"""

from __future__ import annotations

from collections.abc import Iterable

from warehouse.db import Database
from warehouse.published import slices
from warehouse.queries import sql

UNNAMED = "run NOT IN (SELECT run FROM published.run_days)"
"""Of which runs a copy has rows without naming them, as a condition."""


def begin(db: Database, relations: Iterable[str], *, believing: bool) -> None:
    """Have the copy forget what it remembers, unless all its relations are as large as when that was noted.

    Args:
        db: the warehouse, with the copy attached as `published`.
        relations: tables of the copy.
        believing: false: in any case.
    """
    if believing and db.value(sql("remembers_sizes")) and not db.rows(sql("other_sizes", sizes=_sizes(relations))):
        return
    for query in ("forget_carried", "begin_carried"):
        db.execute(sql(query))
    db.execute(sql("remember_unnamed", unnamed=UNNAMED))


def seal(db: Database, relations: Iterable[str]) -> None:
    """Note how far runs are that are on their way, and how large all relations are now."""
    db.execute(sql("remember_unnamed", unnamed=slices.ON_ITS_WAY))
    db.execute(sql("remember_sizes", sizes=_sizes(relations)))


def parts_of(db: Database, relation: str, parts: str) -> str:
    """The SELECT of a relation's parts as the copy remembers them; `parts` is the SELECT by which they can be told."""
    db.execute(sql("remember_parts", relation=relation, parts=parts))
    return sql("remembered_parts", relation=relation)


def note_changed(db: Database, relation: str) -> None:
    """Note what the parts of a relation are that were brought just now."""
    db.execute(sql("forget_changed_parts", relation=relation))
    db.execute(sql("remember_changed_parts", relation=relation))


def _sizes(relations: Iterable[str]) -> str:
    return " UNION ALL ".join(sql("size_of", relation=relation) for relation in relations)
