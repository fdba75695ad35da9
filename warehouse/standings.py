"""A board's definition -> ranked values, for every day that has a complete snapshot.

Standings are derived: they always follow from the facts, the registry and the boards, and are made again from the
first day on which any of these changed.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from warehouse.boards import Board
from warehouse.db import Database
from warehouse.queries import sql

Days = dict[date, int]
"""Day -> the snapshot that speaks for it."""

_ENTITIES = {"family": "family", "publisher": "publisher", "country": "country", "model": "repo_id"}


def refresh(db: Database, board: Board, fingerprint: str) -> date | None:
    """Bring one board up to date; the first day whose standing is new, None when nothing was to do.

    Run inside a transaction.
    """
    same = db.rows(sql("board_fingerprint"), {"board": board.name}) == [(fingerprint,)]
    chosen = days_of(db, board)
    start = _first_difference(_ranked_days(db, board.name) if same else {}, chosen)
    if not same:
        _declare(db, board, fingerprint)
    if start is None:
        return None
    db.execute(sql("delete_standings"), {"board": board.name, "start": start})
    _rank(db, board, chosen, start)
    return start


def days_of(db: Database, board: Board) -> Days:
    """For each day with a complete snapshot of the board's source: the last one."""
    if board.series is not None:
        return dict(db.rows(sql("series_days"), {"source": board.measure}))
    return dict(db.rows(sql("hub_days")))


def retire(db: Database, boards: list[str]) -> None:
    """Forget boards that are no longer configured."""
    db.execute(sql("retire_standings"), {"boards": boards})
    db.execute(sql("retire_flips"), {"boards": boards})
    db.execute(sql("retire_boards"), {"boards": boards})


def _ranked_days(db: Database, board: str) -> Days:
    return dict(db.rows(sql("ranked_days"), {"board": board}))


def _first_difference(have: Days, want: Days) -> date | None:
    return min((day for day in have.keys() | want.keys() if have.get(day) != want.get(day)), default=None)


def _declare(db: Database, board: Board, fingerprint: str) -> None:
    db.execute(sql("delete_board"), {"board": board.name})
    db.execute(
        sql("insert_board"),
        {
            "board": board.name,
            "entity": board.entity,
            "measure": board.measure,
            "scope": board.scope,
            "definition": board.definition,
            "condition": board.where,
            "fingerprint": fingerprint,
        },
    )


def _rank(db: Database, board: Board, chosen: Days, start: date) -> None:
    days = pl.DataFrame(
        {"day": chosen.keys(), "snapshot_id": chosen.values()}, schema={"day": pl.Date, "snapshot_id": pl.Int64}
    ).sort("day")
    days = days.with_columns(previous_day=pl.col("day").shift(1)).filter(pl.col("day") >= start)
    with db.view_of("days_to_rank", days):
        db.execute(sql("rank_board", values=values_sql(board)), {"board": board.name})


def values_sql(board: Board) -> str:
    """The SELECT of (snapshot_id, entity, value) behind a board, over the snapshots of `days_to_rank`."""
    if board.series is not None:
        return sql("series_board_values").replace("$series", _literal(board.series))
    return sql("hub_board_values", measure=f"o.{board.measure}", members=members_sql(board))


def members_sql(board: Board) -> str:
    """The SELECT of (hub_id, entity) that says which models count for whom on a board."""
    condition = f"({board.where}\n)" if board.where else "true"
    own = "own" if board.entity in ("family", "country") else "true"
    return sql("board_members", entity=_ENTITIES[board.entity], condition=f"{condition} AND {own}")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
