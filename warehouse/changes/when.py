"""When did A pass B? Under every definition there is data for, as a range: a day lies between two looks.

The days come from what was observed, by today's names and families, not from the boards that happen to be configured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

from warehouse.amounts import amount
from warehouse.changes import exactness, panel
from warehouse.changes.flips import Day, OrderChange
from warehouse.db import Database
from warehouse.errors import LeadchangeError, NotKnownError
from warehouse.queries import literal, sql
from warehouse.ranking.boards import SERIES, Board, Entity, Scope
from warehouse.ranking.made import days_of
from warehouse.ranking.values import Days, counted, members_sql, values_sql

MEASURES = ("downloads_30d", "downloads_7d", "downloads_all_time")
SCOPES: tuple[Scope, ...] = ("own", "lineage", "curated")
"""What is asked for, beside every imported series."""

Points = Sequence[tuple[date, float, float]]
"""A day, the value of A, the value of B; oldest first."""


class Passage(NamedTuple):
    """A took the lead after the one day and by the other at the latest; `after` is None when it led at first sight."""

    after: date | None
    by: date
    verdict: str = ""
    """How sure: what the panel of models says of it, or the source of the totals; empty where nothing was compared."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """How A and B stood to one another over the days on which both are known."""

    since: date
    until: date
    days: int
    leads: bool
    """Whether A was ahead last (ties keep the order they found)."""
    changes: int
    """How often the lead changed."""
    first: Passage | None
    """When A led for the first time."""
    for_good: Passage | None
    """When A took the lead that it has now."""


@dataclass(frozen=True, slots=True)
class Dated:
    """The answer under one definition."""

    board: Board
    entity: str
    """A, as this definition names it."""
    rival: str
    crossing: Crossing


def crossing(points: Points) -> Crossing | None:
    """When A passed B (pure); None without a day on which both are known."""
    if not points:
        return None
    leader: bool | None = None
    first: Passage | None = None
    taken: Passage | None = None
    changes = 0
    for (before, _, _), (day, one, other) in zip([(None, 0, 0), *points], points, strict=False):
        ahead = leader if one == other else one > other
        if ahead and not leader:
            taken = Passage(before, day)
            first = first or taken
        changes += leader is not None and ahead != leader
        leader = ahead
    return Crossing(points[0][0], points[-1][0], len(points), bool(leader), changes, first, taken if leader else None)


def crossings(db: Database, one: str, other: str, kind: Entity | None = None) -> list[Dated]:
    """When `one` passed `other`, under every definition that has data on both.

    Args:
        db: a warehouse or a published file.
        one: whoever passed.
        other: whom.
        kind: what they are; without it the first kind of entity that has both names.

    Raises:
        NotKnownError: nobody has one of the names; it offers the nearest.
        LeadchangeError: it is twice the same, or they are not of one kind.
    """
    if one.lower() == other.lower():
        raise LeadchangeError("name two different ones: nobody passes itself")
    names = _Names(db)
    entity = names.kind_of(one, other, kind)
    found = list(_by_counters(db, names, entity, one, other)) if entity else []
    found += _by_series(db, names, one, other)
    if not found and entity is None:
        raise names.unknown(one, other)
    return found


class _Names:
    """Who there is, and how they are spelt."""

    def __init__(self, db: Database) -> None:
        self.publishers_of: dict[str, list[str]] = dict(db.rows(sql("names_of_families")))
        self.known: dict[Entity, list[str]] = {
            "family": list(self.publishers_of),
            "publisher": [row[0] for row in db.rows(sql("names_of_publishers"))],
            "country": [row[0] for row in db.rows(sql("names_of_countries"))],
        }
        self.series: dict[str, list[str]] = dict(db.rows(sql("names_of_series")))

    def kind_of(self, one: str, other: str, wanted: Entity | None = None) -> Entity | None:
        """The first kind of entity that has both names, if it is the one `wanted`, or any is."""
        kinds = (kind for kind, known in self.known.items() if _spelt(one, known) and _spelt(other, known))
        return next((kind for kind in kinds if wanted in (None, kind)), None)

    def in_series(self, name: str, series: str) -> list[str]:
        """Under which names a series has somebody: its own, or those of a family's publishers."""
        known = self.series[series]
        own = _spelt(name, known)
        family = _spelt(name, list(self.publishers_of))
        publishers = self.publishers_of[family] if family else []
        return [own] if own else [spelt for publisher in publishers if (spelt := _spelt(publisher, known))]

    def unknown(self, one: str, other: str) -> LeadchangeError:
        """What to say of two names that are not of one kind."""
        everybody = {name for names in [*self.known.values(), *self.series.values()] for name in names}
        strange = next((name for name in (one, other) if not _spelt(name, sorted(everybody))), None)
        if strange is not None:
            return NotKnownError("family, publisher or country", strange, everybody)
        return LeadchangeError(f"{one} and {other} are not of one kind: name two families, publishers or countries")


def _spelt(name: str, known: Sequence[str]) -> str | None:
    """How a name is spelt among the known ones; case does not matter, an exact match goes first."""
    alike = [candidate for candidate in known if candidate.lower() == name.lower()]
    return name if name in alike else next(iter(alike), None)


