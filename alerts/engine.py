"""The engine: `step(state, standing, rules) -> (state, events)`, pure. No clock, no I/O, no randomness.

Whatever a rule watches is a contest between values with names, and each contest is a *slot*: the lead (all entities), a
pair, an entity against a line (below the top, or behind the leader) or a milestone. Each slot goes through

    unknown  --first standing-->  stable(incumbent)                                              silent
    stable   --challenger leads by the margin-->  pending(challenger, since, days = 1)           PENDING
    pending  --leads by the margin again-->  days + 1; enough days and span: stable(challenger)  FLIP
    pending  --leads by less than the margin, at least half of it-->  pending, days = 0
    pending  --leads by less than half, or not at all-->  stable(incumbent)                      DROPPED
    pending  --another leads-->  pending(the other)                                              DROPPED, PENDING
    any      --incumbent or challenger not in the standing, or the standing not complete-->      frozen: nothing moves
    any      --of a line behind the leader: who led last not in the standing-->                  frozen as well
    any      --incumbent or challenger has left the Hub-->                                       counts as 0 (no pair)
    any      --the leader changes again and again-->  flapping: FLIPs are not told               CONTESTED
    flapping --calm again, the incumbent leads-->                                                SETTLED (a line: FLIP)

Days count once: a standing of a day that was judged already changes nothing. Ties keep the incumbent; where others are
first together nobody leads. Who leads is an attribute, never part of a slot's key; `epoch` counts a slot's confirmed
incumbents, so that A to B to A is two events and the same snapshot read twice is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, NamedTuple

from alerts.contests import LEADER, LINE, Contest, contests, first_places
from alerts.rules import Rule
from warehouse.records import Standing

Kind = Literal["PENDING", "DROPPED", "FLIP", "CONTESTED", "SETTLED"]

WINDOW = 20
"""Days of a slot that its flap score looks back on. Nagios looks at 21 states, 20 changes of them."""

FLAPPING, CALM = 0.3, 0.1
"""Flap scores at which a slot becomes contested, and at which it is settled again."""


class Slot(NamedTuple):
    """What is known of one slot. A tuple, because one is made for every slot on every day."""

    incumbent: str
    last_day: date
    challenger: str | None = None
    since: date | None = None
    """First of the days that count for the challenger."""
    days: int = 0
    """Days in a row on which the challenger led by the margin."""
    epoch: int = 0
    """Confirmed changes of the incumbent so far."""
    previous: str | None = None
    """The incumbent before this one."""
    flipped_on: date | None = None
    """When this incumbent was confirmed."""
    told: str = ""
    """The alert that said so; empty when that was not told."""
    ahead: str | None = None
    """Who led on the last day judged, confirmed or not."""
    recent: str = ""
    """For each of the last days judged: 1 when somebody else led than the day before, else 0; newest last."""
    flapping: bool = False
    changes: int = 0
    """Changes of the lead since it became contested."""
    contests: int = 0
    """How often it became contested."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened in a slot on a day."""

    kind: Kind
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
    reverts: str = ""
    """The alert that this flip takes back: the lead returned within the rule's `settle_days`."""
    changes: int = 0
    """For CONTESTED and SETTLED: changes of the lead."""


State = Mapping[str, Mapping[str, Slot]]
"""Rule name -> slot -> what is known of it."""


def step(state: State, standing: Standing, rules: Sequence[Rule]) -> tuple[State, list[Event]]:
    """Judge one day of one board by all rules that watch it."""
    events: list[Event] = []
    new = dict(state)
    for rule in rules:
        if rule.board == standing.board and rule.when != "source_trouble":
            new[rule.name], found = _judge(state.get(rule.name, {}), standing, rule)
            events += found
    return new, events


