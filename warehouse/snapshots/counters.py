"""What the counters of one look say beside those of the last complete one. Pure: aggregates in, findings out.

    repeat     hardly any large model shows a value that was not shown before    the source did not look again
    frozen     a share of the large models stands still, the newest first        the Hub's batch did not reach them
    rollback   all-time counts fell for a share of the models                    the Hub counts from an older state
    half_dip   30-day counts fell alike at unrelated publishers                  days are missing from the window
    slow       all of it together moved far less than lately                     the Hub's batch read few of its logs
    blank      models that had counts show none                                  the answer lacks a field
    lost       models are gone, and no count of the Hub's own says so            the list broke off

The faults, and the shares at which they were seen, are on record (Model Pulse's audits, huggingface_hub#4365,
hub-docs#154); how well each is told from an honest day is measured in docs/data-quality.md.

A statistic needs evidence: with fewer than `EVIDENCE` large models none is drawn, so that a toy registry, or a small
one whose counts stand still, stays as complete as its listings are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Literal

Kind = Literal["repeat", "frozen", "rollback", "half_dip", "slow", "blank", "lost"]

EVIDENCE = 20
"""Models with an earlier value that a statistic needs."""
LARGE = 300
"""Downloads in 30 days from which a model is large: ten a day. Of such models 97.5 to 100 % show a new 30-day count
with every daily refresh of the Hub, of all models 88 to 92 % (recorded trending lists, April and May 2026)."""

REPEAT_SHARE = 0.05
"""A look in which no greater share of the large models shows a new value is a repeat."""
FROZEN_SHARE = 0.2
"""Share of the large models that stands still on a frozen day, beyond what usually does. Model Pulse holds at 0.25; a
little less finds a freeze of a quarter whichever models it hits."""
FROZEN_NEWEST = 0.5
"""The same of the newest quarter of them: a freeze begins there."""
FREEZE_DAYS = 3.0
"""The longest that the Hub's counters were seen to stand; a value that is older was not re-read by the source."""
FELL_SHARE = 0.02
"""Share of the models whose all-time count fell in a rollback; the recorded ones hit a fifth to two fifths."""
DIP = 0.7
"""A 30-day count below this part of its earlier value dipped."""
DIPPED_SHARE = 0.25
"""Share of the large models, and of their publishers, that dip together when days are missing from the window."""
DIPPED_PER_DAY = 0.01
"""Share that dips by itself for each day between two looks (recorded: 0.3 % from day to day, 27 % in 29 days)."""
SLOW_SHARE = 0.3
"""Part of the movement to be expected under which a day is slow; Model Pulse's figure. Weekends reach two thirds."""
BLANK_SHARE = 0.2
"""Share of the large models without counts at which the answer lacks a field."""
LOST_SHARE = 0.015
"""Share of the models that may be gone the day after; the Hub loses about one in a thousand a day."""
LOST_PER_DAY = 0.001
"""Share more that may be gone for each further day."""
LOST_FEW = 3
"""Models that may be gone however short the list is."""
HALVED = 0.5
"""Share gone at once that is not believed even when the Hub's own count agrees."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One look beside the last complete one. Counts are of models, those of `large` in the earlier look unless said."""

    reference: date
    """Day of the earlier look."""
    days: float
    """Between the two looks."""
    before: int
    """Models of the earlier look, whose publishers were asked again."""
    lost: int
    """Of these, not seen now under any name."""
    unexplained: int
    """Of the lost, those whose publisher has no count of the Hub's own that agrees with its listing."""
    downloads_before: int
    """Their 30-day downloads (all-time / 12 where there are none), earlier."""
    downloads_lost: int
    large: int
    fresh: int
    """Show a value that neither the earlier look showed nor any look since."""
    still: int
    """Show the earlier all-time count; of models without one, the earlier 30-day count."""
    blank: int
    """Had a count and show none."""
    by_all_time: int
    """Have an all-time count in both looks."""
    newest: int
    """The newest quarter of the large ones."""
    newest_still: int
    totals: int
    """Models with an all-time count of at least `LARGE` earlier, and one now."""
    fell: int
    """Of these, those whose count is lower now."""
    windows: int
    """Large models with a 30-day count in both looks."""
    dipped: int
    publishers: int
    """Publishers of these."""
    publishers_dipped: int
    """Publishers half of whose large models dipped."""
    movement: int | None
    """All-time downloads gained by the models that gained; None when no all-time count is known twice."""

    @property
    def lost_share(self) -> float:
        """Share of the earlier models that are gone without a word of the Hub's."""
        return _share(self.unexplained, self.before)

    @property
    def still_share(self) -> float | None:
        """Share of the large models that stand still; None with too few of them."""
        return _share(self.still, self.large) if self.large >= EVIDENCE else None

    @property
    def movement_per_day(self) -> float | None:
        """All-time downloads gained a day; looks on one day count as a day apart."""
        return None if self.movement is None or self.large < EVIDENCE else self.movement / max(self.days, 1.0)


