"""Detect: standings -> flips -> rules -> alerts and outbox, all in one transaction.

    standings of the days not yet judged
        | engine.step, day by day, from the state of the day before             (pure)
        | held against the flips: true of the models, or of the list only?
        | held against what was said before: new, the same, or wrong            jobs.reconcile, pure
    rule states, alerts
        | folded: a model's flip inside its family's inside its country's is one message
        | too many from one snapshot: one "mass change", the rest held          jobs.tell
    outbox

A second look at a day that was judged, or a day that arrives late, is judged again from the day before: what follows
then replaces what followed before. What nobody was told is forgotten; who was told something that turned out wrong gets
one correction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from alerts import engine
from alerts.contests import LEAD
from alerts.engine import Event
from alerts.message import title
from alerts.rules import Rule
from jobs import tell
from jobs.rank import Summary as Ranked
from jobs.rank import run as rank
from jobs.reconcile import Reconciled, reconcile
from warehouse import explain
from warehouse.boards import Board
from warehouse.db import Database
from warehouse.ledger import Judged, Ledger
from warehouse.records import Alert, KnownAlert
from warehouse.registry import Registry

BEGINNING = date.min

_KINDS = {"CONTESTED": "contested", "SETTLED": "settled"}


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
    held: int = 0
    """Alerts held back because one snapshot brought too many."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What one rule has to judge."""

    rule: Rule
    start: date
    quiet_until: date
    """Days up to this one were judged by an earlier version of the rule; what follows from them is not news."""


def run(
    db: Database,
    boards: Sequence[Board],
    rules: Sequence[Rule],
    registry: Registry,
    *,
    now: datetime,
    breaker: int = tell.BREAKER,
) -> Summary:
    """Judge every day that the rules have not judged, and queue what they say."""
    with db.transaction():
        ranked = rank(db, boards, registry)
        ledger = Ledger(db)
        ledger.retire_rules([rule.name for rule in rules])
        days = 0
        fresh: list[tell.Fresh] = []
        for work in _to_judge(ledger, rules):
            judged, new = _judge(ledger, work, now)
            days += judged
            fresh += new
        fresh += _watch_sources(ledger, rules, now)
        told = tell.run(db, fresh, {rule.name: rule for rule in rules}, {b.name: b for b in boards}, now, breaker)
        return Summary(ranked, days, told.titles, ledger.count_pending(), told.held)


def _to_judge(ledger: Ledger, rules: Sequence[Rule]) -> list[_Work]:
    """The rules that have something to judge, and from which day on."""
    judged, ranked = ledger.judged_days(), ledger.ranked_days()
    found = (
        _first_unjudged(rule, judged.get((rule.name, rule.board), {}), ranked.get(rule.board, {})) for rule in rules
    )
    return [work for work in found if work is not None]


def _first_unjudged(rule: Rule, judged: Judged, ranked: Mapping[date, int]) -> _Work | None:
    """From the first day judged by another snapshot, by another version of the rule, or not at all."""
    if rule.when == "source_trouble":
        return None
    changed = any(fingerprint != rule.fingerprint for _, fingerprint in judged.values())
    if changed:
        return _Work(rule, BEGINNING, max(judged))
    differing = [day for day in judged.keys() | ranked.keys() if judged.get(day) != _wanted(rule, ranked, day)]
    return _Work(rule, min(differing), BEGINNING) if differing else None


def _wanted(rule: Rule, ranked: Mapping[date, int], day: date) -> tuple[int, str] | None:
    return (ranked[day], rule.fingerprint) if day in ranked else None


def _judge(ledger: Ledger, work: _Work, now: datetime) -> tuple[int, list[tell.Fresh]]:
    """Bring one rule up to date: days judged, and the alerts that are new."""
    rule = work.rule
    known = ledger.alerts_since(rule.name, work.start)
    slots = engine.load(ledger.state_before(rule.name, rule.board, work.start))
    ledger.forget_states(rule.name, work.start)
    days, events = _fold(ledger, rule, slots, work.start)
    outcome = reconcile(known, events, quiet_until=work.quiet_until)
    held = {alert.alert_id for alert in known if alert.state == "held" and alert.why == tell.MASS_CHANGE}
    fresh = [_write(ledger, rule, event, now) for event in outcome.events if event.alert_id not in held]
    told = {alert.alert_id for alert in known if alert.told}
    ledger.unqueue(i.alert.alert_id for i in fresh if i.alert.state != "firing" and i.alert.alert_id not in told)
    new = [item for item in fresh if item.alert.alert_id in outcome.new]
    return days, new + _take_back(ledger, rule, outcome, known, now)


