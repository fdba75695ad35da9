"""Who may pass whom, and by when: chances, from how far two are apart and how much that usually moves (pure).

Of two entities only the logarithm of the ratio of their values is looked at. For counts of a period (downloads of 30
days, say) it is taken for a random walk *without* a trend: on every recorded history that we have, a straight line
through the last weeks knew less than who always says how many pass (docs/forecasts.md has the figures, and how the
constants below did). The chance that such a walk, looked at now and then, has reached 0 is

    2 * N(-(distance + 0.5826 * step) / (step * sqrt(days / 28)))

by the reflection principle, with the correction for looking now and then of Broadie, Glasserman and Kou, "A continuity
correction for discrete barrier options" (1997). Totals that only ever grow (all-time downloads, likes) do have a trend:
there the ratio of what they *grew by* is such a walk, and the chance is that its mean closes the gap in time.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from typing import NamedTuple

HORIZONS = (30, 90, 180)
"""Days ahead for which a chance is said. How well is not known for more."""

SPAN = 28
"""Days over which the change of a ratio is taken: a counter of 30 days moves smoothly from one day to the next."""

TYPICAL_STEP = 0.34
"""By how much the logarithm of a ratio usually changes within a span (one standard deviation), whoever the two are."""

TYPICAL_WEIGHT = 8
"""How many spans of a pair's own past weigh as much as that."""

LONGEST_HISTORY = 730
"""Days of its past that are looked at."""

UNLIKELY, EVEN, LIKELY = 0.1, 0.5, 0.9
"""Chances whose days are told: with a chance of four in five it comes between the first of them and the last."""

ACCUMULATE = frozenset({"downloads_all_time", "likes", "derivatives"})
"""Measures whose values are totals."""

RANKED = frozenset({"family", "publisher", "country"})
"""What is forecast. Single models rise and fade too quickly: of them it knew next to nothing at 90 days."""

_NORMAL = statistics.NormalDist()
_QUARTILE = _NORMAL.inv_cdf(0.75)
_NOW_AND_THEN = 0.5826

History = Sequence[tuple[date, Mapping[str, float]]]
"""The days of a board, oldest first, each with the values of some entities."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is ahead for one who is behind another."""

    day: date
    """The day from which it is seen."""
    entity: str
    rival: str
    """Who is ahead."""
    value: float
    rival_value: float
    margin: float
    """(rival - entity) / rival, of their values."""
    within_30d: float
    """The chance that it has passed the rival on a day up to then."""
    within_90d: float
    within_180d: float
    likely_from: date | None
    """By when the chance is one in ten; None: not within the last horizon. So it is for the other two."""
    even_by: date | None
    """By when it is as likely as not."""
    likely_by: date | None
    """By when the chance is nine in ten."""


class Walk(NamedTuple):
    """Two counts of a period."""

    distance: float
    """Logarithm of the ratio, from 0 on."""
    step: float
    """Its standard deviation over a span."""

    def chance(self, days: float) -> float:
        """Of the one behind having passed the other within some days."""
        far = self.distance + _NOW_AND_THEN * self.step
        return 2 * _NORMAL.cdf(-far / (self.step * math.sqrt(days / SPAN)))


class Chase(NamedTuple):
    """Two totals that grow."""

    gap: float
    ahead: float
    """By how much the one ahead grew in the last span."""
    ratio: float
    """Logarithm of what the other grew by, over that."""
    step: float
    """The ratio's standard deviation over a span."""

    def chance(self, days: float) -> float:
        """Of the one behind having passed the other within some days: on that one of them on which it is likeliest."""
        wanes = bisect_left(range(1, math.ceil(days)), True, key=self._wanes) + 1
        return max(self._closed(min(day, days)) for day in (max(wanes - 1, 1), wanes))

    def _wanes(self, days: float) -> bool:
        """Whether the chance of `_closed` is less on later days: who grows faster may have lost its pace by then."""
        spread = self.gap / (self.ahead * days / SPAN)
        return 2 * spread / (1 + spread) < self.ratio - math.log1p(spread)

    def _closed(self, days: float) -> float:
        """Of the gap being closed after some days. The mean of a walk has a third of its last day's variance."""
        spans = days / SPAN
        needed = math.log1p(self.gap / (self.ahead * spans))
        return _NORMAL.cdf((self.ratio - needed) / (self.step * math.sqrt(spans / 3)))


class _Change(NamedTuple):
    """By how much the logarithm of a ratio changed between two days, as for exactly a span."""

    since: int
    until: int
    much: float


