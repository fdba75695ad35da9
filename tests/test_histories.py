"""Whatever the history and however it comes, the same alerts follow: live, restarted, replayed, backtested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from races import LEAD, Race, Values, play
from spine import day

from alerts import engine
from alerts.rules import Rule
from jobs import backtest
from warehouse.records import Standing

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
rules = st.builds(
    lambda confirm, margin, pair, span: Rule(
        name="lead",
        board="totals",
        when="overtake" if pair else "lead_change",
        between=("A", "B") if pair else (),
        confirm=confirm,
        margin=margin,
        span_days=span,
        channels=("desk",),
    ),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.01, 0.05]),
    st.booleans(),
    st.sampled_from([0, 0, 3]),
)


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
    told = backtest.run(standings(final(history)), [rule])
    kinds = {"FLIP": rule.when, "CONTESTED": "contested", "SETTLED": "settled"}
    tested = [(kinds[one.event], one.entity, one.rival, one.day, one.confirmed_day) for one in told]
    detected = [
        (kind, entity, rival, since, confirmed)
        for kind, entity, rival, state, since, confirmed in play(final(history), rule)
        if state != "pending"
    ]
    assert sorted(tested) == sorted(detected)


@few
@given(histories(late=False), rules, st.randoms(use_true_random=False), st.sampled_from([2.0**-20, 1024.0]))
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
@given(histories(late=True), rules, st.data())
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
