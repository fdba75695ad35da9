"""Backtest: what rules would have said over stored history; pure, but for `borne_out`. It has nothing to send with."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import NamedTuple

from alerts import engine
from alerts.contests import crossing_of, first_places, pair_of
from alerts.engine import Event
from alerts.rules import Rule
from warehouse.changes import lines, worth
from warehouse.records import Crossing, Standing, line_behind
from warehouse.state.ledger import Ledger

Holds = Callable[[Sequence[tuple[Rule, Event]]], Sequence[bool | None]]
"""Of each that rules say, whether the models bear it out; None where they are not known."""

CONFIRMS = (1, 2, 3, 5, 7, 14)
MARGINS = (0.0, 0.01, 0.02, 0.05, 0.1)
"""What a sweep tries."""


@dataclass(frozen=True, slots=True)
class Told:
    """An alert that a rule would have sent, or held."""

    rule: str
    event: str
    """FLIP, CONTESTED or SETTLED."""
    entity: str
    rival: str
    first_lead: date
    """First day of the lead that was told, however small; of a stay in the top, out of it, or above a number."""
    day: date
    confirmed_day: date
    delay_days: int
    """From the first lead to the alert."""
    margin: float
    held: bool
    """Not sent: the models do not bear it out, or it takes back what was not sent."""
    lost_after_days: int | None
    """Days from the alert until the rival led again, or what was told was over; None: not within the history."""
    led_after_days: int | None = None
    """Of who came near the lead: days from the alert until it led; None: not within the history, or of another kind."""


class Outcome(NamedTuple):
    """How a rule did over a history: its price and its worth."""

    confirm: int
    margin: float
    alerts: int
    """Alerts sent."""
    reverted_30: int
    """Of them, lost again within 30 days."""
    reverted_90: int
    median_delay_days: float | None
    """From first lead to alert."""


def run(
    standings: Sequence[Standing], rules: Sequence[Rule], holds: Holds = lambda said: [None] * len(said)
) -> list[Told]:
    """What the rules would have said about these standings (oldest first, any boards), in order."""
    events = list(_events(standings, rules))
    borne = holds(events)
    leaders: dict[tuple[str, str], str] = {}
    near = list(_with_the_leader(standings)) if any(rule.when == "approaches" for rule in rules) else []
    return [
        _told(
            event,
            rule,
            near if rule.when == "approaches" else standings,
            held=_held(rule, event, leaders, doubtful=holding is False),
        )
        for (rule, event), holding in zip(events, borne, strict=True)
    ]


def _events(standings: Sequence[Standing], rules: Sequence[Rule]) -> Iterator[tuple[Rule, Event]]:
    """What the rules say."""
    state: engine.State = {}
    named = {rule.name: rule for rule in rules}
    for standing in standings:
        state, events = engine.step(state, standing, rules)
        for event in events:
            if event.kind not in ("PENDING", "DROPPED"):
                yield named[event.rule], event


def _with_the_leader(standings: Iterable[Standing]) -> Iterator[Standing]:
    """The days on which who led last was seen or had left; on others nobody is held against whoever leads."""
    led: dict[str, str] = {}
    for standing in standings:
        here = standing.values.keys() | standing.gone
        if standing.values and led.get(standing.board) in {None, *here}:
            led[standing.board] = first_places(standing, 1)[0]
            yield standing


def _held(rule: Rule, event: Event, leaders: dict[tuple[str, str], str], *, doubtful: bool) -> bool:
    """Whether it would not be told: the models do not bear it out, or nobody was told that a flip's winner had lost.

    `leaders` is who leads each slot by what was told; it is brought up to date.
    """
    if event.kind == "CONTESTED" or not rule.is_race:
        return doubtful
    slot = (event.rule, event.slot)
    leader = leaders.setdefault(slot, event.rival if event.kind == "FLIP" else event.entity)
    held = event.kind == "FLIP" and (doubtful or leader == event.entity)
    if not held:
        leaders[slot] = event.entity
    return held


def borne_out(ledger: Ledger) -> Holds:
    """Whether the models bear it out, as detection judges it. Each is asked for once: a sweep meets it often."""
    pairs: dict[worth.Pair, worth.Worth] = {}
    crossings: dict[Crossing, worth.Worth] = {}

    def holds(said: Sequence[tuple[Rule, Event]]) -> list[bool | None]:
        passed = {pair_of(event) for rule, event in said if rule.is_race} - pairs.keys()
        pairs.update(dict.fromkeys(passed, worth.UNKNOWN))
        pairs.update(worth.of_pairs(ledger.db, passed))
        crossed = {crossing_of(rule, event) for rule, event in said if not rule.is_race} - crossings.keys()
        crossings.update(dict.fromkeys(crossed, worth.UNKNOWN))
        crossings.update(lines.of_crossings(ledger.db, crossed))
        return [
            (pairs[pair_of(event)] if rule.is_race else crossings[crossing_of(rule, event)])[1] for rule, event in said
        ]

    return holds


def sweep(
    standings: Sequence[Standing],
    rule: Rule,
    holds: Holds = lambda said: [None] * len(said),
    *,
    confirms: Iterable[int] = CONFIRMS,
    margins: Sequence[float] = MARGINS,
) -> Iterator[Outcome]:
    """The rule under every pair of confirm and margin, so that one can choose."""
    for confirm in confirms:
        for margin in margins:
            tried = rule.model_copy(update={"confirm": confirm, "margin": margin})
            yield measure(run(standings, [tried], holds), confirm, margin)


def measure(told: Sequence[Told], confirm: int, margin: float) -> Outcome:
    """Count what a rule said: alerts sent, how many were lost again soon, how late they came."""
    sent = [alert for alert in told if not alert.held]
    lost = [alert.lost_after_days for alert in sent if alert.lost_after_days is not None]
    delays = [alert.delay_days for alert in sent if alert.event == "FLIP"]
    return Outcome(
        confirm,
        margin,
        len(sent),
        sum(days <= 30 for days in lost),
        sum(days <= 90 for days in lost),
        statistics.median(delays) if delays else None,
    )


def _told(event: Event, rule: Rule, standings: Sequence[Standing], *, held: bool) -> Told:
    after = bisect_right(standings, event.day, key=attrgetter("day"))
    first = _first_lead(event, rule, standings[:after])
    return Told(
        rule=event.rule,
        event=event.kind,
        entity=event.entity,
        rival=event.rival,
        first_lead=first,
        day=event.since,
        confirmed_day=event.day,
        delay_days=(event.day - first).days,
        margin=event.margin,
        held=held,
        lost_after_days=_lost_after(event, rule, standings[after:]),
        led_after_days=_led_after(event, standings[after:]) if rule.when == "approaches" else None,
    )


def _edge(event: Event, rule: Rule, standing: Standing) -> float | None:
    """How far what was told is so on this day: below 0 it is not, at 0 it is a tie. None where that cannot be seen."""
    values, entity = standing.values, event.entity
    if standing.board != event.board or entity not in values.keys() | standing.gone:
        return None
    if rule.when in ("enters_top", "leaves_top"):
        inside = entity in first_places(standing, rule.top)
        return 1.0 if inside == (rule.when == "enters_top") else -1.0
    if rule.when == "approaches":
        return 1.0 if values.get(entity, 0.0) >= line_behind(max(values.values()), rule.within) else -1.0
    if rule.when == "milestone":
        return 1.0 if values.get(entity, 0.0) >= event.rival_value else -1.0
    return values[entity] - values[event.rival] if {entity, event.rival} <= values.keys() else None


def _first_lead(event: Event, rule: Rule, until: Sequence[Standing]) -> date:
    """First day of the uninterrupted lead that ends in this event."""
    first = event.since
    for standing in reversed(until):
        edge = _edge(event, rule, standing)
        if edge is not None and edge <= 0:
            break
        first = standing.day if edge is not None else first
    return first


def _lost_after(event: Event, rule: Rule, after: Iterable[Standing]) -> int | None:
    """Days until the rival led again, or what was told was over."""
    edges = ((standing.day, _edge(event, rule, standing)) for standing in after)
    return next(((day - event.day).days for day, edge in edges if edge is not None and edge < 0), None)


def _led_after(event: Event, after: Iterable[Standing]) -> int | None:
    """Days until whom it was about led, and nobody beside it."""
    here = (standing for standing in after if standing.board == event.board and event.entity in standing.values)
    led = (s.day for s in here if sum(value >= s.values[event.entity] for value in s.values.values()) == 1)
    return next(((day - event.day).days for day in led), None)
