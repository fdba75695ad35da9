"""A board's definition -> ranked values, for every day that has a complete snapshot.

    values of everybody on a board  --ranked, a few days at a time-->  standings

Standings are derived: they follow from the facts, the registry, the boards and what models are called now, and are made
again from the first day on which any of these changed. Where only some models count for others now, past days gain and
lose by these alone (`moves`). Where more can stand than are kept, that is so of who moves and matters near the top;
otherwise a past day stays as it was ranked. Models stand by number: another name changes no standing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property

from warehouse import moves
from warehouse.boards import DERIVATIVES, Board
from warehouse.db import Database
from warehouse.flips import TOP
from warehouse.moves import NOBODY, Moved, Ranked
from warehouse.places import TABLES, kept_in, may_be_deep, of_models
from warehouse.queries import literal, sql
from warehouse.values import Days, counted, days_to_rank, members_sql, values_sql

KEEPS_DAYS = 28
"""Days for which a board waits for another snapshot of the kind that fed it, before it takes one of another kind."""

KEPT = 50_000
"""Places of a board's day that are kept, ties at the last included: of millions of models most never lead anything."""

FOLLOWED = 100
"""Places of a board with more members than places: what moves and is as large as these has all days ranked again."""

_AT_ONCE = 500_000
"""Values of a board of publishers or models that are ranked at once; it bounds the memory, not the outcome."""

_SHIFTED_AT_ONCE = 1_000_000
"""Places that are ranked again at once, because somebody moved."""


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
        self.packed = {snapshot_id for (snapshot_id,) in db.rows(sql("packed_snapshots"))}
        """Snapshots whose counts are in runs."""
        self.moved: dict[str, Moved] = {}
        """Board -> who has another value on days that were ranked before, as others have not."""

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


def refresh(db: Database, board: Board, fingerprint: str, made: Made | None = None) -> date | None:
    """Bring one board up to date; the first day whose standing is new, None when there is none.

    Run inside a transaction. Where on the days before only some have other values, `made.moved` names them.
    """
    made = made or Made(db)
    anew = _made_otherwise(board, fingerprint, made)
    moved = None if anew else _moved(db, board, made)
    chosen, ranked = made.days_of(board), made.ranked[board.name]
    start = _first_difference({} if moved is None else ranked, chosen)
    declared = moved == NOBODY and made.as_declared(board)
    if moved and moved.entities:
        over = [day for day in moved.days if start is None or day < start]
        _shift(db, board, made, over, moved)
        made.moved[board.name] = moved
    if start is not None:
        if anew or any(day >= start for day in ranked):
            _forget(db, board, start, anew=anew)
        wanted = sorted(day for day in chosen if day >= start)
        step = _days_at_once(board, made.models)
        for first in range(0, len(wanted), step):
            _rank(db, board, made, wanted[first : first + step])
    # Last, for what stands on a deep board decides who matters.
    if not declared or (start is not None and may_be_deep(board)):
        told = _declare(made, board, fingerprint)
        if chosen and told is None and may_be_deep(board):
            _follow(db, board, chosen)
    return start


def _forget(db: Database, board: Board, start: date, *, anew: bool) -> None:
    """Take back what was ranked from a day on; where the board means something else now, all of it."""
    keys = {"board": board.name, "start": start, "anew": anew}
    for kept in TABLES if anew else (kept_in(board),):
        db.execute(sql("delete_standings", standings=kept), keys)
    db.execute(sql("delete_rankings"), keys)


def _rank(db: Database, board: Board, made: Made, wanted: Sequence[date]) -> None:
    """Rank some days, oldest first; the day before the first of them stands already."""
    chosen = made.days_of(board)
    packed = not made.packed.isdisjoint(chosen[day] for day in wanted)
    with counted(db, board, chosen, wanted) as counts:
        values = values_sql(board, counts, _members(board), packed=packed)
        ranked = sql("ranked", values=values, total="sum(v.value)", kept=str(KEPT))
        if of_models(board):
            db.execute(sql("rank_places", ranked=ranked))
            db.execute(sql("number_models"))
        _write(db, board, ranked)


