from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_hub import day, look, model, series
from spine import warehouse

from monitor.web import looking_back
from warehouse.changes import when
from warehouse.changes.when import Dated, Passage, crossing, crossings, in_one_line
from warehouse.db import Database
from warehouse.errors import LeadchangeError, NotKnownError
from warehouse.published.browsing import Browsing
from warehouse.ranking.boards import Board
from warehouse.ranking.values import Days


@pytest.fixture
def db() -> Iterator[Database]:
    with warehouse() as database:
        yield database


def dated(found: list[Dated]) -> dict[tuple[str, str], tuple[Passage | None, Passage | None, int]]:
    return {
        (one.board.measure, one.board.scope): (one.crossing.first, one.crossing.for_good, one.crossing.changes)
        for one in found
    }


def passages(*pairs: tuple[float, float]) -> tuple[Passage | None, Passage | None, int, bool]:
    found = crossing([(day(n), *pair) for n, pair in enumerate(pairs)])
    assert found is not None
    return found.first, found.for_good, found.changes, found.leads


# The days of a passage


def test_a_passage_lies_between_the_day_before_and_the_first_day_seen() -> None:
    assert passages((1, 2), (3, 2)) == (Passage(day(0), day(1)), Passage(day(0), day(1)), 1, True)


def test_the_first_time_and_the_last_are_two_answers() -> None:
    first, good, changes, leads = passages((1, 2), (3, 2), (1, 2), (1, 2), (3, 2), (4, 2))

    assert (first, good, changes, leads) == (Passage(day(0), day(1)), Passage(day(3), day(4)), 3, True)


def test_who_led_on_the_first_day_led_since_an_unknown_day() -> None:
    assert passages((3, 2), (4, 2)) == (Passage(None, day(0)), Passage(None, day(0)), 0, True)


def test_who_lost_the_lead_has_not_passed_for_good() -> None:
    assert passages((1, 2), (3, 2), (1, 2)) == (Passage(day(0), day(1)), None, 2, False)


def test_a_tie_is_no_passage() -> None:
    assert passages((1, 2), (2, 2)) == (None, None, 0, False)
    assert passages((3, 2), (2, 2)) == (Passage(None, day(0)), Passage(None, day(0)), 0, True)


def test_without_a_common_day_there_is_no_answer() -> None:
    assert crossing([]) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_of_two_the_one_that_does_not_lead_has_not_passed_for_good(pairs: list[tuple[int, int]]) -> None:
    one = crossing([(day(n), a, b) for n, (a, b) in enumerate(pairs)])
    other = crossing([(day(n), b, a) for n, (a, b) in enumerate(pairs)])
    assert one is not None
    assert other is not None

    assert not (one.leads and other.leads)
    assert one.changes == other.changes
    assert (one.for_good is not None) == one.leads
    if one.first and one.for_good:
        assert one.first.by <= one.for_good.by


# Every definition there is data for


def test_the_date_depends_on_the_definition(db: Database) -> None:
    for number in range(10):
        models = [
            model("alpha/a", 1000 + 10 * number, downloads_30d=100),
            model("beta/b", 900 + 30 * number, downloads_30d=90),
            model("fan/tune", 0, downloads_30d=20 if number >= 2 else 0, parents=["beta/b"]),
        ]
        look(db, number, models)
    found = dated(crossings(db, "Beta", "Alpha"))

    assert found["downloads_30d", "own"] == (None, None, 0)
    assert found["downloads_30d", "lineage"][0] == Passage(day(1), day(2), "stands")
    assert found["downloads_all_time", "own"][0] == Passage(day(5), day(6), "stands")
    assert found["downloads_7d", "own"][0] == Passage(None, day(7))
    assert ("downloads_30d", "curated") not in found, "neither is on the list"


def test_a_passage_by_list_growth_says_so(db: Database) -> None:
    look(db, 0, [model("alpha/a", 10), model("beta/b", 5)])
    look(db, 1, [model("alpha/a", 10), model("beta/b", 5), model("beta/old", 50)])

    assert dated(crossings(db, "beta", "alpha"))["downloads_30d", "own"][0] == Passage(day(0), day(1), "list growth")