def _fold(ledger: Ledger, rule: Rule, slots: dict[str, engine.Slot], start: date) -> tuple[int, list[Event]]:
    """Step through the days from `start` on; the state after each is written."""
    standings = ledger.standings_since(rule.board, start, {*rule.between, *_names(slots)})
    state: engine.State = {rule.name: slots}
    states, events = [], []
    for standing in standings:
        state, found = engine.step(state, standing, [rule])
        states.append((standing.day, standing.snapshot_id, engine.dump(state[rule.name])))
        events += found
    ledger.write_states(rule.name, rule.board, rule.fingerprint, states)
    return len(standings), events


def _names(slots: Mapping[str, engine.Slot]) -> set[str]:
    """Every entity that some slot knows, however far down it has fallen."""
    held = {name for slot in slots.values() for name in (slot.incumbent, slot.challenger) if name}
    return held | {name for key in slots if key != LEAD for name in key.split("\n")}


def _write(ledger: Ledger, rule: Rule, event: Event, now: datetime) -> tell.Fresh:
    """Write what an event says; a flip that the models do not bear out is held."""
    alert = _alert(ledger, rule, event)
    ledger.write_alert(alert, slot=event.slot, now=now)
    if alert.confirmed_day is not None and alert.kind == rule.when:
        ledger.supersede(rule.name, event.slot, alert.alert_id, alert.confirmed_day)
    return tell.Fresh(alert, rule)


def _alert(ledger: Ledger, rule: Rule, event: Event) -> Alert:
    kind = _KINDS.get(event.kind, rule.when)
    flip = ledger.last_pair_flip(rule.board, event.entity, event.rival, event.since)
    # A contest is about many flips, and a line or a number has no models behind it.
    flip_id, verdict, holds = flip if flip and kind in ("lead_change", "overtake") else ("", "", None)
    pending = event.kind == "PENDING"
    return Alert(
        alert_id=event.alert_id,
        rule=rule.name,
        board=rule.board,
        kind=kind,
        entity=event.entity,
        rival=event.rival,
        state="pending" if pending else "held" if holds is False else "firing",
        day=event.since,
        confirmed_day=None if pending else event.day,
        title=title(kind, event.entity, event.rival, rule.board),
        value=event.value,
        rival_value=event.rival_value,
        margin=event.margin,
        definition="",
        snapshot_id=event.snapshot_id,
        quality=ledger.quality(event.snapshot_id),
        why=_why(ledger, flip_id, verdict, holds) if not pending else verdict,
        confirm=rule.confirm,
        changes=event.changes,
        thread_of=event.reverts,
    )


def _why(ledger: Ledger, flip_id: str, verdict: str, holds: bool | None) -> str:
    """What the flip is worth and what moved, in one line; only the verdict where the models are not known."""
    if holds is None:
        return verdict
    return f"{verdict}; {explain.one_line(explain.of_flip(ledger.db, flip_id))}"


def _take_back(
    ledger: Ledger, rule: Rule, outcome: Reconciled, known: Iterable[KnownAlert], now: datetime
) -> list[tell.Fresh]:
    """Forget what nobody was told; correct, once, what somebody was told and what is no longer so."""
    ledger.forget_alerts(outcome.forgotten)
    ledger.set_state([alert.alert_id for alert in outcome.wrong], "reverted")
    corrections = []
    for wrong in outcome.wrong:
        correction = tell.correction(ledger.alert(wrong.alert_id))
        if correction.alert_id not in {alert.alert_id for alert in known}:
            ledger.write_alert(correction, slot=wrong.slot, now=now)
            corrections.append(tell.Fresh(correction, rule))
    return corrections


def _watch_sources(ledger: Ledger, rules: Iterable[Rule], now: datetime) -> list[tell.Fresh]:
    """The rules that want to know when no complete snapshot comes."""
    ranked = ledger.ranked_days()
    fresh = []
    for rule in rules:
        if rule.when == "source_trouble":
            fresh += _watch_source(ledger, rule, max(ranked.get(rule.board, {}), default=None), now)
    return fresh


def _watch_source(ledger: Ledger, rule: Rule, last_complete: date | None, now: datetime) -> list[tell.Fresh]:
    slots = engine.load(ledger.state_before(rule.name, rule.board, date.max))
    slot, event = engine.trouble(slots.get("source"), last_complete, now.date(), rule)
    ledger.forget_states(rule.name, BEGINNING)
    ledger.write_states(rule.name, rule.board, rule.fingerprint, [(now.date(), 0, engine.dump({"source": slot}))])
    if slot.since is None:
        ledger.end_trouble(rule.name)
    if event is None:
        return []
    alert = tell.trouble(rule, event, ledger.last_trouble())
    ledger.write_alert(alert, slot=event.slot, now=now)
    return [tell.Fresh(alert, rule)]
