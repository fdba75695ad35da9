"""Publishers that are others now: renamed, or merged into one that was there before.

Read from the descriptions of models, each of which keeps its `_id` wherever it goes:

    model_versions --models that went from one publisher to another--> steps --resolved (pure)--> former_publishers
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import NamedTuple

from warehouse.db import Database
from warehouse.queries import sql


class Step(NamedTuple):
    """Models that went from one publisher, under which nothing is listed any more, to another."""

    former: str
    present: str
    models: int
    first: int
    """The first snapshot that showed one of them there."""
    day: date
    """The day that showed the last of them there."""
    older: bool
    """Others' models were there before them."""


class Move(NamedTuple):
    """What became of a publisher."""

    former: str
    present: str
    """Whose its models are now, whatever that publisher was called in between."""
    day: date
    """When it gave up its name."""
    merged: bool
    """Its models went to a publisher that was there before; false: it was renamed."""


@contextmanager
def looked_up(db: Database, *, moving: bool) -> Iterator[None]:
    """Within the block `note` and `former_names` may be asked; neither need be where no model ever moved."""
    if moving:
        db.execute(sql("find_renamed_versions"))
    yield
    if moving:
        db.execute(sql("forget_renamed_versions"))


def note(db: Database) -> dict[str, str]:
    """Bring the table of former publishers up to date with the descriptions. Run inside a transaction.

    Returns:
        Former name -> name now, of publishers that were renamed.
    """
    moves = resolved(Step(*row) for row in db.rows(sql("publisher_steps")))
    if moves != moved_publishers(db):
        db.execute(sql("clear_former_publishers"))
        with db.rows_as("moves", moves, {"former": str, "present": str, "day": date, "merged": bool}):
            db.execute(sql("fill_former_publishers"))
    return {move.former: move.present for move in moves if not move.merged}


def former_names(db: Database) -> dict[str, int]:
    """Name that a model had before and nobody has now -> the model, by its place in the table."""
    return dict(db.rows(sql("former_names")))


def moved_publishers(db: Database) -> list[Move]:
    """What became of every publisher that is another now, by name; of the warehouse, or of a published file."""
    return [Move(*row) for row in db.rows(sql("former_publishers"))]


def resolved(steps: Iterable[Step]) -> list[Move]:
    """What became of publishers, by name (pure).

    A publisher went where most of its models went that went anywhere. It was renamed when nobody was there before; of
    several that became one at the same time the largest was, the others were merged into it.
    """
    by_former: dict[str, list[Step]] = defaultdict(list)
    for step in steps:
        by_former[step.former].append(step)
    main = {former: most for former, gone in by_former.items() if (most := _where_most_went(gone))}
    heirs = _heirs(main)
    return [_followed(former, main, heirs) for former in sorted(main)]


def _where_most_went(steps: list[Step]) -> Step | None:
    most = min(steps, key=lambda step: (-step.models, step.present))
    return most if 2 * most.models > sum(step.models for step in steps) else None


def _heirs(main: Mapping[str, Step]) -> set[str]:
    """The publishers that were renamed: one for each new name."""
    founders: dict[str, Step] = {}
    for step in sorted(main.values(), key=lambda step: (step.first, -step.models, step.former)):
        if not step.older:
            founders.setdefault(step.present, step)
    return {step.former for step in founders.values()}


def _followed(former: str, main: Mapping[str, Step], heirs: set[str]) -> Move:
    """A publisher followed through everything that it was called since; merged when it was on the way."""
    seen, name = {former}, main[former].present
    while name in main and main[name].present not in seen:
        seen.add(name)
        name = main[name].present
    return Move(former, name, main[former].day, not seen <= heirs)
