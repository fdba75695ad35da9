"""How sure the source of a published series is of its totals: estimated, interpolated, or exact, in its own word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from warehouse.db import Database
from warehouse.queries import sql
from warehouse.ranking.boards import Board

Said = Mapping[tuple[int, str], str]
"""(snapshot, entity) -> what a source says of a total that is not exact."""

AS_PUBLISHED = "as published"


def said(db: Database, board: Board) -> Said:
    """What the source of a board's series says of its totals; nothing for a board over the Hub's counters."""
    if board.series is None:
        return {}
    rows = db.rows(sql("inexact_totals"), {"series": board.series})
    return {(snapshot, entity): word for snapshot, entity, word in rows}


def in_words(known: Said, snapshots: Iterable[int], entities: Iterable[str]) -> str:
    """What is to be said of a comparison of these entities in these snapshots: of its unsure totals (pure)."""
    names = list(entities)
    words = {known.get((snapshot, name)) for snapshot in snapshots for name in names}
    return ", ".join(sorted(word for word in words if word)) or AS_PUBLISHED
