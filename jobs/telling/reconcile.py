"""What a day judged again says, held against what was said before: new, the same, or wrong (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from alerts.engine import Event
from warehouse.records import KnownAlert

SAME_STORY = timedelta(days=14)
"""A flip found again that begins, or is confirmed, within so many days of one that was told is that one, even if late
data moved its day or its count.

What late data says about days further back than this is no news any more."""

CONTESTS = {"CONTESTED": "contested", "SETTLED": "settled"}
"""Kind of an event about a contest -> kind of its alert."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a rule from before these days were judged."""

    known: Sequence[KnownAlert] = ()
    """Its alerts of the days judged again, and what is pending, oldest first."""
    taken: Collection[str] = ()
    """The ids of everything it ever confirmed. An id is used once, whatever late data does to the counts behind it."""
    news_after: date = date.min
    """What it says about days up to this one is no news."""
    redefined: bool = False
    """The rule, or what its board counts, was another: what was confirmed then stays as it was told."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What is to be written, told and taken back."""

    events: tuple[Event, ...]
    """What follows now: flips, contests, and what is pending at the end; with the ids they are known by."""
    new: frozenset[str]
    """Those of them that are news."""
    forgotten: tuple[str, ...]
    """Alerts that nobody was told of and that do not follow any more, and untold corrections of those that do again."""
    wrong: tuple[KnownAlert, ...]
    """Alerts that somebody was told of and that do not follow any more."""


def reconcile(past: Past, events: Iterable[Event], challengers: Mapping[str, str | None]) -> Reconciled:
    """Hold what follows now against what was known.

    Args:
        past: what was known.
        events: what the engine said about the days judged.
        challengers: slot -> who is about to take it after the last of these days.
    """
    # Who was told that an alert is wrong is told anew, under another id, should it turn out right after all.
    unmatched = [alert for alert in past.known if not alert.withdrawn]
    kept: dict[str, Event] = {}
    news, restored = set(), []
    for event in _last_words(events):
        if event.kind == "PENDING" and challengers.get(event.slot) != event.entity:
            continue  # confirmed while the slot was contested, and not told
        match = _same_story(event, unmatched)
        if match is not None:
            unmatched.remove(match)
            named = replace(event, alert_id=match.alert_id)
            restored += [match.correction] if match.correction else []
        elif event.kind == "PENDING" or event.day > past.news_after or _was_about_to_be(event, past.known):
            named = replace(event, alert_id=_unused(event.alert_id, past.taken))
        else:
            continue
        kept[named.alert_id] = named
        if event.kind != "PENDING" and not _was_fired(match):
            news.add(named.alert_id)
    gone = [alert for alert in unmatched if alert.alert_id not in kept and not _still_stands(alert, past, challengers)]
    forgotten = [alert.alert_id for alert in gone if not alert.told]
    wrong = tuple(alert for alert in gone if alert.told and not alert.correction)
    return Reconciled(tuple(kept.values()), frozenset(news), (*forgotten, *restored), wrong)


def _last_words(events: Iterable[Event]) -> list[Event]:
    """The last word about each alert; what was dropped again is not there."""
    last: dict[str, Event] = {}
    for event in events:
        last.pop(event.alert_id, None)
        if event.kind != "DROPPED":
            last[event.alert_id] = event
    return list(last.values())


def _same_story(event: Event, candidates: Iterable[KnownAlert]) -> KnownAlert | None:
    """The alert that told of the same, on about the same day."""
    near = [(distance, alert) for alert in candidates if (distance := _distance(event, alert)) is not None]
    return min(near, key=lambda pair: (pair[0], pair[1].alert_id != event.alert_id), default=(None, None))[1]


def _distance(event: Event, alert: KnownAlert) -> timedelta | None:
    """How far apart an event and an alert of one story are; None when they are of two, or not confirmed."""
    if alert.slot != event.slot or alert.confirmed_day is None:
        return None
    if event.kind in CONTESTS:
        same = alert.kind == CONTESTS[event.kind]
    else:
        flips = event.kind == "FLIP" and alert.kind not in CONTESTS.values()
        beside = event.slot == event.entity  # it crossed a line; who stands next to it there is no part of the story
        same = flips and alert.entity == event.entity and (beside or alert.rival == event.rival)
    distance = min(abs(event.day - alert.confirmed_day), abs(event.since - alert.day))
    return distance if same and distance <= SAME_STORY else None


def _was_about_to_be(event: Event, known: Iterable[KnownAlert]) -> bool:
    """Whether a flip was pending; it is told, even if by the rule as it is now it was confirmed in the past."""
    pending = (alert for alert in known if alert.confirmed_day is None)
    return event.kind == "FLIP" and any(
        (alert.slot, alert.entity) == (event.slot, event.entity) and alert.day <= event.day for alert in pending
    )


def _unused(alert_id: str, taken: Collection[str]) -> str:
    """The engine's id for an event, or one that follows from it: late data may bring an epoch's number back."""
    while alert_id in taken:
        alert_id = hashlib.sha256(f"again {alert_id}".encode()).hexdigest()[:10]
    return alert_id


def _was_fired(alert: KnownAlert | None) -> bool:
    """Confirmed before, and not held back: what was held and is borne out now is news."""
    return alert is not None and alert.confirmed_day is not None and (alert.told or alert.state != "held")


def _still_stands(alert: KnownAlert, past: Past, challengers: Mapping[str, str | None]) -> bool:
    """Pending and merely without a word these days; or confirmed by a rule that was another."""
    if alert.confirmed_day is None:
        return challengers.get(alert.slot) == alert.entity
    return past.redefined
