"""Rules: what somebody wants told about a board."""

from __future__ import annotations

import hashlib
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

When = Literal["lead_change", "overtake"]

TOP = 10
"""An overtake rule that names no pair watches the pairs among this many first entities."""


class Rule(BaseModel):
    """Something to be told of, and how sure to be before telling."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=80, pattern=r"^[\w.-]+$", description="name of the rule")
    board: str = Field(description="name of the board it watches")
    when: When = Field(default="lead_change", description="lead_change or overtake")
    between: tuple[str, ...] = Field(
        default=(),
        max_length=2,
        description="for overtake: two entities; one: every pair with it among the first ten; none: every pair there",
    )
    confirm: int = Field(default=3, ge=1, le=365, description="complete snapshots in a row, on different days")
    margin: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="relative lead needed to count a day, (leader - rival) / leader; half of it to stay",
    )
    channels: tuple[str, ...] = Field(default=("console",), description="names of the channels to tell")

    @model_validator(mode="after")
    def _between_fits(self) -> Self:
        if self.between and self.when != "overtake":
            raise ValueError("`between` goes with when = 'overtake'")
        if len(set(self.between)) != len(self.between):
            raise ValueError("`between` names the same entity twice")
        return self

    @property
    def fingerprint(self) -> str:
        """Changes when the rule judges differently; whom it tells is no part of it."""
        judged = self.model_dump_json(exclude={"channels"})
        return hashlib.sha256(judged.encode()).hexdigest()[:16]
