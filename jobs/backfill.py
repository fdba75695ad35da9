"""Backfill: somebody's published history into the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from jobs import rank
from warehouse import store
from warehouse.boards import Board
from warehouse.db import Database
from warehouse.registry import Registry


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import brought."""

    days: int
    """Days written; 0 when everything stood there already."""
    ranked: rank.Summary


def run_series(
    db: Database, name: str, values: pl.DataFrame, *, boards: Sequence[Board], registry: Registry, revision: str
) -> Summary:
    """Import a series of totals (columns day, entity, value), and rank the boards that read it; all or nothing."""
    with db.transaction():
        days = store.write_series(db, name, values, revision=revision)
        return Summary(days, rank.run(db, boards, registry))
