from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from spine import warehouse

from warehouse.db import Database
from warehouse.ranking import movement
from warehouse.ranking.movement import Point, _between, covered, growth, guarded
from warehouse.records import HubModel, Snapshot
from warehouse.snapshots import store

START = date(2026, 1, 1)


def day(number: int) -> date:
    return START + timedelta(days=number)


def points(counts: Iterable[int | None]) -> list[Point]:
    """One count a day from day 0 on; None: no snapshot that day."""
    return [(day(number), count) for number, count in enumerate(counts) if count is not None]


def levels(counts: Iterable[int | None]) -> list[int]:
    return [level for _, level in guarded(points(counts))]


growing = st.lists(st.integers(0, 1000), min_size=30, max_size=60).map(
    lambda increments: [1000 + sum(increments[: n + 1]) for n in range(len(increments))]
)
"""Counters that never fall."""


# The line


def test_a_counter_that_never_falls_is_its_own_line() -> None:
    assert levels([100, 110, 110, 130]) == [100, 110, 110, 130]


def test_a_fall_that_recovers_is_passed_over() -> None:
    assert guarded(points([100, 110, 60, 65, 140])) == points([100, 110, None, None, 140])


def test_a_fall_that_lasts_counts_nothing_and_growth_goes_on_from_the_low() -> None:
    counts = [100, 110, 60, *(60 + 10 * n for n in range(1, 4))]

    assert levels(counts) == [100, 110, 110, 120, 130, 140]


def test_after_a_fortnight_below_its_peak_a_counter_has_settled_there() -> None:
    counts = [1000, *(100 + n for n in range(30))]
    later = [*counts, 5000]

    assert levels(later)[:30] == [1000, *(1000 + n for n in range(29))], "what grew while it was low is kept"
    assert levels(later)[-1] == 1000 + 4900, "and a jump much later is growth, not recovery"


def test_a_recovery_that_stops_short_of_the_peak_is_not_counted_as_growth() -> None:
    assert levels([100, 60, 61, 97]) == [100, 100]
    assert levels([100, 60, 61, 97, 104]) == [100, 104]


def test_a_second_fall_while_the_first_is_not_over_counts_nothing_either() -> None:
    assert levels([100, 60, 70, 30, 40]) == [100, 100, 110, 110, 120]


# Growth over a span


@given(growing)
def test_without_a_fall_growth_is_the_difference_of_the_counter_at_the_ends(counts: list[int]) -> None:
    assert growth(points(counts), 7) == counts[-1] - counts[-8]
    assert growth(points(counts), 28) == counts[-1] - counts[-29]


@given(growing, st.data())
def test_growth_over_neighbouring_spans_adds_up(counts: list[int], data: st.DataObject) -> None:
    """Also where snapshots are missing, except on the day at which the spans meet."""
    last = len(counts) - 1
    for missing in data.draw(st.sets(st.integers(9, last - 1), max_size=8)) - {last - 7, last - 14}:
        counts[missing] = None  # type: ignore[call-overload]
    weeks = [growth(points(counts[: last + 1 - 7 * n]), 7) for n in range(2)]
    whole = growth(points(counts), 14)

    assert None not in (*weeks, whole)
    assert sum(filter(None, weeks)) == whole


def steps(points: Sequence[Point]) -> list[Point]:
    """Guarded movement day by day: what is added on each day after the first, spread evenly between knots.

    Whole downloads; the steps add up to the growth of the line from its first knot to its last.
    """
    found = []
    for left, right in pairwise(guarded(points)):
        apart = (right[0] - left[0]).days
        levels = [_between(left, right, left[0] + timedelta(days=n), longest=apart) or 0 for n in range(apart + 1)]
        found += [(left[0] + timedelta(days=n), levels[n] - levels[n - 1]) for n in range(1, apart + 1)]
    return found


@given(growing, st.integers(1, 5), st.data())
def test_a_stall_that_is_passed_over_changes_no_sum(counts: list[int], length: int, data: st.DataObject) -> None:
    """The snapshots of a stall are suspect and no ends; what was caught up is spread over its days."""
    at = data.draw(st.integers(2, len(counts) - 2 - length))
    spread = steps(points([*counts[:at], *[None] * length, *counts[at + length :]]))

    assert sum(step for _, step in spread) == counts[-1] - counts[0]
    within = [step for moment, step in spread if day(at) <= moment <= day(at + length)]
    assert max(within) - min(within) <= 1, "evenly, in whole downloads"


@given(growing, st.integers(1, 5), st.floats(0.05, 0.9), st.data())
def test_a_rollback_that_recovers_changes_nothing(
    counts: list[int], length: int, depth: float, data: st.DataObject
) -> None:
    at = data.draw(st.integers(2, len(counts) - 9 - length))
    rolled = list(counts)
    for number in range(at, at + length):
        rolled[number] = int(counts[number] * (1 - depth))
    # Only days that are truly lower are rolled back: a fall to what is still a new high is none.
    for number in range(at, at + length):
        rolled[number] = min(rolled[number], counts[at - 1] - 1)

    assert growth(points(rolled), 7) == growth(points(counts), 7)
    assert sum(step for _, step in steps(points(rolled))) == counts[-1] - counts[0]


