from __future__ import annotations

from collections.abc import Iterator

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from small_hub import day, look, model, moment, series
from spine import warehouse

from jobs import prune
from warehouse.changes.explain import Explanation, of_flip, one_line
from warehouse.db import Database
from warehouse.errors import LeadchangeError
from warehouse.ranking.boards import Board
from warehouse.records import HubModel

OWN = Board(name="own", entity="family")
LINEAGE = Board(name="lineage", entity="family", scope="lineage")
WEEK = Board(name="week", entity="family", measure="downloads_7d")
MONTH = Board(name="month", entity="family", measure="downloads_28d")


@pytest.fixture
def db() -> Iterator[Database]:
    with warehouse() as database:
        yield database


def explained(db: Database, board: str = "own") -> list[Explanation]:
    return [
        of_flip(db, row[0]) for row in db.rows("SELECT flip_id FROM flips WHERE board = $b ORDER BY day", {"b": board})
    ]


BEFORE = [model("alpha/a", 100), model("alpha/leaves", 10), model("beta/b", 60)]
AFTER = [
    model("alpha/a", 105),
    model("alpha/found", 7),
    model("beta/b", 90),
    model("beta/new", 40, created=1),
    model("beta/old", 25),
]


def test_the_change_of_the_gap_is_split_by_what_the_models_were_at_both_ends(db: Database) -> None:
    look(db, 0, BEFORE, OWN)
    look(db, 1, AFTER, OWN)
    (found,) = explained(db)

    assert (found.entity, found.rival, found.previous_day, found.day) == ("Beta", "Alpha", day(0), day(1))
    assert (found.gap_before, found.gap) == (60 - 110, 155 - 112)
    assert {part.name: (part.models, part.change, part.rival_change) for part in found.parts} == {
        "seen at both ends": (2, 30, 5),
        "newly created": (1, 40, 0),
        "newly listed though old": (2, 25, 7),
        "vanished": (1, 0, -10),
    }


def test_the_five_largest_movers_are_named_whoever_they_speak_for(db: Database) -> None:
    look(db, 0, BEFORE, OWN)
    look(db, 1, AFTER, OWN)
    (found,) = explained(db)

    assert [(mover.repo_id, mover.gap_change, mover.part) for mover in found.movers] == [
        ("beta/new", 40, "newly created"),
        ("beta/b", 30, "seen at both ends"),
        ("beta/old", 25, "newly listed though old"),
        ("alpha/leaves", 10, "vanished"),
        ("alpha/found", -7, "newly listed though old"),
    ]


def test_what_a_model_had_while_it_was_not_listed_is_not_known(db: Database) -> None:
    look(db, 0, BEFORE, OWN)
    look(db, 1, AFTER, OWN)
    (found,) = explained(db)

    ends = {mover.repo_id: (mover.before, mover.after) for mover in found.movers}
    assert (ends["beta/old"], ends["alpha/leaves"], ends["beta/b"]) == ((None, 25), (10, None), (60, 90))


def test_an_alert_has_it_in_one_line(db: Database) -> None:
    look(db, 0, [model("alpha/a", 2_000_000), model("beta/b", 1_500_000)], OWN)
    look(db, 1, [model("alpha/a", 2_000_000), model("beta/b", 2_700_000), model("beta/new", 900, created=1)], OWN)
    (found,) = explained(db)

    assert one_line(found) == (
        "gap +1.2M from 2026-01-01 to 2026-01-02: +1.2M seen at both ends, +900 newly created; "
        "most by beta/b +1.2M, beta/new +900"
    )


counts = st.one_of(st.none(), st.integers(0, 10**9))
worlds = st.lists(
    st.dictionaries(st.sampled_from([f"{who}/{n}" for who in ("alpha", "beta", "fan") for n in range(3)]), counts),
    min_size=2,
    max_size=9,
)


