"""Is a flip true of the models, or only of the list? Judged on models seen at both ends, and those created between.

A list that merely grew makes flips: somebody found forty more repositories of one publisher, and it "passed" another.
So does a count that is missing: a model is listed without one for a day, and whose it is falls behind.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from operator import add
from typing import NamedTuple

from warehouse.changes.exactness import Said, in_words
from warehouse.changes.flips import OrderChange
from warehouse.db import Database
from warehouse.queries import sql
from warehouse.ranking.boards import SPANS, Board
from warehouse.ranking.made import days_of
from warehouse.ranking.moves import NOBODY, Moved
from warehouse.ranking.values import blank_sql, counted, members_sql
from warehouse.records import Flip, Had

STANDS = "stands: it holds on the models seen at both ends"
LAUNCH = "launch: it holds with models created in between"
LIST_GROWTH = "list growth: it exists only because more repositories were listed"
UNCOUNTED = "counts missing: it exists only because models were listed without a count"
LEFT = "left: every model of the one that led was deleted"
NO_MODELS = "the models behind it are not known"

FEW = 16
"""Sides that are looked up at once, however many models they have: of the whole Hub, hundreds of thousands each."""

COUNTS_AT_ONCE = 4_000_000
"""Counts, a model's of each day, up to which more of them are looked up at once."""

End = tuple[date, int]
"""A day, and the snapshot that speaks for it."""

Panel = Mapping[str, Had]
"""Entity -> what it had at the later end."""


class Side(NamedTuple):
    """An entity to compare between two ends."""

    before: End
    after: End
    entity: str


@contextmanager
def compared(db: Database, board: Board, sides: Collection[Side]) -> Iterator[str]:
    """Within the block: the SELECT of what every model of these entities had at both ends, one row a model and side.

    Columns before_id, after_id, entity, hub_id; before, after (NULL: no known count); part: `both` ends saw it, it
    `vanished`, was `created` since the snapshot before, was only `listed` since, or is `blank` at one end: listed
    there without a count.
    """
    with _members_of(db, board, sides, NOBODY), _side_by_side(db, board, sides, NOBODY) as ends:
        yield ends


@contextmanager
def _members_of(db: Database, board: Board, sides: Collection[Side], moved: Moved) -> Iterator[None]:
    """Within the block it is known which models count for these entities."""
    whose = moved.members or members_sql(board, since=min((side.before[0] for side in sides), default=None))
    with _view_of(db, sides):
        db.execute(sql("find_side_members", members=whose))
    yield
    db.execute(sql("forget_side_members"))


@contextmanager
def _side_by_side(db: Database, board: Board, sides: Collection[Side], moved: Moved) -> Iterator[str]:
    """Within the block: `compared` of sides whose models are known."""
    with _view_of(db, sides):
        if moved.counts is not None:
            yield _ends(db, board, moved.counts)
            return
        ends = dict(end for side in sides for end in (side.before, side.after))
        before = days_of(db, board) if board.measure in SPANS else {}  # growth is counted from earlier days on
        among = sql("hub_ids", members=sql("side_members"))
        with counted(db, board, before | ends, sorted(ends), among=among) as counts:
            yield _ends(db, board, counts)


def _ends(db: Database, board: Board, counts: str) -> str:
    return sql("ends", counts=counts, blank=blank_sql(db, board, sql("side_snapshots"), sql("half_known")))


def _view_of(db: Database, sides: Iterable[Side]) -> AbstractContextManager[None]:
    rows = {(side.before[1], side.after[1], side.entity) for side in sides}
    return db.rows_as("sides", sorted(rows), {"before_id": int, "after_id": int, "entity": str})


def panels(db: Database, board: Board, changes: Sequence[OrderChange]) -> Sequence[Panel | None]:
    """The panel of every change of order; None where the models are not known."""
    return [None] * len(changes) if board.series is not None else _panels(db, board, changes)


def added(db: Database, board: Board, changes: Sequence[OrderChange], moved: Moved) -> list[Panel]:
    """What the models that moved bring to, or take from, the panel of every change of order."""
    return _panels(db, board, changes, moved) if changes else []


def both(one: Panel, other: Panel) -> Panel:
    """A panel of the models of both (pure)."""
    return {entity: Had(*map(add, one[entity], brought)) for entity, brought in other.items()}


def _panels(db: Database, board: Board, changes: Sequence[OrderChange], moved: Moved = NOBODY) -> list[Panel]:
    known = of_sides(db, board, (side for change in changes for side in sides_of(change)), moved)
    return [{side.entity: known.get(side, Had()) for side in sides_of(change)} for change in changes]


