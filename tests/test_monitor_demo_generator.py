"""The generated Hub: true to the recorded one in its sizes and its days, and spoiled only as asked."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from itertools import islice, pairwise

import polars as pl
import pytest

from monitor.demo.counter_faults import COUNTERS, CounterFault, Kind, spoiled
from monitor.demo.generator import WHOLE_HUB, WINDOW, GeneratedHub, Population
from monitor.demo.recordings import DATA

SMALL = Population(seed=11, models=4_000, days=100)


@cache
def days(population: Population = SMALL) -> list[tuple[date, pl.DataFrame]]:
    return list(GeneratedHub(population).days())


def gained(before: pl.DataFrame, after: pl.DataFrame) -> int:
    """All-time downloads gained between two days by the models on both."""
    both = before.join(after, on="hub_id", suffix="_after")
    return int((both["downloads_all_time_after"] - both["downloads_all_time"]).sum())


def test_the_same_seed_gives_the_same_hub_and_another_seed_another() -> None:
    for (_, once), (_, again) in zip(days()[:5], GeneratedHub(SMALL).days(), strict=False):
        assert once.equals(again)
    other = next(GeneratedHub(Population(seed=12, models=4_000, days=100)).days())[1]
    assert not other.equals(days()[0][1])


def test_both_counters_tell_one_story() -> None:
    """What the 30-day counter shows is what the all-time counter gained in 30 days, for every model."""
    earlier, later = days()[50][1], days()[50 + WINDOW][1]
    both = earlier.join(later, on="hub_id", suffix="_later")
    assert both["downloads_30d_later"].equals(both["downloads_all_time_later"] - both["downloads_all_time"])
    assert both.height > 3_900


def test_all_time_counts_never_fall_and_a_model_keeps_its_id() -> None:
    for (_, before), (_, after) in islice(pairwise(days()), 10):
        both = before.join(after, on="hub_id", suffix="_after")
        assert (both["downloads_all_time_after"] >= both["downloads_all_time"]).all()
    renamed = days()[0][1].join(days()[-1][1], on="hub_id", suffix="_after").filter(
        pl.col("repo_id") != pl.col("repo_id_after")
    )  # fmt: skip
    moved = renamed.filter(pl.col("publisher") != pl.col("publisher_after"))
    assert 0 < moved.height < renamed.height < 20
    assert (renamed["repo_id_after"].str.split("/").list.first() == renamed["publisher_after"]).all()


def test_models_are_born_and_deleted_and_ids_sort_by_creation() -> None:
    first, last = days()[0][1], days()[-1][1]
    gone = first.join(last, on="hub_id", how="anti")
    born = last.join(first, on="hub_id", how="anti")
    assert 0.02 < gone.height / first.height < 0.08
    assert 0.05 < born.height / first.height < 0.15
    assert gone["downloads_30d"].max() < first["downloads_30d"].max() / 100  # type: ignore[operator]
    assert last["hub_id"].is_sorted()
    assert last["hub_id"].is_unique().all()
    assert (last["created_at"].sort() == last["created_at"]).sum() > 0.99 * last.height


def test_sizes_are_those_of_the_recorded_census() -> None:
    """Within a factor of 2.5 from the middle to the largest thousandth, and in the share of the largest hundredth."""
    recorded = pl.read_parquet(DATA / "hub_census_2026_08.parquet")["downloads_30d"]
    generated = next(GeneratedHub(Population(seed=1, models=15_910, days=1)).days())[1]["downloads_30d"]
    for quantile in (0.5, 0.75, 0.9, 0.95, 0.99, 0.999):
        ratio = (generated.quantile(quantile) or 0) / (recorded.quantile(quantile) or 1)
        assert 0.4 < ratio < 2.5, (quantile, ratio)
    largest = [float(counts.top_k(159).sum() / counts.sum()) for counts in (recorded, generated)]
    assert largest[1] == pytest.approx(largest[0], abs=0.05)
    assert (generated >= 300).mean() == pytest.approx((recorded >= 300).mean(), abs=0.05)


def test_the_whole_hub_has_the_totals_that_are_known_of_it() -> None:
    """3.0 billion downloads in 30 days over 3.1 million models; here a hundredth of it, whose tail may have luck."""
    hub = next(GeneratedHub(Population(seed=2, models=31_000, days=1, sizes=WHOLE_HUB)).days())[1]
    total = float(hub["downloads_30d"].sum())
    assert 0.3e9 / 100 * 2 < total < 3e9 / 100 * 5
    assert hub["downloads_30d"].median() < 10  # type: ignore[operator]


def test_weekends_are_quiet() -> None:
    moved = {after_day: gained(before, after) for (_, before), (after_day, after) in pairwise(days()[:15])}
    weekend = [total for day, total in moved.items() if day.weekday() > 4]
    week = [total for day, total in moved.items() if day.weekday() < 5]
    assert max(weekend) < min(week)


def test_the_big_launch_doubles_the_hub_for_days_and_then_rests() -> None:
    launch = SMALL.launches[1]
    normal, surge, later = (
        gained(days()[start][1], days()[start + 7][1]) for start in (launch - 9, launch, launch + 20)
    )
    assert surge > 1.6 * normal
    assert later < 0.8 * surge


def fault(kind: Kind, share: float = 1.0, length: int = 1) -> list[tuple[date, pl.DataFrame, frozenset[Kind]]]:
    first = days()[20][0]
    return list(spoiled(days()[19:28], [CounterFault(kind, first, length, share, seed=5)]))


@pytest.mark.parametrize("kind", ["freeze", "rollback", "missing", "half_dip", "repeat"])
def test_a_fault_is_there_on_its_days_and_on_no_other(kind: Kind) -> None:
    for (day, seen, kinds), (_, true) in zip(fault(kind, 0.5, 3), days()[19:28], strict=True):
        there = days()[20][0] <= day < days()[20][0] + timedelta(days=3)
        assert kinds == ({kind} if there else set())
        assert seen.equals(true) != there
        assert seen.columns == true.columns


def test_a_freeze_holds_the_newest_at_their_last_counts() -> None:
    (_, held, _), (_, seen, _) = fault("freeze", 0.4)[:2]
    both = held.join(seen, on="hub_id", suffix="_now").filter(pl.col("downloads_30d") >= 300)
    frozen = both["downloads_all_time"] == both["downloads_all_time_now"]
    assert frozen.mean() == pytest.approx(0.4, abs=0.12)
    assert frozen.tail(100).all(), "the newest stand still"
    assert frozen.head(100).mean() < 0.1, "the oldest move"  # type: ignore[operator]


def test_a_rollback_takes_from_the_all_time_counts_of_a_share_of_the_models() -> None:
    (_, held, _), (_, seen, _) = fault("rollback", 0.3)[:2]
    both = held.join(seen, on="hub_id", suffix="_now").filter(pl.col("downloads_30d") >= 300)
    fell = both["downloads_all_time_now"] < both["downloads_all_time"]
    assert fell.mean() == pytest.approx(0.3, abs=0.06)
    assert seen["downloads_30d"].equals(days()[20][1]["downloads_30d"])


def test_rows_are_missing_at_random() -> None:
    assert fault("missing", 0.3)[1][1].height == pytest.approx(0.7 * days()[20][1].height, rel=0.04)


def test_a_half_dip_halves_the_30_day_counts_of_whole_publishers() -> None:
    true, (_, seen, _) = days()[20][1], fault("half_dip", 0.5)[1]
    both = true.join(seen, on="hub_id", suffix="_now").filter(pl.col("downloads_30d") >= 300)
    ratio = both["downloads_30d_now"] / both["downloads_30d"]
    assert set((ratio.round(1)).unique()) <= {0.4, 0.5, 0.6, 1.0}
    alike = both.with_columns(dipped=ratio < 0.9).group_by("publisher").agg(pl.col("dipped").n_unique())
    assert (alike["dipped"] == 1).all()
    assert both["downloads_all_time"].equals(both["downloads_all_time_now"])


def test_a_repeat_shows_the_last_true_day_again() -> None:
    assert all(seen.equals(days()[19][1]) for _, seen, _ in fault("repeat", length=3)[1:4])
    assert set(COUNTERS) < set(days()[0][1].columns)
