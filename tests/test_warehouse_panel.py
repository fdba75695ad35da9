from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from small_hub import day, flips, look, model, moment, series
from spine import warehouse

from warehouse.changes import panel
from warehouse.changes.panel import LAUNCH, LIST_GROWTH, NO_MODELS, STANDS, verdict_on
from warehouse.db import Database
from warehouse.ranking.boards import Board
from warehouse.records import HubModel

OWN = Board(name="own", entity="family")
WEEK = Board(name="week", entity="family", measure="downloads_7d")
LINEAGE = Board(name="lineage", entity="family", scope="lineage")


@pytest.fixture
def db() -> Iterator[Database]:
    with warehouse() as database:
        yield database


def verdicts(db: Database) -> list[str]:
    return [row[0] for row in db.rows("SELECT verdict FROM flips ORDER BY day")]


# The verdict


@pytest.mark.parametrize(
    ("entity", "rival", "holds", "verdict"),
    [
        ((11, 0), (10, 0), True, STANDS),
        ((9, 5), (10, 0), True, LAUNCH),
        ((9, 5), (10, 5), False, LIST_GROWTH),
        ((11, 0), (10, 2), False, LIST_GROWTH),
        ((10, 0), (10, 0), False, LIST_GROWTH),
    ],
)
def test_a_lead_holds_when_it_is_one_on_models_seen_at_both_ends_plus_those_created_between(
    entity: tuple[float, float], rival: tuple[float, float], holds: bool, verdict: str
) -> None:
    assert verdict_on("A", "B", {"A": entity, "B": rival}) == (holds, verdict)


def test_where_the_models_are_not_known_nothing_is_claimed() -> None:
    assert verdict_on("A", "B", None) == (None, NO_MODELS)


# How many are looked up at once


def sides(days: int, entities: int) -> list[panel.Side]:
    return sorted(
        panel.Side((day(number), number), (day(number + 1), number + 1), f"e{one}")
        for number in range(days)
        for one in range(entities)
    )


@pytest.mark.parametrize(
    ("models", "most", "parts"),
    [
        (1, 4_000_000, 1),  # each is one model: a year of them is one question
        (1, 6 * 10, 4),  # six days of ten models: five times two neighbours
        (10**6, 4_000_000, 13),  # and of huge ones a few all the same
    ],
)
def test_parts_are_as_large_as_their_models_allow_and_have_every_side_once(
    models: int, most: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel, "COUNTS_AT_ONCE", most)
    wanted = sides(days=20, entities=10)

    found = list(panel.at_once(wanted, {f"e{one}": models for one in range(10)}))

    assert [side for part in found for side in part] == wanted
    assert len(found) == parts


# From looks


def test_a_lead_that_the_models_took_stands(db: Database) -> None:
    look(db, 0, [model("alpha/a", 10), model("beta/b", 5)], OWN)
    look(db, 1, [model("alpha/a", 10), model("beta/b", 15)], OWN)

    assert flips(db, "own") == [("Beta", "Alpha", day(1), True)]
    assert verdicts(db) == [STANDS]


def test_a_lead_that_only_the_list_took_does_not_hold(db: Database) -> None:
    look(db, 0, [model("alpha/a", 10), model("beta/b", 5)], OWN)
    look(db, 1, [model("alpha/a", 10), model("beta/b", 5), model("beta/old", 20)], OWN)

    assert flips(db, "own") == [("Beta", "Alpha", day(1), False)]
    assert verdicts(db) == [LIST_GROWTH]


def test_a_lead_that_a_model_created_in_between_took_is_a_launch(db: Database) -> None:
    look(db, 0, [model("alpha/a", 10), model("beta/b", 5)], OWN)
    look(db, 1, [model("alpha/a", 10), model("beta/b", 5), model("beta/new", 20, created=1)], OWN)

    assert flips(db, "own") == [("Beta", "Alpha", day(1), True)]
    assert verdicts(db) == [LAUNCH]


@pytest.mark.parametrize(("created", "verdict"), [(-1, LIST_GROWTH), (0, LAUNCH), (1, LAUNCH)])
def test_between_days_that_a_source_shows_later_a_model_is_created_by_these_days(
    db: Database, created: int, verdict: str
) -> None:
    look(db, 0, [model("alpha/a", 10), model("beta/b", 5)], OWN, taken_at=moment(30, 10))
    later = [model("alpha/a", 10), model("beta/b", 5), model("beta/new", 20, created=created)]
    look(db, 1, later, OWN, taken_at=moment(30, 11))

    assert verdicts(db) == [verdict]


def test_a_model_of_unknown_age_is_no_launch(db: Database) -> None:
    look(db, 0, [model("alpha/a", 10), model("beta/b", 5)], OWN)
    look(db, 1, [model("alpha/a", 10), model("beta/b", 5), model("beta/found", 20, created_at=None)], OWN)

    assert verdicts(db) == [LIST_GROWTH]


def test_a_flip_is_judged_anew_when_it_becomes_known_when_a_model_was_created(db: Database) -> None:
    def listed(created_at: datetime | None) -> list[HubModel]:
        return [model("alpha/a", 100), model("beta/b", 60), model("beta/new", 90, created_at=created_at)]

    look(db, 0, listed(None)[:2], OWN)
    look(db, 1, listed(None), OWN)
    assert verdicts(db) == [LIST_GROWTH]
    look(db, 2, listed(moment(1, 2)), OWN)
    assert verdicts(db) == [LAUNCH]


def test_the_ends_are_the_last_complete_look_before_and_the_flips_own(db: Database) -> None:
    """A partial look in between saw the new model first; it is no end."""
    both = [model("alpha/a", 10), model("beta/b", 5)]
    more = [*both, model("beta/old", 20)]
    look(db, 0, both, OWN)
    look(db, 1, more, OWN, verdict="partial")
    look(db, 2, more, OWN)

    assert flips(db, "own") == [("Beta", "Alpha", day(2), False)]


def test_a_lead_on_a_board_of_lineage_is_held_against_the_derivatives_too(db: Database) -> None:
    base = [model("alpha/a", 10), model("beta/b", 5)]
    look(db, 0, base, LINEAGE)
    look(db, 1, [*base, model("fan/tune", 30, parents=["beta/b"])], LINEAGE)

    assert flips(db, "lineage") == [("Beta", "Alpha", day(1), False)]


def test_a_week_of_growth_is_held_against_models_whose_week_was_known_at_both_ends(db: Database) -> None:
    for number in range(16):
        models = [model("alpha/a", 10 * number), model("beta/b", 5 * number)]
        if number >= 8:
            models.append(model("beta/old", 1000 * number))
        look(db, number, models, WEEK)

    assert flips(db, "week") == [("Beta", "Alpha", day(15), False)]


def test_a_flip_of_a_series_is_as_published(db: Database) -> None:
    board = Board(name="s", entity="publisher", measure="series:s")
    series(db, "s", [(day(0), "a", 2), (day(0), "b", 1), (day(1), "a", 2), (day(1), "b", 3)], board)

    assert flips(db, "s") == [("b", "a", day(1), None)]
    assert verdicts(db) == [f"as published: {NO_MODELS}"]
