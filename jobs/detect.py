"""Detect: standings -> flips -> rules -> alerts and outbox, all in one transaction.

    standings of the days not yet judged
        | engine.step, day by day, from the state of the day before             (pure)
        | held against the flips: true of the models, or of the list only?
        | held against what was said before: new, the same, or wrong            jobs.telling.reconcile, pure
    rule states, alerts
        | folded: a model's flip inside its family's inside its country's is one message
        | too many from one snapshot: one "mass change", the rest held          jobs.telling.tell
    outbox

A second look at a day that was judged, or a day that arrives late, is judged again from the day before: what follows
then replaces what followed before. What nobody was told is forgotten; who was told something that turned out wrong gets
one correction. When a rule is another, or its board counts otherwise (a family gained a publisher), all its days are
judged again, and nothing of the past is news: that is no event of the market.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from alerts import engine
from alerts.contests import LEAD, LINE, crossing_of, pair_of
from alerts.engine import Event
from alerts.message import title
from alerts.names import spoken
from alerts.rules import Rule
from jobs.rank import Summary as Ranked
from jobs.rank import run as rank
from jobs.telling import naming, tell
from jobs.telling.book import Book
from jobs.telling.reconcile import CONTESTS, SAME_STORY, Past, reconcile
from warehouse.changes.panel import LIST_GROWTH, UNCOUNTED
from warehouse.changes.worth import UNKNOWN, Worth
from warehouse.db import Database
from warehouse.ranking.boards import Board
from warehouse.records import Alert, KnownAlert, Standing
from warehouse.registry import Registry
from warehouse.state.ledger import Ledger, RuleState, SlotAlert, Unjudged

BEGINNING = date.min

UNTOLD = "held: it takes back a lead that nobody was told of"
"""Why a flip is held that brings back who was never said to have lost."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a detection found."""

    ranked: Ranked
    days: int
    """Days judged, by whichever rule."""
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
    fingerprint: str
    start: date
    past: Past


@dataclass(frozen=True, slots=True)
class _Judged:
    """What came of it."""

    work: _Work
    states: Sequence[RuleState]
    events: Sequence[Event]
    slots: Mapping[str, engine.Slot]
    """After the last day."""


def run(
    db: Database,
    boards: Sequence[Board],
    rules: Sequence[Rule],
    registry: Registry,
    *,
    now: datetime,
    breaker: int = tell.BREAKER,
    channels: Collection[str] | None = None,
) -> Summary:
    """Judge every day that the rules have not judged, and queue what they say.

    Args:
        db: the warehouse.
        boards: what is ranked.
        rules: what somebody wants told.
        registry: who belongs to whom.
        now: the time.
        breaker: how many alerts of one snapshot are told one by one.
        channels: the names of those that are configured; None: any. A correction goes to no other.
    """
    with db.transaction():
        ranked = rank(db, boards, registry)
        rules = naming.run(db, rules, boards, registry)
        ledger = Ledger(db)
        ledger.retire_rules([rule.name for rule in rules])
        judged = _judge(ledger, rules, now.date())
        fresh = _settle_all(ledger, judged, {board.name: board.entity for board in boards}, now)
        fresh += _watch_sources(ledger, rules, now)
        named = {rule.name: rule for rule in rules}
        told = tell.run(db, fresh, named, {b.name: b for b in boards}, now, breaker, channels)
        days = len({state.day for one in judged for state in one.states})
        return Summary(ranked, days, told.titles, ledger.count_pending(), told.held)


def _judge(ledger: Ledger, rules: Iterable[Rule], today: date) -> list[_Judged]:
    """Step every rule through the days it has to judge; the states after each are written."""
    watching = {rule.name: rule for rule in rules if rule.when != "source_trouble"}
    prints = {name: rule.fingerprint for name, rule in watching.items()}
    unjudged = ledger.unjudged([(name, rule.board, prints[name]) for name, rule in watching.items()])
    starts = {name: BEGINNING if found.other else found.start or BEGINNING for name, found in unjudged.items()}
    if not starts:
        return []
    with ledger.judging((name, watching[name].board, start) for name, start in starts.items()):
        known = ledger.known_alerts()
        slots = {name: engine.load(state) for name, state in ledger.states_before().items()}
        ledger.forget_states()
    pasts = {name: _past(unjudged[name], known.get(name, []), today) for name in starts}
    works = [_Work(watching[name], prints[name], start, pasts[name]) for name, start in starts.items()]
    judged = list(_fold(ledger, works, slots))
    ledger.write_states([state for one in judged for state in one.states])
    return judged


def _past(unjudged: Unjudged, known: Sequence[KnownAlert], today: date) -> Past:
    """What is news: all that a new rule finds, of late data what is not long past, of another rule only what comes."""
    if unjudged.last is None:
        return Past(known)
    # A day of the future was judged by a clock that was wrong.
    last = min(unjudged.last, today)
    return Past(known, (), last if unjudged.other else last - SAME_STORY, unjudged.other)


