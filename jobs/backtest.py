"""Backtest: what rules would have said over stored history; pure, but for `borne_out`. It has nothing to send with."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from typing import NamedTuple

from alerts import engine
from alerts.contests import first_places
from alerts.engine import Event
from alerts.rules import Rule
from warehouse import worth
from warehouse.ledger import Ledger
from warehouse.records import Standing

Holds = Callable[[Event], bool | None]
"""Whether the models bear a flip out; None where they are not known."""

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


def run(standings: Sequence[Standing], rules: Sequence[Rule], holds: Holds = lambda _: None) -> list[Told]:
    """What the rules would have said about these standings (oldest first, any boards), in order."""
    state: engine.State = {}
    found: list[Told] = []
    named = {rule.name: rule for rule in rules}
    said: dict[tuple[str, str], str] = {}
    for index, standing in enumerate(standings):
        state, events = engine.step(state, standing, rules)
        for event in events:
            if event.kind not in ("PENDING", "DROPPED"):
                rule = named[event.rule]
                held = rule.is_race and _held(event, holds, said)
                found.append(_told(event, rule, standings, index, held=held))
    return found


def _held(event: Event, holds: Holds, said: dict[tuple[str, str], str]) -> bool:
    """Whether a flip would not be told: the models do not bear it out, or nobody was told that its winner had lost.

    `said` is who leads each slot by what was told; it is brought up to date.
    """
    slot = (event.rule, event.slot)
    if event.kind == "CONTESTED":
        return holds(event) is False
    leader = said.setdefault(slot, event.rival if event.kind == "FLIP" else event.entity)
    held = event.kind == "FLIP" and (holds(event) is False or leader == event.entity)
    if not held:
        said[slot] = event.entity
    return held


def borne_out(ledger: Ledger) -> Holds:
    """Whether the models bear a flip out, as detection judges it. Each is asked for once: a sweep meets it often."""
    known = cache(partial(worth.of_pair, ledger.db))
    return lambda event: known(event.board, event.entity, event.rival, event.since)[1]


def sweep(
    standings: Sequence[Standing],
    rule: Rule,
    holds: Holds = lambda _: None,
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


def _told(event: Event, rule: Rule, standings: Sequence[Standing], index: int, *, held: bool) -> Told:
    first = _first_lead(event, rule, standings[: index + 1])
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
        lost_after_days=_lost_after(event, rule, standings[index + 1 :]),
    )


def _edge(event: Event, rule: Rule, standing: Standing) -> float | None:
    """How far what was told is so on this day: below 0 it is not, at 0 it is a tie. None where that cannot be seen."""
    values, entity = standing.values, event.entity
    if standing.board != event.board or entity not in values.keys() | standing.gone:
        return None
    if rule.when in ("enters_top", "leaves_top"):
        inside = entity in first_places(standing, rule.top)
        return 1.0 if inside == (rule.when == "enters_top") else -1.0
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