def of_sides(db: Database, board: Board, sides: Iterable[Side], moved: Moved = NOBODY) -> dict[Side, Had]:
    """What each entity had at the later end, by what its models were at both.

    Some are looked up at once; one that had nothing is not among them. Models are whose the board says, or those alone
    by which some have `moved`.
    """
    wanted = sorted(set(sides))
    known: dict[tuple[int, int, str], Had] = {}
    if not wanted:
        return {}
    with _members_of(db, board, wanted, moved):
        models = db.rows(sql("count_side_members")) if len(wanted) > FEW else ()
        for some in at_once(wanted, dict(models)):
            with _side_by_side(db, board, some, moved) as ends:
                rows = db.rows(sql("panel", ends=ends))
            known |= {(before, after, entity): Had(*parts) for before, after, entity, *parts in rows}
    return {side: known[key] for side in wanted if (key := (side.before[1], side.after[1], side.entity)) in known}


def at_once(sides: Sequence[Side], models: Mapping[str, int]) -> Iterator[list[Side]]:
    """Sides in their order, in parts that are looked up at once (pure).

    To look up one part takes about as long as another: what is packed is read for all its days and models. So a part is
    as large as memory allows, by the models of all its entities on all its days.

    Args:
        sides: what is to be compared.
        models: how many each entity has.
    """
    some: list[Side] = []
    entities: set[str] = set()
    days: set[int] = set()
    counts = 0
    for side in sides:
        more = 0 if side.entity in entities else models.get(side.entity, 0)
        ends = days | {side.before[1], side.after[1]}
        if len(some) >= FEW and (counts + more) * len(ends) > COUNTS_AT_ONCE:
            yield some
            some, entities, counts = [], set(), 0
            more, ends = models.get(side.entity, 0), {side.before[1], side.after[1]}
        some.append(side)
        entities.add(side.entity)
        days, counts = ends, counts + more
    if some:
        yield some


def sides_of(change: OrderChange) -> list[Side]:
    """Both entities of a change of order, between the board's days around it."""
    before, after = (change.before.day, change.before.snapshot_id), (change.at.day, change.at.snapshot_id)
    return [Side(before, after, change.entity), Side(before, after, change.rival)]


def judge(board: str, change: OrderChange, known: Panel | None, said: Said) -> Flip:
    """The flip of an order change, with its verdict (pure).

    Args:
        board: name of the board.
        change: who passed whom.
        known: the panel; None where the models are not known.
        said: how sure a series is of its totals.
    """
    left = change.rival not in change.at.values
    holds, verdict = (True, LEFT) if left else verdict_on(change.entity, change.rival, known)
    if known is None:
        ends = (change.before.snapshot_id, change.at.snapshot_id)
        verdict = f"{in_words(said, ends, (change.entity, change.rival))}: {verdict}"
    value, rival_value = change.at.values[change.entity], change.at.values.get(change.rival, 0.0)
    return Flip(
        flip_id=change.flip_id(board),
        board=board,
        kind=change.kind,
        entity=change.entity,
        rival=change.rival,
        day=change.at.day,
        value=value,
        rival_value=rival_value,
        margin=(value - rival_value) / value if value > 0 else 0.0,
        verdict=verdict,
        panel_holds=holds,
    )


def verdict_on(entity: str, rival: str, known: Panel | None) -> tuple[bool | None, str]:
    """Whether the newcomer leads on models seen at both ends plus those created in between, and in which words (pure).

    None: the models are not known.
    """
    if known is None:
        return None, NO_MODELS
    verdict, holds = borne_out(known, lambda had: had[entity] > had[rival])
    return holds, verdict


def borne_out(known: Panel, holds: Callable[[Mapping[str, float]], bool]) -> tuple[str, bool]:
    """In which words the models bear something out, and whether they do (pure).

    Args:
        known: the panel of all whom it is about.
        holds: whether it is so, by what each of them had.
    """
    if any(had.blank for had in known.values()) and holds({entity: had.before for entity, had in known.items()}):
        return UNCOUNTED, False  # it was so before, but for a count that was missing then
    if not holds({entity: had.by_the_models for entity, had in known.items()}):
        counted = holds({entity: had.same + had.created for entity, had in known.items()})
        return (UNCOUNTED if counted else LIST_GROWTH), False
    return (STANDS if holds({entity: had.same + had.blank for entity, had in known.items()}) else LAUNCH), True
