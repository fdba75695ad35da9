"""The engine: told once when a lead has lasted, never for a replay, a gap, a tie or a half-read day."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.engine import Event, Slot, dump, load, step
from alerts.rules import Rule
from warehouse.records import Standing
from warehouse.state.ledger import JUDGED_DEPTH

BOARD = "families"
Day = Mapping[str, float]

ENTITIES = ("A", "B", "C", "D")


def rule(**more: Any) -> Rule:  # noqa: ANN401 the fields of a Rule have several types
    usual: dict[str, Any] = {"name": "who-leads", "board": BOARD, "confirm": 3, "margin": 0.1}
    return Rule(**usual | more)


def on(number: int, values: Day, **more: Any) -> Standing:  # noqa: ANN401
    """The standing of a day by its number."""
    at = date(2026, 5, 1) + timedelta(days=number)
    return Standing(BOARD, at, 1000 + number, dict(values), **more)


def fold(
    days: Sequence[Day], by: Rule, state: Mapping[str, Mapping[str, Slot]] | None = None, start: int = 0
) -> tuple[Mapping[str, Mapping[str, Slot]], list[Event]]:
    """Judge days in their order: the state after them, and all that happened."""
    state, events = state or {}, []
    for number, values in enumerate(days, start=start):
        state, found = step(state, on(number, values), [by])
        events += found
    return state, events


def lead(state: Mapping[str, Mapping[str, Slot]]) -> Slot:
    return state["who-leads"]["lead"]


def kinds(events: Sequence[Event]) -> list[str]:
    return [f"{event.kind} {event.entity}>{event.rival}" for event in events]


def flips(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.kind == "FLIP"]


def duel(text: str) -> list[Day]:
    """Days of A against B: `a` and `b` lead by far; `=` ties; `m`, `h`, `l` put B ahead by 10 %, 5 % and 4 %."""
    b = {"a": 50.0, "b": 200.0, "=": 100.0, "m": 100 / 0.9, "h": 100 / 0.95, "l": 100 / 0.96}
    return [{"A": 100.0, "B": b[letter]} for letter in text]


# The table of the docstring, row by row


@pytest.mark.parametrize(
    ("days", "happened"),
    [
        ("b", []),
        ("a=", []),
        ("aa", []),
        ("ab", ["PENDING B>A"]),
        ("abb", ["PENDING B>A", "PENDING B>A"]),
        ("abbb", ["PENDING B>A", "PENDING B>A", "FLIP B>A"]),
        ("ammm", ["PENDING B>A", "PENDING B>A", "FLIP B>A"]),
        ("aba", ["PENDING B>A", "DROPPED B>A"]),
        ("ab=", ["PENDING B>A", "DROPPED B>A"]),
        ("abl", ["PENDING B>A", "DROPPED B>A"]),
        ("abh", ["PENDING B>A", "PENDING B>A"]),
        ("abhbb", ["PENDING B>A"] * 4),
        ("abhbbb", ["PENDING B>A"] * 4 + ["FLIP B>A"]),
        ("abbhbbb", ["PENDING B>A"] * 5 + ["FLIP B>A"]),
        ("ah", []),
        ("al", []),
        ("ahhhhhhh", []),
        ("abbbh", ["PENDING B>A", "PENDING B>A", "FLIP B>A"]),
        ("abbbbbb", ["PENDING B>A", "PENDING B>A", "FLIP B>A"]),
    ],
)
def test_a_lead_is_told_when_it_has_lasted_by_the_margin(days: str, happened: list[str]) -> None:
    assert kinds(fold(duel(days), rule())[1]) == happened


def test_another_challenger_starts_anew() -> None:
    a, b, c = {"A": 9, "B": 1, "C": 1}, {"A": 1, "B": 9, "C": 1}, {"A": 1, "B": 2, "C": 9}
    events = fold([a, b, b, c, c, c], rule())[1]
    assert kinds(events) == [
        "PENDING B>A", "PENDING B>A", "DROPPED B>A", "PENDING C>A", "PENDING C>A", "FLIP C>A",
    ]  # fmt: skip
    assert events[-1].since == on(3, c).day


def test_a_flip_says_since_when_by_how_much_and_from_which_snapshot() -> None:
    (flip,) = flips(fold([{"A": 100, "B": 1}, *[{"A": 100, "B": 125 + n} for n in range(3)]], rule())[1])
    assert (flip.since, flip.day, flip.snapshot_id) == (on(1, {}).day, on(3, {}).day, 1003)
    assert (flip.value, flip.rival_value, flip.margin) == (127, 100, 27 / 127)
    assert (flip.rule, flip.board) == ("who-leads", BOARD)


def test_the_days_that_confirm_begin_after_the_day_that_did_not_count() -> None:
    (flip,) = flips(fold(duel("abhbbb"), rule())[1])
    assert flip.since == on(3, {}).day


def test_a_margin_of_nothing_still_needs_a_lead() -> None:
    none = rule(margin=0, confirm=1)
    assert flips(fold(duel("a=="), none)[1]) == []
    assert len(flips(fold(duel("al"), none)[1])) == 1


def test_a_number_is_reached_by_who_has_exactly_that() -> None:
    reached = rule(when="milestone", at=(1000,), confirm=2, margin=0)
    _, events = fold([{"A": value} for value in (900, 1000, 1000, 1000)], reached)
    assert [(event.day.day, event.since.day, event.rival) for event in flips(events)] == [(3, 2, "1000")]


def test_values_of_nothing_are_ties() -> None:
    assert fold([{"A": 0, "B": 0}] * 5, rule(confirm=1, margin=0))[1] == []


def test_a_rule_of_another_board_sees_nothing() -> None:
    state, events = fold(duel("abbb"), rule(board="publishers"))
    assert state == {}
    assert events == []


def test_every_rule_has_a_state_of_its_own() -> None:
    quick, slow = rule(name="quick", confirm=1), rule(name="slow", confirm=3)
    state: Mapping[str, Mapping[str, Slot]] = {}
    told = []
    for number, values in enumerate(duel("abbb")):
        state, events = step(state, on(number, values), [quick, slow])
        told += [(event.rule, number) for event in flips(events)]
    assert told == [("quick", 1), ("slow", 3)]


# Pairs


def test_a_pair_is_watched_wherever_it_stands() -> None:
    pair = rule(when="overtake", between=("B", "C"), confirm=2)
    days = [{"A": 900, "B": 20, "C": 10}, {"A": 900, "B": 20, "C": 30}, {"A": 900, "B": 20, "C": 31}]
    assert kinds(fold(days, pair)[1]) == ["PENDING C>B", "FLIP C>B"]


def test_one_name_watches_every_pair_with_it() -> None:
    one = rule(when="overtake", between=("A",), confirm=1)
    days = [{"A": 10, "B": 5, "C": 7}, {"A": 10, "B": 20, "C": 7}, {"A": 10, "B": 20, "C": 30}]
    assert kinds(fold(days, one)[1]) == ["FLIP B>A", "FLIP C>A"]


def test_no_name_watches_all_pairs_of_the_top() -> None:
    all_pairs = rule(when="overtake", confirm=1)
    days = [{"A": 10, "B": 5, "C": 7}, {"A": 1, "B": 5, "C": 7}]
    assert sorted(kinds(fold(days, all_pairs)[1])) == ["FLIP B>A", "FLIP C>A"]


def test_a_pair_is_frozen_while_one_of_it_is_missing_and_others_go_on() -> None:
    one = rule(when="overtake", between=("A",), confirm=2)
    days = [{"A": 10, "B": 5, "C": 5}, {"A": 10, "B": 20, "C": 20}, {"A": 10, "C": 20}, {"A": 10, "B": 20, "C": 20}]
    told = [(event.entity, event.day) for event in flips(fold(days, one)[1])]
    assert told == [("C", on(2, {}).day), ("B", on(3, {}).day)]


# Properties, for any sequence of standings

IN_ORDER = {"A": 4.0, "B": 3.0, "C": 2.0, "D": 1.0}
"""A day after which every slot is known."""

small = st.integers(0, 12).map(float)
a_day = st.fixed_dictionaries(dict.fromkeys(ENTITIES, small))
gappy_day = st.dictionaries(st.sampled_from(ENTITIES), small)
any_days = st.lists(a_day, min_size=1, max_size=25)
gappy_days = st.lists(gappy_day, min_size=1, max_size=25)
any_rule = st.builds(
    rule,
    confirm=st.integers(1, 4),
    margin=st.sampled_from([0.0, 0.01, 0.1, 0.5]),
    when=st.sampled_from(["lead_change", "overtake", "approaches"]),
    within=st.just(0.6),
)
lead_rule = st.builds(rule, confirm=st.integers(1, 4), margin=st.sampled_from([0.0, 0.01, 0.1, 0.5]))
forall = settings(deadline=None, max_examples=examples(60))


@forall
@given(gappy_days, any_rule)
@example([{"A": 0.0}, {"B": 2.0, "C": 1.0}, {"A": 0.0, "B": 1.0}], rule(when="approaches", within=0.6))
def test_replaying_the_same_standings_changes_nothing(days: list[Day], by: Rule) -> None:
    state, _ = fold(days, by)
    again, events = fold(days, by, state)
    assert events == []
    assert again == state


@forall
@given(any_days, any_rule, st.integers(0, 24))
def test_a_late_look_at_a_day_already_judged_changes_nothing(days: list[Day], by: Rule, number: int) -> None:
    days = [IN_ORDER, *days]
    state, _ = fold(days, by)
    again, events = step(state, on(min(number, len(days) - 1), {"A": 1, "B": 9, "C": 0, "D": 0}), [by])
    assert events == []
    assert again == state


@forall
@given(gappy_day, any_rule)
def test_the_first_standing_never_alerts(values: Day, by: Rule) -> None:
    assert fold([values], by)[1] == []


@forall
@given(gappy_days, any_rule)
def test_what_is_known_survives_the_warehouse(days: list[Day], by: Rule) -> None:
    """Written and read back after each day, as the daemon does across restarts, nothing else happens."""
    whole, events = fold(days, by)
    state: Mapping[str, Mapping[str, Slot]] = {}
    seen = []
    for number, values in enumerate(days):
        state = {name: load(json.loads(json.dumps(dump(slots)))) for name, slots in state.items()}
        state, found = step(state, on(number, values), [by])
        seen += found
    assert state == whole
    assert seen == events


def test_an_older_state_with_fewer_fields_is_still_read() -> None:
    (slot,) = load({"lead": {"incumbent": "A", "last_day": "2026-05-01"}}).values()
    assert slot == Slot(incumbent="A", last_day=date(2026, 5, 1))


@forall
@given(gappy_days, any_rule)
def test_a_step_leaves_what_it_was_given_alone(days: list[Day], by: Rule) -> None:
    state, _ = fold(days, by)
    before = {name: dict(slots) for name, slots in state.items()}
    step(state, on(99, {"A": 1, "B": 9, "C": 2, "D": 3}), [by])
    assert state == before


@st.composite
def short_leads(draw: st.DrawFn) -> tuple[Rule, list[Day]]:
    """A leads at first; then others lead, each for fewer days in a row than the rule asks."""
    confirm = draw(st.integers(2, 5))
    days: list[Day] = [{"A": 10, "B": 1, "C": 2}]
    last = "A"
    for _ in range(draw(st.integers(1, 12))):
        leader = draw(st.sampled_from([name for name in "ABC" if name != last]))
        longest = 5 if leader == "A" else confirm - 1
        values = draw(st.lists(st.sampled_from([6.0, 10.0, 99.0]), min_size=1, max_size=longest))
        days += [{"A": 5, "B": 1, "C": 2} | {leader: value} for value in values]
        last = leader
    return rule(confirm=confirm, margin=draw(st.sampled_from([0.0, 0.1]))), days


@forall
@given(short_leads())
def test_a_lead_that_never_lasts_is_never_told(case: tuple[Rule, list[Day]]) -> None:
    by, days = case
    state, events = fold(days, by)
    assert flips(events) == []
    assert lead(state).incumbent == "A"


@forall
@given(st.integers(1, 5), st.integers(0, 6), st.integers(0, 6), st.integers(0, 6), st.booleans())
def test_a_to_b_to_a_confirmed_is_exactly_two(confirm: int, before: int, between: int, after: int, noise: bool) -> None:
    blip = "b" if noise and confirm > 1 else ""
    text = "a" + "a" * before + blip + "a" + "b" * (confirm + between) + "a" * (confirm + after)
    told = flips(fold(duel(text), rule(confirm=confirm))[1])
    assert [(event.entity, event.rival) for event in told] == [("B", "A"), ("A", "B")]
    assert told[0].alert_id != told[1].alert_id


def test_a_to_b_to_a_to_b_is_three_alerts_with_three_names() -> None:
    told = flips(fold(duel("a" + "bbb" + "aaa" + "bbb"), rule())[1])
    assert [event.entity for event in told] == ["B", "A", "B"]
    assert len({event.alert_id for event in told}) == 3


def alone(day: Day) -> str | None:
    """Who is first, and nobody else."""
    first = [name for name in day if day[name] == max(day.values())]
    return first[0] if len(first) == 1 else None


def led(days: Sequence[Day], incumbent: str, margin: float) -> str | None:
    """Who alone led the incumbent by the margin on every one of these days: the definition, written naively."""
    leaders = {alone(day) for day in days}
    leader = leaders.pop()
    if leaders or leader is None or leader == incumbent:
        return None
    return leader if all(day[leader] - day[incumbent] >= margin * day[leader] - 1e-9 for day in days) else None


@settings(deadline=None, max_examples=examples(150))
@given(any_days, lead_rule)
def test_who_holds_the_lead_follows_from_the_definition(days: list[Day], by: Rule) -> None:
    """Held against a second implementation: looking back over the last `confirm` days, every day anew."""
    incumbent, since = next(((name, n) for n, day in enumerate(days, 1) if (name := alone(day))), ("", len(days)))
    state, _ = fold(days[:since], by)
    for number, values in enumerate(days[since:], start=since):
        state, _ = step(state, on(number, values), [by])
        window = days[since : number + 1][-by.confirm :]
        successor = led(window, incumbent, by.margin) if len(window) == by.confirm else None
        if successor:
            incumbent, since = successor, number + 1
        assert lead(state).incumbent == incumbent


def test_what_a_rule_does_not_judge_by_is_no_part_of_what_tells_it_from_others() -> None:
    """Where it was, all days of every rule that is older than the key would be judged again."""
    assert Rule(name="r", board="b").fingerprint == "7e1c54aa6479c735"
    assert rule(within=0.2, channels=("desk",)).fingerprint == rule().fingerprint
    assert rule(when="approaches", within=0.2).fingerprint != rule(when="approaches", within=0.3).fingerprint


def test_who_is_behind_by_exactly_the_share_is_near() -> None:
    near = rule(when="approaches", within=0.45, confirm=1, margin=0)
    assert kinds(fold([{"A": 100, "B": 54}, {"A": 100, "B": 55}], near)[1]) == ["FLIP B>A"]


def test_only_who_is_named_is_watched_coming_near_wherever_it_stands() -> None:
    days = [{"A": 100, "B": 50, "C": 60}, {"A": 100, "B": 95, "C": 96}, {"A": 100, "B": 95, "C": 96}]
    assert kinds(fold(days, rule(when="approaches", between=("B",), confirm=1, margin=0))[1]) == ["FLIP B>A"]


def test_nobody_comes_near_because_who_leads_was_not_seen() -> None:
    far = {"A": 100, "B": 70, "C": 60}
    days = [far, {"B": 70, "C": 60}, far, {"A": 100, "B": 70, "C": 90}]
    near = rule(when="approaches", within=0.2, confirm=1, margin=0)
    assert kinds(fold(days, near)[1]) == ["FLIP C>A"]
    state, _ = fold(days[:1], near)
    _, events = step(state, on(1, days[1], gone=frozenset("A")), [near])
    assert kinds(events) == ["FLIP C>B"], "A was deleted"


@pytest.mark.parametrize(
    "by",
    [
        rule(when="approaches", within=0.2, margin=0),
        rule(when="milestone", at=(90,), margin=0),
        rule(when="enters_top", top=1, between=("B",), margin=0),
    ],
)
def test_who_was_across_a_line_from_the_first_is_not_told_so_after_going_to_and_fro(by: Rule) -> None:
    ahead, behind = {"A": 100.0, "B": 95.0}, {"A": 100.0, "B": 75.0}
    if by.when == "enters_top":
        ahead, behind = {"A": 90.0, "B": 95.0}, {"A": 100.0, "B": 95.0}
    assert flips(fold([ahead, behind] * 7 + [ahead] * 30, by)[1]) == []
    told = flips(fold([behind] * 3 + [ahead, behind] * 7 + [ahead] * 30, by)[1])
    assert [event.entity for event in told] == ["B"], "it was behind at first"


def test_who_is_named_is_told_to_enter_the_top_for_the_first_time_since_the_rule_looked() -> None:
    days = [{"A": 3, "B": 2, "C": 1}, {"A": 3, "B": 2, "C": 1}, {"A": 3, "B": 2, "C": 4}, {"A": 3, "B": 4, "C": 2}]
    enters = rule(when="enters_top", top=2, between=("C",), confirm=1, margin=0)
    assert kinds(fold(days, enters)[1]) == ["FLIP C>B"]
    leaves = rule(when="leaves_top", top=2, between=("C",), confirm=1, margin=0)
    assert kinds(fold(days, leaves)[1]) == ["FLIP C>A"]


def test_a_line_so_near_that_nobody_could_cross_it_by_the_margin_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`within` must be more than `margin` \(0.1\)"):
        rule(when="approaches", within=0.1, margin=0.1)
    assert rule(when="overtake", within=0.1, margin=0.1)


@forall
@given(st.lists(a_day, min_size=2, max_size=5), st.sampled_from([0.1, 0.25, 0.5]))
def test_who_comes_near_was_further_away_and_does_not_lead(days: list[Day], within: float) -> None:
    """The definition, written naively; in so few days nothing is contested."""
    _, events = fold(days, rule(when="approaches", within=within, confirm=1, margin=0))
    near = [{name for name in day if max(day.values()) - day[name] <= max(day.values()) * within} for day in days]
    first = [{name for name in day if day[name] == max(day.values())} for day in days]
    assert {(event.entity, (event.day - date(2026, 5, 1)).days) for event in events} == {
        (name, n) for n in range(1, len(days)) for name in near[n] - near[n - 1] - first[n]
    }
    for event in events:
        day = days[(event.day - date(2026, 5, 1)).days]
        assert (event.kind, event.value) == ("FLIP", day[event.entity])
        assert event.rival_value == day[event.rival] == max(day.values())
        assert event.margin == (event.rival_value - event.value) / event.rival_value


@forall
@given(st.lists(st.tuples(small, st.lists(small, min_size=3, max_size=3)), min_size=1, max_size=20), any_rule)
def test_ties_keep_the_incumbent(days: list[tuple[float, list[float]]], by: Rule) -> None:
    """A is never behind anybody, so nothing ever happens to it."""
    tied = [{"A": max(a, *others), **dict(zip("BCD", others, strict=True))} for a, others in days]
    state, events = fold(tied, by)
    assert [event for event in events if event.entity == "A" or (by.is_race and event.rival == "A")] == []
    if by.when == "lead_change" and any(alone(day) for day in tied):
        assert lead(state).incumbent == "A"


@forall
@given(st.permutations(ENTITIES), any_days, any_rule)
def test_what_somebody_is_called_decides_nothing(names: list[str], days: list[Day], by: Rule) -> None:
    called = dict(zip(ENTITIES, names, strict=True))
    _, events = fold(days, by)
    _, others = fold([{called[name]: day[name] for name in day} for day in days], by)
    told = [(event.entity, event.rival, event.since, event.day) for event in flips(events)]
    assert sorted((called[one], called[other], *when) for one, other, *when in told) == sorted(
        (event.entity, event.rival, event.since, event.day) for event in flips(others)
    )


def test_where_two_are_first_together_nobody_leads_yet() -> None:
    """Neither on the first day, of which no flip would tell, nor when both have passed the leader."""
    at_once = rule(confirm=1, margin=0)
    assert flips(fold([{"A": 10, "B": 10}, {"A": 10, "B": 12}, {"A": 10, "B": 12}], at_once)[1]) == []
    both = [{"A": 10, "B": 5, "C": 5}, {"A": 10, "B": 12, "C": 12}, {"A": 10, "B": 12, "C": 13}]
    assert [(event.entity, event.rival, event.day) for event in flips(fold(both, at_once)[1])] == [
        ("C", "A", on(2, {}).day)
    ]


@forall
@given(any_days, lead_rule, a_day)
def test_a_missing_contender_freezes_the_slot(days: list[Day], by: Rule, values: Day) -> None:
    days = [IN_ORDER, *days]
    state, _ = fold(days, by)
    slot = lead(state)
    for missing in (slot.incumbent, slot.challenger):
        if missing:
            rest = {name: value for name, value in values.items() if name != missing}
            after, events = step(state, on(len(days), rest), [by])
            assert events == []
            assert lead(after) == slot


@forall
@given(any_days, any_rule, a_day, st.sampled_from(["partial", "suspect", "failed"]))
def test_a_day_that_is_not_complete_is_no_day(days: list[Day], by: Rule, values: Day, verdict: str) -> None:
    state, _ = fold(days, by)
    after, events = step(state, on(len(days), values, verdict=verdict), [by])
    assert events == []
    assert after == state


@forall
@given(any_days, any_rule, st.sampled_from([2.0**-20, 0.5, 4.0, 2.0**40]))
def test_scaling_every_value_changes_nothing(days: list[Day], by: Rule, factor: float) -> None:
    scaled = [{name: value * factor for name, value in day.items()} for day in days]
    state, events = fold(days, by)
    other_state, other_events = fold(scaled, by)
    assert other_state == state
    assert [(event.alert_id, event.kind, event.day, event.margin) for event in other_events] == [
        (event.alert_id, event.kind, event.day, event.margin) for event in events
    ]


@forall
@given(any_days, lead_rule)
def test_who_is_always_last_changes_nothing_about_the_lead(days: list[Day], by: Rule) -> None:
    behind = [day | {"Z": min(day.values()) - 0.5} for day in days]
    assert fold(behind, by) == fold(days, by)


@forall
@given(any_days)
def test_a_third_changes_nothing_about_a_pair(days: list[Day]) -> None:
    pair = rule(when="overtake", between=("A", "B"), confirm=2)
    assert fold([{name: day[name] for name in "AB"} for day in days], pair) == fold(days, pair)


@forall
@given(gappy_days, any_rule, st.randoms())
def test_the_order_in_which_values_come_changes_nothing(days: list[Day], by: Rule, random: Any) -> None:  # noqa: ANN401
    shuffled = []
    for day in days:
        names = list(day)
        random.shuffle(names)
        shuffled.append({name: day[name] for name in names})
    state, events = fold(days, by)
    other_state, other_events = fold(shuffled, by)
    assert other_state == state
    assert sorted(kinds(other_events)) == sorted(kinds(events))


def test_the_largest_top_that_a_rule_may_have_is_told_of() -> None:
    """What is read of a board reaches to the place below it: without that there is nothing to be held against."""
    largest = next(limit.le for limit in Rule.model_fields["top"].metadata if hasattr(limit, "le"))
    rule = Rule(name="new", board="models", when="enters_top", top=largest, confirm=1)
    days = [{f"m{place}": 5000.0 - place for place in range(JUDGED_DEPTH)} for _ in range(2)]
    days[1]["m1000"] = 9000.0
    state: dict[str, dict[str, Slot]] = {}
    told = []
    for number, values in enumerate(days):
        state, events = step(state, Standing("models", date(2026, 5, 1 + number), number, values), [rule])
        told += [event.entity for event in events]

    assert told == ["m1000"]
