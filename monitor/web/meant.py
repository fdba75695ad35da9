"""Whom a visitor means by a name, as on the command line: whatever its case, by a former name too."""

from __future__ import annotations

from typing import Any

from warehouse.published.browsing import Browsing
from warehouse.ranking.boards import SERIES
from warehouse.registry import Family, Registry


def entity(browsing: Browsing, name: str, board: dict[str, Any] | None = None) -> str:
    """How an entity is called now, among those that a board ranks, or any.

    Raises:
        NotKnownError: nobody is called so; it offers the nearest.
    """
    from jobs.telling import naming  # noqa: PLC0415 polars

    kinds = (_kind(board),) if board else naming.KINDS
    return naming.entity(browsing.db, _registry(browsing), name, kinds)


def _kind(board: dict[str, Any]) -> str:
    return "series" if board["measure"].startswith(SERIES) else str(board["kind"])


def _registry(browsing: Browsing) -> Registry:
    """The registry by which the file was made."""
    return Registry(
        Family(
            name=row["family"],
            vendor=row["vendor"] or "",
            country=row["country"],
            publishers=row["publishers"],
            formerly=row["formerly"] or (),
        )
        for row in browsing.families()
    )
