"""What models were before they changed, noted for the boards that were ranked by it: see `warehouse.ranking.moves`."""

from __future__ import annotations

from warehouse.db import Database
from warehouse.queries import sql

LARGE = 10_000
"""Models from which on it is noted what they were: of fewer all days are ranked again (a year of 60,000 took 1.2 s)."""


def note(db: Database, changing: str) -> None:
    """Note what models are before they change; `changing` is a SELECT of their hub_id."""
    db.execute(sql("note_changing", changing=changing))


def forget(db: Database) -> None:
    """Forget what models were, once all boards are ranked by what they are."""
    db.execute(sql("forget_changed_models"))
