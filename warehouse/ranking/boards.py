"""Boards: a stated definition of what is ranked, and the sentence that states it (pure)."""

from __future__ import annotations

import hashlib
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from warehouse import curated
from warehouse.spelling import Name

Entity = Literal["family", "publisher", "country", "model"]
Scope = Literal["own", "lineage", "curated"]

SPANS = {"downloads_7d": 7, "downloads_28d": 28}
"""Measures of guarded movement -> the span in days; see `warehouse.ranking.movement`."""

DERIVATIVES = frozenset({"derivatives", "derivatives_28d"})
"""Measures that count models instead of adding up their counters."""

MEASURES = {
    "downloads_30d": "downloads of the last 30 days (the Hub's rolling counter)",
    "downloads_all_time": "downloads since creation (the Hub's all-time counter)",
    **{
        measure: f"downloads of {span} days (growth of the Hub's all-time counter over exactly that span)"
        for measure, span in SPANS.items()
    },
    "likes": "likes on the Hub",
    "derivatives": "known models of others that descend from theirs and are not deleted",
    "derivatives_28d": "known models of others, created in the last 28 days, that descend from theirs",
}
"""Measure -> what it counts, as the definition of a board words it. `series:NAME` stands beside these."""

SERIES = "series:"

PLURAL = {"family": "families", "publisher": "publishers", "country": "countries", "model": "models"}
"""Entity -> several of them, in words."""

_CURATED = f"the ATOM project's list of language models (revision {curated.REVISION} of {curated.DAY})"

_POPULATIONS = {
    ("own", "family"): "the repositories that the family's own publishers publish",
    ("own", "publisher"): "all repositories that the publisher publishes and this monitor polls",
    ("own", "country"): "the repositories that the own publishers of the country's families publish",
    ("lineage", "family"): "all models this monitor knows, each divided among the families it descends from",
    ("lineage", "country"): "all models this monitor knows, each divided among the countries of its families",
    ("curated", "family"): f"those of the family's own repositories that are on {_CURATED}",
    ("curated", "publisher"): f"those of the publisher's repositories that are on {_CURATED}",
    ("curated", "country"): f"those of the country's families' own repositories that are on {_CURATED}",
}
"""(scope, entity) -> whose counters are added up."""

_DESCENTS = {
    "own": "each counted for where its line begins",
    "lineage": "each divided among the families it descends from",
    "curated": f"each counted where its line begins on {_CURATED}",
}
"""Scope -> how a derivative is counted."""


class Board(BaseModel):
    """A definition: what is ranked, by which measure, over which models."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Name = Field(description="name of the board")
    entity: Entity = Field(description="what is ranked: family, publisher, country or model")
    measure: str = Field(default="downloads_30d", description="by what: " + ", ".join(MEASURES) + " or series:NAME")
    scope: Scope = Field(
        default="own",
        description="own: what a family's own publishers publish; lineage: with all that descends from it, every "
        "download once; curated: own repositories on the ATOM list",
    )
    where: str = Field(default="", description="optional SQL condition over `models` (see definitions.md)")

    @field_validator("measure")
    @classmethod
    def _known_measure(cls, measure: str) -> str:
        if measure in MEASURES or (measure.startswith(SERIES) and measure != SERIES):
            return measure
        raise ValueError(f"no measure is called {measure!r}; known: {', '.join(MEASURES)}, series:NAME")

    @model_validator(mode="after")
    def _scope_fits(self) -> Self:
        if self.scope == "lineage" and self.entity not in ("family", "country"):
            raise ValueError("scope = 'lineage' divides models among families: entity must be family or country")
        return self

    @property
    def series(self) -> str | None:
        """Name of the imported series it reads; None for a board over the Hub's counters."""
        return self.measure.removeprefix(SERIES) if self.measure.startswith(SERIES) else None

    @property
    def definition(self) -> str:
        """The board's meaning as one English sentence."""
        entities = PLURAL[self.entity]
        head = f"{entities.capitalize()} ranked by"
        share = f"share is of all {entities} ranked"
        if self.series is not None:
            return f"{head} the published series {self.series!r}, as imported; {share}."
        condition = f", among models where {self.where}" if self.where else ""
        return f"{head} {MEASURES[self.measure]}, {self._population}{condition}; {share}{self._left_out}."

    @property
    def _population(self) -> str:
        if self.measure in DERIVATIVES:
            return _DESCENTS[self.scope]
        if self.entity == "model":
            return f"each repository{f' on {_CURATED}' if self.scope == 'curated' else ''} by itself"
        return f"summed over {_POPULATIONS[self.scope, self.entity]}"

    @property
    def _left_out(self) -> str:
        """What the sum over a board's entities lacks to be the sum over all models."""
        return ", without what no known family accounts for" if self.scope == "lineage" else ""

    def fingerprint(self, registry: str) -> str:
        """Changes when this definition (its sentence too) or the `registry` (its fingerprint) does."""
        return hashlib.sha256(f"{self.model_dump_json()} {self.definition} {registry}".encode()).hexdigest()[:16]
