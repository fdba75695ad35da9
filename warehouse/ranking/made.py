"""What boards were made under and ranked for, and the days there are to rank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from functools import cached_property

from warehouse.db import Database
from warehouse.queries import sql
from warehouse.ranking.boards import DERIVATIVES, Board
from warehouse.ranking.moves import Moved
from warehouse.ranking.values import Days

KEEPS_DAYS = 28
"""Days for which a board waits for another snapshot of the kind that fed it, before it takes one of another kind."""


class Made:
    """What all boards were made under, and for which days, asked once: nearly always nothing is to do for any."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.seen_until: date | None
        self.models: int
        self.renamed: bool
        """Whether any model ever had another name."""
        self.changed: int
        """Of how many models it is noted what they were."""
        self.seen_until, self.models, self.renamed, self.changed = db.rows(sql("models_seen"))[0]
        self.under = {board: under for board, *under in db.rows(sql("boards_made_under"))}
        """Board -> its fingerprint, until when models were seen for it, which of them counted for whom, its meaning."""
        self.ranked = _days_by(db, "all_ranked_days")
        self.moved: dict[str, Moved] = {}
        """Board -> who has another value on days that were ranked before, as others have not."""

    def stands_on(self, board: Board) -> set[date]:
        """The days on which a board stands once it is ranked: all that can be, and those whose counts were given up."""
        return self.days_of(board).keys() | self._given_up[board.name].keys()

    def forget(self, board: Board) -> None:
        """The board stands on no day any more."""
        self._given_up.pop(board.name, None)

    @cached_property
    def _given_up(self) -> dict[str, Days]:
        return _days_by(self.db, "given_up_days")

    def days_of(self, board: Board) -> Days:
        """As the function of this name."""
        return self._looks[_preferred(board)] if board.series is None else self._series[board.measure]

    @cached_property
    def _looks(self) -> dict[str, Days]:
        return _days_by(self.db, "hub_days", {"keeps": KEEPS_DAYS})

    @cached_property
    def _series(self) -> dict[str, Days]:
        return _days_by(self.db, "all_series_days")

    def as_declared(self, board: Board) -> bool:
        """Whether a board means what it did, and no model was seen for the first time since."""
        return self.under[board.name][1::2] == [self.seen_until, board.definition]


def declared(db: Database, file: str = "") -> dict[str, Board]:
    """Name -> board as it was declared when it was ranked; `file`: in the copy that is attached as `published.`."""
    return {
        name: Board(name=name, entity=entity, measure=measure, scope=scope, where=condition)
        for name, entity, measure, scope, condition in db.rows(sql("boards_as_declared", file=file))
    }


def days_of(db: Database, board: Board) -> Days:
    """For each day with a complete snapshot of the kind that feeds the board: the last one."""
    if board.series is not None:
        return dict(db.rows(sql("series_days"), {"source": board.measure}))
    return _days_by(db, "hub_days", {"keeps": KEEPS_DAYS})[_preferred(board)]


def _days_by(db: Database, query: str, keys: Mapping[str, object] | None = None) -> dict[str, Days]:
    """The days that a query finds of several kinds, by kind; none of any other."""
    found: dict[str, Days] = defaultdict(dict)
    for kind, day, snapshot_id in db.rows(sql(query), keys):
        found[kind][day] = snapshot_id
    return found


def _preferred(board: Board) -> str:
    """The source whose snapshots a board prefers."""
    return "census" if of_everything(board) else "hub"


def of_everything(board: Board) -> bool:
    """Whether a board ranks whatever is on the Hub, and not only what the families' own publishers have there."""
    by_name = board.entity in ("publisher", "model") and board.scope == "own"
    return board.scope == "lineage" or board.measure in DERIVATIVES or by_name
