"""What it is worth that one is ahead of another: the verdict of the flip that began it.

Flips are recorded near the top of a board only, and between neighbouring days. A rule may name a pair further down, or
one of whom somebody was not seen for a day: then the models of the two are asked for, as they are for a flip.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from warehouse.changes import exactness, panel
from warehouse.changes.flips import Day, OrderChange
from warehouse.db import Database
from warehouse.queries import sql
from warehouse.ranking.boards import Board
from warehouse.ranking.made import declared

Pair = tuple[str, str, str, date]
"""Board, entity, rival, a day on which the entity is ahead."""

Worth = tuple[str, bool | None]
"""What a lead is worth in words, and whether the models bear it out; nothing, and None, where that is not known."""

UNKNOWN: Worth = ("", None)

_PAIR: dict[str, type] = {"board": str, "entity": str, "rival": str, "day": date}


def of_pairs(db: Database, pairs: Collection[Pair]) -> Mapping[Pair, Worth]:
    """What it is worth, of each pair of which that is known. Of the warehouse or a published file."""
    with db.rows_as("pairs", sorted(pairs), _PAIR):
        known: dict[Pair, Worth] = {tuple(row[:4]): (row[4], row[5]) for row in db.rows(sql("last_pair_flips"))}
        passed = [(tuple(row[:4]), row[4:]) for row in db.rows(sql("unrecorded_passages"))]
    boards = declared(db) if passed else {}
    for name in {pair[0] for pair, _ in passed} & boards.keys():
        known |= _judged(db, boards[name], {pair: ends for pair, ends in passed if pair[0] == name})
    return known


def _judged(db: Database, board: Board, passed: Mapping[Pair, Sequence[Any]]) -> Mapping[Pair, Worth]:
    """What the models, or the source of a series, say of changes of order on a board."""
    changes = [_change(pair, *ends) for pair, ends in passed.items()]
    said = exactness.said(db, board)
    seen = panel.panels(db, board, changes)
    flips = [panel.judge(board.name, change, known, said) for change, known in zip(changes, seen, strict=True)]
    return {pair: (flip.verdict, flip.panel_holds) for pair, flip in zip(passed, flips, strict=True)}


def _change(
    pair: Pair, before: date, before_id: int, day: date, snapshot_id: int, value: float, rival_value: float
) -> OrderChange:
    _, entity, rival, _ = pair
    at = Day(day, snapshot_id, {}, {entity: value, rival: rival_value})
    return OrderChange("overtake", entity, rival, Day(before, before_id, {}, {}), at)
