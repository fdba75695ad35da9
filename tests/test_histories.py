"""Whatever the history and however it comes, the same alerts follow: live, restarted, replayed, backtested.

First of published totals, then of models that are listed, deleted, and there again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import small_hub
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from races import LEAD, Race, Values, play
from spine import day, warehouse

from alerts import engine
from alerts.rules import RACES, Rule
from jobs import backtest, detect
from warehouse.db import Database
from warehouse.ranking.boards import Board
from warehouse.records import Standing, Verdict
from warehouse.registry import Family, Registry
from warehouse.state.ledger import Ledger

NAMES = ("A", "B", "C")

few = settings(max_examples=examples(25, usual=4), deadline=None, suppress_health_check=[HealthCheck.too_slow])
many = settings(max_examples=examples(60), deadline=None)

# Values so close that leads, ties and margins come about by themselves; sometimes somebody is not seen.
values = st.fixed_dictionaries(
    {"A": st.sampled_from([98.0, 100.0, 100.5, 102.0, 110.0])},
    optional={
        "B": st.sampled_from([98.0, 100.0, 100.5, 102.0, 110.0]),
        "C": st.sampled_from([10.0, 100.0, 101.0, 120.0]),
    },
)
KINDS: dict[str, dict[str, Any]] = {
    "lead_change": {},
    "overtake": {"between": ("A", "B")},
    "approaches": {"within": 0.06},
    "enters_top": {"top": 1},
    "leaves_top": {"top": 1},
    "milestone": {"at": (100.5,)},
}
"""Every kind of rule that watches a board, and what it needs. None tells so much of two weeks that it is summed up."""


def rules_of(*kinds: str) -> st.SearchStrategy[Rule]:
    """Rules of some kinds."""
    return st.builds(
        lambda kind, confirm, margin, span: Rule(
            name="lead",
            board="totals",
            when=kind,
            confirm=confirm,
            margin=margin,
            span_days=span,
            channels=("desk",),
            **KINDS[kind],
        ),
        st.sampled_from(kinds),
        st.integers(1, 3),
        st.sampled_from([0.0, 0.01, 0.05]),
        st.sampled_from([0, 0, 3]),
    )


rules = rules_of(*KINDS)


@dataclass(frozen=True)
class Arrival:
    """Something happens in a history: values of a day arrive, the rules are run, the program is restarted."""

    number: int
    values: Values
    judged: bool
    restarted: bool
    ranked: bool
    """At once, as after a collection; or not before the rules are run."""

    def reach(self, race: Race) -> None:
        race.arrive_all([(self.number, name, value) for name, value in self.values.items()], ranked=self.ranked)


@st.composite
def histories(draw: st.DrawFn, *, late: bool) -> list[Arrival]:
    """At most two weeks, with days that never come, second looks at a day, and (`late`) days that come after others."""
    days = [(number, draw(values)) for number in range(draw(st.integers(3, 12))) if draw(st.integers(0, 4))]
    looks = [(number, seen) for number, first in days for seen in _looks(draw, first)]
    if late:
        for index in draw(st.lists(st.integers(0, max(0, len(looks) - 2)), max_size=3)):
            looks.append(looks.pop(index)) if looks else None
    return [
        Arrival(number, seen, draw(st.booleans()), draw(st.integers(0, 4)) == 0, draw(st.integers(0, 4)) == 0)
        for number, seen in looks
    ]


def _looks(draw: st.DrawFn, first: Values) -> list[Values]:
    """A day is looked at once; now and then twice, with the same result or with another."""
    kind = draw(st.sampled_from(["once", "once", "once", "same", "other"]))
    return [first] if kind == "once" else [first, first] if kind == "same" else [first, draw(values)]


def live(history: Sequence[Arrival], rule: Rule, columns: str) -> list[tuple[Any, ...]]:
    """The alerts of a history as it happens, in a file that is closed and opened at every restart."""
    with TemporaryDirectory() as folder, Race(rule, path=Path(folder) / "w.duckdb") as race:
        for arrival in history:
            if arrival.restarted:
                race.reopen()
            arrival.reach(race)
            if arrival.judged:
                race.judge(arrival.number)
        race.judge(400)
        return race.alerts(columns)


def final(history: Sequence[Arrival]) -> list[tuple[int, Values]]:
    """What is known of each day in the end. A look that sees no more than an earlier one is none."""
    return sorted({arrival.number: arrival.values for arrival in history}.items())


def standings(days: Sequence[tuple[int, Values]]) -> list[Standing]:
    return [Standing("totals", day(number), number, dict(seen)) for number, seen in days]


SAID = "kind, entity, rival, state, day, confirmed_day"


def confirmed(alerts: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Without what is pending: who is missing on the last days leaves that as it was seen last, which may differ."""
    return [alert for alert in alerts if "pending" not in alert]


