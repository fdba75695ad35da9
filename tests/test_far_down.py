"""Who comes from far down a board: what is recorded of whom it passes, and what rules say of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from small_hub import REGISTRY, day, flips, look, model, moment
from spine import warehouse

from alerts.rules import Rule
from jobs import backtest, detect
from warehouse.changes.flips import Day, order_changes
from warehouse.db import Database
from warehouse.ranking.boards import Board
from warehouse.records import HubModel
from warehouse.state.ledger import Ledger

BOARD = Board(name="publishers", entity="publisher")

PLACES = [f"p{place:02}" for place in range(1, 31)]
"""Thirty publishers, each named by its place."""


def listed(**more: int | None) -> list[HubModel]:
    """One model of each publisher, the first with most; `more` has other counts."""
    counts = {name: 3100 - 100 * place for place, name in enumerate(PLACES)} | more
    return [model(f"{name}/model", count) for name, count in counts.items()]


def looked(db: Database, *days: Sequence[HubModel]) -> None:
    for number, models in enumerate(days):
        look(db, number, models, BOARD)


def test_who_comes_from_far_down_passes_everybody_on_the_way_to_its_place() -> None:
    with warehouse() as db:
        looked(db, listed(), listed(p28=3050))
        found = flips(db, "publishers")
    assert found == [("p28", passed, day(1), True) for passed in PLACES[1:10]]


def test_who_led_and_fell_far_down_while_two_shared_the_first_place_loses_the_lead_to_the_next_alone() -> None:
    shared, alone = listed(p01=1, p02=3000, p03=3000), listed(p01=1, p02=3000)
    with warehouse() as db:
        looked(db, listed(), shared, alone)
        found = db.rows("SELECT entity, rival, day FROM flips WHERE kind = 'lead_change'")
    assert found == [("p02", "p01", day(2))]


def test_who_falls_far_down_is_passed_by_the_first_ones() -> None:
    with warehouse() as db:
        looked(db, listed(), listed(p02=1))
        found = flips(db, "publishers")
    assert found == [(passed, "p02", day(1), True) for passed in PLACES[2:11]]


@settings(deadline=None, max_examples=examples(20))
@given(st.lists(st.lists(st.integers(1, 40), min_size=len(PLACES), max_size=len(PLACES)), min_size=2, max_size=4))
def test_flips_follow_from_whole_days(counts: Sequence[Sequence[int]]) -> None:
    shown = [dict(zip(PLACES, some, strict=True)) for some in counts]
    with warehouse() as db:
        looked(db, *(listed(**values) for values in shown))
        found = {(entity, rival, on) for entity, rival, on, _ in flips(db, "publishers")}
    whole = [
        Day(day(number), number, {n: 1 + sum(c > values[n] for c in values.values()) for n in values}, dict(values))
        for number, values in enumerate(shown)
    ]
    assert found == {(change.entity, change.rival, change.at.day) for change in order_changes(whole)}


PAIR = Rule(name="pair", board="publishers", when="overtake", between=("p25", "p22"), confirm=2)


def told(*days: Sequence[HubModel], rule: Rule = PAIR) -> list[tuple[str, str, str]]:
    """Entity, state and reason of each alert after these days; a backtest says the same of what is held."""
    with warehouse() as db:
        looked(db, *days)
        detect.run(db, [BOARD], [rule], REGISTRY, now=moment(len(days)))
        stood = Ledger(db).standings_since("publishers", day(0), rule.between, first=rule.places)
        said = backtest.run(stood, [rule], borne_out(db))
        alerts = db.rows("SELECT entity, state, why FROM alerts ORDER BY confirmed_day, entity")
    assert [(one.entity, one.held) for one in said] == [(entity, state == "held") for entity, state, _ in alerts]
    return [(entity, state, why.partition(":")[0]) for entity, state, why in alerts]


@pytest.mark.parametrize(
    "rule",
    [
        Rule(name="lead", board="publishers", confirm=1),
        Rule(name="pairs", board="publishers", when="overtake", confirm=2),
        Rule(name="near", board="publishers", when="approaches", within=0.3, confirm=1),
        Rule(name="top", board="publishers", when="leaves_top", top=12, confirm=2),
        Rule(name="number", board="publishers", when="milestone", at=(2900,), confirm=1),
    ],
    ids=lambda rule: str(rule.name),
)
def test_who_fell_below_what_is_looked_at_is_still_seen_when_all_days_are_judged_at_once(
    rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Day by day the rule knows it from when it stood among the first."""
    monkeypatch.setattr("warehouse.state.ledger.JUDGED_DEPTH", 13)
    days = [listed(), listed(p01=1), listed(p01=1), listed(p01=2950)]
    asked = "SELECT entity, rival, state, confirmed_day FROM alerts WHERE state <> 'pending' ORDER BY ALL"
    with warehouse() as db:
        for number, models in enumerate(days):
            look(db, number, models, BOARD)
            detect.run(db, [BOARD], [rule], REGISTRY, now=moment(number, 12))
        lived = db.rows(asked)
    with warehouse() as db:
        looked(db, *days)
        detect.run(db, [BOARD], [rule], REGISTRY, now=moment(len(days)))
        assert db.rows(asked) == lived
        stood = Ledger(db).standings_since("publishers", day(0), first=rule.places)
    said = [(one.entity, one.rival, one.confirmed_day) for one in backtest.run(stood, [rule])]
    assert sorted(said) == [(entity, rival, confirmed) for entity, rival, _, confirmed in lived]
    assert "p01" in {name for entity, rival, *_ in lived for name in (entity, rival)}


