"""What a rule watches on a day, as contests between values with names (pure).

lead_change               all entities of the board
overtake                  two entities
approaches                an entity against the line: so far behind whoever leads
enters_top, leaves_top    an entity against the line: the best value outside the top, or the last one inside
milestone                 an entity against a number
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import TYPE_CHECKING

from alerts.rules import Rule
from warehouse.records import Crossing, Standing, line_behind

if TYPE_CHECKING:
    from alerts.engine import Event

LEAD = "lead"
"""The slot of a lead_change rule."""

LINE = "\nline"
"""The contender that stands for the line below the top places, or behind the leader; no entity can be called so."""

LEADER = "\nleader"
"""The slot of an approaches rule that is no contest: who led last; no entity can be called so."""


@dataclass(frozen=True, slots=True)
class Contest:
    """One slot on one day."""

    key: str
    values: Mapping[str, float]
    least: int = 2
    """How many contenders must be seen before the slot is known at all."""
    against: str | None = None
    """The contender that is no entity: a line or a milestone."""
    told: str | None = None
    """Whose victories are told; None: everybody's; empty: nobody's."""
    beyond: str = ""
    """Who leads, where the line is drawn behind the leader."""
    ahead_at_a_tie: str | None = None
    """Who a number is reached by; None: of equals who was ahead before stays ahead."""
    gone: frozenset[str] = frozenset()
    """Contenders that have left the Hub, and have nothing."""

    def value(self, name: str) -> float:
        """What a contender has; nothing when it has left."""
        return self.values.get(name, 0.0)

    def leader(self, incumbent: str | None) -> str | None:
        """Who has most; ties keep the incumbent. None where others share the first place: nobody leads then."""
        most = max(self.values.values())
        for name in (self.ahead_at_a_tie, incumbent):
            if name is not None and self.values.get(name) == most:
                return name
        first = [name for name, value in self.values.items() if value == most]
        return first[0] if len(first) == 1 else None

    def other(self, entity: str, incumbent: str) -> str:
        """Whom an event about `entity` is measured against: the incumbent, or who comes next when that is itself."""
        if entity != incumbent:
            return incumbent
        rest = [name for name in self.values if name != entity]
        return max(rest, key=lambda name: (self.values[name], name), default=incumbent)

    def is_frozen(self, incumbent: str, challenger: str | None) -> bool:
        """A contender that was not seen has not lost, unless it has left the Hub."""
        if self.key != LEAD:
            return len(self.values) < self.least
        here = self.values.keys() | self.gone
        return incumbent not in here or (challenger is not None and challenger not in here)

    def tells(self, kind: str, entity: str) -> bool:
        """Whether an event about `entity` is one that the rule asked for."""
        return self.told is None or (kind in ("PENDING", "DROPPED", "FLIP") and entity == self.told)


def contests(rule: Rule, standing: Standing, known: Iterable[str]) -> Iterator[Contest]:
    """The contests a rule watches on this day; those it knows already go on when their entities have left the top."""
    if rule.when == "lead_change":
        return iter([Contest(LEAD, standing.values, least=1, gone=standing.gone)])
    if rule.when == "overtake":
        return _pairs(rule, standing, known)
    if rule.when == "approaches":
        return _approaches(rule, standing, known)
    if rule.when == "milestone":
        return _milestones(rule, standing, known)
    return _lines(rule, standing, known)


def pair_of(event: Event) -> tuple[str, str, str, date]:
    """Who is ahead of whom by an event of a race, where, and from which day on."""
    return event.board, event.entity, event.rival, event.since


def crossing_of(rule: Rule, event: Event) -> Crossing:
    """Who is across a line or a number by an event of such a contest, and from which day on."""
    return crossing(rule, event.entity, event.since, event.rival_value)


def crossing(rule: Rule, entity: str, since: date, number: float) -> Crossing:
    """That somebody is across the line that a rule watches; `number` is that of a milestone."""
    if rule.when == "approaches":
        return Crossing(rule.board, entity, since, inward=True, within=rule.within)
    if rule.when == "milestone":
        return Crossing(rule.board, entity, since, inward=True, number=number)
    return Crossing(rule.board, entity, since, inward=rule.when == "enters_top", top=rule.top)


def pair_key(one: str, other: str) -> str:
    """The slot of a pair, whoever is named first."""
    return f"{one}\n{other}" if one < other else f"{other}\n{one}"


def first_places(standing: Standing, places: int) -> list[str]:
    """Who stands in the first places, best first."""
    return sorted(standing.values, key=lambda name: (-standing.values[name], name))[:places]


def _pairs(rule: Rule, standing: Standing, known: Iterable[str]) -> Iterator[Contest]:
    for key in dict.fromkeys([*known, *(pair_key(*pair) for pair in _watched_pairs(rule, standing))]):
        yield Contest(key, {name: standing.values[name] for name in key.split("\n") if name in standing.values})


def _watched_pairs(rule: Rule, standing: Standing) -> Iterable[tuple[str, str]]:
    if len(rule.between) == 2:
        return [(rule.between[0], rule.between[1])]
    first = first_places(standing, rule.places)
    if rule.between:
        return [(rule.between[0], other) for other in first if other != rule.between[0] and rule.between[0] in first]
    return combinations(first, 2)


def _approaches(rule: Rule, standing: Standing, known: Iterable[str]) -> Iterator[Contest]:
    """Each watched entity against the line behind whoever leads; the key is the entity.

    Who leads is across it as well, and not told so: when it loses the lead it has come no nearer.
    """
    first = first_places(standing, rule.places)
    most = standing.values[first[0]]
    before = [entity for entity in known if entity != LEADER]
    for entity in dict.fromkeys([*before, *(rule.between or first)]):
        values = {LINE: line_behind(most, rule.within)}
        if entity in standing.values:
            values[entity] = standing.values[entity]
        told = "" if values.get(entity) == most else entity
        yield Contest(entity, values, against=LINE, told=told, ahead_at_a_tie=entity, beyond=first[0])


def _milestones(rule: Rule, standing: Standing, known: Iterable[str]) -> Iterator[Contest]:
    """Each watched entity against each number; a key is `number, newline, entity`."""
    watched = rule.between or tuple(first_places(standing, rule.places))
    keys = [f"{exact(number)}\n{entity}" for number in rule.at for entity in watched]
    for key in dict.fromkeys([*known, *keys]):
        number, _, entity = key.partition("\n")
        values = {number: float(number)}
        if entity in standing.values:
            values[entity] = standing.values[entity]
        yield Contest(key, values, against=number, told=entity, ahead_at_a_tie=entity)


def exact(number: float) -> str:
    """A number as short as can be without becoming another."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number).removesuffix(".0")


def _lines(rule: Rule, standing: Standing, known: Iterable[str]) -> Iterator[Contest]:
    """Each entity that is or was in the top, or is named, against the line below it; the key is the entity."""
    ranked = first_places(standing, rule.top + 1)
    inside = set(ranked[: rule.top])
    if len(ranked) <= rule.top:
        return
    for entity in dict.fromkeys([*known, *(rule.between or ranked[: rule.top])]):
        values = {LINE: standing.values[ranked[rule.top] if entity in inside else ranked[rule.top - 1]]}
        if entity in standing.values or entity in standing.gone:
            values[entity] = standing.values.get(entity, 0.0)
        yield Contest(entity, values, against=LINE, told=entity if rule.when == "enters_top" else LINE)