def _fold(ledger: Ledger, works: Iterable[_Work], known: Mapping[str, dict[str, engine.Slot]]) -> Iterator[_Judged]:
    """Step the rules through their days, some boards at a time: of a long history one board's days are held."""
    by_board: dict[str, list[_Work]] = defaultdict(list)
    for work in works:
        by_board[work.rule.board].append(work)
    starts = {board: min(work.start for work in here) for board, here in sorted(by_board.items())}
    for boards in ledger.boards_at_once(starts):
        here = [work for board in boards for work in by_board[board]]
        watched = [
            (work.rule.board, name)
            for work in here
            for name in (*work.rule.between, *_names(known.get(work.rule.name, {})))
        ]
        first = max(work.rule.places for work in here)
        standings = ledger.days_of_boards({board: starts[board] for board in boards}, watched, first=first)
        for work in here:
            days = [day for day in standings[work.rule.board] if day.day >= work.start]
            yield _step(work, known.get(work.rule.name, {}), days)


def _step(work: _Work, slots: Mapping[str, engine.Slot], standings: Iterable[Standing]) -> _Judged:
    """Step one rule through its days (pure)."""
    rule = work.rule
    state: engine.State = {rule.name: slots}
    states, events = [], []
    for day in standings:
        state, found = engine.step(state, day, [rule])
        plain = engine.dump(state[rule.name])
        states.append(RuleState(rule.name, rule.board, day.day, day.snapshot_id, work.fingerprint, plain))
        events += found
    return _Judged(work, states, events, state[rule.name])


def _names(slots: Mapping[str, engine.Slot]) -> set[str]:
    """Every entity that some slot knows, however far down it has fallen."""
    held = {name for slot in slots.values() for name in (slot.incumbent, slot.challenger) if name}
    return held | {name for key in slots if key != LEAD for name in key.split("\n")}


def _settle_all(ledger: Ledger, judged: Sequence[_Judged], kinds: Mapping[str, str], now: datetime) -> list[tell.Fresh]:
    """Hold what follows against what was said, and write it; the alerts that are news."""
    said = [one for one in judged if one.events or one.work.past.known]
    if not said:
        return []
    rules = [one.work.rule.name for one in said]
    races = {one.work.rule.name for one in said if one.work.rule.is_race}
    crossings = [
        crossing_of(one.work.rule, event)
        for one in said
        for event in one.events
        if not one.work.rule.is_race and event.kind == "FLIP"  # what is pending is asked about when it is to be told
    ]
    events = [event for one in said for event in one.events]
    book = Book(ledger, rules, events, kinds, now, races=races, crossings=crossings)
    fresh = [item for one in said for item in _settle(book, one)]
    book.write()
    ledger.supersede(rules)
    return fresh


def _settle(book: Book, judged: _Judged) -> list[tell.Fresh]:
    """Hold what one rule says against what was said; the alerts that are news."""
    rule, past = judged.work.rule, judged.work.past
    challengers = {key: _about_to_be_told(rule, key, slot) for key, slot in judged.slots.items()}
    outcome = reconcile(replace(past, taken=book.taken[rule.name]), judged.events, challengers)
    book.forget(outcome.forgotten)
    fresh = [_take_back(book, rule, wrong, tell.NO_LONGER) for wrong in outcome.wrong]
    known = {alert.alert_id: alert for alert in past.known}
    unwritten = [event.alert_id for event in outcome.events]
    for event in outcome.events:
        before = known.get(event.alert_id)
        if before is not None and before.state == "held" and before.why == tell.MASS_CHANGE:
            unwritten.remove(event.alert_id)
            continue
        told = before is not None and before.told
        alert = _alert(book, rule, event, unwritten, before)
        unwritten.remove(event.alert_id)
        if before is not None and told and alert.state == "held":
            # Told, and known by now to be true of the list, or of the counts that are there, only.
            fresh += [] if before.correction else [_take_back(book, rule, before, tell.NOT_BORNE_OUT[alert.why])]
            continue
        if alert.state != "firing" and before is not None:
            book.unqueue(alert.alert_id)
        book.put(alert, event.slot)
        if event.alert_id in outcome.new:
            fresh.append(tell.Fresh(alert, rule))
    return fresh


def _about_to_be_told(rule: Rule, key: str, slot: engine.Slot) -> str | None:
    """Of whom a slot is about to tell: the challenger, or who falls out of the top when the line below challenges."""
    if rule.when != "leaves_top":
        return slot.challenger
    return key if slot.challenger == LINE else None