def _judge(slots: Mapping[str, Slot], standing: Standing, rule: Rule) -> tuple[Mapping[str, Slot], list[Event]]:
    """One rule's day."""
    if standing.verdict != "complete" or not standing.values or _draws_no_line(slots, standing):
        return slots, []
    events: list[Event] = []
    new = dict(slots)
    for contest in contests(rule, standing, slots):
        slot, found = _contest(slots.get(contest.key), contest, standing, rule, newcomer=bool(slots))
        if slot is not None:
            new[contest.key] = slot
        if found:
            told = [event for event in found if contest.tells(event.kind, event.entity)]
            events += [_named(event, contest, standing) for event in told]
    if rule.when == "approaches":
        new[LEADER] = Slot(incumbent=first_places(standing, 1)[0], last_day=standing.day)
    return new, events


def _draws_no_line(slots: Mapping[str, Slot], standing: Standing) -> bool:
    """Whether a line behind who leads was drawn for this day, or would be behind another, the leader being unseen."""
    if LEADER not in slots:
        return False
    led = slots[LEADER]
    return standing.day <= led.last_day or led.incumbent not in standing.values.keys() | standing.gone


def _contest(
    slot: Slot | None, contest: Contest, standing: Standing, rule: Rule, *, newcomer: bool
) -> tuple[Slot | None, list[Event]]:
    """One slot's day: who holds it, who challenges, whether that has lasted, and whether it is contested."""
    if slot is None:
        slot = _first_sight(contest, standing.day, newcomer=newcomer)
        if slot is None or slot.last_day == standing.day:
            return slot, []
    if standing.day <= slot.last_day or contest.is_frozen(slot.incumbent, slot.challenger):
        return slot, []
    seen = _observed(slot, contest.leader(slot.ahead) or slot.ahead, standing.day)
    if seen.ahead == seen.incumbent and seen.challenger is None and "1" not in seen.recent and not seen.flapping:
        return seen, []  # nothing has happened for long, as on most days of most slots
    after, events = _advance(seen, contest, standing, rule)
    if seen.flapping:
        after, events = _muted(after, events)
    return _judge_flapping(after, events, contest, standing, rule)


def _muted(slot: Slot, events: list[Event]) -> tuple[Slot, list[Event]]:
    """Flips that nobody is told of."""
    rest = [event for event in events if event.kind != "FLIP"]
    return (slot if len(rest) == len(events) else slot._replace(told="")), rest


def _first_sight(contest: Contest, day: date, *, newcomer: bool) -> Slot | None:
    """The first standing ever seen in which somebody leads decides who holds a slot, and never alerts.

    A contest against a line starts below it when the rule was already watching: who turns up above has crossed it.
    """
    if contest.against is not None and newcomer:
        return Slot(incumbent=contest.against, last_day=date.min, ahead=contest.against)
    if len(contest.values) < contest.least:
        return None
    leader = contest.leader(None) or contest.against
    return Slot(incumbent=leader, last_day=day, ahead=leader) if leader else None


def _observed(slot: Slot, leader: str | None, day: date) -> Slot:
    """The slot with this day counted into its recent changes."""
    changed = leader != slot.ahead
    recent = (slot.recent + ("1" if changed else "0"))[-WINDOW:]
    changes = slot.changes + (changed and slot.flapping)
    # One by one: `_replace` takes twice as long, and this is done for every slot on every day.
    return Slot(
        slot.incumbent,
        day,
        slot.challenger,
        slot.since,
        slot.days,
        slot.epoch,
        slot.previous,
        slot.flipped_on,
        slot.told,
        leader,
        recent,
        slot.flapping,
        changes,
        slot.contests,
    )


def _advance(slot: Slot, contest: Contest, standing: Standing, rule: Rule) -> tuple[Slot, list[Event]]:
    leader = contest.leader(slot.incumbent)
    if leader is None or leader == slot.incumbent:
        return _drop(slot, contest, standing, rule)
    lead = margin_between(contest.value(leader), contest.value(slot.incumbent))
    if lead < rule.margin / 2 or (lead < rule.margin and leader != slot.challenger):
        return _drop(slot, contest, standing, rule)
    return _challenge(slot, leader, lead, contest, standing, rule)


