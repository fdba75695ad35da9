"""Forecasts: what the chances are made of, and whether they come true where the truth is known."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.forecasts import scoring
from warehouse.forecasts.forecast import HORIZONS, SPAN, TYPICAL_STEP, Chase, Outlook, Pair, Walk, outlooks

START = date(2024, 1, 1)

steps = st.floats(0.01, 3)
distances = st.floats(0, 5)


def days(*values: dict[str, float], apart: int = SPAN) -> list[tuple[date, dict[str, float]]]:
    return [(START + timedelta(days=apart * n), known) for n, known in enumerate(values)]


def two(*pairs: tuple[float, float], apart: int = SPAN) -> list[tuple[date, dict[str, float]]]:
    return days(*({"A": one, "B": other} for one, other in pairs), apart=apart)


def only(found: Sequence[Outlook]) -> Outlook:
    (one,) = found
    return one


# What a chance is


@given(distances, steps)
def test_a_chance_is_one_and_grows_with_time(distance: float, step: float) -> None:
    walk = Walk(distance, step)
    said = [walk.chance(length) for length in (1, *HORIZONS, 10_000)]
    assert all(0 <= chance <= 1 for chance in said)
    assert said == sorted(said)


@given(distances, distances, steps)
def test_who_is_nearer_is_likelier_to_pass(one: float, other: float, step: float) -> None:
    near, far = sorted((one, other))
    assert Walk(near, step).chance(90) >= Walk(far, step).chance(90)


@given(st.floats(0, 1e9), st.floats(1, 1e9), st.floats(-3, 3), steps)
def test_so_it_is_for_totals(gap: float, ahead: float, ratio: float, step: float) -> None:
    said = [Chase(gap, ahead, ratio, step).chance(length) for length in HORIZONS]
    assert all(0 <= chance <= 1 for chance in said)
    assert said == sorted(said), "what has passed within 30 days has within 90"
    assert Chase(gap * 2, ahead, ratio, step).chance(90) <= said[1]
    assert Chase(gap, ahead, ratio + 0.1, step).chance(90) >= said[1]


def test_a_total_that_is_near_may_be_passed_soon_or_hardly_ever() -> None:
    """Who grows faster now closes a small gap at once; in half a year its pace may be anything."""
    near = Chase(gap=1, ahead=100, ratio=0.34, step=0.76)
    by_day = [near.chance(length) for length in range(1, 181)]
    assert by_day == sorted(by_day)
    assert by_day[0] < by_day[-1] == near.chance(HORIZONS[0]), "it comes in the first days, or not"


def test_a_chance_is_how_often_a_walk_that_is_looked_at_now_and_then_gets_there() -> None:
    """The formula against 20,000 walks: six looks, 28 days apart."""
    chances = random.Random(1)
    for distance, step in ((0.2, 0.34), (0.5, 0.34), (0.5, 1.0)):
        came = sum(
            max(accumulate(chances.gauss(0, step) for _ in range(6))) > distance  # the first to get beyond
            for _ in range(20_000)
        )
        assert Walk(distance, step).chance(6 * SPAN) == pytest.approx(came / 20_000, abs=0.015)


def test_a_total_is_passed_as_often_as_its_growth_makes_it() -> None:
    """The formula against 2,000 pairs of totals whose daily growth is a walk.

    It is a little low where they are near: who has passed on one day and fell behind by the next counts for nothing.
    """
    chances = random.Random(2)
    for gap, ratio in ((100.0, 0.3), (300.0, 0.6), (20.0, 0.0)):
        came = sum(_closed(chances, gap, ratio, days=90) for _ in range(2000)) / 2000
        assert came - 0.15 < Chase(gap, 280.0, ratio, 0.34).chance(90) < came + 0.03


def _closed(chances: random.Random, gap: float, ratio: float, *, days: int) -> bool:
    for _ in range(days):
        ratio += chances.gauss(0, 0.34 / math.sqrt(SPAN))
        gap -= 10 * (math.exp(ratio) - 1)
        if gap < 0:
            return True
    return False


# What is read from a history


def test_of_two_the_one_behind_is_the_one_who_passes() -> None:
    one = only(outlooks(two((10, 5), (10, 6), (10, 8)), totals=False))
    assert (one.entity, one.rival, one.value, one.rival_value, one.day) == ("B", "A", 8, 10, START + timedelta(days=56))
    assert one.margin == pytest.approx(0.2)


def test_the_usual_step_is_the_median_of_the_past_beside_what_is_usual_of_all() -> None:
    """Changes of 0.1, 0.1 and 2.0: the last one was a launch, or a fault. Three spans of its own against eight."""
    ratios = [0.0, 0.1, 0.2, 2.2]
    pair = Pair(two(*((math.exp(ratio), 1.0) for ratio in ratios)), "A", "B", totals=False)
    course = pair.course(-1)
    assert isinstance(course, Walk)
    assert course.distance == pytest.approx(2.2)
    assert course.step == pytest.approx((3 * 0.1 / 0.6744898 + 8 * TYPICAL_STEP) / 11)


def test_a_history_that_is_looked_at_daily_says_what_one_looked_at_monthly_says() -> None:
    """Spans overlap, but what is between two looks that are 28 days apart counts once."""
    chances = random.Random(3)
    ratios = list(accumulate(chances.gauss(0, 0.34 / math.sqrt(SPAN)) for _ in range(SPAN * 24 + 1)))
    daily = two(*((math.exp(ratio), 1.0) for ratio in ratios), apart=1)
    every_day, now_and_then = (only(outlooks(history, totals=False)) for history in (daily, daily[::SPAN]))
    for one, other in zip(_chances(every_day), _chances(now_and_then), strict=True):
        assert one == pytest.approx(other, abs=0.1)


def _chances(one: Outlook) -> tuple[float, ...]:
    return one.within_30d, one.within_90d, one.within_180d


def test_names_and_units_make_no_difference() -> None:
    history = two((100, 50), (120, 80), (130, 95), (150, 120))
    turned = [(day, {"B": known["A"] * 1000, "A": known["B"] * 1000}) for day, known in history]
    for totals in (False, True):
        same = _chances(only(outlooks(turned, totals=totals)))
        assert _chances(only(outlooks(history, totals=totals))) == pytest.approx(same)


def test_nothing_is_said_before_two_were_seen_for_four_weeks() -> None:
    assert outlooks([], totals=False) == []
    assert outlooks(two((10, 5)), totals=False) == []
    assert outlooks(two((10, 5), (10, 6), apart=SPAN - 1), totals=False) == []
    assert len(outlooks(two((10, 5), (10, 6), apart=SPAN), totals=False)) == 1


@pytest.mark.parametrize("totals", [False, True])
def test_who_has_nothing_has_no_chance_that_could_be_said(totals: bool) -> None:
    assert outlooks(two((0, 0), (0, 0), (0, 0)), totals=totals) == []
    assert outlooks(two((5, 0), (5, 0), (5, 0)), totals=False) == []


def test_who_is_not_seen_on_the_last_day_is_left_out() -> None:
    history = [*two((10, 5), (10, 6)), (START + timedelta(days=56), {"A": 10.0})]
    assert outlooks(history, totals=False) == []


def test_only_the_first_are_looked_at_and_the_likeliest_comes_first() -> None:
    known = {"A": 100.0, "B": 50.0, "C": 49.0, "D": 1.0}
    found = outlooks(days(known, known, known), totals=False, top=3)
    assert [(one.entity, one.rival) for one in found] == [("C", "B"), ("B", "A"), ("C", "A")]


def test_its_days_are_those_on_which_the_chance_is_reached() -> None:
    one = only(outlooks(two((10, 7), (9, 7), (10, 8)), totals=False))
    course = Pair(two((10, 7), (9, 7), (10, 8)), "A", "B", totals=False).course(-1)
    assert course is not None
    for chance, by in ((0.1, one.likely_from), (0.5, one.even_by)):
        assert by is not None
        ahead = (by - one.day).days
        assert course.chance(ahead) >= chance > course.chance(ahead - 1)
    assert one.likely_by is None
    assert course.chance(HORIZONS[-1]) < 0.9


def test_a_total_that_grows_faster_passes_and_one_that_grows_slower_hardly_does() -> None:
    faster, slower = (
        only(outlooks(two(*((1000 + 10 * n, 900 + rate * n) for n in range(10))), totals=True)) for rate in (20, 10)
    )
    assert faster.within_180d > 0.9
    assert slower.within_180d < 0.05


def test_likes_that_are_taken_back_leave_a_forecast() -> None:
    found = outlooks(two((100, 90), (99, 95), (98, 97)), totals=True)
    assert 0 < only(found).within_30d < 1


@given(st.lists(st.tuples(st.floats(1, 1e9), st.floats(1, 1e9)), min_size=3, max_size=12), st.booleans())
def test_what_was_said_on_a_day_does_not_depend_on_what_came(pairs: list[tuple[float, float]], totals: bool) -> None:
    history = two(*pairs)
    whole = Pair(history, "A", "B", totals=totals)
    for index in range(len(history)):
        assert whole.course(index) == Pair(history[: index + 1], "A", "B", totals=totals).course(-1)


# How forecasts did


def walks(chances: random.Random, names: str, length: int) -> list[tuple[date, dict[str, float]]]:
    """A board on which every ratio is such a walk as a forecast takes it for."""
    logs = dict.fromkeys(names, 0.0)
    found = []
    for _ in range(length):
        logs = {name: log + chances.gauss(0, TYPICAL_STEP / math.sqrt(2)) for name, log in logs.items()}
        found.append({name: math.exp(log) for name, log in logs.items()})
    return days(*found)


def test_on_walks_what_is_said_comes_true_as_often_as_was_said() -> None:
    said = list(scoring.told(walks(random.Random(4), "ABCDEFGH", 200), totals=False))
    for score in scoring.scores(said):
        assert score.said == pytest.approx(score.came, abs=0.03)
        assert score.skill is not None
        assert score.skill > 0.1
        assert score.line_skill is not None
        assert score.line_skill < 0
    for found in scoring.bins(said):
        assert found.low <= found.said <= found.high
        assert found.came == pytest.approx(found.said, abs=0.08)


def test_a_forecast_is_held_against_the_days_up_to_its_horizon() -> None:
    """B passes A on the fourth look and loses again on the fifth: that is a passage within 90 days, not within 30."""
    history = two((10, 8), (10, 8), (10, 8), (10, 11), (10, 8), (10, 8), (10, 8), (10, 8), (10, 8), (10, 8))
    said = scoring.of_day(Pair(history, "A", "B", totals=False), 1)
    assert [(one.horizon, one.came) for one in said] == [(30, False), (90, True), (180, True)]


def test_a_horizon_without_a_look_near_its_end_is_not_judged() -> None:
    said = list(scoring.told(two((10, 8), (10, 9), (10, 9), apart=70), totals=False))
    assert said == []


def test_a_board_on_which_nobody_passes_leaves_skill_open() -> None:
    score = scoring.scores(list(scoring.told(two(*[(10, 1)] * 6), totals=False)))[0]
    assert (score.came, score.skill, score.line_skill) == (0, None, None)


def test_only_who_was_among_the_first_on_that_day_is_forecast() -> None:
    """C takes the place of B among the first two: nobody could have known of it before."""
    before, after = {"A": 10.0, "B": 8.0, "C": 1.0}, {"A": 10.0, "B": 8.0, "C": 9.0}
    history = days(before, before, before, after, after, after)
    three, first_two = (list(scoring.told(history, totals=False, top=top)) for top in (3, 2))
    assert len(three) == 3 * len(first_two)


def test_the_straight_line_is_drawn_through_now_and_four_weeks_ago() -> None:
    """10 to 6, then to 8, then to 9.1: the line is past 10 within 90 days, then within 30."""
    history = two((10, 6), (10, 8), (10, 9.1), (10, 9.9), (10, 9.9), (10, 9.9))
    pair = Pair(history, "A", "B", totals=False)
    assert [(one.horizon, one.line) for one in scoring.of_day(pair, 1)] == [(30, 0.0), (90, 1.0)]
    assert [(one.horizon, one.line) for one in scoring.of_day(pair, 2)] == [(30, 1.0), (90, 1.0)]
