"""Where a board's order changed between two neighbouring days (pure).

Everybody may pass everybody, so only entities are looked at that stood among the first `top` on either of the two
days. An entity missing on one of the days is frozen, not passed; a leader that has left the Hub has lost the lead. A
tie keeps the order it found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from warehouse.ranking.places import TOP


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a board: entity -> (rank, value)."""

    day: date
    snapshot_id: int
    ranks: dict[str, int]
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class OrderChange:
    """`entity` was behind `rival` on `before` and is ahead of it on `at`."""

    kind: Literal["lead_change", "overtake"]
    entity: str
    rival: str
    before: Day
    at: Day

    def flip_id(self, board: str) -> str:
        """Short, and the same whenever the same flip is found again; the query `lost_flip` makes it, too."""
        key = f"{board}\n{self.kind}\n{self.entity}\n{self.rival}\n{self.at.day}"
        return hashlib.sha256(key.encode()).hexdigest()[:10]


class OlderDaysError(Exception):
    """Who was ahead before a tie was decided, or who has left, on days that were not given."""


def order_changes(
    days: Sequence[Day], top: int = TOP, left: Mapping[str, date] | None = None, *, led: str | None = None
) -> Iterator[OrderChange]:
    """Every change of order between neighbouring days, oldest first.

    Args:
        days: all days of a board, or its last ones.
        top: how far down.
        left: who has left the Hub, and since when.
        led: who had the lead by the first of the days, where there are older ones.

    Raises:
        OlderDaysError: of the last days alone it cannot be told.
    """
    ahead: dict[frozenset[str], str] = {}
    leader: str | None = None
    for before, at in zip([None, *days], days, strict=False):
        if before is None:
            if led is not None and left is not None and left.get(led, date.max) <= at.day:
                raise OlderDaysError
            leader = led or _sole_leader(at)
            continue
        new = _new_leader(leader, at, left or {})
        if leader is not None and new is not None:
            yield OrderChange("lead_change", new, leader, before, at)
        for change in _passed(before, at, ahead, top, whole=led is None):
            if (change.entity, change.rival) != (new, leader):
                yield change
        leader = new or leader or _sole_leader(at)


def _sole_leader(day: Day) -> str | None:
    first = [entity for entity, rank in day.ranks.items() if rank == 1]
    return first[0] if len(first) == 1 else None


def _new_leader(leader: str | None, at: Day, left: Mapping[str, date]) -> str | None:
    """Who took the lead; None while the old leader still has it, shares it, or was not seen and has not left."""
    first = _sole_leader(at)
    known = leader in at.values or (leader is not None and left.get(leader, date.max) <= at.day)
    return first if known and first != leader else None


def leaders(days: Sequence[Day]) -> set[str]:
    """Everybody who was first on some day."""
    return {entity for day in days for entity, rank in day.ranks.items() if rank == 1}


def _passed(before: Day, at: Day, ahead: dict[frozenset[str], str], top: int, *, whole: bool) -> Iterator[OrderChange]:
    """Pairs whose order on `at` is not the one they had; `ahead` remembers each pair's last strict order.

    Not `whole`: there are older days, which may have told the order of a pair.
    """
    watched = [e for e in at.values if e in before.values and min(at.ranks[e], before.ranks[e]) <= top]
    for index, one in enumerate(watched):
        for other in watched[index + 1 :]:
            pair = frozenset((one, other))
            was = _who_is_ahead(before, one, other) or ahead.get(pair)
            now = _who_is_ahead(at, one, other)
            if was is None and now is not None and not whole:
                raise OlderDaysError
            if was is not None:
                ahead[pair] = now or was
            if was is not None and now is not None and now != was:
                yield OrderChange("overtake", now, was, before, at)


def _who_is_ahead(day: Day, one: str, other: str) -> str | None:
    a, b = day.values[one], day.values[other]
    return None if a == b else one if a > b else other
