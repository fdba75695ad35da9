"""Entities that have left the Hub: every model that counts for them was deleted.

They have lost; who was merely not seen has not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date

from warehouse.db import Database
from warehouse.queries import literal, sql
from warehouse.ranking.boards import Board
from warehouse.ranking.made import declared
from warehouse.ranking.values import members_sql
from warehouse.records import Standing


def of_board(db: Database, board: str, entities: Collection[str]) -> dict[str, date]:
    """Those of some entities of a board that have left -> the first day without them."""
    known = _of_models(db, board) if entities else None
    if known is None:
        return {}
    with _missing(db, entities):
        return dict(db.rows(sql("departed_entities", members=members_sql(known))))


def on_days(db: Database, board: str, entities: Collection[str], days: Mapping[date, int]) -> Mapping[date, set[str]]:
    """Day -> those of some entities of a board that had left, by what its snapshot and those before it showed.

    Who came back later had left by then: a day that is judged late is judged as it was when it came.

    Args:
        db: the warehouse, or a published file.
        board: which.
        entities: who may have left; who has a place on a day has not.
        days: ranked days, with their snapshots.
    """
    known = _of_models(db, board) if entities else None
    if known is None:
        return {}
    missing = sql("missing_models", members=members_sql(known), board=literal(board))
    with (
        _missing(db, entities),
        db.rows_as("days_judged", sorted(days.items()), {"day": date, "snapshot_id": int}),
    ):
        found = db.rows(sql("departures", missing=missing))
        there = _not_deleted(db, missing, [(entity, day) for entity, day, asked in found if asked])
    left: dict[date, set[str]] = defaultdict(set)
    for entity, day, _ in found:
        if (entity, day) not in there:
            left[day].add(entity)
    return left


def _missing(db: Database, entities: Iterable[str]) -> AbstractContextManager[None]:
    return db.rows_as("missing_entities", [(entity,) for entity in sorted(entities)], {"entity": str})


def _of_models(db: Database, board: str) -> Board | None:
    """A board by its name; None where there is none, or no models are behind it."""
    known = declared(db).get(board)
    return known if known is not None and known.series is None else None


def _not_deleted(db: Database, missing: str, unsure: Sequence[tuple[str, date]]) -> set[tuple[str, date]]:
    """Those of some (entity, day) on which some model was there; counts are looked up only where that is asked."""
    if not unsure:
        return set()
    with db.rows_as("unsure", unsure, {"entity": str, "day": date}):
        return set(db.rows(sql("not_deleted", missing=missing)))


def marked(db: Database, board: str, days: Sequence[Standing], watched: Iterable[str]) -> list[Standing]:
    """The days of a board, each with those who had left by then."""
    seen = set(watched).union(*(day.values for day in days))
    missing = {entity for day in days for entity in seen - day.values.keys()}
    left = on_days(db, board, missing, {day.day: day.snapshot_id for day in days})
    return [replace(day, gone=frozenset(left.get(day.day, ()))) for day in days] if left else list(days)