@dataclass(frozen=True, slots=True)
class Look:
    """What was measured on an earlier day."""

    day: date
    complete: bool
    findings: frozenset[str] | None
    """What was found, accepted or not; None where counters were not compared."""
    still_share: float | None = None
    movement_per_day: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and how wrong, in words."""

    kind: Kind
    words: str


def findings(c: Comparison, day: date, looks: Sequence[Look]) -> list[Finding]:
    """Everything that is wrong with a look.

    Args:
        c: the look beside the last complete one.
        day: the look's own day.
        looks: the days before it, newest first.
    """
    found = [*_of_rows(c), *(_of_counts(c, looks) if c.large >= EVIDENCE else ())]
    # Whatever else is wrong makes the sum small too.
    return found or list(_slow(c, expected_movement(day, looks)))


def expected_movement(day: date, looks: Sequence[Look]) -> float | None:
    """Downloads a day to be expected; None with fewer than five complete days to go by.

    The median of the last 15 complete days, times what this weekday usually has of it once three of them are known.
    """
    moved = [(look.day, look.movement_per_day) for look in looks if look.complete and look.movement_per_day is not None]
    if len(moved) < 5:
        return None
    level, usual = median(value for _, value in moved[:15]), median(value for _, value in moved)
    same = [value for that, value in moved if that.weekday() == day.weekday()]
    return level * median(same) / usual if len(same) >= 3 and usual else level


def usual_still(looks: Sequence[Look]) -> float | None:
    """Share of large models that usually stands still: median of the last 15 complete days; None with fewer than 7."""
    shares = [look.still_share for look in looks if look.complete and look.still_share is not None][:15]
    return median(shares) if len(shares) >= 7 else None


def _of_rows(c: Comparison) -> Iterator[Finding]:
    if c.before < EVIDENCE:
        return
    downloads = f"with {_percent(c.downloads_lost, c.downloads_before)} of the downloads"
    allowed = LOST_SHARE + LOST_PER_DAY * max(c.days - 1, 0)
    if c.unexplained > allowed * c.before + LOST_FEW:
        gone = f"{c.unexplained:,} of {c.before:,} models ({c.lost_share:.1%})"
        yield Finding("lost", f"{gone} of {c.reference} are gone, {downloads}")
    elif max(_share(c.lost, c.before), _share(c.downloads_lost, c.downloads_before)) > HALVED and c.lost >= EVIDENCE:
        yield Finding("lost", f"{c.lost:,} of {c.before:,} models of {c.reference} are gone at once, {downloads}")


def _of_counts(c: Comparison, looks: Sequence[Look]) -> Iterator[Finding]:
    if c.blank > BLANK_SHARE * c.large:
        yield Finding("blank", f"{c.blank:,} of {c.large:,} large models show no count, and had one on {c.reference}")
        return
    if c.fresh <= _with_chance(REPEAT_SHARE, c.large) * c.large:
        yield Finding("repeat", f"{c.fresh:,} of {c.large:,} large models show a value not shown since {c.reference}")
    else:
        yield from _frozen(c, usual_still(looks))
    if c.totals >= EVIDENCE and c.fell > FELL_SHARE * c.totals:
        fell = f"{c.fell:,} of {c.totals:,} models ({_percent(c.fell, c.totals)})"
        yield Finding("rollback", f"the all-time counts of {fell} fell since {c.reference}")
    yield from _half_dip(c)


def _frozen(c: Comparison, usual: float | None) -> Iterator[Finding]:
    """A freeze of all-time counts shows by itself.

    30-day counts stand still in honest lists too, whose maker did not read every model again: those are held against
    what is usual for the source, and only while the Hub's freezes last.
    """
    if 2 * c.by_all_time < c.large and (usual is None or c.days > FREEZE_DAYS):
        return
    usual = usual or 0.0
    newest = c.newest >= EVIDENCE and c.newest_still >= (FROZEN_NEWEST + usual) * c.newest
    if newest or c.still >= (FROZEN_SHARE + usual) * c.large:
        words = f"the counts of {c.still:,} of {c.large:,} large models ({_percent(c.still, c.large)}) stand still"
        yield Finding(
            "frozen", f"{words} since {c.reference}, {_percent(c.newest_still, c.newest)} of the newest quarter"
        )


def _slow(c: Comparison, expected: float | None) -> Iterator[Finding]:
    moved = c.movement_per_day
    if moved is not None and expected and moved < SLOW_SHARE * expected:
        yield Finding("slow", f"{moved:,.0f} downloads a day since {c.reference}, {moved / expected:.0%} of the usual")


def _half_dip(c: Comparison) -> Iterator[Finding]:
    """Alike at unrelated publishers: a quarter of the models, a quarter of the publishers, and three at least."""
    share = DIPPED_SHARE + DIPPED_PER_DAY * c.days
    enough = c.windows >= EVIDENCE and c.publishers_dipped >= 3
    if enough and c.dipped >= share * c.windows and c.publishers_dipped >= share * c.publishers:
        dipped = f"{c.dipped:,} of {c.windows:,} large models ({_percent(c.dipped, c.windows)})"
        where = f"at {c.publishers_dipped:,} of {c.publishers:,} publishers"
        yield Finding(
            "half_dip", f"the 30-day counts of {dipped} fell by {1 - DIP:.0%} or more since {c.reference}, {where}"
        )


def _with_chance(share: float, of: int) -> float:
    """A share that so few models may show by chance (two standard errors) when the whole list shows `share`."""
    return share + 2 * math.sqrt(share * (1 - share) / of)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _percent(part: float, whole: float) -> str:
    return f"{_share(part, whole):.1%}"