def backtested(rule: Rule, days: Sequence[Standing]) -> list[tuple[Any, ...]]:
    """What a backtest says of these days, in the words of alerts."""
    kinds = {"FLIP": rule.when, "CONTESTED": "contested", "SETTLED": "settled"}
    told = backtest.run(days, [rule])
    return [(kinds[one.event], one.entity, one.rival, one.day, one.confirmed_day) for one in told]


@few
@given(histories(late=False), rules)
def test_a_history_that_is_lived_through_says_what_its_replay_says_down_to_the_ids(
    history: list[Arrival], rule: Rule
) -> None:
    with Race(rule) as race:
        race.arrive_all([(number, name, value) for number, seen in final(history) for name, value in seen.items()])
        race.judge(400)
        replayed = race.alerts(f"alert_id, {SAID}")
    lived = live(history, rule, f"alert_id, {SAID}")
    if len(history) == len(final(history)):
        assert lived == replayed
    else:  # a second look keeps the id by which its day was first told
        assert [alert[1:] for alert in confirmed(lived)] == [alert[1:] for alert in confirmed(replayed)]


@few
@given(histories(late=True), rules)
def test_days_that_come_late_end_in_what_they_would_have_said_in_time(history: list[Arrival], rule: Rule) -> None:
    assert confirmed(live(history, rule, SAID)) == confirmed(play(final(history), rule))


@few
@given(histories(late=True), rules)
def test_a_backtest_says_what_detection_says(history: list[Arrival], rule: Rule) -> None:
    tested = backtested(rule, standings(final(history)))
    detected = [
        (kind, entity, rival, since, confirmed)
        for kind, entity, rival, state, since, confirmed in play(final(history), rule)
        if state != "pending"
    ]
    assert sorted(tested) == sorted(detected)


@few
@given(
    histories(late=False),
    rules_of(*(kind for kind in KINDS if kind != "milestone")),  # whose numbers have a unit
    st.randoms(use_true_random=False),
    st.sampled_from([2.0**-20, 1024.0]),
)
def test_doubled_days_one_great_import_its_order_and_another_unit_change_nothing(
    history: list[Arrival], rule: Rule, random: Random, unit: float
) -> None:
    days = final(history)
    with Race(rule) as race:
        for number, seen in days:
            race.arrive(number, **seen)
            race.judge(number)
            race.arrive(number, **seen)
            race.judge(number)
        daily = race.alerts(f"alert_id, {SAID}")
    with Race(rule) as race:
        rows = [(number, name, value * unit) for number, seen in days for name, value in seen.items()]
        race.arrive_all(random.sample(rows, len(rows)))
        race.judge(400)
        assert race.alerts(f"alert_id, {SAID}") == daily


# Of models, which may be deleted and be there again

PUBLISHERS = Board(name="totals", entity="publisher")

LABS = Registry([Family(name=name, vendor=name, country="US", publishers=(name,)) for name in NAMES])


@dataclass(frozen=True)
class Look:
    """A look at the Hub, and whether the rules are run after it."""

    number: int
    hour: int
    shown: Mapping[str, int | None]
    """Publisher -> the count of its model. None: it is not counted; of whom is missing it is not listed."""
    second: Mapping[str, int | None] = field(default_factory=dict)
    """The same of another model that it may have."""
    short: frozenset[str] = frozenset()
    """Whose listings broke off."""
    whole: bool = True
    """Complete; otherwise it is kept, and nothing is judged by it."""
    judged: bool = True

    def keep(self, db: Database) -> None:
        listed = [(f"{name}/model", count) for name, count in self.shown.items()]
        listed += [(f"{name}/second", count) for name, count in self.second.items()]
        models = [small_hub.model(name, count) for name, count in listed]
        verdict: Verdict = "complete" if self.whole else "partial"
        small_hub.look(
            db, self.number, models, PUBLISHERS, registry=LABS, verdict=verdict, hour=self.hour, short=self.short
        )


