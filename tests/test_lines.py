"""Who comes into the first places, falls out of them or reaches a number: told when the models say so, not the list."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from small_hub import day, look, model, moment, series
from spine import warehouse

from alerts.rules import Rule
from jobs import backtest, detect, prune
from jobs.telling import tell
from warehouse.changes import lines
from warehouse.changes.panel import LIST_GROWTH
from warehouse.ranking.boards import Board
from warehouse.records import Crossing, Had, HubModel
from warehouse.registry import Family, Registry
from warehouse.state.ledger import Ledger

LABS = Registry([Family(name=name.upper(), vendor=name, country="US", publishers=(name,)) for name in "abcd"])

BOARD = Board(name="publishers", entity="publisher")

ENTERS = Rule(name="enters", board="publishers", when="enters_top", top=2, confirm=1, margin=0)
LEAVES = Rule(name="leaves", board="publishers", when="leaves_top", top=2, confirm=1, margin=0)
CLOSES_IN = Rule(name="closes-in", board="publishers", when="approaches", within=0.2, confirm=1, margin=0)
REACHES = Rule(name="reaches", board="publishers", when="milestone", at=(100,), confirm=1, margin=0)


def listed(**more: int | None) -> list[HubModel]:
    """One model of each of four publishers."""
    counts: dict[str, int | None] = {"a": 90, "b": 70, "c": 50, "d": 30}
    return [model(f"{name}/model", count) for name, count in (counts | more).items()]


def late(publisher: str, count: int) -> HubModel:
    """An old model that nobody had listed."""
    return model(f"{publisher}/listed-late", count, created=-400)


def told(rule: Rule, *days: Sequence[HubModel], board: Board = BOARD) -> list[tuple[str, str, str]]:
    """Entity, state and reason of each alert after these days; a backtest says the same of what is held."""
    rule = rule.model_copy(update={"board": board.name})
    with warehouse() as db:
        for number, models in enumerate(days):
            look(db, number, models, board, registry=LABS)
        detect.run(db, [board], [rule], LABS, now=moment(len(days)))
        ledger = Ledger(db)
        stood = ledger.standings_since(board.name, day(0), first=rule.places)
        said = backtest.run(stood, [rule], backtest.borne_out(ledger))
        alerts = db.rows(
            "SELECT entity, state, why FROM alerts WHERE state <> 'pending' ORDER BY confirmed_day, entity"
        )
    assert [(one.entity, one.held) for one in said] == [(entity, state == "held") for entity, state, _ in alerts]
    return [(entity, state, why.partition(":")[0]) for entity, state, why in alerts]


# Into the first places


def test_who_rises_into_the_top_is_told() -> None:
    assert told(ENTERS, listed(), listed(c=80)) == [("c", "firing", "stands")]


def test_who_rises_into_it_by_new_models_is_told() -> None:
    new = model("c/new", 40, created=1)
    assert told(ENTERS, listed(), [*listed(), new]) == [("c", "firing", "launch")]


def test_who_comes_into_it_because_old_models_were_listed_is_not() -> None:
    assert told(ENTERS, listed(), [*listed(), late("c", 40)]) == [("c", "held", "list growth")]


def test_a_list_that_grew_does_not_hide_who_rose_as_well() -> None:
    assert told(ENTERS, listed(), [*listed(c=75), late("c", 40)]) == [("c", "firing", "stands")]


def test_who_comes_in_because_another_fell_is_told_whatever_else_was_listed() -> None:
    assert told(ENTERS, listed(), [*listed(b=40), late("d", 5)]) == [("c", "firing", "stands")]


def test_who_comes_in_by_listing_is_not_told_because_somebody_fell_and_another_would_have_come_in() -> None:
    assert told(ENTERS, listed(), [*listed(b=40, d=65), late("c", 20)]) == [("c", "held", "list growth")]


def test_who_rises_to_the_last_place_and_shares_it_by_listing_has_not_come_in_by_that() -> None:
    """Only the day on which it is ahead of the other is one on which it came in."""
    grown = [*listed(c=50), late("c", 20)]
    assert told(ENTERS, listed(), [*listed(c=70), late("c", 5)]) == [("c", "held", "list growth")]
    assert told(ENTERS, listed(), grown, [*listed(c=55), late("c", 20)]) == [("c", "firing", "stands")]
    assert told(ENTERS, listed(), listed(c=70), listed(c=75)) == [("c", "firing", "stands")]


def test_an_old_model_that_is_listed_late_does_not_enter_a_board_of_models() -> None:
    board = Board(name="models", entity="model")
    assert told(ENTERS, listed(), [*listed(), late("d", 80)], board=board) == [("d/listed-late", "held", "list growth")]
    new = model("d/new", 80, created=1)
    assert told(ENTERS, listed(), [*listed(), new], board=board) == [("d/new", "firing", "launch")]


def test_the_day_on_which_it_came_in_counts_not_the_one_that_confirms_it() -> None:
    """The list grew on the second day, the rule is satisfied on the fourth."""
    grown = [*listed(), late("c", 40)]
    rule = ENTERS.model_copy(update={"confirm": 3})
    assert told(rule, listed(), grown, grown, grown) == [("c", "held", "list growth")]


def test_who_was_not_seen_for_a_day_is_held_against_the_day_on_which_it_was() -> None:
    assert told(ENTERS, listed(), listed(c=None), listed(c=80)) == [("c", "firing", "stands")]
    grown = [*listed(), late("c", 40)]
    assert told(ENTERS, listed(), listed(c=None), grown) == [("c", "held", "list growth")]


def test_who_is_first_seen_later_is_held_against_the_day_before() -> None:
    """Its model was created before that day, and not listed then."""
    without_c = [one for one in listed() if not one.repo_id.startswith("c/")]
    assert told(ENTERS, without_c, without_c, [*without_c, model("c/model", 80, created=0)]) == [
        ("c", "held", "list growth")
    ]


# Out of them


def test_who_falls_out_of_the_top_is_told() -> None:
    assert told(LEAVES, listed(), listed(b=40)) == [("b", "firing", "stands")]


def test_who_is_pushed_out_by_old_models_that_were_listed_is_not() -> None:
    assert told(LEAVES, listed(), [*listed(), late("d", 50)]) == [("b", "held", "list growth")]


def test_who_fell_behind_the_next_is_told_even_if_the_list_put_another_into_its_place() -> None:
    assert told(LEAVES, listed(), [*listed(b=40), late("d", 50)]) == [("b", "firing", "stands")]


def test_who_is_pushed_out_by_new_models_is_told() -> None:
    assert told(LEAVES, listed(), [*listed(), model("d/new", 50, created=1)]) == [("b", "firing", "launch")]


def test_who_is_deleted_has_left_the_top_whatever_was_listed() -> None:
    without_b = [one for one in listed() if not one.repo_id.startswith("b/")]
    assert told(LEAVES, listed(), listed(), [*without_b, late("d", 5)]) == [("b", "firing", "stands")]


# Near the leader


def test_who_comes_near_the_leader_is_told_by_its_own_rise_and_by_the_leaders_fall() -> None:
    assert told(CLOSES_IN, listed(), listed(b=72)) == [("b", "firing", "stands")]
    assert told(CLOSES_IN, listed(), listed(a=80)) == [("b", "firing", "stands")]
    assert told(CLOSES_IN, listed(), [*listed(), model("b/new", 2, created=1)]) == [("b", "firing", "launch")]
    assert told(CLOSES_IN, listed(), listed(b=71)) == []


def test_who_comes_near_it_because_old_models_were_listed_is_not() -> None:
    assert told(CLOSES_IN, listed(), [*listed(), late("b", 10)]) == [("b", "held", "list growth")]
    assert told(CLOSES_IN, listed(), [*listed(b=75), late("b", 10)]) == [("b", "firing", "stands")]


def test_who_leads_by_then_or_led_before_has_not_come_near() -> None:
    assert told(CLOSES_IN, listed(), listed(b=95)) == []
    assert told(CLOSES_IN, listed(), listed(a=60), listed(a=80, b=90)) == []
    assert told(CLOSES_IN, listed(), listed(a=30, b=90), listed(a=80, b=90)) == [("a", "firing", "stands")]


# Up to a number


def test_a_number_that_is_reached_by_downloads_is_told_and_one_by_listing_is_not() -> None:
    assert told(REACHES, listed(), listed(a=100)) == [("a", "firing", "stands")]
    assert told(REACHES, listed(), [*listed(), model("a/new", 15, created=1)]) == [("a", "firing", "launch")]
    assert told(REACHES, listed(), [*listed(), late("a", 15)]) == [("a", "held", "list growth")]
    assert told(REACHES, listed(), [*listed(), late("b", 5)]) == []


def test_of_published_totals_the_models_are_not_known() -> None:
    board = Board(name="totals", entity="publisher", measure="series:totals")
    with warehouse() as db:
        series(db, "totals", [(day(0), "a", 90), (day(0), "b", 70), (day(30), "a", 120), (day(30), "b", 60)], board)
        detect.run(db, [board], [REACHES.model_copy(update={"board": "totals"})], LABS, now=moment(31))
        assert db.rows("SELECT entity, state, why FROM alerts") == [
            ("a", "firing", "as published: the models behind it are not known")
        ]


# What was said


def test_what_was_told_and_turns_out_to_be_list_growth_is_corrected() -> None:
    """The first look at the second day had counted a model twice; the next one shows that only the list grew."""
    with warehouse() as db:
        look(db, 0, listed(), BOARD, registry=LABS)
        look(db, 1, listed(c=80), BOARD, registry=LABS)
        detect.run(db, [BOARD], [ENTERS], LABS, now=moment(1, 12))
        db.execute("UPDATE deliveries SET status = 'sent', sent_at = queued_at")
        look(db, 1, [*listed(), late("c", 40)], BOARD, registry=LABS, hour=15)
        detect.run(db, [BOARD], [ENTERS], LABS, now=moment(1, 16))
        assert db.rows("SELECT kind, state FROM alerts ORDER BY kind") == [
            ("correction", "firing"), ("enters_top", "reverted"),
        ]  # fmt: skip
        assert db.value("SELECT why FROM alerts WHERE kind = 'correction'") == tell.NOT_BORNE_OUT[LIST_GROWTH]


def test_who_crossed_the_same_line_is_told_once_whoever_stands_next_to_it_by_a_later_look() -> None:
    for rule, first, later in (
        (CLOSES_IN, listed(b=85), listed(b=85, d=95)),
        (ENTERS, listed(c=80), listed(c=80, d=75)),
    ):
        with warehouse() as db:
            look(db, 0, listed(), BOARD, registry=LABS)
            look(db, 1, first, BOARD, registry=LABS)
            assert len(detect.run(db, [BOARD], [rule], LABS, now=moment(1, 12)).fired) == 1
            db.execute("UPDATE deliveries SET status = 'sent', sent_at = queued_at")
            look(db, 1, later, BOARD, registry=LABS, hour=15)
            assert detect.run(db, [BOARD], [rule], LABS, now=moment(1, 16)).fired == ()
            assert db.rows("SELECT rival, contains(title, ' d') FROM alerts") == [("d", True)], "it is written anew"


def test_what_is_released_after_a_mass_change_has_its_own_reason_and_what_is_list_growth_by_now_stays() -> None:
    rules = {rule.name: rule for rule in (ENTERS, LEAVES, REACHES)}
    with warehouse() as db:
        look(db, 0, listed(), BOARD, registry=LABS)
        look(db, 1, listed(c=100), BOARD, registry=LABS)
        detect.run(db, [BOARD], list(rules.values()), LABS, now=moment(1, 12), breaker=2)
        assert db.rows("SELECT state, count(*) FROM alerts WHERE kind <> 'mass_change' GROUP BY state") == [("held", 3)]
        look(db, 1, [*listed(c=None), late("c", 100)], BOARD, registry=LABS, hour=15)
        assert tell.release(db, rules, moment(1, 16)) == 0
        assert {why.partition(":")[0] for (why,) in db.rows("SELECT why FROM alerts WHERE kind <> 'mass_change'")} == {
            "list growth"
        }
    with warehouse() as db:
        look(db, 0, listed(), BOARD, registry=LABS)
        look(db, 1, listed(c=100), BOARD, registry=LABS)
        detect.run(db, [BOARD], list(rules.values()), LABS, now=moment(1, 12), breaker=2)
        assert tell.release(db, rules, moment(1, 13)) == 3
        assert {why.partition(":")[0] for (why,) in db.rows("SELECT why FROM alerts WHERE kind <> 'mass_change'")} == {
            "stands"
        }


def test_days_whose_counts_were_given_up_say_nothing() -> None:
    crossing = Crossing("publishers", "c", day(1), inward=True, top=2)
    with warehouse() as db:
        look(db, 0, listed(), BOARD, registry=LABS)
        look(db, 1, [*listed(), late("c", 40)], BOARD, registry=LABS)
        assert lines.of_crossings(db, [crossing])[crossing][1] is False
        db.execute(
            "INSERT INTO thinned BY NAME SELECT min(snapshot_id) AS snapshot_id, now() AS thinned_at FROM snapshots"
        )
        assert lines.of_crossings(db, [crossing]) == {}
        assert lines.of_crossings(db, []) == {}


def test_what_was_held_is_no_news_when_its_counts_were_given_up_and_its_rule_is_another() -> None:
    grown = [*listed(), late("a", 15)]
    with warehouse() as db:
        for number in (*range(20), 500):
            look(db, number, listed() if number < 13 else grown, BOARD, registry=LABS)
            detect.run(db, [BOARD], [REACHES], LABS, now=moment(number, 12))
        said = db.rows("SELECT alert_id, state, why FROM alerts")
        prune.run(db, now=moment(500, 13))
        ledger = Ledger(db)
        stood = ledger.standings_since("publishers", day(0), first=REACHES.places)
        told = backtest.run(stood, [REACHES], backtest.borne_out(ledger))
        assert [one.held for one in told] == [True], "the counts behind an alert stay"
        db.execute(
            "INSERT INTO thinned BY NAME SELECT snapshot_id, now() AS thinned_at FROM snapshots WHERE models < 9"
        )
        look(db, 501, grown, BOARD, registry=LABS)
        detect.run(db, [BOARD], [REACHES.model_copy(update={"span_days": 1})], LABS, now=moment(501, 12))
        assert db.rows("SELECT alert_id, state, why FROM alerts") == said


@pytest.mark.parametrize(
    ("values", "top", "inward", "worth"),
    [
        ({"a": Had(9), "b": Had(5), "me": Had(6)}, 2, True, ("stands", True)),
        ({"a": Had(9), "b": Had(5), "me": Had(4, 2)}, 2, True, ("launch", True)),
        ({"a": Had(9), "b": Had(5), "me": Had(4)}, 2, True, ("list growth", False)),
        ({"a": Had(9), "b": Had(5), "me": Had(4)}, 2, False, ("stands", True)),
        ({"a": Had(9), "b": Had(3, 2), "me": Had(4)}, 2, False, ("launch", True)),
        ({"a": Had(9), "b": Had(3), "me": Had(4)}, 2, False, ("list growth", False)),
        ({"a": Had(9), "b": Had(3), "me": Had()}, 3, False, ("stands", True)),
        ({"a": Had(9), "b": Had(5), "me": Had(3, 0, 3)}, 2, False, ("counts missing", False)),
        ({"a": Had(9), "b": Had(3, 0, 4), "me": Had(5)}, 2, True, ("counts missing", False)),
    ],
)
def test_a_line_is_crossed_by_what_both_ends_saw_and_what_is_new(
    values: dict[str, Had], top: int, inward: bool, worth: tuple[str, bool]
) -> None:
    verdict, holds = lines.verdict_on(Crossing("b", "me", day(0), inward, top=top), values)
    assert (verdict.partition(":")[0], holds) == worth


# Back on this side, but for a count that was missing


@pytest.mark.parametrize(
    ("rule", "blank"),
    [
        (ENTERS, {"b": None}),
        (LEAVES, {"a": None}),
        (CLOSES_IN, {"a": None}),
        (CLOSES_IN, {"b": None}),
        (REACHES, {"a": None}),
    ],
)
def test_who_was_across_all_along_is_no_news_when_a_count_is_back(rule: Rule, blank: dict[str, None]) -> None:
    """Each publisher's first model stays as it is; the second one's count is missing on a day."""

    def seen(**more: int | None) -> list[HubModel]:
        second = {"a": 40, "b": 40, "c": 5} | more
        return [*listed(b=80, c=92), *(model(f"{name}/second", count) for name, count in second.items())]

    found = told(rule, seen(), seen(**blank), seen())
    assert found
    assert {(state, why) for _, state, why in found} == {("held", "counts missing")}


# Against a reckoning of its own

Told = dict[str, list[tuple[int | None, bool]]]
"""Publisher -> the counts of its models, each with whether it was created on the day on which it was first listed."""

_COUNT = st.sampled_from([*range(1, 10), None, None])

days_of_models = st.lists(
    st.fixed_dictionaries({name: st.lists(st.tuples(_COUNT, st.booleans()), max_size=3) for name in "abcd"}),
    min_size=2,
    max_size=5,
)


@settings(deadline=None, max_examples=examples(60))
@given(days_of_models, st.integers(1, 3), st.booleans(), st.booleans())
def test_it_is_worth_what_a_reckoning_of_its_own_makes_of_it(
    days: list[Told], top: int, inward: bool, near: bool
) -> None:
    """A publisher's models are listed in turn: who has two of them on a day has the first two."""
    first_listed = {
        (name, place): next(n for n, earlier in enumerate(days) if len(earlier[name]) > place)
        for shown in days for name, counts in shown.items() for place in range(len(counts))
    }  # fmt: skip
    created = {key: n if days[n][key[0]][key[1]][1] else -400 for key, n in first_listed.items()}
    line = {"within": top / 4} if near else {"top": top}
    asked = [
        Crossing("publishers", name, day(number), inward or near, **line)
        for number in range(len(days)) for name in "abcd"
    ]  # fmt: skip
    with warehouse() as db:
        for number, shown in enumerate(days):
            models = [
                model(f"{name}/{place}", count, created=created[name, place])
                for name, counts in shown.items()
                for place, (count, _) in enumerate(counts)
            ]
            if models:
                look(db, number, models, BOARD, registry=LABS)
        found = {one: worth[1] for one, worth in lines.of_crossings(db, asked).items()}
    assert found == {one: known for one in asked if (known := _reckoned(days, created, one)) is not None}


