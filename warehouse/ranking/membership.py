"""Which models count for whom on a board, and who has others than when it was ranked.

Of a board that keeps all its places that is told by a fingerprint of its members, and `moves` says who moved. Of one
with more members than places it is told by the models that are followed there: those as large as who is near its top.
"""

from __future__ import annotations

from datetime import date

from warehouse.db import Database
from warehouse.queries import literal, sql
from warehouse.ranking import moves, places
from warehouse.ranking.boards import DERIVATIVES, Board
from warehouse.ranking.made import Made
from warehouse.ranking.moves import NOBODY, Moved, Ranked
from warehouse.ranking.places import may_be_deep, of_models
from warehouse.ranking.values import Days, counted, members_sql


def moved(db: Database, board: Board, made: Made) -> Moved | None:
    """Who has other models now than when the board was last ranked; None: that is not known of everybody.

    Of a deep board only moves near the top count.
    """
    _, seen_until, was, _ = made.under[board.name]
    present = members_until(made, board, seen_until, made.ranked[board.name])
    if present != was:
        if present is None or was is None or not made.changed or of_models(board):
            return None
        by = Ranked(seen_until, was, made.ranked[board.name])
        return moves.find(db, board, by, present, made.days_of(board))
    if was is not None or not may_be_deep(board):
        return NOBODY
    followed = members(board, only=sql("is_followed", board=literal(board.name)))
    ends = db.rows(sql("moves", members=followed, near_top=_near_top(board)), {"board": board.name})
    if any(None in both for both in ends):
        return None
    return Moved(frozenset(entity for both in ends for entity in both), sorted(made.ranked[board.name]))


def members_until(made: Made, board: Board, until: date | None, days: Days) -> str | None:
    """Fingerprint of which models, first seen up to a day, count for whom; None where that is told by `follow`.

    Derivatives count from the day on which they were first seen, whatever look showed them: of them it is of all that
    were seen by the last of the `days` ranked. Where more entities have some than are kept, of those near the top.
    """
    derived = board.measure in DERIVATIVES
    until = max(days, default=None) if derived else until
    deep = _is_deep(made, board, until)
    if board.series is not None or (deep and not derived):
        return None
    whose = sql("stands_near_top", near_top=_near_top(board)) if deep else "true"
    entity = "''" if of_models(board) else "entity"  # its own, whatever it is called
    members = members_sql(board, "first_seen <= $until")
    query = "derivatives_fingerprint" if derived else "members_fingerprint"
    found = made.db.value(sql(query, members=members, whose=whose, entity=entity), {"until": until})
    return None if found is None else str(found)


def follow(db: Database, board: Board, chosen: Days) -> None:
    """Note which models matter on a deep board, each for itself, and for whom they count.

    Among millions somebody moves every day. That is no reason to rank all days again while nobody near the top would
    stand elsewhere for it: who moves and matters is as large as one of those, or leaves with all that a publisher has.
    """
    db.execute(sql("forget_followed"), {"board": board.name})
    least = db.value(sql("least_near_top"), {"board": board.name, "depth": places.FOLLOWED})
    if least is not None:
        last = max(chosen)
        with counted(db, board, chosen, [last]) as counts:
            follow = sql("follow", counts=counts, members=members(board, since=last), least=repr(float(least)))
            db.execute(follow, {"board": board.name})


def members(board: Board, only: str = "true", *, since: date | None = None) -> str:
    """As `members_sql`, models by their _id."""
    return members_sql(board, only, entity="hub_id" if of_models(board) else None, since=since)


def _near_top(board: Board) -> str:
    return sql("near_top", board=literal(board.name), depth=str(places.FOLLOWED))


def _is_deep(made: Made, board: Board, until: date | None) -> bool:
    """Whether a board has more members than places that are kept."""
    if not may_be_deep(board) or made.models <= places.KEPT:
        return False
    members = members_sql(board, "first_seen <= $until")
    return bool(made.db.value(sql("count_members", members=members), {"until": until}) > places.KEPT)
