"""What somebody may say of how a CSV file writes days and numbers. Without polars, for the command line's options."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Decimal(StrEnum):
    """What stands before the fraction of a number; the other one may stand between its thousands."""

    point = "."
    comma = ","


class Order(StrEnum):
    """In which order a day is written."""

    ymd = "ymd"
    dmy = "dmy"
    mdy = "mdy"


@dataclass(frozen=True, slots=True)
class Told:
    """What was said."""

    decimal: Decimal | None = None
    order: Order | None = None


NOTHING_TOLD = Told()