def _reckoned(days: list[Told], created: dict[tuple[str, int], int], one: Crossing) -> bool | None:
    """Whether a crossing holds; None where it is not known."""
    until = (one.day - day(0)).days
    known = {n: {p: [c for c, _ in m if c is not None] for p, m in days[n].items()} for n in range(until + 1)}
    ranked = {n: {p: sum(c) for p, c in counts.items() if c} for n, counts in known.items() if any(counts.values())}
    seen = [n for n in ranked if one.entity in ranked[n]]
    inside = {n: _is_inside(ranked[n], one) for n in seen}
    if not seen:
        return None
    short = max((n for n in seen if inside[n] != one.inward), default=None)
    across = [n for n in seen if short is None or n > short]
    after = min(across, default=min((n for n in ranked if short is not None and n > short), default=None))
    before = short if short is not None else max((n for n in ranked if after is not None and n < after), default=None)
    if before is None or after is None:
        return None
    panel = {p: _panel(days, created, p, before, after) for p in "abcd"}
    filled = {p: _filled(days, p, before, after) for p in "abcd"}
    was_across = any(_blank(days, p, before, after) for p in "abcd") and _is_across(filled, one)
    return _is_across(panel, one) and not was_across


def _is_across(values: dict[str, int], one: Crossing) -> bool:
    return (values[one.entity] > 0 and _is_inside(values, one)) == one.inward


