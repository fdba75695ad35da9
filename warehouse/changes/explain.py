"""Why a flip happened: the change of the gap between two entities, split by what moved. Exact: the parts sum to it.

gap = value of the newcomer - value of its rival;  change of the gap = gap on the day of the flip - gap before
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from warehouse.changes.panel import Side, compared
from warehouse.db import Database
from warehouse.errors import LeadchangeError
from warehouse.queries import sql
from warehouse.ranking.boards import Board

PARTS = {
    "both": "seen at both ends",
    "created": "newly created",
    "listed": "newly listed though old",
    "blank": "without a count at one end",
    "vanished": "vanished",
    "published": "as published",
}
"""Part -> its name: what a model was at the two ends. The last is for a series, of which no models are known."""

MOVERS = 5
"""How many models are named."""


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of models, and how it changed the gap; values in the board's unit."""

    name: str
    models: int | None
    """How many; None for a series, of which no models are known."""
    change: float
    """Of the newcomer, by these models."""
    rival_change: float

    @property
    def gap_change(self) -> float:
        """What these models added to the gap."""
        return self.change - self.rival_change


@dataclass(frozen=True, slots=True)
class Mover:
    """A model that moved the gap much."""

    repo_id: str
    entity: str
    part: str
    before: float | None
    """What it had; None where that is not known, as of a model that was not listed then."""
    after: float | None
    gap_change: float
    """Positive: in favour of the newcomer, whoever's model it is."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A flip, and what made it."""

    flip_id: str
    board: str
    definition: str
    board_entity: str
    """What the board ranks."""
    entity: str
    rival: str
    previous_day: date
    day: date
    gap_before: float
    gap: float
    verdict: str
    panel_holds: bool | None
    parts: tuple[Part, ...]
    """Every kind of models there was; their `gap_change` sums to `gap - gap_before`."""
    movers: tuple[Mover, ...]
    """The largest, largest first; empty for a series."""


class NoFlipError(LeadchangeError):
    """No flip on record has this id."""


def of_flip(db: Database, flip_id: str) -> Explanation:
    """Explain a flip of the warehouse or of a published file.

    Raises:
        NoFlipError: there is none on record.
    """
    found = db.records(sql("flip_to_explain"), {"flip_id": flip_id})
    if not found:
        raise NoFlipError(f"no flip has the id {flip_id!r}; `leadchange flips` lists them")
    flip = found[0]
    ends = _ends(db, flip).with_columns(sign=pl.when(pl.col("entity") == flip["entity"]).then(1.0).otherwise(-1.0))
    # A board counts nothing for a model of which nothing is known.
    ends = ends.with_columns(change=pl.col("after").fill_null(0) - pl.col("before").fill_null(0))
    ends = ends.with_columns(gap_change=pl.col("change") * pl.col("sign"))
    return Explanation(
        flip_id=flip_id,
        gap_before=_total(ends["before"] * ends["sign"]),
        gap=_total(ends["after"] * ends["sign"]),
        parts=tuple(_parts(ends)),
        movers=tuple(_movers(ends)),
        **{name: flip[name] for name in _OF_FLIP},
    )


_OF_FLIP = (
    "board", "definition", "board_entity", "entity", "rival", "previous_day", "day", "verdict", "panel_holds",
)  # fmt: skip


def _ends(db: Database, flip: dict[str, Any]) -> pl.DataFrame:
    """What every model of the two had at both ends: entity, repo_id, part, before, after."""
    board = Board(
        name=flip["board"],
        entity=flip["board_entity"],
        measure=flip["measure"],
        scope=flip["scope"],
        where=flip["condition"],
    )
    pair = [flip["entity"], flip["rival"]]
    before, after = (flip["previous_day"], flip["previous_id"]), (flip["day"], flip["snapshot_id"])
    if board.series is not None:
        keys = {"before": before[1], "after": after[1], "series": board.series, "entities": pair}
        return db.frame(sql("series_ends"), keys)
    with compared(db, board, [Side(before, after, name) for name in pair]) as ends:
        return db.frame(sql("ends_by_name", ends=ends))


def _parts(ends: pl.DataFrame) -> Iterator[Part]:
    for key, name in PARTS.items():
        part = ends.filter(pl.col("part") == key)
        if part.height:
            newcomers = part["sign"] > 0
            changes = (_total(part["change"].filter(side)) for side in (newcomers, ~newcomers))
            yield Part(name, None if key == "published" else part.height, *changes)


def _movers(ends: pl.DataFrame) -> Iterator[Mover]:
    """The models that changed the gap most; of equals the first by name."""
    moved = ends.filter((pl.col("gap_change") != 0) & (pl.col("part") != "published"))
    largest = moved.sort(pl.col("gap_change").abs(), pl.col("repo_id"), descending=[True, False]).head(MOVERS)
    for row in largest.iter_rows(named=True):
        yield Mover(row["repo_id"], row["entity"], PARTS[row["part"]], row["before"], row["after"], row["gap_change"])


def _total(values: pl.Series) -> float:
    return float(values.sum())


def one_line(found: Explanation) -> str:
    """The explanation in one line, for an alert: the change, its parts, the two largest movers.

    `gap +2.1M from 2026-05-05 to 2026-05-06: +1.9M seen at both ends, +0.2M newly created; most by Qwen/Qwen3-8B +1.1M`
    """
    parts = [f"{_signed(part.gap_change)} {part.name}" for part in found.parts if part.gap_change]
    head = f"gap {_signed(found.gap - found.gap_before)} from {found.previous_day} to {found.day}"
    movers = ", ".join(f"{mover.repo_id} {_signed(mover.gap_change)}" for mover in found.movers[:2])
    split = f": {', '.join(parts)}" if parts else ""
    return f"{head}{split}{f'; most by {movers}' if movers else ''}"


def _signed(value: float) -> str:
    """A change with its sign, in three figures or so: +1.2M, -34.5k, +870."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:+.1f}{unit}"
    return f"{value:+.0f}"