@given(growing, st.integers(20, 25))
def test_a_rollback_that_lasts_hides_its_own_day_and_no_other(counts: list[int], before_end: int) -> None:
    """By more than could have been regained: what grew on the days before and after it is all counted."""
    at = len(counts) - before_end
    rolled = [count - 100_000 if n >= at else count for n, count in enumerate(counts)]

    assert growth(points(rolled), 28) == counts[-1] - counts[-29] - (counts[at] - counts[at - 1])


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=60))
def test_whatever_a_counter_does_the_line_never_falls_and_ends_on_its_last_day(counts: list[int]) -> None:
    line = guarded(points(counts))

    assert [level for _, level in line] == sorted(level for _, level in line)
    assert line[0] == (day(0), counts[0])
    assert line[-1][0] == day(len(counts) - 1)
    assert line[-1][1] - line[0][1] <= sum(max(b - a, 0) for a, b in pairwise(counts))


def test_positive_steps_alone_would_count_a_recovery_as_growth() -> None:
    rolled = [1000, 1010, 1020, 600, 610, 1050, 1060, 1070]
    positive = sum(max(b - a, 0) for a, b in pairwise(rolled))

    assert positive == 490
    assert growth(points(rolled), 7) == 70


def test_a_span_is_exactly_as_long_as_it_says_where_its_first_day_was_missed() -> None:
    counts = [1000 + 10 * n for n in range(30)]
    counts[-8] = None  # type: ignore[call-overload]

    assert growth(points(counts), 7) == 70, "not 8 days, not 6"


def test_a_span_that_begins_before_anything_was_seen_is_not_covered() -> None:
    assert growth(points(range(7)), 7) is None
    assert growth(points(range(8)), 7) == 7


def test_a_gap_of_more_than_two_spans_is_not_bridged() -> None:
    assert growth([(day(0), 0), (day(15), 150)], 7) is None
    assert growth([(day(0), 0), (day(14), 140)], 7) == 70


def test_a_model_created_within_the_span_counts_from_nothing() -> None:
    assert growth([(day(9), 400), (day(10), 500)], 7, created=day(8)) == 500


def test_a_model_created_while_nobody_looked_counts_from_its_creation_pro_rata() -> None:
    assert growth([(day(10), 800)], 7, created=day(2), covered_from=day(1)) == 800 - 100


def test_a_model_created_after_the_look_of_its_day_counts_on_while_the_start_is_in_the_gap_after_it() -> None:
    points = [(day(n), 100 * n - 200) for n in (5, 6, 7, 8, 9, 10, 11, 12)]
    seen = [growth(points[: number + 1], 7, created=day(2), covered_from=day(2)) for number in range(8)]
    assert seen == [300, 400, 500, 600, 700, 700, 700, 700]


def test_an_old_model_that_was_listed_late_is_not_known_until_its_span_is_covered() -> None:
    assert growth([(day(9), 400), (day(10), 500)], 7, created=day(-300), covered_from=day(3)) is None


def test_days_count_as_covered_from_the_first_whole_span_on() -> None:
    days = [day(n) for n in (0, 5, 8, 9, 40)]

    assert covered(days, 7) == {day(8): day(0), day(9): day(0)}


# All models at once, against the definition


@pytest.fixture
def db() -> Iterable[Database]:
    with warehouse() as database:
        yield database


def kept(db: Database, counts: Mapping[int, Mapping[str, int | None]], created: Mapping[str, date]) -> dict[date, int]:
    """Day number -> model -> count, written as snapshots; day -> snapshot_id."""
    chosen = {}
    for number, models in counts.items():
        moment = datetime.combine(day(number), datetime.min.time(), UTC)
        rows = [
            HubModel(
                name,
                f"a/{name}",
                "a",
                None,
                count,
                None,
                created_at=datetime.combine(created[name], datetime.min.time(), UTC) if name in created else None,
            )
            for name, count in models.items()
        ]
        chosen[day(number)] = store.next_snapshot_id(db, moment)
        head = Snapshot(chosen[day(number)], "hub", moment, day(number), "complete", "", len(rows))
        store.write_snapshot(db, head, store.model_frame(rows))
    return chosen


def in_bulk(
    db: Database, chosen: Mapping[date, int], wanted: Sequence[date], span: int
) -> dict[tuple[int, str], float]:
    with movement.measured(db, chosen, wanted, span) as counts:
        return {(snapshot, hub_id): value for snapshot, hub_id, value in db.rows(counts)}


looks = st.dictionaries(
    st.integers(0, 40),
    st.dictionaries(st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 50)), max_size=3),
    min_size=1,
    max_size=25,
)


@settings(max_examples=examples(40), deadline=None)
@given(looks, st.dictionaries(st.sampled_from("abc"), st.integers(-5, 40).map(day)), st.sampled_from([3, 7]))
def test_all_models_at_once_are_measured_as_the_definition_says(
    counts: dict[int, dict[str, int | None]], created: dict[str, date], span: int
) -> None:
    with warehouse() as database:
        chosen = kept(database, dict(sorted(counts.items())), created)
        found = in_bulk(database, chosen, list(chosen), span)
    expected = {}
    for end, start in covered(sorted(chosen), span).items():
        for name in "abc":
            shown = [(day(n), models.get(name)) for n, models in sorted(counts.items()) if day(n) <= end]
            known = [(moment, count) for moment, count in shown if count is not None]
            if known and known[-1][0] == end:
                value = growth(known, span, created.get(name), start)
                if value is not None:
                    expected[chosen[end], name] = float(value)

    assert found == expected


def test_measuring_leaves_nothing_behind(db: Database) -> None:
    chosen = kept(db, {n: {"a": n} for n in range(9)}, {})

    assert in_bulk(db, chosen, [day(8)], 7) == {(chosen[day(8)], "a"): 7.0}
    assert "moved" not in {row[0] for row in db.rows("SELECT table_name FROM duckdb_tables()")}
