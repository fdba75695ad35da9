"""Detect: standings -> flips -> rules -> alerts and outbox, all in one transaction.

    standings of the days not yet judged
        | engine.step, day by day, from the state of the day before     (pure)
        | told apart: flips the models bear out, and flips of the list  (panel)
    rule states, alerts, deliveries

A second look at a day that was judged, or a day that arrives late, is judged again from the day before: what follows
then replaces what followed before, and an alert that nobody was told of and that no longer follows is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from alerts import engine
from alerts.engine import Event
from alerts.message import title
from alerts.rules import Rule
from jobs.rank import Summary as Ranked
from jobs.rank import run as rank
from warehouse.boards import Board
from warehouse.db import Database
from warehouse.ledger import Ledger
from warehouse.records import Alert
from warehouse.registry import Registry


@dataclass(frozen=True, slots=True)
class Summary:
    """What a detection found."""

    ranked: Ranked
    days: int
    """Days judged, over all rules."""
    fired: tuple[str, ...]
    """Titles of the alerts queued."""
    pending: int
    """Alerts about to fire."""


def run(db: Database, boards: Sequence[Board], rules: Sequence[Rule], registry: Registry, *, now: datetime) -> Summary:
    """Judge every day that the rules have not judged, and queue what they say."""
    with db.transaction():
        ranked = rank(db, boards, registry)
        ledger = Ledger(db)
        ledger.retire_rules([rule.name for rule in rules])
        judged = [_judge(ledger, rule, now) for rule in rules]
        pending = sum(len(ledger.pending_alerts(rule.name)) for rule in rules)
    fired = tuple(alert.title for _, alerts in judged for alert in alerts)
    return Summary(ranked, sum(days for days, _ in judged), fired, pending)


def _judge(ledger: Ledger, rule: Rule, now: datetime) -> tuple[int, list[Alert]]:
    """Bring one rule up to date: days judged, alerts that are new."""
    start = _first_unjudged(ledger, rule)
    if start is None:
        return 0, []
    before = ledger.alerts_since(rule.name, start)
    state = engine.load(ledger.state_before(rule.name, rule.board, start))
    ledger.forget_states(rule.name, start)
    days, events = _fold(ledger, rule, state, start)
    alerts = {slot_alert[1].alert_id: slot_alert for slot_alert in _outcome(ledger, rule, events)}
    ledger.withdraw(before.keys() - alerts.keys())
    for slot, alert in alerts.values():
        _write(ledger, rule, slot, alert, now)
    new = [alert for _, alert in alerts.values() if alert.state == "firing" and before.get(alert.alert_id) != "firing"]
    return days, new


def _first_unjudged(ledger: Ledger, rule: Rule) -> date | None:
    """The first day that was judged by another snapshot, by another version of the rule, or not at all."""
    judged = ledger.judged_days(rule.name, rule.board)
    wanted = {day: (snapshot, rule.fingerprint) for day, snapshot in ledger.ranked_days(rule.board).items()}
    return min((day for day in judged.keys() | wanted.keys() if judged.get(day) != wanted.get(day)), default=None)


def _fold(ledger: Ledger, rule: Rule, slots: dict[str, engine.Slot], start: date) -> tuple[int, list[Event]]:
    """Step through the days from `start` on; the state after each is written."""
    watched = {*rule.between, *_named(slots.values())}
    standings = ledger.standings_since(rule.board, start, watched)
    state: engine.State = {rule.name: slots}
    states, events = [], []
    for standing in standings:
        state, found = engine.step(state, standing, [rule])
        states.append((standing.day, standing.snapshot_id, engine.dump(state[rule.name])))
        events += found
    ledger.write_states(rule.name, rule.board, rule.fingerprint, states)
    return len(standings), events


def _named(slots: Iterable[engine.Slot]) -> set[str]:
    return {name for slot in slots for name in (slot.incumbent, slot.challenger) if name}


def _outcome(ledger: Ledger, rule: Rule, events: Iterable[Event]) -> Iterable[tuple[str, Alert]]:
    """What is left of the events: alerts that fired, and those still pending at the end, each with its slot."""
    last: dict[str, Event] = {}
    for event in events:
        if event.kind == "DROPPED":
            last.pop(event.alert_id, None)
        else:
            last[event.alert_id] = event
    return [(event.slot, _alert(ledger, rule, event)) for event in last.values()]


def _alert(ledger: Ledger, rule: Rule, event: Event) -> Alert:
    fired = event.kind == "FLIP"
    flip = ledger.last_pair_flip(rule.board, event.entity, event.rival, event.since)
    verdict, holds = (flip[1], flip[2]) if flip else ("", None)
    return Alert(
        alert_id=event.alert_id,
        rule=rule.name,
        board=rule.board,
        kind=rule.when,
        entity=event.entity,
        rival=event.rival,
        state=("held" if holds is False else "firing") if fired else "pending",
        day=event.since,
        confirmed_day=event.day if fired else None,
        title=title(rule.when, event.entity, event.rival, rule.board),
        value=event.value,
        rival_value=event.rival_value,
        margin=event.margin,
        definition="",
        snapshot_id=event.snapshot_id,
        quality=ledger.quality(event.snapshot_id),
        why=verdict,
        confirm=rule.confirm,
    )


def _write(ledger: Ledger, rule: Rule, slot: str, alert: Alert, now: datetime) -> None:
    ledger.write_alert(alert, slot=slot, now=now)
    if alert.confirmed_day is None:
        return
    ledger.supersede(rule.name, slot, alert.alert_id, alert.confirmed_day)
    if alert.state == "firing":
        for channel in rule.channels:
            ledger.queue(alert.alert_id, channel, now)
