"""Entities that have left the Hub: every model that counts for them was deleted.

They have lost; who was merely not seen has not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date

import polars as pl

from warehouse.db import Database
from warehouse.made import declared
from warehouse.queries import sql
from warehouse.records import Standing
from warehouse.values import members_sql


def of_board(db: Database, board: str, entities: Collection[str]) -> dict[str, date]:
    """Those of some entities of a board that have left -> the first day without them."""
    known = declared(db).get(board) if entities else None
    if known is None or known.series is not None:
        return {}
    names = pl.DataFrame({"entity": sorted(entities)}, schema={"entity": pl.String})
    with db.view_of("missing_entities", names):
        return dict(db.rows(sql("departed_entities", members=members_sql(known))))


def marked(db: Database, board: str, days: Sequence[Standing], watched: Iterable[str]) -> list[Standing]:
    """The days of a board, oldest first, each with those who had left by then."""
    if not days:
        return []
    seen = set(watched).union(*(day.values for day in days))
    left = of_board(db, board, seen - days[-1].values.keys())
    if not left:
        return list(days)
    return [
        replace(day, gone=frozenset(name for name, since in left.items() if since <= day.day) - day.values.keys())
        for day in days
    ]
