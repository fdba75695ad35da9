"""The engine: `step(state, standing, rules) -> (state, events)`, pure. No clock, no I/O, no randomness.

What a rule watches on its board is a *slot*: the lead, or one pair of entities. Each slot goes through

    unknown  --first standing-->  stable(incumbent)                                       silent
    stable   --challenger leads by the margin-->  pending(challenger, since, days = 1)    PENDING
    pending  --leads by the margin again-->  days + 1; at `confirm` days: stable(challenger)   FLIP
    pending  --leads by less than the margin, at least half of it-->  pending, days = 0
    pending  --leads by less than half, or not at all-->  stable(incumbent)               DROPPED
    pending  --another leads-->  pending(the other)                                       DROPPED, PENDING
    any      --incumbent or challenger not in the standing, or the standing not complete-->  frozen: nothing moves

Days count once: a standing of a day that was judged already changes nothing. Ties keep the incumbent. Who leads is an
attribute, never part of a slot's key; `epoch` counts a slot's confirmed incumbents, so that A to B to A is two events
and the same snapshot read twice is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from itertools import combinations
from typing import Any, Literal, cast

from alerts.rules import TOP, Rule
from warehouse.records import Standing

LEAD = "lead"
"""The slot of a lead_change rule."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What is known of one slot."""

    incumbent: str
    last_day: date
    challenger: str | None = None
    since: date | None = None
    """First of the days that count for the challenger."""
    days: int = 0
    """Days in a row on which the challenger led by the margin."""
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened in a slot on a day."""

    kind: Literal["PENDING", "DROPPED", "FLIP"]
    alert_id: str
    rule: str
    board: str
    slot: str
    entity: str
    rival: str
    since: date
    day: date
    value: float
    rival_value: float
    margin: float
    snapshot_id: int


State = Mapping[str, Mapping[str, Slot]]
"""Rule name -> slot -> what is known of it."""


def step(state: State, standing: Standing, rules: Sequence[Rule]) -> tuple[State, list[Event]]:
    """Judge one day of one board by all rules that watch it."""
    events: list[Event] = []
    new = dict(state)
    for rule in rules:
        if rule.board == standing.board:
            new[rule.name], found = _judge(state.get(rule.name, {}), standing, rule)
            events += found
    return new, events


def _judge(slots: Mapping[str, Slot], standing: Standing, rule: Rule) -> tuple[Mapping[str, Slot], list[Event]]:
    """One rule's day."""
    if standing.verdict != "complete" or not standing.values:
        return slots, []
    events: list[Event] = []
    new = dict(slots)
    for key, contenders in _slots_of(rule, standing, slots):
        slot, found = _contest(slots.get(key), key, contenders, standing, rule)
        if slot is not None:
            new[key] = slot
        events += found
    return new, events


def _slots_of(rule: Rule, standing: Standing, known: Iterable[str]) -> Iterator[tuple[str, Mapping[str, float]]]:
    """The slots a rule watches on this day, each with its contenders' values."""
    if rule.when == "lead_change":
        yield LEAD, standing.values
        return
    keys = dict.fromkeys([*known, *(pair_key(*pair) for pair in _pairs(rule, standing))])
    for key in keys:
        pair = key.split("\n")
        yield key, {entity: standing.values[entity] for entity in pair if entity in standing.values}


def _pairs(rule: Rule, standing: Standing) -> Iterable[tuple[str, str]]:
    if len(rule.between) == 2:
        return [(rule.between[0], rule.between[1])]
    first = sorted(standing.values, key=lambda entity: (-standing.values[entity], entity))[:TOP]
    if rule.between:
        return [(rule.between[0], other) for other in first if other != rule.between[0] and rule.between[0] in first]
    return combinations(first, 2)


def pair_key(one: str, other: str) -> str:
    """The slot of a pair, whoever is named first."""
    return "\n".join(sorted((one, other)))


def _contest(
    slot: Slot | None, key: str, values: Mapping[str, float], standing: Standing, rule: Rule
) -> tuple[Slot | None, list[Event]]:
    """One slot's day: who holds it, who challenges, and whether that has lasted."""
    if slot is None:
        return _first_sight(key, values, standing.day), []
    if standing.day <= slot.last_day or _is_frozen(slot, key, values):
        return slot, []
    seen = replace(slot, last_day=standing.day)
    leader = _leader(values, slot.incumbent)
    lead = margin_between(values[leader], values[slot.incumbent])
    if leader == slot.incumbent or lead < rule.margin / 2 or (lead < rule.margin and leader != slot.challenger):
        return _drop(seen, key, values, standing, rule)
    return _challenge(seen, key, leader, lead, values, standing, rule)


