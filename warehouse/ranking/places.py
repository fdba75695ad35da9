"""Where a board's places are kept: by how many there are, and whether they are known by name or by number (pure)."""

from __future__ import annotations

from warehouse.ranking.boards import DERIVATIVES, Board

TABLES = ("family_standings", "named_standings", "model_standings")
"""Where standings are kept; `standings` is all of them."""

KEPT = 50_000
"""Places of a board's day that are kept, ties at the last included: of millions of models most never lead anything."""

TOP = 10
"""How far down a board its flips are worth recording."""

FOLLOWED = 100
"""Places of a board with more members than places: what moves and is as large as these has all days ranked again."""


def may_be_deep(board: Board) -> bool:
    """Whether what a board ranks can be many."""
    return board.series is None and board.entity in ("publisher", "model")


def of_models(board: Board) -> bool:
    """Whether those who stand on a board are models that this monitor saw: they stand by number."""
    return board.entity == "model" and board.series is None and board.measure not in DERIVATIVES


def kept_in(board: Board) -> str:
    """The table that has a board's places. Families stand apart from millions: all their days are read more quickly."""
    few, named, numbered = TABLES
    if of_models(board):
        return numbered
    return named if may_be_deep(board) else few