def _by_counters(db: Database, names: _Names, entity: Entity, one: str, other: str) -> Iterator[Dated]:
    """The answers from what models were counted."""
    a, b = (_spelt(name, names.known[entity]) or name for name in (one, other))
    for scope in SCOPES:
        if scope == "lineage" and entity == "publisher":
            continue
        for measure in MEASURES:
            board = Board(name="when", entity=entity, measure=measure, scope=scope)
            chosen = days_of(db, board)
            found = crossing(_points(db, board, chosen, [a], [b]))
            if found is not None:
                yield Dated(board, a, b, _judged(db, board, chosen, found, a, b))


def _by_series(db: Database, names: _Names, one: str, other: str) -> Iterator[Dated]:
    """The answers from imported series."""
    for series in names.series:
        ones, others = names.in_series(one, series), names.in_series(other, series)
        board = Board(name="when", entity="publisher", measure=f"{SERIES}{series}")
        chosen = days_of(db, board)
        found = crossing(_points(db, board, chosen, ones, others)) if ones and others else None
        if found is not None:
            sure = _as_sure_as_published(exactness.said(db, board), chosen, found, [*ones, *others])
            yield Dated(board, ", ".join(ones), ", ".join(others), sure)


def _points(db: Database, board: Board, chosen: Days, ones: list[str], others: list[str]) -> Points:
    entities = f"({', '.join(map(literal, (*ones, *others)))})"
    whose = sql("members_among", members=members_sql(board), entities=entities)
    with counted(db, board, chosen, sorted(chosen), among=sql("hub_ids", members=whose)) as counts:
        values = values_sql(db, board, counts, whose)
        rows = db.rows(sql("pair_by_day", values=values), {"ones": ones, "others": others})
    return [(day, a, b) for day, a, b in rows]


def _judged(db: Database, board: Board, chosen: Days, found: Crossing, one: str, other: str) -> Crossing:
    """A crossing with what the panel says of its passages."""
    changes = {
        passage: OrderChange("overtake", one, other, _day(passage.after, chosen), _day(passage.by, chosen))
        for passage in (found.first, found.for_good)
        if passage and passage.after
    }
    known = panel.panels(db, board, list(changes.values()))
    verdicts: dict[Passage | None, Passage] = {
        passage: passage._replace(verdict=panel.verdict_on(one, other, seen)[1].partition(":")[0])
        for passage, seen in zip(changes, known, strict=True)
    }
    first, good = found.first, found.for_good
    return replace(found, first=verdicts.get(first, first), for_good=verdicts.get(good, good))


def _as_sure_as_published(said: exactness.Said, chosen: Days, found: Crossing, entities: list[str]) -> Crossing:
    """A crossing with what the source says of the totals on either side of its passages."""

    def of(passage: Passage | None) -> Passage | None:
        if passage is None:
            return None
        ends = [chosen[day] for day in (passage.after, passage.by) if day]
        return passage._replace(verdict=exactness.in_words(said, ends, entities))

    return replace(found, first=of(found.first), for_good=of(found.for_good))


def _day(day: date, chosen: Mapping[date, int]) -> Day:
    return Day(day, chosen[day], {}, {})


_SURE = ("", exactness.AS_PUBLISHED, *(verdict.partition(":")[0] for verdict in (panel.STANDS, panel.LAUNCH)))
"""Verdicts on a passage that leave no doubt."""


def _doubts(verdicts: Sequence[str]) -> str:
    """What is to be said beside a number of passages about those of them that are in doubt."""
    doubtful = Counter(verdict for verdict in verdicts if verdict not in _SURE)
    if not doubtful:
        return ""
    if len(verdicts) == 1:
        return f", {verdicts[0]}"
    return ", of which " + " and ".join(f"{count} {verdict}" for verdict, count in sorted(doubtful.items()))


def in_one_line(one: str, other: str, found: Sequence[Dated]) -> str:
    """The answer in one line: a range over all definitions, not a date (pure)."""
    first = [dated.crossing.first for dated in found if dated.crossing.first]
    good = [dated.crossing.for_good for dated in found if dated.crossing.for_good]
    if not first:
        under = "the only definition" if len(found) == 1 else f"any of {len(found)} definitions"
        return f"{one} has not led {other} under {under}."
    if all(_from_the_first_day(dated) for dated in found):
        return f"{one} led {other} when anybody first looked, and has ever since ({amount(len(found), 'definition')})."
    line = f"{one} led {other} first {_span(first, len(found))}"
    return f"{line}; for good {_span(good, len(found))}." if good else f"{line}; it does not lead now."


def _from_the_first_day(dated: Dated) -> bool:
    """Whether nobody saw a passage, because there was none since anybody looked."""
    first = dated.crossing.first
    return first is not None and first.after is None and dated.crossing.leads and not dated.crossing.changes


def spelt(name: str, found: Sequence[Dated]) -> str:
    """A name that somebody asked for, as those who were found write it."""
    names = [spelling for dated in found for spelling in (dated.entity, dated.rival)]
    return _spelt(name, names) or name


def _span(passages: Sequence[Passage], definitions: int) -> str:
    """From the earliest to the latest day that a passage may have been on, and where nobody saw it happen."""
    seen = [(passage.after, passage.by) for passage in passages if passage.after]
    parts = []
    if seen:
        earliest, latest = min(after for after, _ in seen), max(by for _, by in seen)
        doubts = _doubts([passage.verdict for passage in passages if passage.after])
        parts.append(f"between {earliest} and {latest} ({len(seen)} of {amount(definitions, 'definition')}{doubts})")
    if unseen := len(passages) - len(seen):
        parts.append(f"before anybody looked ({unseen} of {definitions})")
    return " or ".join(parts)