def _shift(db: Database, board: Board, made: Made, over: Sequence[date], moved: Moved) -> None:
    """Rank days that stand already again, because some have other models now; all others have what stands there."""
    values_of = _added if moved.members else _added_up_again
    step = max(1, _SHIFTED_AT_ONCE // KEPT) if may_be_deep(board) else _SHIFTED_AT_ONCE
    for first in range(0, len(over), step):
        with values_of(db, board, made.days_of(board), over[first : first + step], moved) as ranked:
            db.execute(sql("rank_places", ranked=ranked))
            for kept in (kept_in(board), "rankings"):
                db.execute(sql("drop_days", standings=kept), {"board": board.name})
            _write(db, board, "FROM ranked_places")


@contextmanager
def _added(db: Database, board: Board, chosen: Days, days: Sequence[date], _: Moved) -> Iterator[str]:
    """Within the block: what is ranked where everybody stands, with what those who moved gain or lose."""
    with days_to_rank(db, chosen, days):
        values = sql("added_values", board=literal(board.name), standings=kept_in(board))
        yield sql("ranked", values=values, total="sum(v.value)", kept=str(KEPT))


@contextmanager
def _added_up_again(db: Database, board: Board, chosen: Days, days: Sequence[date], moved: Moved) -> Iterator[str]:
    """Within the block: what is ranked where not everybody stands.

    Of a million publishers only those who moved are added up; who is not among the places kept stays where he is.
    """
    entities = f"({', '.join(map(literal, sorted(moved.entities)))})"
    whose = sql("members_among", members=_members(board), entities=entities)
    with counted(db, board, chosen, days, among=sql("hub_ids", members=whose)) as counts:
        keys = {"board": literal(board.name), "entities": entities, "kept": str(KEPT)}
        values = sql("shifted_values", values=values_sql(board, counts, whose), **keys)
        yield sql("ranked", values=values, total="any_value(v.total)", kept=str(KEPT))


def _write(db: Database, board: Board, ranked: str) -> None:
    """Write what was ranked, and that it was."""
    insert, entity = ("insert_model_standings", "model") if of_models(board) else ("insert_standings", "entity")
    db.execute(sql(insert, ranked=ranked, standings=kept_in(board)), {"board": board.name})
    db.execute(sql("insert_rankings", standings=kept_in(board), entity=entity), {"board": board.name})


def _days_at_once(board: Board, models: int) -> int:
    """How many days are ranked at once: all of them, where entities are few."""
    return max(1, _AT_ONCE // (models or 1)) if may_be_deep(board) else _AT_ONCE


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


def rename_models(db: Database) -> set[str]:
    """Call models on boards what they are called now; the boards near whose top one of the renamed ever stood."""
    renamed = [model for (model,) in db.rows(sql("rename_models"))]
    if not renamed:
        return set()
    return {board for (board,) in db.rows(sql("boards_led_by"), {"models": renamed, "top": 2 * TOP})}


def retire(db: Database, boards: list[str], made: Made) -> None:
    """Forget boards that are no longer configured."""
    if made.under.keys() <= set(boards):
        return
    for kept in TABLES:
        db.execute(sql("retire_standings", standings=kept), {"boards": boards})
    for query in ("retire_rankings", "retire_followed", "retire_flip_panels", "retire_flips", "retire_boards"):
        db.execute(sql(query), {"boards": boards})


def _made_otherwise(board: Board, fingerprint: str, made: Made) -> bool:
    """Whether the board's standings were made under another definition, or never."""
    return board.name not in made.under or made.under[board.name][0] != fingerprint


def _moved(db: Database, board: Board, made: Made) -> Moved | None:
    """Who has other models now than when the board was last ranked; None: that is not known of everybody.

    Of a deep board only moves near the top count.
    """
    _, seen_until, members, _ = made.under[board.name]
    present = _members_until(made, board, seen_until)
    if present != members:
        if present is None or members is None or not made.changed or of_models(board):
            return None
        by = Ranked(seen_until, members, made.ranked[board.name])
        return moves.find(db, board, by, present, made.days_of(board))
    if members is not None or not may_be_deep(board):
        return NOBODY
    followed = _members(board, sql("is_followed", board=literal(board.name)))
    ends = db.rows(sql("moves", members=followed, near_top=_near_top(board)), {"board": board.name})
    if any(None in both for both in ends):
        return None
    return Moved(frozenset(entity for both in ends for entity in both), sorted(made.ranked[board.name]))


def _members_until(made: Made, board: Board, until: date | None) -> str | None:
    """Fingerprint of which models, first seen up to a day, count for whom; None where that is told by `_follow`.

    Where derivatives are counted for more entities than are kept, it is of those near the top on the board's last day.
    """
    deep = _is_deep(made, board, until)
    if board.series is not None or (deep and board.measure not in DERIVATIVES):
        return None
    whose = sql("stands_near_top", near_top=_near_top(board)) if deep else "true"
    entity = "''" if of_models(board) else "entity"  # its own, whatever it is called
    members = members_sql(board, "first_seen <= $until")
    found = made.db.value(sql("members_fingerprint", members=members, whose=whose, entity=entity), {"until": until})
    return None if found is None else str(found)


def _follow(db: Database, board: Board, chosen: Days) -> None:
    """Note which models matter on a deep board, each for itself, and for whom they count.

    Among millions somebody moves every day. That is no reason to rank all days again while nobody near the top would
    stand elsewhere for it: who moves and matters is as large as one of those, or leaves with all that a publisher has.
    """
    db.execute(sql("forget_followed"), {"board": board.name})
    least = db.value(sql("least_near_top"), {"board": board.name, "depth": FOLLOWED})
    if least is not None:
        with counted(db, board, chosen, [max(chosen)]) as counts:
            follow = sql("follow", counts=counts, members=_members(board), least=repr(float(least)))
            db.execute(follow, {"board": board.name})


def _members(board: Board, only: str = "true") -> str:
    """As `members_sql`, models by their _id."""
    return members_sql(board, only, entity="hub_id" if of_models(board) else None)


def _near_top(board: Board) -> str:
    return sql("near_top", board=literal(board.name), depth=str(FOLLOWED))


def _is_deep(made: Made, board: Board, until: date | None) -> bool:
    """Whether a board has more members than places that are kept."""
    if not may_be_deep(board) or made.models <= KEPT:
        return False
    members = members_sql(board, "first_seen <= $until")
    return bool(made.db.value(sql("count_members", members=members), {"until": until}) > KEPT)


def _first_difference(have: Days, want: Days) -> date | None:
    return min((day for day in have.keys() | want.keys() if have.get(day) != want.get(day)), default=None)


def _declare(made: Made, board: Board, fingerprint: str) -> str | None:
    """Write what a board's standings were made under; which models count for whom, where that is told by one number."""
    members = _members_until(made, board, made.seen_until)
    if board.name in made.under:
        made.db.execute(sql("delete_board"), {"board": board.name})
    made.db.execute(
        sql("insert_board"),
        {
            "board": board.name,
            "entity": board.entity,
            "measure": board.measure,
            "scope": board.scope,
            "definition": board.definition,
            "condition": board.where,
            "fingerprint": fingerprint,
            "seen_until": made.seen_until,
            "members": members,
        },
    )
    return members