def _is_inside(values: dict[str, int], one: Crossing) -> bool:
    """Whether somebody is among the first places, at a tie only who was; or near the first."""
    mine = values[one.entity]
    if one.within is not None:
        return max(values.values()) - mine <= max(values.values()) * one.within
    others = [value for name, value in values.items() if name != one.entity]
    return sum(value >= mine if one.inward else value > mine for value in others) < (one.top or 0)


def _panel(days: list[Told], created: dict[tuple[str, int], int], name: str, before: int, after: int) -> int:
    """What a publisher's models had at the later end, of those seen at both or created since the earlier."""
    had = days[before][name]
    return sum(
        (count or had[place][0] or 0) if place < len(had) else (count or 0) if created[name, place] > before else 0
        for place, (count, _) in enumerate(days[after][name])
    )


def _filled(days: list[Told], name: str, before: int, after: int) -> int:
    """What they had at the earlier end; as much as later where it showed no count."""
    has = [count for count, _ in days[after][name]]
    return sum(
        count or (has[place] if place < len(has) else None) or 0 for place, (count, _) in enumerate(days[before][name])
    )


def _blank(days: list[Told], name: str, before: int, after: int) -> bool:
    """Whether one of them was without a count at just one of the two."""
    return any(
        (a is None) != (b is None) for (a, _), (b, _) in zip(days[before][name], days[after][name], strict=False)
    )