def _drop(slot: Slot, contest: Contest, standing: Standing, rule: Rule) -> tuple[Slot, list[Event]]:
    """The incumbent holds; a challenge that was pending is over."""
    if slot.challenger is None:
        return slot, []
    calm = slot._replace(challenger=None, since=None, days=0)
    return calm, [_event("DROPPED", slot, slot.challenger, contest, standing, rule)]


def _challenge(
    slot: Slot, leader: str, lead: float, contest: Contest, standing: Standing, rule: Rule
) -> tuple[Slot, list[Event]]:
    """The challenger leads: count the day if by the margin, and hand over the slot when enough days are counted."""
    same = slot.challenger == leader
    events = []
    if slot.challenger is not None and not same:
        events.append(_event("DROPPED", slot, slot.challenger, contest, standing, rule))
    days = ((slot.days if same else 0) + 1) if lead >= rule.margin else 0
    since = slot.since if same and slot.days and days and slot.since else standing.day
    pending = slot._replace(challenger=leader, days=days, since=since)
    if days < rule.confirm or (standing.day - since).days < rule.span_days:
        return pending, [*events, _event("PENDING", pending, leader, contest, standing, rule)]
    flip = _event("FLIP", pending, leader, contest, standing, rule)
    return _handed_over(pending, flip), [*events, flip]


def _handed_over(slot: Slot, flip: Event) -> Slot:
    """The slot with its new incumbent."""
    return slot._replace(
        incumbent=flip.entity,
        challenger=None,
        since=None,
        days=0,
        epoch=slot.epoch + 1,
        previous=slot.incumbent,
        flipped_on=flip.day,
        told=flip.alert_id,
    )


def _judge_flapping(
    slot: Slot, events: list[Event], contest: Contest, standing: Standing, rule: Rule
) -> tuple[Slot, list[Event]]:
    """Say once that a slot is contested, and once that it is settled; in between nobody is told of its flips.

    Of a contest against a line or a number only who won is told: the flip that was not told while it was contested.
    """
    score = flap_score(slot.recent)
    if not slot.flapping and score >= FLAPPING:
        slot = slot._replace(flapping=True, changes=slot.recent.count("1"), contests=slot.contests + 1)
        slot, untold = _muted(slot, events)
        return slot, [*untold, _event("CONTESTED", slot, slot.ahead or slot.incumbent, contest, standing, rule)]
    if slot.flapping and score <= CALM and slot.ahead == slot.incumbent:
        kind: Kind = "FLIP" if contest.told is not None else "SETTLED"
        event = _event(kind, slot, slot.incumbent, contest, standing, rule)
        calm = slot._replace(flapping=False, changes=0)
        if kind == "SETTLED":
            return calm, [*events, event]
        nothing_new = slot.told or not slot.epoch  # said before, or as it was when it was first seen
        return (calm, events) if nothing_new else (calm._replace(told=event.alert_id), [*events, event])
    return slot, events


def flap_score(recent: str) -> float:
    """Share of the last days that changed the leader, the newest weighing 1.2 and the oldest 0.8 (after Nagios)."""
    step_ = 0.4 / (WINDOW - 1)
    return sum(1.2 - step_ * age for age, flag in enumerate(reversed(recent)) if flag == "1") / WINDOW


def margin_between(leader: float, rival: float) -> float:
    """(leader - rival) / leader; 0 when the leader has nothing."""
    return (leader - rival) / leader if leader > 0 else 0.0


