"""What it is worth that somebody came near the lead or into the first places, fell out of them, or reached a number.

As a flip is, it is held against the panel: where everybody would stand by the models that were seen at both ends and
those that were created in between. The ends are the last day on which the entity was seen on the other side of the line
and the first on this one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from warehouse.changes import exactness, panel
from warehouse.changes.panel import End, Panel, Side
from warehouse.changes.worth import Worth
from warehouse.db import Database
from warehouse.queries import sql
from warehouse.ranking.boards import Board
from warehouse.ranking.made import declared
from warehouse.records import Crossing, Had, line_behind


class _Crossed(NamedTuple):
    """A crossing, between which ends it was, and who is to be held against it."""

    crossing: Crossing
    before: End
    after: End
    rivals: Sequence[str]

    @property
    def sides(self) -> list[Side]:
        return [Side(self.before, self.after, entity) for entity in {self.crossing.entity, *self.rivals}]


_CROSSING: dict[str, type] = {
    "id": int, "board": str, "entity": str, "day": date, "inward": bool, "top": int, "number": float,
    "within": float,
}  # fmt: skip


def of_crossings(db: Database, crossings: Collection[Crossing]) -> Mapping[Crossing, Worth]:
    """What each of them is worth of which that is known. Of the warehouse or a published file."""
    asked = list(dict.fromkeys(crossings))
    by_board: dict[str, list[_Crossed]] = defaultdict(list)
    for crossed in _ends(db, asked) if asked else ():
        by_board[crossed.crossing.board].append(crossed)
    boards = declared(db) if by_board else {}
    known: dict[Crossing, Worth] = {}
    for name, here in by_board.items():
        if name in boards:
            known |= _judged(db, boards[name], here)
    return known


def _ends(db: Database, asked: Sequence[Crossing]) -> Iterator[_Crossed]:
    with db.rows_as("crossings", [(number, *one) for number, one in enumerate(asked)], _CROSSING):
        rows = db.rows(sql("crossing_ends"))
    for number, before, before_id, after, after_id, rivals in rows:
        yield _Crossed(asked[number], (before, before_id), (after, after_id), rivals)


def _judged(db: Database, board: Board, crossed: Sequence[_Crossed]) -> dict[Crossing, Worth]:
    """What the models, or the source of a series, say of crossings on a board."""
    if board.series is not None:
        said = exactness.said(db, board)
        return {one.crossing: (_as_published(said, one), None) for one in crossed}
    known = panel.of_sides(db, board, (side for one in crossed for side in one.sides))
    return {
        one.crossing: verdict_on(one.crossing, {side.entity: known.get(side, Had()) for side in one.sides})
        for one in crossed
    }


def _as_published(said: exactness.Said, one: _Crossed) -> str:
    words = exactness.in_words(said, (one.before[1], one.after[1]), [one.crossing.entity])
    return f"{words}: {panel.NO_MODELS}"


def verdict_on(crossing: Crossing, known: Panel) -> Worth:
    """Whether a line is crossed on the models seen at both ends plus those created in between, in which words (pure).

    Args:
        crossing: by whom, which.
        known: the panel of that entity, and of everybody who may be among the first places by it.
    """
    return panel.borne_out(known, lambda had: _is_across(crossing, had))


def _is_across(crossing: Crossing, values: Mapping[str, float]) -> bool:
    mine = values[crossing.entity]
    if crossing.within is not None:
        return mine > 0 and mine >= line_behind(max(values.values()), crossing.within)
    if crossing.top is None:
        return mine >= (crossing.number or 0.0)
    if crossing.inward:  # at a tie it would still be outside
        return mine > 0 and sum(value >= mine for value in values.values()) <= crossing.top
    return mine <= 0 or sum(value > mine for value in values.values()) >= crossing.top