class Pair:
    """Two entities on the days on which both are known."""

    def __init__(self, history: History, one: str, other: str, *, totals: bool) -> None:
        """`totals`: their values accumulate; see `ACCUMULATE`."""
        known = [(day, values[one], values[other]) for day, values in history if one in values and other in values]
        self.days = [day.toordinal() for day, _, _ in known]
        self.values = [(mine, theirs) for _, mine, theirs in known]
        self._totals = totals
        sides = [[mine for mine, _ in self.values], [theirs for _, theirs in self.values]]
        self._pace = list(zip(*(_growth(self.days, side) for side in sides), strict=True)) if totals else self.values
        self._changes = self._changed()

    def course(self, index: int) -> Walk | Chase | None:
        """How the two stand to one another on one of the days, seen from then; None: that is not known well enough."""
        (mine, theirs), (pace, their_pace) = self.values[index], self._pace[index]
        step = self._step(self.days[index])
        if step is None or min(pace, their_pace, max(mine, theirs)) <= 0:
            return None
        ratio = math.log(pace / their_pace)
        if not self._totals:
            return Walk(abs(ratio), step)
        behind = mine < theirs
        return Chase(abs(theirs - mine), their_pace if behind else pace, ratio if behind else -ratio, step)

    def _changed(self) -> list[_Change]:
        """How the ratio changed up to each day, from the last one that is a span older."""
        rated = [
            (day, math.log(mine / theirs))
            for day, (mine, theirs) in zip(self.days, self._pace, strict=True)
            if mine > 0 and theirs > 0
        ]
        changes: list[_Change] = []
        start = 0
        for day, ratio in rated:
            while start + 1 < len(rated) and rated[start + 1][0] <= day - SPAN:
                start += 1
            then, before = rated[start]
            if then <= day - SPAN:
                changes.append(_Change(then, day, abs(ratio - before) / math.sqrt((day - then) / SPAN)))
        return changes

    def _step(self, day: int) -> float | None:
        """By how much the ratio usually changes in a span, as seen on a day; None: no span is over by then.

        It is the median instead of the mean square, for one launch or one broken counter would stay in that for years.
        A pair of which little is known is taken to be as most are.
        """
        first = bisect_left(self._changes, day - LONGEST_HISTORY, key=lambda change: change.since)
        mine = self._changes[first : bisect_right(self._changes, day, key=lambda change: change.until)]
        if not mine:
            return None
        spans = min(len(mine), (day - mine[0].since) / SPAN)
        own = statistics.median(change.much for change in mine) / _QUARTILE
        return (spans * own + TYPICAL_WEIGHT * TYPICAL_STEP) / (spans + TYPICAL_WEIGHT)


def _growth(days: Sequence[int], values: Sequence[float]) -> list[float]:
    """By how much a total grew in the span before each day, along straight lines; 0 where that is not known.

    Likes can be taken back: what did not grow is taken to have grown by one, so that it has a logarithm.
    """
    grown = []
    for day, value in zip(days, values, strict=True):
        start = day - SPAN
        after = bisect_left(days, start)
        if after == 0 and days[0] > start:
            grown.append(0.0)
            continue
        before = after if days[after] == start else after - 1
        part = (start - days[before]) / (days[after] - days[before]) if after != before else 0.0
        grown.append(max(value - values[before] - part * (values[after] - values[before]), 1.0))
    return grown


def outlooks(history: History, *, totals: bool, top: int = 10) -> list[Outlook]:
    """What is ahead for each two of the first on the last day of a history, the likeliest passages first.

    A pair of which too little is known is left out.
    """
    if not history:
        return []
    found = [outlook(history, *pair, totals=totals) for pair in combinations(_in_order(history)[:top], 2)]
    return sorted((one for one in found if one is not None), key=lambda one: -one.within_90d)


def _in_order(history: History) -> list[str]:
    """Who stands on the last day, the highest value first; equal values keep the order they found."""
    order = sorted(history[-1][1])
    for _, values in history:
        order.sort(key=lambda entity: -values.get(entity, -math.inf))
    return order


def ranked(values: Mapping[str, float]) -> list[str]:
    """The entities, the highest value first."""
    return sorted(values, key=lambda entity: (-values[entity], entity))


def outlook(history: History, ahead: str, behind: str, *, totals: bool) -> Outlook | None:
    """What is ahead for one who is behind another on the last day."""
    day, values = history[-1]
    pair = Pair(history, behind, ahead, totals=totals)
    course = pair.course(-1)
    if course is None:
        return None
    soon, later, last = (course.chance(days) for days in HORIZONS)
    return Outlook(
        day=day,
        entity=behind,
        rival=ahead,
        value=values[behind],
        rival_value=values[ahead],
        margin=(values[ahead] - values[behind]) / values[ahead],
        within_30d=soon,
        within_90d=later,
        within_180d=last,
        likely_from=_by(course, UNLIKELY, day),
        even_by=_by(course, EVEN, day),
        likely_by=_by(course, LIKELY, day),
    )


def _by(course: Walk | Chase, chance: float, day: date) -> date | None:
    """By when a chance is reached."""
    days = bisect_left(range(1, HORIZONS[-1] + 1), chance, key=course.chance) + 1
    return day + timedelta(days=days) if days <= HORIZONS[-1] else None