def test_names_are_found_whatever_their_case_and_kind(db: Database) -> None:
    look(db, 0, [model("alpha/a", 10), model("Solo/b", 5)])

    assert {one.board.entity for one in crossings(db, "ALPHA", "beta")} == set()
    assert {one.board.entity for one in crossings(db, "alpha", "solo")} == {"publisher"}
    assert {one.board.entity for one in crossings(db, "cn", "US")} == set()
    look(db, 1, [model("alpha/a", 10), model("beta/b", 5)])
    assert {one.board.entity for one in crossings(db, "cn", "US")} == {"country"}
    assert {one.board.entity for one in crossings(db, "ALPHA", "beta")} == {"family"}


def test_a_series_of_publishers_answers_for_their_families_too(db: Database) -> None:
    values = [(day(0), "alpha", 2.0), (day(0), "beta", 1.0), (day(30), "alpha", 2.0), (day(30), "beta", 3.0)]
    series(db, "monthly", values, Board(name="s", entity="publisher", measure="series:monthly"))
    look(db, 0, [model("alpha/a", 10)])
    (found,) = crossings(db, "Beta", "Alpha")

    assert found.board.series == "monthly"
    assert found.crossing.first == Passage(day(0), day(30), "as published")


MONTHS = [
    (day(30 * month), name, value)
    for month, pair in enumerate([(2.0, 1.0), (1.0, 2.0), (2.0, 1.0), (1.0, 2.0)])
    for name, value in zip(("alpha", "beta"), pair, strict=True)
]
"""Beta leads in every other month."""
BY_MONTH = Board(name="monthly", entity="publisher", measure="series:monthly")


def test_a_passage_between_estimated_totals_says_so_and_one_between_exact_ones_does_not(db: Database) -> None:
    series(db, "monthly", MONTHS, BY_MONTH, exactness={day(0): "estimated", day(30): "estimated"})
    (found,) = crossings(db, "beta", "alpha")

    assert found.crossing.first == Passage(day(0), day(30), "estimated")
    assert found.crossing.for_good == Passage(day(60), day(90), "as published")
    assert in_one_line("beta", "alpha", [found]) == (
        "beta led alpha first between 2026-01-01 and 2026-01-31 (1 of 1 definition, estimated); "
        "for good between 2026-03-02 and 2026-04-01 (1 of 1 definition)."
    )


def test_one_total_that_is_not_exact_makes_the_passage_beside_it_unsure(db: Database) -> None:
    series(db, "monthly", MONTHS, BY_MONTH, exactness={day(60): "interpolated", day(30): "estimated"})
    (found,) = crossings(db, "beta", "alpha")

    assert found.crossing.first == Passage(day(0), day(30), "estimated")
    assert found.crossing.for_good == Passage(day(60), day(90), "interpolated")


def test_a_flip_of_a_series_says_how_sure_its_source_is(db: Database) -> None:
    series(db, "monthly", MONTHS, BY_MONTH, exactness={day(0): "estimated"})

    assert db.rows("SELECT day, verdict, panel_holds FROM flips ORDER BY day") == [
        (day(30), "estimated: the models behind it are not known", None),
        (day(60), "as published: the models behind it are not known", None),
        (day(90), "as published: the models behind it are not known", None),
    ]


def test_the_page_of_a_flip_says_how_sure_each_of_its_dates_is(db: Database) -> None:
    series(db, "monthly", MONTHS, BY_MONTH, exactness={day(0): "estimated"})
    dates = looking_back.dates(Browsing(db), {"entity": "beta", "rival": "alpha", "entity_kind": "publisher"})
    assert dates is not None
    (row,) = dates["rows"]

    assert (row["first"], row["sure"]) == ("1 Jan to 31 Jan 2026", "estimated")
    assert (row["good"], row["good_sure"]) == ("2 Mar to 1 Apr 2026", "as published")
    assert "estimated" in dates["line"]


def test_the_snapshot_of_estimated_totals_says_so_and_with_it_every_alert_that_rests_on_it(db: Database) -> None:
    series(db, "monthly", MONTHS, BY_MONTH, exactness={day(0): "estimated"})

    reasons = db.rows("SELECT day, verdict_reason FROM snapshots ORDER BY day LIMIT 2")
    assert reasons == [(day(0), "imported from a test; totals estimated"), (day(30), "imported from a test")]


def test_totals_that_are_said_to_be_exact_later_are_imported_anew(db: Database) -> None:
    series(db, "monthly", MONTHS, BY_MONTH, exactness={day(0): "estimated"})
    series(db, "monthly", MONTHS, BY_MONTH)
    series(db, "monthly", MONTHS, BY_MONTH)

    assert db.value("SELECT count(*) FROM snapshots WHERE day = $day", {"day": day(0)}) == 2
    assert db.value("SELECT count(*) FROM snapshots WHERE day = $day", {"day": day(30)}) == 1
    (found,) = crossings(db, "beta", "alpha")
    assert found.crossing.first == Passage(day(0), day(30), "as published")