@st.composite
def looks(draw: st.DrawFn) -> list[Look]:
    """A few days of looks, now and then two; one of them may come late."""
    counts = st.sampled_from([None, 90, 98, 100, 101, 110])
    shown = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, counts))
    second = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, st.sampled_from([None, 10])))
    found = [
        Look(
            number,
            hour,
            draw(shown),
            draw(second),
            draw(st.sampled_from([frozenset(), frozenset(), frozenset("A"), frozenset("BC")])),
            draw(st.integers(0, 9)) > 0,
            draw(st.booleans()),
        )
        for number in range(draw(st.integers(3, 5)))
        for hour in range(10, 11 + (draw(st.integers(0, 5)) == 0))
    ]
    if draw(st.integers(0, 2)) == 0:
        found.append(found.pop(draw(st.integers(0, len(found) - 2))))
    return found


def told_of(looks: Iterable[Look], *rules: Rule, live: bool) -> list[tuple[Any, ...]]:
    """What was told of these looks: judged as they came, or all at the end; a backtest says the same then."""
    with warehouse() as db:
        for look in looks:
            look.keep(db)
            if live and look.judged:
                detect.run(db, [PUBLISHERS], rules, LABS, now=small_hub.moment(look.number, 23))
        detect.run(db, [PUBLISHERS], rules, LABS, now=small_hub.moment(99))
        alerts = confirmed(db.rows(f"SELECT {SAID} FROM alerts ORDER BY confirmed_day, entity, rival, kind"))
        days = {rule: Ledger(db).standings_since("totals", date.min, rule.between, first=rule.places) for rule in rules}
    said = [said for rule in rules for said in backtested(rule, days[rule])]
    assert live or sorted(said) == sorted((*alert[:3], *alert[4:]) for alert in alerts)
    return alerts


@few
@given(looks(), rules)
def test_who_is_deleted_and_comes_back_had_left_till_then_however_late_that_is_judged(
    looks: list[Look], rule: Rule
) -> None:
    lived = told_of(looks, rule, live=True)
    assert told_of(looks, rule, live=False) == lived
    in_time = sorted(looks, key=lambda look: (look.number, look.hour))
    assert in_time == looks or told_of(in_time, rule, live=False) == lived


BOTH, ONLY_B = {"A": 110, "B": 100, "C": 96}, {"B": 100, "C": 96}

LOSES = [
    Rule(name=kind, board="totals", when=kind, confirm=1, margin=0, **more)
    for kind, more in (KINDS | {"approaches": {"within": 0.05, "between": ("C",)}}).items()
    if kind in ("lead_change", "leaves_top", "approaches")
]
"""What tells of it when A is deleted: B leads, A is out of the top, and C is near B."""


@pytest.mark.parametrize(
    "after",
    [
        [Look(3, 10, BOTH)],
        [Look(2, 15, BOTH, whole=False)],
    ],
    ids=["it is back the next day", "a partial look shows it"],
)
def test_a_leader_that_was_deleted_has_lost_whatever_is_known_later(after: list[Look]) -> None:
    days = [Look(0, 10, BOTH), Look(2, 10, ONLY_B), *after]
    told = told_of(days, *LOSES, live=True)
    assert {(kind, entity) for kind, entity, _, _, since, _ in told if since == small_hub.day(2)} == {
        ("lead_change", "B"), ("leaves_top", "A"), ("approaches", "C"),
    }  # fmt: skip
    assert told_of(days, *LOSES, live=False) == told


def test_a_lead_that_was_list_growth_is_told_when_it_began_on_another_day_without_who_led_before() -> None:
    days = [
        Look(0, 10, {"A": 106}),
        Look(1, 10, {"A": 98, "C": 110}),
        Look(3, 10, {"A": 106, "B": 110, "C": 100}, judged=False),
        Look(5, 10, {"B": 92, "C": 96}, judged=False),
        Look(1, 11, {"A": 99, "C": 94}),
    ]
    rule = Rule(name="lead", board="totals", confirm=1, margin=0.05)
    told = told_of(days, rule, live=True)
    assert told == [("lead_change", "C", "A", "firing", small_hub.day(5), small_hub.day(5))]
    assert told_of(days, rule, live=False) == told