def _event(kind: Kind, slot: Slot, entity: str, contest: Contest, standing: Standing, rule: Rule) -> Event:
    rival = contest.other(entity, slot.incumbent)
    value, rival_value = contest.value(entity), contest.value(rival)
    flipped = kind in ("PENDING", "DROPPED", "FLIP")
    settling = slot.flipped_on is not None and (standing.day - slot.flipped_on).days <= rule.settle_days
    return Event(
        kind=kind,
        alert_id=alert_id(rule.name, rule.board, contest.key, *_count(slot, kind, entity)),
        rule=rule.name,
        board=rule.board,
        slot=contest.key,
        entity=entity,
        rival=rival,
        since=slot.since if flipped and slot.since else standing.day,
        day=standing.day,
        value=value,
        rival_value=rival_value,
        margin=margin_between(value, rival_value),
        snapshot_id=standing.snapshot_id,
        reverts=slot.told if kind == "FLIP" and settling and entity == slot.previous else "",
        changes=0 if flipped else slot.changes,
    )


def _count(slot: Slot, kind: Kind, entity: str) -> tuple[int, str]:
    """What tells an event of a slot from all others: the how-manieth of what."""
    if kind in ("CONTESTED", "SETTLED"):
        return slot.contests, kind
    return slot.epoch + 1, entity


def _named(event: Event, contest: Contest, standing: Standing) -> Event:
    """The event with an entity in the place of a line: who stands just across it, or whom it is drawn by."""
    if LINE not in (event.entity, event.rival):
        return event
    if contest.beyond:
        first = standing.values[contest.beyond]
        return replace(event, rival=contest.beyond, rival_value=first, margin=margin_between(first, event.value))
    who, line = (event.rival, event.value) if event.entity == LINE else (event.entity, event.rival_value)
    across = next((name for name, value in standing.values.items() if value == line and name != who), "")
    mine = standing.values.get(who, 0.0)
    return replace(event, entity=who, rival=across, value=mine, rival_value=line, margin=abs(event.margin))


def trouble(slot: Slot | None, last_complete: date | None, today: date, rule: Rule) -> tuple[Slot, Event | None]:
    """A source_trouble rule's look at a day: told once when no complete snapshot came for `after_days`.

    Args:
        slot: what is known; None at the first look.
        last_complete: day of the board's last complete snapshot; None when there is none yet.
        today: the day of this look.
        rule: whose.
    """
    slot = slot or Slot(incumbent="source", last_day=today)
    since = last_complete or slot.last_day
    if (today - since).days < rule.after_days:
        return slot._replace(since=None, last_day=since), None
    if slot.since == since:
        return slot, None
    after = slot._replace(since=since, epoch=slot.epoch + 1, last_day=since)
    event = Event(
        kind="FLIP",
        alert_id=alert_id(rule.name, rule.board, "source", after.epoch, since.isoformat()),
        rule=rule.name,
        board=rule.board,
        slot="source",
        entity="source",
        rival="",
        since=since,
        day=today,
        value=float((today - since).days),
        rival_value=float(rule.after_days),
        margin=0.0,
        snapshot_id=0,
    )
    return after, event


def alert_id(rule: str, board: str, slot: str, epoch: int, entity: str) -> str:
    """Short, and the same whenever the same event is found again."""
    return hashlib.sha256(f"{rule}\n{board}\n{slot}\n{epoch}\n{entity}".encode()).hexdigest()[:10]


_DATES = ("last_day", "since", "flipped_on")


def dump(slots: Mapping[str, Slot]) -> dict[str, dict[str, Any]]:
    """A rule's slots as plain data for JSON; what is nothing, as most of it mostly is, is left out."""
    return {key: _plain(slot) for key, slot in slots.items()}


def _plain(slot: Slot) -> dict[str, Any]:
    known = {name: value for name in Slot._fields if (value := getattr(slot, name))}
    return known | {name: known[name].isoformat() for name in _DATES if name in known}


def load(data: Mapping[str, Mapping[str, Any]]) -> dict[str, Slot]:
    """A rule's slots from plain data, as `dump` wrote it."""
    return {key: _rich(slot) for key, slot in data.items()}


def _rich(slot: Mapping[str, Any]) -> Slot:
    days = {name: date.fromisoformat(slot[name]) for name in _DATES if slot.get(name)}
    return Slot(**{**slot, **days})
