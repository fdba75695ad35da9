from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from small_hub import REGISTRY, day, flips, look, model, moment, series
from spine import warehouse

from jobs import prune, rank
from warehouse.changes import explain, panel
from warehouse.changes.panel import LAUNCH, LIST_GROWTH, NO_MODELS, STANDS, UNCOUNTED, verdict_on
from warehouse.db import Database
from warehouse.ranking.boards import Board
from warehouse.records import Had, HubModel

OWN = Board(name="own", entity="family")
WEEK = Board(name="week", entity="family", measure="downloads_7d")
LINEAGE = Board(name="lineage", entity="family", scope="lineage")


@pytest.fixture
def db() -> Iterator[Database]:
    with warehouse() as database:
        yield database


def judge_anew(db: Database, board: Board) -> None:
    """Forget what was found on a board, and find it again from packed days."""
    prune.run(db, now=moment(40))
    with db.transaction():
        db.execute("DELETE FROM boards")
        db.execute("DELETE FROM flips")
        rank.run(db, [board], REGISTRY)


def verdicts(db: Database) -> list[str]:
    return [row[0] for row in db.rows("SELECT verdict FROM flips ORDER BY day")]


# The verdict


@pytest.mark.parametrize(
    ("entity", "rival", "holds", "verdict"),
    [
        (Had(11), Had(10), True, STANDS),
        (Had(9, 5), Had(10), True, LAUNCH),
        (Had(9, 5), Had(10, 5), False, LIST_GROWTH),
        (Had(11), Had(10, 2), False, LIST_GROWTH),
        (Had(10), Had(10), False, LIST_GROWTH),
        (Had(11), Had(5, 0, 7), False, UNCOUNTED),
        (Had(4, 0, 3), Had(5, 0, 7), False, LIST_GROWTH),
        (Had(9, 0, 3), Had(10, 0, 1), True, STANDS),
        (Had(9, 4), Had(8, 0, 3), True, LAUNCH),
        (Had(9, 0, 3, 11), Had(10, 0, 0, 12), True, STANDS),
        (Had(9, 0, 3, 11), Had(10, 0, 0, 10), False, UNCOUNTED),
        (Had(12, 0, 0, 11), Had(10, 0, 0, 10), True, STANDS),
    ],
)
def test_a_lead_holds_when_it_is_one_on_models_seen_at_both_ends_plus_those_created_between(
    entity: Had, rival: Had, holds: bool, verdict: str
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


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("board", [OWN, LINEAGE, WEEK], ids=lambda board: board.name)
def test_a_lead_that_comes_of_a_count_that_is_missing_does_not_hold_nor_does_the_way_back(
    db: Database, board: Board, packed: bool
) -> None:
    def seen(number: int, large: int | None) -> list[HubModel]:
        return [model("alpha/a", 10 * number), model("alpha/large", large), model("beta/b", 40 * number)]

    for number in range(8):
        look(db, number, seen(number, 50 * number), board)
    look(db, 8, seen(8, None), board)
    look(db, 9, seen(9, 450), board)
    if packed:
        judge_anew(db, board)

    assert flips(db, board.name) == [("Beta", "Alpha", day(8), False), ("Alpha", "Beta", day(9), False)]
    assert verdicts(db) == [UNCOUNTED, UNCOUNTED]


def test_who_passes_while_a_count_of_its_own_comes_back_has_passed(db: Database) -> None:
    look(db, 0, [model("alpha/a", 10), model("beta/b", 5), model("beta/large", None)], OWN)
    look(db, 1, [model("alpha/a", 10), model("beta/b", 6), model("beta/large", 5)], OWN)

    assert flips(db, "own") == [("Beta", "Alpha", day(1), True)]
    assert verdicts(db) == [STANDS]


@pytest.mark.parametrize("packed", [False, True])
def test_who_is_not_listed_any_more_is_not_merely_without_a_count(db: Database, packed: bool) -> None:
    look(db, 0, [model("alpha/a", 6), model("alpha/gone", 5), model("beta/b", 7)], OWN)
    look(db, 1, [model("alpha/a", 6), model("beta/b", 7)], OWN)
    if packed:
        judge_anew(db, OWN)

    assert flips(db, "own") == [("Beta", "Alpha", day(1), True)]
    assert verdicts(db) == [STANDS]


def test_the_explanation_names_the_model_without_a_count(db: Database) -> None:
    look(db, 0, [model("alpha/a", 6), model("alpha/large", 5), model("beta/b", 7)], OWN)
    look(db, 1, [model("alpha/a", 6), model("alpha/large", None), model("beta/b", 8)], OWN)
    found = explain.of_flip(db, db.value("SELECT flip_id FROM flips"))

    assert [(part.name, part.models, part.gap_change) for part in found.parts] == [
        ("seen at both ends", 2, 1.0),
        ("without a count at one end", 1, 5.0),
    ]
    assert (found.movers[0].repo_id, found.movers[0].before, found.movers[0].after) == ("alpha/large", 5.0, None)


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
