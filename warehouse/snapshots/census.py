"""What a census of the whole Hub has read so far: kept page by page, so that an interruption costs no page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime

import polars as pl

from warehouse.db import Database
from warehouse.queries import sql


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a census has come."""

    began_at: datetime
    endpoint: str
    next_page: str | None = None
    """The page to read next; None before the first, and after the last."""
    pages: int = 0
    rejected: int = 0
    requests: int = 0
    seconds: float = 0.0

    @property
    def read_to_its_end(self) -> bool:
        """Whether no page is left."""
        return self.pages > 0 and self.next_page is None


class Census:
    """The rows of `census_rows` and `census_progress`."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def progress(self) -> Progress | None:
        """How far the census under way has come; None when there is none."""
        found = self.db.records(sql("census_progress"))
        if not found:
            return None
        return Progress(**found[0] | {"began_at": found[0]["began_at"].astimezone(UTC)})

    def add(self, models: pl.DataFrame, progress: Progress) -> None:
        """Keep what some pages showed, of `store.MODEL_SCHEMA`, and how far that is; all or nothing."""
        with self.db.transaction():
            if models.height:
                with self.db.view_of("incoming", models):
                    self.db.execute(sql("insert_census_rows"))
            self.db.execute(sql("forget_census_progress"))
            self.db.execute(sql("insert_census_progress"), asdict(progress))

    def models(self) -> tuple[str, int]:
        """Every model read so far, once: as `store.Models`, and how many. Run inside a transaction."""
        self.db.execute(sql("forget_listed_twice"))
        return sql("census_models"), int(self.db.value(sql("count_census_models")))

    def has(self, day: date) -> bool:
        """Whether a complete census of a day is here."""
        return bool(self.db.value(sql("censuses_of"), {"day": day, "verdicts": ["complete"]}))

    def looked_at(self, day: date) -> bool:
        """Whether a census of a day is here, whatever the verdict on it."""
        every = ["complete", "suspect", "partial", "failed"]
        return bool(self.db.value(sql("censuses_of"), {"day": day, "verdicts": every}))

    def forget(self) -> None:
        """Forget all of it. Run inside a transaction."""
        self.db.execute(sql("forget_census_rows"))
        self.db.execute(sql("forget_census_progress"))

    def note_gone(self, day: date) -> None:
        """Date the end of models that are not in a complete census of `day`. Run inside a transaction."""
        self.db.execute(sql("note_gone_of_census"), {"day": day})
