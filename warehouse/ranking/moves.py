"""Who counts for others than when boards were last ranked, and what that changes on the days that are over.

On the Hub somebody edits a card every day, and the model descends from another from then on. As boards say of all days
whose a model is now, all their days change by it: by what this model had. To add everybody up again takes longer with
every day kept. So what models were is noted before it is overwritten (`attribution.changed`), and what they brought and
took is added alone:

    models as they were, as they are  -->  moved members: hub_id, entity, share more or less
    moved members  x  counts          -->  what each entity gains or loses on each day

Whether that is all that has changed is proved by the fingerprint of a board's members, which is the exclusive or of all
of them: the one that stands and the moved make the present one, or else all days are ranked again. Shares are exact in
binary and counts whole, so that what is added comes to the same to the last download.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from warehouse.db import Database
from warehouse.queries import sql
from warehouse.ranking.boards import DERIVATIVES, Board
from warehouse.ranking.places import kept_in
from warehouse.ranking.values import Days, counted, members_sql

MANY = 5_000_000
"""Counts of moved models, a model's of each day, up to which they are held; of more all days are ranked again."""


class Moved(NamedTuple):
    """Those of a board who have other models than they had."""

    entities: frozenset[str] = frozenset()
    days: Sequence[date] = ()
    """Days that stand and are to be ranked again for it, oldest first."""
    members: str | None = None
    """SELECT of the models they have more, or less, as `values.members_sql`; None: they have to be added up again."""
    counts: str | None = None
    """SELECT of what these models had on all days that stand, as `values.counted`."""


NOBODY = Moved()


class Ranked(NamedTuple):
    """By what a board was ranked."""

    until: date
    """Until when models were seen then."""
    members: str
    """Fingerprint of whom they counted for."""
    days: Days
    """Day -> snapshot."""


def find(db: Database, board: Board, ranked: Ranked, members: str, chosen: Days) -> Moved | None:
    """Who has other models than when a board was ranked; None where the changes noted do not tell.

    Until the next question working tables have what those models had, so that it is read once, and what everybody gains
    or loses by it, for `added_values`.

    Args:
        db: the warehouse.
        board: one that keeps the places of all who stand on it, by name.
        ranked: by what it was ranked.
        members: fingerprint of the models that were seen by then and whom they count for now.
        chosen: the snapshots that speak for each day now.
    """
    if board.measure in DERIVATIVES:  # their counts follow from descriptions as well
        return None
    _find_members(db, board, ranked.until)
    if int(ranked.members) ^ int(members) != db.value(sql("moved_sign")):
        return None
    stands = sorted(day for day, snapshot_id in ranked.days.items() if chosen.get(day) == snapshot_id)
    if db.value(sql("count_moved")) * len(stands) > MANY:
        return None
    moved, had = sql("moved_members_now"), sql("moved_counts_now")
    with counted(db, board, chosen, stands, among=sql("hub_ids", members=moved)) as counts:
        db.execute(sql("find_moved_counts", counts=counts))
    db.execute(sql("find_moved_values", values=sql("board_values_now", counts=had, members=moved)))
    if db.value(sql("count_left_empty", standings=kept_in(board)), {"board": board.name}):
        return None
    entities = frozenset(entity for (entity,) in db.rows(sql("moved_entities")))
    touched = {snapshot_id for (snapshot_id,) in db.rows(sql("moved_snapshots"))}
    return Moved(entities, _with_the_next([chosen[day] in touched for day in stands], stands), moved, had)


def _find_members(db: Database, board: Board, until: date) -> None:
    """Find by which share models first seen up to a day count more, or less, for whom."""
    seen = "first_seen <= $until"
    was = members_sql(board, seen, models=sql("models_as_they_were"), shares=sql("shares_as_they_were"))
    now = members_sql(board, seen, models="models_as_they_are", shares="shares_as_they_are")
    db.execute(sql("find_moved", was=was, now=now), {"until": until})


def _with_the_next(touched: Sequence[bool], days: Sequence[date]) -> list[date]:
    """The days touched, and each one's next, whose previous ranks are others too."""
    return [day for day, own, before in zip(days, touched, [False, *touched], strict=False) if own or before]