def borne_out(db: Database) -> backtest.Holds:
    return backtest.borne_out(Ledger(db))


OLD = model("p25/listed-late", 500, created=-400)


def test_a_pair_far_down_is_not_told_of_a_list_that_grew() -> None:
    assert told(listed(), [*listed(), OLD], [*listed(), OLD]) == [("p25", "held", "list growth")]


@pytest.mark.parametrize(("first", "given_up"), [(500, 1), (340, 4)], ids=["since the same day", "since a later day"])
def test_a_pair_that_was_held_stays_so_when_the_counts_are_given_up_and_its_rule_is_another(
    first: int, given_up: int
) -> None:
    with warehouse() as db:
        looked(db, listed(), *([*listed(), OLD._replace(downloads_30d=count)] for count in (first, 500, 500)))
        detect.run(db, [BOARD], [PAIR], REGISTRY, now=moment(3, 12))
        db.execute(
            "INSERT INTO thinned SELECT snapshot_id, now() FROM (FROM snapshots ORDER BY day LIMIT $most)",
            {"most": given_up},
        )
        detect.run(db, [BOARD], [PAIR.model_copy(update={"margin": 0.1})], REGISTRY, now=moment(3, 13))
        assert db.rows("SELECT state, why LIKE 'list growth%' FROM alerts") == [("held", True)]


def test_a_pair_far_down_is_told_when_its_models_say_so() -> None:
    assert told(listed(), listed(p25=1100), listed(p25=1100)) == [("p25", "firing", "stands")]
    new = model("p25/new", 500, created=1)
    assert told(listed(), [*listed(), new], [*listed(), new]) == [("p25", "firing", "launch")]


def test_a_pair_of_which_one_was_not_seen_for_a_day_is_judged_by_the_days_on_which_both_were() -> None:
    unseen, grown = listed(p03=None), [*listed(), model("p03/listed-late", 500, created=-400)]
    rule = PAIR.model_copy(update={"between": ("p03", "p02")})
    assert told(listed(), unseen, grown, grown, rule=rule) == [("p03", "held", "list growth")]


def test_a_lead_that_was_lost_far_down_is_not_worth_what_its_flip_was_worth() -> None:
    """The first passage is recorded at the top; the second, further down, is one of the list only."""
    first, back = listed(p09=2250, p08=2200), listed(p09=1, p08=2)
    again = [*back, model("p09/listed-late", 5, created=-400)]
    rule = PAIR.model_copy(update={"between": ("p09", "p08"), "confirm": 1})
    assert told(listed(), first, back, back, again, rule=rule) == [
        ("p09", "reverted", "stands"), ("p08", "firing", "stands"), ("p09", "held", "list growth"),
    ]  # fmt: skip
