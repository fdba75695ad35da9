"""Movement: how far a counter that only ever grows has grown over an exact span of days, whatever its faults.

The Hub's all-time counters freeze and catch up, and they fall and come back. So growth is never added up step by step.
A counter becomes a line through the points that can be believed, and the growth over a span is the difference of the
line's two ends:

    complete snapshots --falls set aside--> knots --straight between them--> level(day) - level(day - span)

Hence what is known exactly stays exact: growth over neighbouring spans adds up to growth over both; a stall that is
passed over, or a missing snapshot, spreads what was caught up evenly over the days it covers; a fall counts nothing,
nor does the way back up. Only snapshots up to the day itself are looked at, so that history replayed says what was
said live.

Pure: `guarded` and `growth`, the definition, for one model. `measured` asks the same of all models at once: in SQL
where no counter fell, by the definition where one did; the tests hold the two against each other.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta

from warehouse.db import Database
from warehouse.queries import sql

Point = tuple[date, int]
"""A day, and what the counter showed or the line stands at (downloads)."""

HOLD_DAYS = 14
"""A counter that has not come back so long after it fell is taken to stay down. Known falls lasted 3 and 7 days."""

REGAINED = 0.9
"""Who has regained so much of a fall has come back."""

LOOK_BACK = 3
"""Spans that are looked at to measure one; two lie before its start, and one gap may be two spans long."""


def guarded(points: Sequence[Point]) -> list[Point]:
    """The line of a counter: its knots, oldest first, from what it showed; levels never fall.

    A point below the last knot is set aside until the counter is back up; the line then goes straight over the gap. If
    that takes longer than HOLD_DAYS, or is not known yet on the last day, the line goes on level from the first low
    point and grows as the counter does; from the last one where most of the fall was regained.

    Args:
        points: one a day, oldest first.
    """
    knots: list[Point] = []
    offset, fell, position = 0, None, 0
    while position < len(points):
        day, level = points[position][0], points[position][1] + offset
        if not knots or level >= knots[-1][1]:
            knots.append((day, level))
            fell = None
        else:
            fell = position if fell is None else fell
            if position == len(points) - 1 or (day - knots[-1][0]).days > HOLD_DAYS:
                position = _goes_on(points[fell : position + 1], knots[-1][1] - offset) + fell
                offset, fell = knots[-1][1] - points[position][1], None
                continue
        position += 1
    return knots


def _goes_on(low: Sequence[Point], peak: int) -> int:
    """Where, among the points since a counter fell from `peak`, its line goes on: at the first, or at the last."""
    depth = peak - min(count for _, count in low)
    return len(low) - 1 if peak - low[-1][1] <= (1 - REGAINED) * depth else 0


def growth(
    points: Sequence[Point], span: int, created: date | None = None, covered_from: date | None = None
) -> int | None:
    """Growth over the `span` days up to the last point; None where the span is not covered.

    Args:
        points: what the counter showed, oldest first, the last of them on the day in question; those more than
            LOOK_BACK spans before it are not looked at.
        span: days.
        created: day of creation: the counter stood at 0.
        covered_from: the last day up to the start of the span on which models were looked at; one created on it (after
            the look, that is) or later may not have been seen yet and counts from its creation on.
    """
    end = points[-1][0]
    knots = guarded([point for point in points if (end - point[0]).days <= LOOK_BACK * span])
    start = end - timedelta(days=span)
    days = [day for day, _ in knots]
    left, right = bisect_right(days, start) - 1, bisect_left(days, start)
    if left >= 0:
        level = _between(knots[left], knots[right], start, longest=2 * span)
    elif created is not None and created >= start:
        level = 0
    elif created is not None and covered_from is not None and created >= covered_from:
        level = _between((created, 0), knots[right], start, longest=2 * span)
    else:
        level = None
    return None if level is None else knots[-1][1] - level


def _between(left: Point, right: Point, day: date, longest: int) -> int | None:
    """The level on a day between two knots, in whole downloads; None where they are more than `longest` days apart."""
    apart = (right[0] - left[0]).days
    if apart > longest:
        return None
    return left[1] + (right[1] - left[1]) * (day - left[0]).days // max(apart, 1)


def covered(days: Sequence[date], span: int) -> dict[date, date]:
    """The days for which growth over `span` days can be known -> the last day, up to the start of the span, looked at.

    Args:
        days: days with a complete snapshot, oldest first.
        span: days.
    """
    found = {}
    for day in days:
        start = day - timedelta(days=span)
        left, right = bisect_right(days, start) - 1, bisect_left(days, start)
        if left >= 0 and (days[right] - days[left]).days <= 2 * span:
            found[day] = days[left]
    return found


@contextmanager
def measured(
    db: Database, chosen: Mapping[date, int], wanted: Sequence[date], span: int, *, among: str | None = None
) -> Iterator[str]:
    """Within the block: the SELECT of (snapshot_id, hub_id, value), the growth of every model up to each wanted day.

    Models for which the span is not covered have no row.

    Args:
        db: the warehouse, or a published file.
        chosen: day -> the complete snapshot that speaks for it.
        wanted: days to measure; those that are not `covered` are passed over.
        span: days.
        among: SELECT of the hub_id of models that matter; None: all do.
    """
    reach, asked = LOOK_BACK * span, set(wanted)
    starts = {day: start for day, start in covered(sorted(chosen), span).items() if day in asked}
    ends = sorted(starts)
    near = [(day, chosen[day], starts.get(day)) for day in chosen if _within(day, ends, timedelta(days=reach))]
    with db.rows_as("span_days", near, {"day": date, "snapshot_id": int, "covered_from": date}):
        db.execute(sql("counter_points", among=f"hub_id IN ({among})" if among else "true"))
        db.execute(sql("counter_falls"))
        db.execute(sql("counter_ends"), {"span": span, "reach": reach})
        db.execute(sql("plain_growth"), {"span": span, "reach": reach})
    with db.rows_as("fallen_growth", _fallen(db, span), {"snapshot_id": int, "hub_id": str, "value": float}):
        db.execute(sql("add_fallen_growth"))
    db.execute(sql("forget_counters"))
    yield "SELECT snapshot_id, hub_id, value FROM moved"
    db.execute(sql("forget_growth"))  # not after an error, which is what is told: the next measuring begins anew


def _within(day: date, wanted: Sequence[date], reach: timedelta) -> bool:
    """Whether a day is looked at for one of the wanted days."""
    following = bisect_left(wanted, day)
    return following < len(wanted) and wanted[following] - day <= reach


def _fallen(db: Database, span: int) -> list[tuple[int, str, float]]:
    """Growth of the counters that fell within reach of a wanted day, by the definition: snapshot_id, hub_id, value."""
    points: dict[int, list[Point]] = defaultdict(list)
    for model, day, count in db.rows(sql("fallen_points")):
        points[model].append((day, count))
    rows = []
    for model, hub_id, snapshot_id, day, created, covered_from in db.rows(sql("fallen_ends")):
        own = points[model]
        known = own[: bisect_right(own, day, key=lambda point: point[0])]
        value = growth(known, span, created, covered_from)
        if value is not None:
            rows.append((snapshot_id, hub_id, float(value)))
    return rows