def _first_sight(key: str, values: Mapping[str, float], day: date) -> Slot | None:
    """The first standing ever seen decides who holds the slot, and never alerts; a pair is known once both are seen."""
    if key != LEAD and len(values) < 2:
        return None
    return Slot(incumbent=_leader(values, None), last_day=day)


def _is_frozen(slot: Slot, key: str, values: Mapping[str, float]) -> bool:
    """A contender that was not seen has not lost."""
    if key != LEAD:
        return len(values) < 2
    return slot.incumbent not in values or (slot.challenger is not None and slot.challenger not in values)


def _leader(values: Mapping[str, float], incumbent: str | None) -> str:
    """Who has most; ties keep the incumbent, then go by name."""
    return min(values, key=lambda entity: (-values[entity], entity != incumbent, entity))


def margin_between(leader: float, rival: float) -> float:
    """(leader - rival) / leader; 0 when the leader has nothing."""
    return (leader - rival) / leader if leader > 0 else 0.0


def _drop(
    slot: Slot, key: str, values: Mapping[str, float], standing: Standing, rule: Rule
) -> tuple[Slot, list[Event]]:
    """The incumbent holds; a challenge that was pending is over."""
    calm = replace(slot, challenger=None, since=None, days=0)
    if slot.challenger is None:
        return calm, []
    return calm, [_event("DROPPED", slot, key, slot.challenger, values, standing, rule)]


def _challenge(
    slot: Slot, key: str, leader: str, lead: float, values: Mapping[str, float], standing: Standing, rule: Rule
) -> tuple[Slot, list[Event]]:
    """The challenger leads: count the day if by the margin, and hand over the slot when enough days are counted."""
    events = []
    same = slot.challenger == leader
    if slot.challenger is not None and not same:
        events.append(_event("DROPPED", slot, key, slot.challenger, values, standing, rule))
    days = ((slot.days if same else 0) + 1) if lead >= rule.margin else 0
    since = slot.since if same and slot.days and days else standing.day
    pending = replace(slot, challenger=leader, days=days, since=since)
    if days < rule.confirm:
        return pending, [*events, _event("PENDING", pending, key, leader, values, standing, rule)]
    flip = _event("FLIP", pending, key, leader, values, standing, rule)
    return Slot(incumbent=leader, last_day=standing.day, epoch=slot.epoch + 1), [*events, flip]


def _event(
    kind: Literal["PENDING", "DROPPED", "FLIP"],
    slot: Slot,
    key: str,
    entity: str,
    values: Mapping[str, float],
    standing: Standing,
    rule: Rule,
) -> Event:
    value, rival_value = values.get(entity, 0.0), values[slot.incumbent]
    return Event(
        kind=kind,
        alert_id=alert_id(rule.name, rule.board, key, slot.epoch + 1, entity),
        rule=rule.name,
        board=rule.board,
        slot=key,
        entity=entity,
        rival=slot.incumbent,
        since=slot.since or standing.day,
        day=standing.day,
        value=value,
        rival_value=rival_value,
        margin=margin_between(value, rival_value),
        snapshot_id=standing.snapshot_id,
    )


def alert_id(rule: str, board: str, slot: str, epoch: int, entity: str) -> str:
    """Short, and the same whenever the same event is found again."""
    return hashlib.sha256(f"{rule}\n{board}\n{slot}\n{epoch}\n{entity}".encode()).hexdigest()[:10]


def dump(slots: Mapping[str, Slot]) -> dict[str, dict[str, Any]]:
    """A rule's slots as plain data for JSON."""
    return {key: {name: _plain(value) for name, value in asdict(slot).items()} for key, slot in slots.items()}


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def load(data: Mapping[str, Mapping[str, Any]]) -> dict[str, Slot]:
    """A rule's slots from plain data, as `dump` wrote it."""
    return {key: Slot(**{name: _rich(name, value) for name, value in slot.items()}) for key, slot in data.items()}


def _rich(name: str, value: object) -> Any:  # noqa: ANN401 the fields of a Slot have several types
    return date.fromisoformat(cast("str", value)) if name in ("last_day", "since") and value else value