def _alert(book: Book, rule: Rule, event: Event, unwritten: Sequence[str], before: KnownAlert | None) -> Alert:
    kind = CONTESTS.get(event.kind, rule.when)
    pending = event.kind == "PENDING"
    why, holds = _worth(book, rule, event, before)
    # What is yet to be written anew may stand there as it was before.
    known = rule.is_race and not pending
    story = book.story(rule.name, event.slot, event.day, without=unwritten) if known else []
    doubt = why if holds is False and event.kind in ("FLIP", "CONTESTED") else ""
    # What was told already takes back nothing that nobody was told of, whatever the story has become since.
    held = doubt if before is not None and before.told else _held(event, story, doubt)
    ranks = book.kinds.get(rule.board, "")
    names = (spoken(ranks, event.entity), spoken(ranks, event.rival))
    return Alert(
        alert_id=event.alert_id,
        rule=rule.name,
        board=rule.board,
        kind=kind,
        entity=event.entity,
        rival=event.rival,
        state="pending" if pending else "held" if held else "firing",
        day=event.since,
        confirmed_day=None if pending else event.day,
        title=title(kind, *names, rule.board, number=_number(kind, event, rule), pair=rule.when == "overtake"),
        value=event.value,
        rival_value=event.rival_value,
        margin=event.margin,
        definition="",
        snapshot_id=event.snapshot_id,
        quality=book.quality.get(event.snapshot_id, ""),
        why=held or why,
        confirm=rule.confirm,
        changes=event.changes,
        pair=rule.when == "overtake" and event.kind in CONTESTS,
        thread_of=_thread(event, story),
        entity_kind=ranks,
    )


def _worth(book: Book, rule: Rule, event: Event, before: KnownAlert | None) -> Worth:
    """What the models say of an event.

    Where they say nothing, what was held stays so: of the same day, or of one whose counts were given up.
    """
    if rule.is_race:
        worth = book.worth.get(pair_of(event), UNKNOWN)
    else:
        worth = book.crossed.get(crossing_of(rule, event), UNKNOWN)
    if worth is not UNKNOWN or before is None or before.why not in (LIST_GROWTH, UNCOUNTED):
        return worth
    return (before.why, False) if before.day == event.since or event.since <= book.given_up else UNKNOWN


def _number(kind: str, event: Event, rule: Rule) -> float | None:
    """What is counted in the headline."""
    if kind in CONTESTS.values():
        return event.changes
    return event.rival_value if kind == "milestone" else rule.line


def _held(event: Event, story: Sequence[SlotAlert], doubt: str) -> str:
    """Why a confirmed alert is not told: the models do not bear it out, or it takes back what nobody was told."""
    if event.kind == "SETTLED":
        contest = next((past for past in reversed(story) if past.kind == "contested"), None)
        return contest.why if contest is not None and contest.state == "held" else ""
    said = [past.entity for past in story if past.state != "held" and past.kind != "contested"]
    first = [past.rival for past in story if past.kind not in CONTESTS.values()]
    leader = next(iter(said[-1:] or first), None)
    if event.kind != "FLIP" or doubt or leader != event.entity:
        return doubt
    return tell.MASS_CHANGE if story[-1].why == tell.MASS_CHANGE else UNTOLD


def _thread(event: Event, story: Sequence[SlotAlert]) -> str:
    """The alert that this one continues: of a lead that did not last, what told it."""
    last = next((past for past in reversed(story) if past.kind != "contested"), None)
    if not event.reverts or last is None or last.entity != event.rival or last.state == "held":
        return ""
    return last.alert_id


def _take_back(book: Book, rule: Rule, wrong: KnownAlert, why: str) -> tell.Fresh:
    """Correct what somebody was told and what is no longer so."""
    book.ledger.set_state([wrong.alert_id], "reverted")
    said = book.ledger.alert(wrong.alert_id)
    if why == tell.NO_LONGER and (aside := book.ledger.why_set_aside(said.snapshot_id)):
        why = f"its snapshot was set aside ({aside})"
    correction = tell.correction(said, why)
    book.take_back(wrong.alert_id, correction.alert_id)
    book.put(correction, wrong.slot)
    return tell.Fresh(correction, rule)


def _watch_sources(ledger: Ledger, rules: Iterable[Rule], now: datetime) -> list[tell.Fresh]:
    """The rules that want to know when no complete snapshot comes."""
    last = ledger.last_ranked_days(now.date())
    watching = [rule for rule in rules if rule.when == "source_trouble"]
    return [item for rule in watching for item in _watch_source(ledger, rule, last.get(rule.board), now)]


def _watch_source(ledger: Ledger, rule: Rule, last_complete: date | None, now: datetime) -> list[tell.Fresh]:
    with ledger.judging([(rule.name, rule.board, date.max)]):
        slots = engine.load(ledger.states_before().get(rule.name, {}))
    slot, event = engine.trouble(slots.get("source"), last_complete, now.date(), rule)
    with ledger.judging([(rule.name, rule.board, BEGINNING)]):
        ledger.forget_states()
    plain = engine.dump({"source": slot})
    ledger.write_states([RuleState(rule.name, rule.board, now.date(), 0, rule.fingerprint, plain)])
    if slot.since is None:
        ledger.end_trouble(rule.name)
    if event is None:
        return []
    alert = tell.trouble(rule, event, ledger.last_trouble(last_complete or date.min))
    ledger.write_alert(alert, slot=event.slot, now=now)
    return [tell.Fresh(alert, rule)]
