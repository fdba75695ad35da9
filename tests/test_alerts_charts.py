"""The picture: two lines that can be told apart, labels that do not overlap, nothing that breaks it."""

from __future__ import annotations

import struct
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from alert_samples import HISTORY, HOSTILE, alert
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import charts

DAY = date(2026, 8, 1)


def size(picture: bytes) -> tuple[int, int]:
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def values(spec: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The rows of all layers that have `key`."""
    return [row for layer in spec["layer"] for row in spec["datasets"][layer["data"]["name"]] if key in row]


def rows(**series: list[float]) -> list[charts.Row]:
    return [(DAY + timedelta(days=n), name, value) for name, line in series.items() for n, value in enumerate(line)]


def test_an_alert_becomes_a_picture_of_mail_width() -> None:
    picture = charts.race_png(alert(), suspect=[date(2026, 8, 2)])
    assert picture is not None
    width, height = size(picture)
    assert 1100 <= width <= 1240
    assert 700 <= height <= 900
    assert len(picture) < 300_000


def test_too_little_history_makes_no_picture() -> None:
    assert charts.race_png(alert(history=HISTORY[:1])) is None
    assert charts.race_png(alert(rival="")) is None


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_the_picture(name: str) -> None:
    picture = charts.race_png(alert(entity=name, rival=name or "x", title=name, definition=name, history=HISTORY[-3:]))
    assert picture is not None
    # Scaled down by the reader, but still a picture; how wide an emoji is depends on the fonts that are installed.
    assert size(picture)[0] < 3000


def test_the_flip_is_marked_only_when_it_is_in_view() -> None:
    race = rows(a=[1, 2, 3], b=[2, 2, 2])
    marked = charts.race_chart(race, flip=DAY + timedelta(days=1)).to_dict()
    assert {"day": "2026-08-02T00:00:00", "text": "since 2 Aug"} in values(marked, "text")
    assert values(charts.race_chart(race, flip=DAY - timedelta(days=9)).to_dict(), "text") == values(
        charts.race_chart(race).to_dict(), "text"
    )


def test_suspect_days_are_shaded_from_noon_to_noon() -> None:
    race = rows(a=[1, 2, 3])
    spec = charts.race_chart(race, suspect=[DAY + timedelta(days=1), DAY + timedelta(days=40)]).to_dict()
    assert values(spec, "until") == [{"day": "2026-08-01T12:00:00", "until": "2026-08-02T12:00:00"}]


def test_days_are_local_midnights_so_that_no_time_zone_moves_them() -> None:
    spec = charts.race_chart(rows(a=[1.0])).to_dict()
    assert values(spec, "value")[0]["day"] == "2026-08-01T00:00:00"


def test_what_is_not_a_number_is_left_out() -> None:
    spec = charts.race_chart(rows(a=[1, float("nan"), 3, float("inf")])).to_dict()
    assert [row["value"] for row in values(spec, "entity") if "text" not in row] == [1, 3]


def test_a_logarithmic_axis_leaves_out_what_it_cannot_show() -> None:
    spec = charts.race_chart(rows(a=[0, 10, 1000], b=[0, 0, 0]), axis="log").to_dict()
    assert {row["entity"] for row in values(spec, "entity")} == {"a"}


def test_nothing_to_draw_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        charts.race_chart([])


@pytest.mark.parametrize("axis", ["zero", "near", "log"])
@pytest.mark.parametrize("line", [[5.0], [5.0, 5.0], [0.0, 1.0], [1e15, 1.0]])
def test_every_axis_draws_even_flat_and_extreme_lines(axis: charts.Axis, line: list[float]) -> None:
    assert size(charts.png(charts.race_chart(rows(a=line, b=[value + 1 for value in line]), axis=axis)))[0] > 1000


def test_years_are_drawn_too() -> None:
    race = [(DAY + timedelta(days=30 * n), name, 10.0 + n) for n in range(27) for name in "abcdefghijkl"]
    assert size(charts.png(charts.race_chart(race, width=900, height=420)))[0] > 1600


@given(st.lists(st.floats(0, 1), min_size=1, max_size=15).map(sorted))
@settings(deadline=None)
def test_labels_keep_their_distance_and_their_order(heights: list[float]) -> None:
    spread = charts._spread(heights, 0.05)
    assert len(spread) == len(heights)
    assert spread[0] >= 0
    assert all(upper - lower >= 0.05 - 1e-9 for lower, upper in pairwise(spread))


def test_labels_with_room_stay_where_their_lines_end() -> None:
    assert charts._spread([0.1, 0.5, 0.9], 0.05) == [0.1, 0.5, 0.9]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ((80_000, 300_000_000), [1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8, 3e8]),
        ((9_000, 40_000), [1e4, 2e4, 5e4]),
        ((40, 41), [30, 40, 50, 60]),
    ],
)
def test_a_logarithmic_axis_counts_in_round_magnitudes(values: tuple[float, float], ticks: list[float]) -> None:
    rows = [(date(2026, 1, 1 + n), "Qwen", value) for n, value in enumerate(values)]
    drawn = charts.race_chart(rows, axis="log").to_dict()
    axes = [layer["encoding"]["y"]["axis"] for layer in drawn["layer"] if "axis" in layer["encoding"].get("y", {})]
    assert [axis["values"] for axis in axes] == [ticks] * len(axes)
    assert axes


def test_the_mark_of_a_flip_names_its_year_where_the_race_goes_over_years() -> None:
    days = [date(2025, 1, 1), date(2025, 4, 30), date(2026, 1, 1)]
    assert "since 30 Apr 2025" in str(charts.race_chart([(day, "Qwen", 1) for day in days], flip=days[1]).to_dict())
    assert "'since 30 Apr'" in str(charts.race_chart([(day, "Qwen", 1) for day in days[:2]], flip=days[1]).to_dict())
