from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_hub import day

from warehouse.changes.flips import Day, OlderDaysError, order_changes

Values = dict[str, float]


def days(*values: Values) -> list[Day]:
    return [Day(day(n), n, ranks(shown), shown) for n, shown in enumerate(values)]


def ranks(values: Values) -> dict[str, int]:
    return {entity: 1 + sum(other > value for other in values.values()) for entity, value in values.items()}


def changes(*values: Values, top: int = 10) -> list[tuple[str, str, str, int]]:
    return [(c.kind, c.entity, c.rival, c.at.snapshot_id) for c in order_changes(days(*values), top)]


def test_who_takes_the_lead_changes_it_and_passes_nobody_else() -> None:
    assert changes({"A": 3, "B": 2, "C": 1}, {"A": 3, "B": 4, "C": 1}) == [("lead_change", "B", "A", 1)]


def test_a_newcomer_that_jumps_over_two_takes_the_lead_from_one_and_passes_the_other() -> None:
    found = changes({"A": 3, "B": 2, "C": 1}, {"A": 3, "B": 2, "C": 9})

    assert found == [("lead_change", "C", "A", 1), ("overtake", "C", "B", 1)]


def test_no_days_and_one_day_change_nothing() -> None:
    assert changes() == []
    assert changes({"A": 1, "B": 2}) == []


def test_a_tie_keeps_the_order_it_found() -> None:
    assert changes({"A": 3, "B": 2}, {"A": 3, "B": 3}, {"A": 3, "B": 2}) == []
    assert changes({"A": 3, "B": 2}, {"A": 3, "B": 3}, {"A": 3, "B": 4}) == [("lead_change", "B", "A", 2)]


def test_who_is_missing_for_a_day_is_not_passed() -> None:
    assert changes({"A": 3, "B": 2}, {"B": 2}, {"A": 3, "B": 2}) == []


def test_far_down_a_board_nobody_looks() -> None:
    assert changes({"A": 9, "B": 2, "C": 1}, {"A": 9, "B": 1, "C": 2}, top=1) == []


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("ABC"), st.integers(0, 4), min_size=1), max_size=8))
def test_whoever_is_said_to_pass_was_behind_before_and_is_ahead_now(values: list[Values]) -> None:
    for change in order_changes(days(*values)):
        assert change.at.values[change.entity] > change.at.values[change.rival]
        assert change.before.day < change.at.day
        assert change.entity != change.rival


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("ABC"), st.integers(0, 4), min_size=1), max_size=8))
def test_the_same_days_give_the_same_flips_under_the_same_ids(values: list[Values]) -> None:
    once, again = ([c.flip_id("b") for c in order_changes(days(*values))] for _ in range(2))

    assert once == again
    assert len(set(once)) == len(once)


@settings(deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from("ABC"), st.integers(0, 4), min_size=1), min_size=2, max_size=8),
    st.integers(0, 7),
    st.dictionaries(st.sampled_from("ABC"), st.integers(0, 7).map(day)),
)
def test_the_last_days_tell_what_all_days_tell_or_say_that_they_cannot(
    values: list[Values], since: int, left: dict[str, date]
) -> None:
    whole = days(*values)
    since = min(since, len(whole) - 1)
    found = list(order_changes(whole, left=left))
    took = [c.entity for c in found if c.kind == "lead_change" and c.at.snapshot_id <= since]
    first = [entity for entity, rank in whole[0].ranks.items() if rank == 1]
    led = took[-1] if took else first[0] if len(first) == 1 else None
    if led is not None:
        with suppress(OlderDaysError):
            assert list(order_changes(whole[since:], left=left, led=led)) == [
                change for change in found if change.at.snapshot_id > since
            ]


def test_a_tie_from_before_the_last_days_is_left_to_all_days() -> None:
    whole = days({"A": 3, "B": 2, "C": 1}, {"A": 3, "B": 1, "C": 1}, {"A": 3, "B": 1, "C": 2})
    with pytest.raises(OlderDaysError):
        list(order_changes(whole[1:], led="A"))
    assert list(order_changes(whole[:2], led="A")) == []


def test_who_left_before_the_last_days_is_left_to_all_days() -> None:
    whole = days({"A": 3, "B": 2}, {"B": 2}, {"B": 2})
    left = {"A": day(1)}
    with pytest.raises(OlderDaysError):
        list(order_changes(whole[1:], left=left, led="A"))
    assert [change.at.day for change in order_changes(whole, left=left, led="A")] == [day(1)]