def test_a_look_that_comes_late_dates_who_was_deleted() -> None:
    days = [Look(0, 10, BOTH), Look(2, 10, ONLY_B), Look(1, 10, ONLY_B)]
    told = told_of(days, *LOSES, live=True)
    assert {since for *_, since, _ in told} == {small_hub.day(1)}
    assert told_of(days, *LOSES, live=False) == told


# What follows needs no warehouse: the same pure step judges everywhere.

Days = Sequence[tuple[int, Values]]


def events(days: Days, rule: Rule) -> list[tuple[object, ...]]:
    """What the engine tells, without the days on which it does."""
    state: engine.State = {}
    found = []
    for standing in standings(days):
        state, new = engine.step(state, standing, [rule])
        found += [(e.kind, e.alert_id, e.entity, e.rival, e.value, e.rival_value) for e in new]
    return found


some_days = st.lists(values, min_size=1, max_size=40).map(lambda days: list(enumerate(days)))
no_span = rules.map(lambda rule: rule.model_copy(update={"span_days": 0}))


@many
@given(some_days, no_span, st.data())
def test_gaps_never_make_a_flip(days: Days, rule: Rule, data: st.DataObject) -> None:
    """However long nothing is seen between two days, what is seen means the same."""
    gaps = data.draw(st.lists(st.integers(0, 9), min_size=len(days), max_size=len(days)))
    spread, at = [], 0
    for (_, seen), gap in zip(days, gaps, strict=True):
        at += 1 + gap
        spread.append((at, seen))
    assert events(spread, rule) == events(days, rule)


@many
@given(st.lists(values, min_size=2, max_size=40), st.integers(1, 3))
def test_who_leads_is_told_alternately(seen: list[Values], confirm: int) -> None:
    """Each flip takes the lead from whom the one before gave it to, so that who reads them all knows who leads."""
    rule = LEAD.model_copy(update={"confirm": confirm})
    flips = [(e[2], e[3]) for e in events(list(enumerate(seen)), rule) if e[0] == "FLIP"]
    contested = any(e[0] == "CONTESTED" for e in events(list(enumerate(seen)), rule))
    assert contested or all(one[0] == other[1] for one, other in pairwise(flips))


# Who reads


def belief(race: Race, first: str) -> str:
    """Who leads, to somebody who has read every message on the desk and nothing else."""
    told: dict[str, dict[str, Any]] = {}
    withdrawn = set()
    for message in race.desk.got:
        for said in (message.data, *message.data.get("also", ())):
            if said["kind"] == "correction":
                withdrawn.add(said["thread_of"])
            elif said["kind"] != "contested":
                told[said["alert_id"]] = dict(said)
    left = sorted((said["confirmed_day"], said["entity"]) for name, said in told.items() if name not in withdrawn)
    return str(left[-1][1]) if left else first


@few
@given(histories(late=True), rules_of(*RACES), st.data())
def test_who_reads_all_messages_knows_who_leads_and_no_message_comes_twice(
    history: list[Arrival], rule: Rule, data: st.DataObject
) -> None:
    """Whatever was told too early, corrected, told again: the last word is true."""
    with Race(rule) as race:
        for arrival in history:
            arrival.reach(race)
            if arrival.judged:
                race.judge(arrival.number)
            if data.draw(st.booleans()):
                race.tell(arrival.number)
        race.judge(400)
        race.tell(400)
        ids = [message.alert_id for message in race.desk.got]
        assert len(ids) == len(set(ids))
        state: engine.State = {}
        first: dict[str, str] = {}
        for standing in standings(final(history)):
            state, _ = engine.step(state, standing, [rule])
            first |= {key: slot.incumbent for key, slot in state["lead"].items() if key not in first}
        for key, slot in state.get("lead", {}).items():
            assert slot.flapping or belief(race, first[key]) == slot.incumbent
