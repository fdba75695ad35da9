"""A board's definition -> ranked values, for every day that has a complete snapshot.

    values of everybody on a board  --ranked, a few days at a time-->  standings

Standings are derived: they follow from the facts, the registry, the boards and what models are called now, and are made
again from the first day on which any of these changed. Where only some models count for others now, past days gain and
lose by these alone (`moves`). Where more can stand than are kept, that is so of who moves and matters near the top;
otherwise a past day stays as it was ranked. Models stand by number: another name changes no standing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from warehouse.db import Database
from warehouse.queries import literal, sql
from warehouse.ranking import membership, places
from warehouse.ranking.boards import DERIVATIVES, SPANS, Board
from warehouse.ranking.made import Made
from warehouse.ranking.moves import NOBODY, Moved
from warehouse.ranking.places import TABLES, TOP, kept_in, may_be_deep, of_models
from warehouse.ranking.values import Days, counted, days_to_rank, values_sql

_AT_ONCE = 500_000
"""Values of a board of publishers or models that are ranked at once; it bounds the memory, not the outcome."""

_MONTH_AT_ONCE = 4_000_000
"""Values of up to a month's days, which are packed together and unpacked for each go, which takes longest."""

_MEASURED_AT_ONCE = 50_000_000
"""Counters of one day whose growth is measured at once, beside those of the days before that it is measured from."""

_SHIFTED_AT_ONCE = 1_000_000
"""Places that are ranked again at once, because somebody moved."""


def refresh(db: Database, board: Board, fingerprint: str, made: Made | None = None) -> date | None:
    """Bring one board up to date; the first day whose standing is new, None when there is none.

    Run inside a transaction. Where on the days before only some have other values, `made.moved` names them.
    """
    made = made or Made(db)
    anew = _made_otherwise(board, fingerprint, made)
    moved = None if anew else membership.moved(db, board, made)
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
            if anew:
                made.forget(board)
        wanted = sorted(day for day in chosen if day >= start)
        step = _days_at_once(board, made.models)
        for first in range(0, len(wanted), step):
            _rank(db, board, made, wanted[first : first + step])
    # Last, for what stands on a deep board decides who matters, and its last day which derivatives were counted.
    if not declared or (start is not None and (may_be_deep(board) or board.measure in DERIVATIVES)):
        told = _declare(made, board, fingerprint)
        if chosen and told is None and may_be_deep(board):
            membership.follow(db, board, chosen)
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
    members = membership.members(board, since=wanted[0])
    # Growth is measured model by model: of millions that count for no family it need not be.
    models, stands = sql("hub_ids", members=members), made.stands_on(board)
    with counted(db, board, chosen, wanted, among=models, stands=stands) as counts:
        values = values_sql(db, board, counts, members)
        ranked = sql("ranked", values=values, total="sum(v.value)", least=_least(board))
        if of_models(board):
            db.execute(sql("rank_places", ranked=ranked))
            db.execute(sql("number_models"))
        _write(db, board, ranked)


def _shift(db: Database, board: Board, made: Made, over: Sequence[date], moved: Moved) -> None:
    """Rank days that stand already again, because some have other models now; all others have what stands there."""
    values_of = _added if moved.members else _added_up_again
    step = max(1, _SHIFTED_AT_ONCE // places.KEPT) if may_be_deep(board) else _SHIFTED_AT_ONCE
    for first in range(0, len(over), step):
        with values_of(db, board, made, over[first : first + step], moved) as ranked:
            db.execute(sql("rank_places", ranked=ranked))
            for kept in (kept_in(board), "rankings"):
                db.execute(sql("drop_days", standings=kept), {"board": board.name})
            _write(db, board, "FROM ranked_places")


@contextmanager
def _added(db: Database, board: Board, made: Made, days: Sequence[date], _: Moved) -> Iterator[str]:
    """Within the block: what is ranked where everybody stands, with what those who moved gain or lose."""
    with days_to_rank(db, made.days_of(board), days, made.stands_on(board)):
        values = sql("added_values", board=literal(board.name), standings=kept_in(board))
        yield sql("ranked", values=values, total="sum(v.value)", least=_least(board))


@contextmanager
def _added_up_again(db: Database, board: Board, made: Made, days: Sequence[date], moved: Moved) -> Iterator[str]:
    """Within the block: what is ranked where not everybody stands.

    Of a million publishers only those who moved are added up; who is not among the places kept stays where he is.
    """
    entities = f"({', '.join(map(literal, sorted(moved.entities)))})"
    whose = sql("members_among", members=membership.members(board), entities=entities)
    chosen, stands = made.days_of(board), made.stands_on(board)
    with counted(db, board, chosen, days, among=sql("hub_ids", members=whose), stands=stands) as counts:
        keys = {"board": literal(board.name), "entities": entities, "kept": str(places.KEPT)}
        values = sql("shifted_values", values=values_sql(db, board, counts, whose), **keys)
        yield sql("ranked", values=values, total="any_value(v.total)", least=_least(board))


def _least(board: Board) -> str:
    """Up to which value the places of a day are kept, as SQL over its values."""
    return sql("least_kept", kept=str(places.KEPT)) if may_be_deep(board) else sql("least_of_all")


def _write(db: Database, board: Board, ranked: str) -> None:
    """Write what was ranked, and that it was."""
    insert, entity = ("insert_model_standings", "model") if of_models(board) else ("insert_standings", "entity")
    db.execute(sql(insert, ranked=ranked, standings=kept_in(board)), {"board": board.name})
    db.execute(sql("insert_rankings", standings=kept_in(board), entity=entity), {"board": board.name})


def _days_at_once(board: Board, models: int) -> int:
    """How many days are ranked at once: all of them, where entities are few and counts are added up as they are."""
    if may_be_deep(board):
        return max(1, _AT_ONCE // (models or 1), min(31, _MONTH_AT_ONCE // (models or 1)))
    return max(1, _MEASURED_AT_ONCE // (models or 1)) if board.measure in SPANS else _AT_ONCE


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


def sort(db: Database, boards: list[str]) -> None:
    """Have the definitions lie in this order, that of the configuration; one that is written anew comes to the end."""
    known = {row["board"]: row for row in db.records(sql("boards_in_order"))}
    wanted = [name for name in boards if name in known]
    if list(known) != wanted:
        db.execute(sql("delete_boards"))
        for name in wanted:
            db.execute(sql("insert_board"), known[name])


def _made_otherwise(board: Board, fingerprint: str, made: Made) -> bool:
    """Whether the board's standings were made under another definition, or never."""
    return board.name not in made.under or made.under[board.name][0] != fingerprint


def _first_difference(have: Days, want: Days) -> date | None:
    return min((day for day in have.keys() | want.keys() if have.get(day) != want.get(day)), default=None)


def _declare(made: Made, board: Board, fingerprint: str) -> str | None:
    """Write what a board's standings were made under; which models count for whom, where that is told by one number."""
    members = membership.members_until(made, board, made.seen_until, made.days_of(board))
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
