"""Boards: a stated definition of what is ranked, and the sentence that states it (pure)."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Entity = Literal["family", "publisher", "country", "model"]
Scope = Literal["own", "lineage", "curated"]

MEASURES = {
    "downloads_30d": "downloads of the last 30 days (the Hub's rolling counter)",
    "downloads_all_time": "downloads since creation (the Hub's all-time counter)",
    "likes": "likes on the Hub",
}
"""Measure -> what it counts. `series:NAME` stands beside these."""

SERIES = "series:"

_PLURAL = {"family": "Families", "publisher": "Publishers", "country": "Countries", "model": "Models"}


class Board(BaseModel):
    """A definition: what is ranked, by which measure, over which models."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=80, pattern=r"^[\w.-]+$", description="name of the board")
    entity: Entity = Field(description="what is ranked: family, publisher, country or model")
    measure: str = Field(default="downloads_30d", description="by what: " + ", ".join(MEASURES) + " or series:NAME")
    scope: Scope = Field(default="own", description="own: what a family's own publishers publish")
    where: str = Field(default="", description="optional SQL condition over `models`")

    @field_validator("measure")
    @classmethod
    def _known_measure(cls, measure: str) -> str:
        if measure in MEASURES or (measure.startswith(SERIES) and measure != SERIES):
            return measure
        raise ValueError(f"no measure is called {measure!r}; known: {', '.join(MEASURES)}, series:NAME")

    @property
    def series(self) -> str | None:
        """Name of the imported series it reads; None for a board over the Hub's counters."""
        return self.measure.removeprefix(SERIES) if self.measure.startswith(SERIES) else None

    @property
    def definition(self) -> str:
        """The board's meaning as one English sentence."""
        if self.series is not None:
            return f"{_PLURAL[self.entity]} ranked by the published series {self.series!r}, as imported."
        condition = f", among models where {self.where}" if self.where else ""
        return f"{_PLURAL[self.entity]} ranked by {MEASURES[self.measure]}{self._population}{condition}."

    @property
    def _population(self) -> str:
        if self.entity == "model":
            return ", each repository by itself"
        return f", summed over {_POPULATIONS[self.entity]}"

    def fingerprint(self, registry: str) -> str:
        """Changes when this definition or the `registry` (its fingerprint) does."""
        return hashlib.sha256(f"{self.model_dump_json()} {registry}".encode()).hexdigest()[:16]


_POPULATIONS = {
    "family": "the repositories that the family's own publishers publish",
    "publisher": "all repositories that the publisher publishes and this monitor polls",
    "country": "the repositories that the own publishers of the country's families publish",
}
