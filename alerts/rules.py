"""Rules: what somebody wants told about a board."""

from __future__ import annotations

import hashlib
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from warehouse.spelling import Name

When = Literal["lead_change", "overtake", "approaches", "enters_top", "leaves_top", "milestone", "source_trouble"]

RACES = ("lead_change", "overtake")
"""Kinds of rules, and of alerts, that are about who is ahead of whom."""

TOP = 10
"""A rule that names no entities watches this many first ones of its board."""


class Rule(BaseModel):
    """Something to be told of, and how sure to be before telling."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Name = Field(description="name of the rule")
    board: str = Field(description="name of the board it watches")
    when: When = Field(
        default="lead_change",
        description="lead_change, overtake, approaches, enters_top, leaves_top, milestone or source_trouble",
    )
    between: tuple[str, ...] = Field(
        default=(),
        description="overtake: two entities; one: every pair with it among the first ten; none: every pair there. "
        "approaches, enters_top, leaves_top, milestone: only these entities",
    )
    confirm: int = Field(default=3, ge=1, le=365, description="complete snapshots in a row, on different days")
    margin: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="relative lead needed to count a day, (leader - rival) / leader; half of it to stay",
    )
    span_days: int = Field(default=0, ge=0, le=365, description="least days from the first confirming day to the last")
    settle_days: int = Field(
        default=30, ge=0, le=365, description="a flip back within so many days is told as a revert"
    )
    within: float = Field(
        default=0.1, gt=0, lt=1, description="approaches: how far behind the leader at most, (leader - value) / leader"
    )
    top: int = Field(default=TOP, ge=1, le=1000, description="enters_top, leaves_top: how many places are the top")
    at: tuple[FiniteFloat, ...] = Field(default=(), description="milestone: the values worth telling")
    after_days: int = Field(default=3, ge=1, le=365, description="source_trouble: days without a complete snapshot")
    channels: tuple[str, ...] = Field(default=("console",), description="names of the channels to tell")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if len(set(self.between)) != len(self.between):
            raise ValueError("`between` names the same entity twice")
        if self.between and self.when in ("lead_change", "source_trouble"):
            raise ValueError(f"`between` does not go with when = {self.when!r}")
        if self.when == "overtake" and len(self.between) > 2:
            raise ValueError("`between` names two entities at most")
        if (self.when == "milestone") != bool(self.at):
            raise ValueError("`at` goes with when = 'milestone', and a milestone needs it")
        if self.when == "approaches" and self.margin >= self.within:
            raise ValueError(
                f"`within` must be more than `margin` ({self.margin:g}): nobody could come near by so much"
            )
        return self

    @property
    def places(self) -> int:
        """How many first ones of its board it watches, where it names nobody."""
        return self.top if self.when in ("enters_top", "leaves_top") else TOP

    @property
    def is_race(self) -> bool:
        """Whether it watches who is ahead of whom, so that there is a flip behind each of its alerts."""
        return self.when in RACES

    @property
    def line(self) -> float | None:
        """What the line is that it watches, as headlines have it: a share behind the leader, or so many places."""
        return {"approaches": self.within, "enters_top": self.top, "leaves_top": self.top}.get(self.when)

    @property
    def fingerprint(self) -> str:
        """Changes when the rule judges differently; whom it tells is no part of it."""
        others = set() if self.when == "approaches" else {"within"}  # rules that are older than it judge as they did
        judged = self.model_dump_json(exclude={"channels", *others})
        return hashlib.sha256(judged.encode()).hexdigest()[:16]