def models_of(world: dict[str, int | None]) -> list[HubModel]:
    return [
        model(name, count, created=hash(name) % 9, parents=["alpha/0", "beta/0"] if name.startswith("fan") else [])
        for name, count in world.items()
    ]


@settings(max_examples=examples(10), deadline=None)
@given(worlds)
def test_the_parts_sum_to_the_change_of_the_gap_exactly_under_every_definition(
    days: list[dict[str, int | None]],
) -> None:
    with warehouse() as database:
        for number, world in enumerate(days):
            look(database, number, models_of(world), OWN, LINEAGE, WEEK)
        for board in ("own", "lineage", "week"):
            for found in explained(database, board):
                assert sum(part.gap_change for part in found.parts) == found.gap - found.gap_before
                query = "SELECT value - rival_value FROM flips WHERE flip_id = $f"
                assert found.gap == database.value(query, {"f": found.flip_id})


def test_a_week_of_growth_is_explained_by_growth(db: Database) -> None:
    for number in range(10):
        beta = 5 * number if number < 9 else 500
        look(db, number, [model("alpha/a", 10 * number), model("beta/b", beta)], WEEK)
    (found,) = explained(db, "week")

    assert (found.gap_before, found.gap) == (35 - 70, 490 - 70)
    assert [(mover.repo_id, mover.before, mover.after) for mover in found.movers] == [("beta/b", 35, 490)]


def test_of_a_series_only_the_totals_are_known(db: Database) -> None:
    board = Board(name="s", entity="publisher", measure="series:s")
    series(db, "s", [(day(0), "a", 2), (day(0), "b", 1), (day(1), "a", 2), (day(1), "b", 3)], board)
    (found,) = explained(db, "s")

    assert [(part.name, part.models, part.gap_change) for part in found.parts] == [("as published", None, 2)]
    assert found.movers == ()
    assert one_line(found) == "gap +2 from 2026-01-01 to 2026-01-02: +2 as published"


@pytest.mark.parametrize(("missed", "around"), [((), {12, 13}), ((12, 13), {11, 14})])
def test_the_looks_around_the_start_of_the_week_that_flipped_are_kept(
    db: Database, missed: tuple[int, ...], around: set[int]
) -> None:
    beta = 1000
    for number in range(30):
        beta += 3 if number < 18 else 10
        if number not in missed:
            look(db, number, [model("alpha/a", 1000 + 5 * number), model("beta/b", beta)], WEEK)
    before = explained(db, "week")
    prune.run(db, now=moment(400), keep_daily_days=10)
    kept = {(row[0] - day(0)).days for row in db.rows("SELECT DISTINCT day FROM observations")}

    assert [(found.previous_day, found.day) for found in before] == [(day(19), day(20))]
    assert {19, 20, *around} <= kept
    assert explained(db, "week") == before


A_DAY = st.one_of(st.none(), st.tuples(*[st.integers(0, 9)] * 3))
"""What was added to three counters on a day; None: nobody looked."""


@settings(max_examples=examples(25, usual=3), deadline=None)
@given(st.lists(A_DAY, min_size=15, max_size=50))
def test_why_growth_flipped_is_said_as_ever_when_old_days_are_given_up(days: list[tuple[int, ...] | None]) -> None:
    counts = [100, 100, 100]
    with warehouse() as db:
        for number, added in enumerate(days):
            if added is not None:
                counts = [count + more for count, more in zip(counts, added, strict=True)]
                names = ("alpha/a", "beta/b", "beta/c")
                look(db, number, [model(*one) for one in zip(names, counts, strict=True)], WEEK, MONTH)
        before = [*explained(db, "week"), *explained(db, "month")]
        prune.run(db, now=moment(400), keep_daily_days=10)
        assert [*explained(db, "week"), *explained(db, "month")] == before


def test_an_unknown_flip_is_said_to_be_unknown(db: Database) -> None:
    with pytest.raises(LeadchangeError, match="no flip has the id 'nope'"):
        of_flip(db, "nope")
