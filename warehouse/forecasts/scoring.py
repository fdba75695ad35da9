"""How forecasts did: what would have been said on every day of a history, against what came (pure)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import NamedTuple

from warehouse.forecasts.forecast import HORIZONS, SPAN, History, Pair, ranked

_NEAR = 0.1
"""By what part of its days a horizon may be missed by the look that stands for its end."""

BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Bounds between which chances are put together."""


class Said(NamedTuple):
    """One forecast whose days are over."""

    horizon: int
    chance: float
    line: float
    """What a straight line through the gaps now and a span ago would have said: 1 or 0."""
    came: bool


@dataclass(frozen=True, slots=True)
class Score:
    """How the forecasts for one horizon did."""

    horizon: int
    forecasts: int
    said: float
    """The mean of the chances."""
    came: float
    """How many came true, as a part of all."""
    skill: float | None
    """1 minus the Brier score over that of who always says `came`, which nobody knows beforehand; 0 is no skill."""
    line_skill: float | None
    """The same for the straight line."""


class Bin(NamedTuple):
    """Forecasts whose chances were alike."""

    low: float
    high: float
    forecasts: int
    said: float
    came: float


def told(history: History, *, totals: bool, top: int = 10) -> Iterator[Said]:
    """What would have been said on every day of a history of each two who were then among the first."""
    firsts = [frozenset(ranked(values)[:top]) for _, values in history]
    days = {day.toordinal(): first for (day, _), first in zip(history, firsts, strict=True)}
    everybody = sorted(frozenset().union(*firsts))
    for one, other in combinations(everybody, 2):
        pair = Pair(history, one, other, totals=totals)
        for index, day in enumerate(pair.days):
            if {one, other} <= days[day]:
                yield from of_day(pair, index)


def of_day(pair: Pair, index: int) -> Iterator[Said]:
    """What would have been said of two on one of their days, for each horizon that is over."""
    course = pair.course(index)
    mine, theirs = pair.values[index]
    if course is None or mine == theirs:
        return
    for horizon in HORIZONS:
        end = _end(pair, index, horizon)
        if end is not None:
            came = any(
                (one > other) != (mine > theirs) and one != other for one, other in pair.values[index + 1 : end + 1]
            )
            days = pair.days[end] - pair.days[index]
            yield Said(horizon, course.chance(days), _line(pair, index, days), came)


def _end(pair: Pair, index: int, horizon: int) -> int | None:
    """The last look within a horizon, which may be a little shorter or longer; None: there is none near its end."""
    start = pair.days[index]
    last = bisect_right(pair.days, start + horizon * (1 + _NEAR)) - 1
    return last if pair.days[last] - start >= horizon * (1 - _NEAR) else None


def _line(pair: Pair, index: int, days: int) -> float:
    """Whether the straight line through the gaps now and a span ago has crossed 0 after some days."""
    before = bisect_right(pair.days, pair.days[index] - SPAN) - 1
    if before < 0:
        return 0.0
    (mine, theirs), (once, their_once) = pair.values[index], pair.values[before]
    gap, pace = mine - theirs, (mine - theirs - once + their_once) / (pair.days[index] - pair.days[before])
    return float((gap + pace * days) * gap < 0)


def scores(said: Sequence[Said]) -> list[Score]:
    """How the forecasts did, by horizon."""
    return [_score(horizon, mine) for horizon in HORIZONS if (mine := [one for one in said if one.horizon == horizon])]


def _score(horizon: int, said: Sequence[Said]) -> Score:
    came = sum(one.came for one in said) / len(said)
    return Score(
        horizon=horizon,
        forecasts=len(said),
        said=sum(one.chance for one in said) / len(said),
        came=came,
        skill=_skill([(one.chance, one.came) for one in said], came),
        line_skill=_skill([(one.line, one.came) for one in said], came),
    )


def _skill(said: Sequence[tuple[float, bool]], rate: float) -> float | None:
    """None where all came, or none: then there was nothing to know."""
    known = rate * (1 - rate)
    return 1 - sum((chance - came) ** 2 for chance, came in said) / len(said) / known if known else None


def bins(said: Sequence[Said]) -> list[Bin]:
    """Chances said beside how often it came, whatever the horizon."""
    found = []
    for low, high in pairwise(BINS):
        mine = [one for one in said if low <= one.chance < high or (high == BINS[-1] and one.chance == high)]
        if mine:
            mean = sum(one.chance for one in mine) / len(mine)
            found.append(Bin(low, high, len(mine), mean, sum(one.came for one in mine) / len(mine)))
    return found
