"""What the Hub's counters did wrong on some days, laid over the true days of a `GeneratedHub`.

What each fault is like, and how it shows, stands in `warehouse.snapshots.counters`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

Kind = Literal["freeze", "rollback", "missing", "half_dip", "repeat"]

COUNTERS = ("downloads_30d", "downloads_all_time")


@dataclass(frozen=True, slots=True)
class CounterFault:
    """One fault of one kind."""

    kind: Kind
    first: date
    days: int = 1
    share: float = 1.0
    """Share of the models it hits. A freeze hits the newest, and at its edge some; a half-dip whole publishers."""
    seed: int = 0

    def hits(self, day: date) -> bool:
        """Whether it is there on a day."""
        return 0 <= (day - self.first).days < self.days

    def spoil(self, true: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
        """What is seen instead of a true day; `held` is the last one before the fault began."""
        match self.kind:
            case "freeze":
                return self._freeze(true, held)
            case "rollback":
                return self._roll_back(true, held)
            case "missing":
                return true.filter(self._drawn(true, "hub_id") >= self.share)
            case "half_dip":
                return self._dip(true)
            case "repeat":
                return held

    def _freeze(self, true: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
        """The newest stand still: at the edge, a tenth of all models wide, some of them do and some do not."""
        age = pl.col("created_at").rank("random", descending=True, seed=self.seed) / pl.len()
        order = (age + 0.1 * (self._drawn(true, "hub_id") - 0.5)).rank("ordinal") / pl.len()
        before = held.select("hub_id", *(pl.col(counter).alias(f"{counter}_before") for counter in COUNTERS))
        joined = true.with_columns(frozen=order <= self.share).join(
            before, on="hub_id", how="left", maintain_order="left"
        )
        return joined.select(
            *(name for name in true.columns if name not in (*COUNTERS, "likes")),
            *(
                pl.when("frozen").then(pl.col(f"{counter}_before").fill_null(0)).otherwise(counter).alias(counter)
                for counter in COUNTERS
            ),
            "likes",
        )

    def _roll_back(self, true: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
        """All-time counts lack the downloads of three to thirty days before the fault, each model its own share."""
        part = 0.1 + 0.9 * self._drawn(held, "hub_id", 1)
        lost = held.select("hub_id", lost=(pl.col("downloads_30d") * part).ceil().cast(pl.Int64))
        drawn = self._drawn(true, "hub_id")
        joined = true.with_columns(hit=drawn < self.share).join(lost, on="hub_id", how="left", maintain_order="left")
        lower = (pl.col("downloads_all_time") - pl.col("lost").fill_null(0)).clip(0)
        return joined.with_columns(downloads_all_time=pl.when("hit").then(lower).otherwise("downloads_all_time")).drop(
            "hit", "lost"
        )

    def _dip(self, true: pl.DataFrame) -> pl.DataFrame:
        """Half of the window is empty: 40 to 60 % of the 30-day counts is left."""
        left = 0.4 + 0.2 * self._drawn(true, "hub_id", 1)
        halved = (pl.col("downloads_30d") * left).floor().cast(pl.Int64)
        hit = self._drawn(true, "publisher") < self.share
        return true.with_columns(downloads_30d=pl.when(hit).then(halved).otherwise("downloads_30d"))

    def _drawn(self, frame: pl.DataFrame, by: str, turn: int = 0) -> pl.Series:
        """A number from 0 up to 1 for each row, the same on every day for the same model or publisher."""
        hashed = frame[by].hash(seed=2 * self.seed + turn)
        return (hashed % 1_000_003).cast(pl.Float64) / 1_000_003


def spoiled(
    days: Iterable[tuple[date, pl.DataFrame]], faults: Iterable[CounterFault]
) -> Iterator[tuple[date, pl.DataFrame, frozenset[Kind]]]:
    """The days as a monitor would have seen them, and which faults there were on each."""
    faults = tuple(faults)
    held: pl.DataFrame | None = None
    for day, true in days:
        present = [fault for fault in faults if fault.hits(day)]
        if not present:
            held = true
        seen = true
        for fault in present:
            seen = fault.spoil(seen, true if held is None else held)
        yield day, seen, frozenset(fault.kind for fault in present)
