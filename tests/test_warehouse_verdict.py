"""The verdict, fault by fault: what was on record at the real Hub, and what may come of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sources import FIRST, Source, changed, counted, standing_still, whole
from spine import model

from warehouse.records import Listing, Rejected, Walk
from warehouse.snapshots.counters import Look, expected_movement, usual_still
from warehouse.snapshots.verdict import Before, of_table, of_walk

NOTHING = Before(FIRST)
EVERY_COUNTER = [
    pytest.param({}, id="both counters"),
    pytest.param({"window": False}, id="all-time only"),
    pytest.param({"total": False}, id="30 days only"),
]


def honest(source: Source, days: int, **more: bool) -> None:
    """So many honest days, from day 0."""
    for day in range(days):
        assert source.look(day, counted(day, **more)).verdict == "complete"


# Whole or not


def test_whole_listings_of_a_first_look_are_complete() -> None:
    judged = of_walk(whole(counted(0)), NOTHING)
    assert judged.verdict == "complete"
    assert judged.reason.startswith("60 models of 6 publishers, every listing read to its end")


def test_a_look_that_failed_as_a_whole_is_failed_or_partial_by_what_it_brought() -> None:
    nothing = Walk((Listing("a", (), None, (), "timed out"),), 1, "the Hub does not answer")
    some = Walk((*nothing.listings, *whole(counted(0, 5)).listings), 1, "time is up")
    assert [of_walk(walk, NOTHING).verdict for walk in (nothing, some)] == ["failed", "partial"]
    assert of_walk(some, NOTHING).reason == "time is up"


def test_a_look_at_publishers_without_models_is_failed() -> None:
    assert of_walk(whole([], {"a": 0, "b": None}), NOTHING).verdict == "failed"
    assert of_table(0, NOTHING).verdict == "failed"


def test_a_listing_shorter_than_the_hubs_own_count_is_partial_on_day_one() -> None:
    judged = of_walk(whole(counted(0), {"lab-0": 97}), NOTHING)
    assert (judged.verdict, judged.reason) == ("partial", "lab-0: listed 10 of 97")


def test_of_many_problems_the_first_are_named_and_the_rest_counted() -> None:
    judged = of_walk(whole(counted(0), {f"lab-{number}": 99 for number in range(6)}), NOTHING)
    assert judged.reason.endswith("lab-2: listed 10 of 99; and 3 more publishers")
    assert judged.measured["incomplete_publishers"] == 6


def test_of_one_it_is_said_in_the_singular() -> None:
    """Nearly every installation polls somebody who has one model, or meets one row that is not to be believed."""
    alone = of_walk(whole([model("lab-0/only", 5)]), NOTHING)
    assert alone.reason.startswith("1 model of 1 publisher, every listing read to its end")
    listing = Listing("lab-0", (), 1, (Rejected("lab-0/x", "no usable id"),), None)
    assert of_walk(Walk((listing,), 1), NOTHING).reason == "lab-0: 1 row could not be believed (no usable id)"
    judged = of_walk(whole(counted(0), {f"lab-{number}": 99 for number in range(4)}), NOTHING)
    assert judged.reason.endswith("; and 1 more publisher")


@pytest.mark.parametrize(("rejected", "verdict"), [(1, "complete"), (2, "partial")])
def test_one_row_in_a_hundred_may_be_unbelievable(rejected: int, verdict: str) -> None:
    models = tuple(counted(0, 100, publishers=1))
    listing = Listing("lab-0", models, None, (Rejected("lab-0/x", "downloads is -1"),) * rejected)
    assert of_walk(Walk((listing,), 1), NOTHING).verdict == verdict


def test_a_user_account_needs_no_count_of_the_hubs() -> None:
    assert of_walk(whole(counted(0, publishers=1), {"lab-0": None}), NOTHING).verdict == "complete"


# Publishers that go


def test_a_publisher_that_vanished_is_partial_twice_and_then_gone_with_a_note() -> None:
    source = Source()
    honest(source, 2)
    left = {"lab-5": None}
    looks = [
        source.look(day, whole([one for one in counted(day) if one.publisher != "lab-5"], left)) for day in (2, 3, 4, 5)
    ]
    assert [judged.verdict for judged in looks] == ["partial", "partial", "complete", "complete"]
    assert looks[0].reason == "lab-5: lists nothing, had 10 models before"
    assert "unknown to the Hub: lab-5" in looks[2].reason


def test_ten_looks_on_one_day_do_not_make_a_publisher_gone() -> None:
    source = Source()
    honest(source, 2)
    without = [one for one in counted(2) if one.publisher != "lab-5"]
    looks = [source.look(2 + number / 50, whole(without, {"lab-5": None})) for number in range(10)]
    assert {judged.verdict for judged in looks} == {"partial"}


def test_a_renamed_publisher_takes_its_models_along_and_nothing_is_lost() -> None:
    source = Source()
    honest(source, 2)
    moved = [
        one._replace(publisher="new-name", repo_id=one.repo_id.replace("lab-5", "new-name"))
        if one.publisher == "lab-5"
        else one
        for one in counted(2)
    ]
    assert source.look(2, whole(moved, {"lab-5": None})).verdict == "complete"


def test_a_publisher_that_deleted_everything_is_believed_when_its_own_count_is_zero() -> None:
    source = Source()
    honest(source, 2)
    assert source.look(2, whole([one for one in counted(2) if one.publisher != "lab-5"], {"lab-5": 0})).verdict == (
        "complete"
    )


def test_a_publisher_that_is_no_longer_polled_is_not_missed() -> None:
    source = Source()
    honest(source, 2)
    assert source.look(2, [one for one in counted(2) if one.publisher == "lab-0"]).verdict == "complete"


def test_a_count_that_always_stands_above_the_listing_is_taken_for_hidden_models_after_three_days() -> None:
    source = Source()
    stated = {"lab-0": 21}
    looks = [source.look(day, whole(counted(day, 120), stated)) for day in range(5)]
    assert [judged.verdict for judged in looks] == ["partial"] * 3 + ["complete"] * 2
    assert "lab-0 listed 20 of 21 as on the days before" in looks[-1].reason


def test_a_listing_that_lacks_half_is_never_taken_for_whole() -> None:
    source = Source()
    assert {source.look(day, whole(counted(day), {"lab-0": 20})).verdict for day in range(8)} == {"partial"}


def test_a_listing_that_breaks_off_at_the_same_page_every_day_is_never_taken_for_whole() -> None:
    source = Source()
    broken = [replace(listing, problem="page 2: HTTP 500") for listing in whole(counted(0)).listings]
    assert {source.look(day, Walk(tuple(broken), 1)).verdict for day in range(8)} == {"partial"}


# Rows missing from a list that nobody vouches for


NO_COUNT = dict.fromkeys((f"lab-{number}" for number in range(6)), None)


@pytest.mark.parametrize("gone", [7, 30, 50])
def test_a_list_without_a_count_that_lost_many_rows_is_partial(gone: int) -> None:
    source = Source()
    honest(source, 2)
    judged = source.look(2, whole(counted(2)[gone:], NO_COUNT))
    assert judged.verdict == "partial"
    assert f"lost: {gone} of 60 models" in judged.reason


def test_few_deletions_are_normal() -> None:
    source = Source()
    honest(source, 2)
    assert source.look(2, whole(counted(2)[3:], NO_COUNT)).verdict == "complete"


def test_a_list_that_shrank_for_good_is_the_new_normal_on_the_fourth_day() -> None:
    source = Source()
    honest(source, 2)
    looks = [source.look(day, whole(counted(day)[30:], NO_COUNT)) for day in range(2, 8)]
    assert [judged.verdict for judged in looks] == ["partial"] * 3 + ["complete"] * 3
    assert "lost for 3 days and more, taken as lasting" in looks[3].reason


def test_deletions_that_the_hubs_own_counts_confirm_are_believed_up_to_a_half() -> None:
    source = Source()
    honest(source, 2)
    assert source.look(2, whole(counted(2)[25:])).verdict == "complete"
    assert source.look(3, whole(counted(3)[:35])).verdict == "partial"


@pytest.mark.parametrize("nothing", ["downloads_30d", "downloads_all_time"])
def test_a_field_that_the_answer_lacks_is_no_fall_to_zero(nothing: str) -> None:
    """One counter is enough to go on; without any the look is partial."""
    source = Source()
    honest(source, 2)
    assert source.look(2, [one._replace(**{nothing: None}) for one in counted(2)]).verdict == "complete"
    bare = [one._replace(downloads_30d=None, downloads_all_time=None) for one in counted(3)]
    assert source.look(3, bare).verdict == "partial"
    assert source.findings() == ["blank"]


def test_an_all_time_counter_that_appears_is_no_movement() -> None:
    source = Source()
    honest(source, 8, total=False)
    assert source.look(8, counted(8)).verdict == "complete"
    assert source.look(9, counted(9)).verdict == "complete"


# Repeats


@pytest.mark.parametrize("more", EVERY_COUNTER)
def test_a_repeat_is_suspect_however_long_it_lasts_and_the_first_new_look_is_complete(more: dict[str, bool]) -> None:
    source = Source()
    honest(source, 3, **more)
    assert {source.look(day, counted(2, **more)).verdict for day in range(3, 15)} == {"suspect"}
    assert source.findings() == ["repeat"]
    assert source.look(15, counted(15, **more)).verdict == "complete"


def test_a_second_look_before_the_counters_move_is_a_repeat() -> None:
    source = Source()
    honest(source, 2)
    judged = source.look(1.1, counted(1))
    assert judged.verdict == "suspect"
    assert judged.reason == "repeat: 0 of 60 large models show a value not shown since 2026-03-03"


def test_going_back_to_the_complete_state_after_a_broken_run_is_a_repeat() -> None:
    """The recorded lists of March alternate: what a look in between showed is not new either."""
    source = Source()
    honest(source, 2)
    newer = counted(3)
    assert source.look(2, whole(newer[:20], {"lab-0": 10})).verdict == "partial"
    assert source.look(3, newer[:20] + counted(1)[20:]).verdict == "suspect"
    assert source.look(4, counted(1)).verdict == "suspect"


@pytest.mark.parametrize("more", EVERY_COUNTER)
@pytest.mark.parametrize("read", [20, 60])
def test_a_look_that_follows_one_that_broke_off_on_the_same_day_is_no_repeat_of_it(
    read: int, more: dict[str, bool]
) -> None:
    source = Source()
    honest(source, 2, **more)
    today = counted(2, **more)
    assert source.look(2, whole(today[:read], {"lab-0": 99})).verdict == "partial"
    assert source.look(2.1, today).verdict == "complete"


def test_what_broke_off_makes_no_other_day_of_the_same_counts_new() -> None:
    source = Source()
    honest(source, 2)
    assert source.look(2, whole(counted(2), {"lab-0": 99})).verdict == "partial"
    assert source.look(3, counted(2)).verdict == "suspect"


@pytest.mark.parametrize(("fresh", "verdict"), [(0, "suspect"), (6, "suspect"), (7, "complete")])
def test_a_look_may_show_a_few_new_values_and_still_be_a_repeat(fresh: int, verdict: str) -> None:
    """5 % of 60 models, and two standard errors."""
    source = Source()
    honest(source, 2, total=False)
    assert source.look(2, standing_still(2, range(fresh, 60), total=False)).verdict == verdict


# Freezes


@pytest.mark.parametrize("still", [15, 30, 45, 57])
def test_a_freeze_of_a_quarter_or_more_is_suspect_from_the_second_day_on(still: int) -> None:
    source = Source()
    honest(source, 1)
    judged = source.look(1, standing_still(1, range(60 - still, 60)))
    assert judged.verdict == "suspect"
    assert f"{still} of 60 large models" in judged.reason or source.findings() == ["repeat"]


def test_a_freeze_of_the_newest_alone_is_found_among_them() -> None:
    source = Source()
    assert source.look(0, counted(0, 100)).verdict == "complete"
    assert source.look(1, standing_still(1, range(87, 100), 100)).verdict == "suspect"
    assert source.findings() == ["frozen"]


def test_the_day_of_the_catch_up_is_complete() -> None:
    source = Source()
    honest(source, 3)
    for day in (3, 4, 5):
        frozen = [*counted(day)[:30], *counted(2)[30:]]
        assert source.look(day, frozen).verdict == "suspect"
    assert source.look(6, counted(6)).verdict == "complete"


def test_a_few_models_that_nobody_downloads_are_no_freeze() -> None:
    source = Source()
    honest(source, 1)
    assert source.look(1, standing_still(1, range(0, 60, 6))).verdict == "complete"


def test_30_day_counts_alone_show_a_freeze_only_where_they_usually_move() -> None:
    new, old = Source(), Source()
    for source, days in ((new, 4), (old, 9)):
        honest(source, days, total=False)
    assert new.look(4, standing_still(4, range(30, 60), total=False)).verdict == "complete"
    assert old.look(9, standing_still(9, range(30, 60), total=False)).verdict == "suspect"


def test_30_day_counts_that_stand_for_a_week_were_not_read_again() -> None:
    source = Source()
    honest(source, 9, total=False)
    assert source.look(15, [*counted(15, total=False)[:30], *counted(8, total=False)[30:]]).verdict == "complete"


def test_models_that_never_move_again_are_the_new_normal_after_eight_days() -> None:
    source = Source()
    honest(source, 2)
    looks = [source.look(day, [*counted(day)[:40], *counted(1)[40:]]) for day in range(2, 14)]
    assert [judged.verdict for judged in looks] == ["suspect"] * 8 + ["complete"] * 4


# Rollbacks


@pytest.mark.parametrize("fell", [3, 12, 24])
@pytest.mark.parametrize("days", [1, 3, 8])
def test_a_rollback_is_suspect_until_it_recovers(fell: int, days: int) -> None:
    source = Source()
    honest(source, 3)
    for day in range(3, 3 + days):
        judged = source.look(day, changed(counted(day), range(0, 5 * fell // 2, 2), downloads_all_time=0.9))
        assert (judged.verdict, source.findings()) == ("suspect", ["rollback"])
    assert source.look(3 + days, counted(3 + days)).verdict == "complete"


def test_a_rollback_that_is_never_recovered_is_lasting_after_eight_days() -> None:
    source = Source()
    honest(source, 3)
    looks = [source.look(day, changed(counted(day), range(20), downloads_all_time=0.7)) for day in range(3, 14)]
    assert [judged.verdict for judged in looks] == ["suspect"] * 8 + ["complete"] * 3
    assert "rollback for 8 days and more, taken as lasting" in looks[8].reason
    assert source.findings() == [], "what it became is what later looks are held against"


def test_a_failed_look_in_between_does_not_start_the_eight_days_again() -> None:
    source = Source()
    honest(source, 3)
    verdicts = []
    for day in range(3, 14):
        rolled = changed(counted(day), range(20), downloads_all_time=0.7)
        verdicts.append(source.look(day, Walk((), 1, "down") if day == 6 else rolled).verdict)
    assert verdicts == ["suspect"] * 3 + ["failed"] + ["suspect"] * 5 + ["complete"] * 2


def test_one_corrected_count_is_no_rollback() -> None:
    source = Source()
    honest(source, 2)
    assert source.look(2, changed(counted(2), [7], downloads_all_time=0.2)).verdict == "complete"


# Half-dips


@pytest.mark.parametrize("more", EVERY_COUNTER[::2])
def test_a_dip_of_the_30_day_counter_at_unrelated_publishers_is_suspect(more: dict[str, bool]) -> None:
    source = Source()
    honest(source, 3, **more)
    for day in (3, 4):
        judged = source.look(day, changed(counted(day, **more), range(60), downloads_30d=0.5))
        assert (judged.verdict, source.findings()) == ("suspect", ["half_dip"])
        assert "at 6 of 6 publishers" in judged.reason
    assert source.look(5, counted(5, **more)).verdict == "complete"


def test_one_publisher_whose_downloads_halve_is_news_and_no_fault() -> None:
    source = Source()
    honest(source, 3)
    of_one = [number for number, one in enumerate(counted(3)) if one.publisher == "lab-0"]
    assert source.look(3, changed(counted(3), of_one, downloads_30d=0.5)).verdict == "complete"


def test_a_month_between_two_looks_may_halve_many() -> None:
    source = Source()
    honest(source, 3)
    assert source.look(32, changed(counted(32), range(0, 60, 2), downloads_30d=0.5)).verdict == "complete"
    assert source.look(33, changed(counted(33), range(60), downloads_30d=0.3)).verdict == "suspect"


def test_days_replayed_within_minutes_are_as_far_apart_as_the_source_says() -> None:
    source = Source()
    began = datetime(2026, 11, 1, 12, tzinfo=UTC)
    dipped = changed(counted(32), range(0, 60, 2), downloads_30d=0.5)
    for minute, (number, models) in enumerate([(0, counted(0)), (1, counted(1)), (32, dipped)]):
        day = FIRST + timedelta(days=number)
        assert source.look_at(began + timedelta(minutes=minute), whole(models), day).verdict == "complete"


# Too slow


def test_a_day_that_moved_a_tenth_of_the_usual_is_suspect() -> None:
    source = Source()
    honest(source, 8)
    slow = [
        new._replace(downloads_all_time=(old.downloads_all_time or 0) + 12)
        for old, new in zip(counted(7), counted(8), strict=True)
    ]
    judged = source.look(8, slow)
    assert (judged.verdict, source.findings()) == ("suspect", ["slow"])
    assert judged.reason.endswith("of the usual")
    assert source.look(9, counted(9)).verdict == "complete"


def test_what_is_expected_of_a_day_knows_its_weekday() -> None:
    def moved(back: int) -> Look:
        day = FIRST - timedelta(days=back)
        return Look(day, complete=True, findings=frozenset(), movement_per_day=50.0 if day.weekday() > 4 else 100.0)

    looks = [moved(back) for back in range(1, 30)]
    assert expected_movement(FIRST, looks) == 100
    assert expected_movement(FIRST - timedelta(days=1), looks) == 50
    assert expected_movement(FIRST, looks[:4]) is None
    assert usual_still(looks) is None


def test_a_source_that_usually_does_not_move_has_no_rhythm() -> None:
    looks = [
        Look(FIRST - timedelta(days=back), complete=True, findings=frozenset(), movement_per_day=float(back < 10))
        for back in range(1, 50)
    ]
    assert expected_movement(FIRST, looks) == 1


def test_looks_that_are_not_complete_say_nothing_of_what_is_usual() -> None:
    looks = [Look(date(2026, 1, 30), False, frozenset(), 0.9, 1.0)] * 9
    assert expected_movement(FIRST, looks) is None
    assert usual_still(looks) is None


# Too little to say


@settings(max_examples=8, deadline=None)
@given(st.lists(st.lists(st.integers(0, 10**9), min_size=19, max_size=19), min_size=2, max_size=4))
def test_with_fewer_than_twenty_models_no_statistic_is_drawn(days: list[list[int]]) -> None:
    """Toy registries, and small ones whose counts stand still, stay as complete as their listings."""
    source = Source()
    for number, counts in enumerate(days):
        models = [model(f"toy/m{place}", count, downloads_all_time=count) for place, count in enumerate(counts)]
        assert source.look(number, models).verdict == "complete"


def test_small_models_that_stand_still_are_no_repeat() -> None:
    source = Source()
    idle = [model(f"lab/m{number}", number) for number in range(300)]
    assert {source.look(day, idle).verdict for day in range(4)} == {"complete"}


@settings(max_examples=4, deadline=None)
@given(
    st.sets(st.integers(0, 59), min_size=25),
    st.floats(0.01, 0.6),
    st.sampled_from(["downloads_30d", "downloads_all_time"]),
)
def test_no_shift_that_stays_blocks_for_longer_than_eight_days(where: set[int], factor: float, counter: str) -> None:
    source = Source()
    honest(source, 3)
    looks = [source.look(day, changed(counted(day), where, **{counter: factor})) for day in range(3, 14)]
    assert [judged.verdict for judged in looks[8:]] == ["complete"] * 3


def test_the_figures_behind_a_verdict_are_kept() -> None:
    source = Source()
    honest(source, 2)
    measured = source.look(2, changed(counted(2), range(12), downloads_all_time=0.9)).measured
    assert measured["reference"] == "2026-03-03"
    assert measured["fell_share"] == 0.2
    assert (measured["large"], measured["models_before"], measured["lost_share"]) == (60, 60, 0)