def test_the_line_counts_the_definitions_in_doubt(db: Database) -> None:
    series(db, "monthly", MONTHS[:4], BY_MONTH, exactness={day(0): "estimated"})
    look(db, 0, [model("alpha/a", 10), model("beta/b", 5)])
    look(db, 1, [model("alpha/a", 10), model("beta/b", 5), model("beta/old", 50)])

    assert in_one_line("Beta", "Alpha", crossings(db, "Beta", "Alpha")) == (
        "Beta led Alpha first between 2026-01-01 and 2026-01-31 "
        "(5 of 5 definitions, of which 1 estimated and 4 list growth); "
        "for good between 2026-01-01 and 2026-01-31 (5 of 5 definitions, of which 1 estimated and 4 list growth)."
    )


def test_an_unknown_name_is_offered_the_nearest(db: Database) -> None:
    look(db, 0, [model("alpha/a", 10), model("beta/b", 5)])

    with pytest.raises(NotKnownError, match="called 'Alpa'; did you mean 'Alpha'"):
        crossings(db, "Alpa", "Beta")


def test_a_family_and_a_country_are_not_compared(db: Database) -> None:
    look(db, 0, [model("alpha/a", 10), model("beta/b", 5)])

    with pytest.raises(LeadchangeError, match="Alpha and CN are not of one kind: name two families, publishers or"):
        crossings(db, "Alpha", "CN")


def test_nobody_passes_itself(db: Database) -> None:
    with pytest.raises(LeadchangeError, match="two different ones"):
        crossings(db, "Qwen", "qwen")


def test_in_the_end_there_is_one_range_over_all_definitions(db: Database) -> None:
    for number in range(4):
        models = [
            model("alpha/a", 10, downloads_all_time=10),
            model("beta/b", 8 + number, downloads_all_time=9 + number),
        ]
        look(db, number, models)
    found = crossings(db, "Beta", "Alpha")

    assert in_one_line("Beta", "Alpha", found) == (
        "Beta led Alpha first between 2026-01-02 and 2026-01-04 (4 of 4 definitions); "
        "for good between 2026-01-02 and 2026-01-04 (4 of 4 definitions)."
    )
    assert in_one_line("Alpha", "Beta", crossings(db, "Alpha", "Beta")) == (
        "Alpha led Beta first before anybody looked (4 of 4); it does not lead now."
    )
    alpha = [replace(found[0], crossing=replace(found[0].crossing, first=Passage(None, day(0)), changes=0))]
    assert in_one_line("Beta", "Alpha", alpha) == (
        "Beta led Alpha when anybody first looked, and has ever since (1 definition)."
    )
    assert in_one_line("A", "B", [replace(found[0], crossing=replace(found[0].crossing, first=None))]) == (
        "A has not led B under the only definition."
    )
    assert in_one_line("A", "B", []) == "A has not led B under any of 0 definitions."


def test_of_many_names_some_are_offered_and_none_as_it_is() -> None:
    names = [f"name-{number:03}" for number in range(1000)]
    assert str(NotKnownError("entity", "zzqq", names)).endswith("name-018, name-019 and 980 more")
    assert str(NotKnownError("entity", "zzqq", ["a\x1b[31m\nb"])).endswith(r"known: 'a\x1b[31m\nb'")


def test_only_the_models_of_the_two_are_looked_at(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a whole Hub everybody's values on all days take minutes."""
    for number in range(3):
        hub = [model("alpha/a", 10 + number), model("beta/b", 11), model("gamma/c", 5), model("gamma/d", 5)]
        look(db, number, hub, Board(name="own", entity="family"))
    asked: list[list[str]] = []
    counted = when.counted

    def watched(
        db: Database, board: Board, chosen: Days, wanted: list[date], *, among: str
    ) -> AbstractContextManager[str]:
        named = f"SELECT repo_id FROM models WHERE hub_id IN ({among}) ORDER BY ALL"
        asked.append([name for (name,) in db.rows(named)])
        return counted(db, board, chosen, wanted, among=among)

    monkeypatch.setattr(when, "counted", watched)

    assert dated(crossings(db, "alpha", "beta"))["downloads_30d", "own"][0] == Passage(day(1), day(2), "stands")
    assert asked[0] == ["alpha/a", "beta/b"]
