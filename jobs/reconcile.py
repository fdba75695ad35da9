"""What a day judged again says, held against what was said before: new, the same, or wrong (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from alerts.engine import Event
from warehouse.records import KnownAlert

SAME_STORY = timedelta(days=14)
"""A flip found again within so many days is the one that was told, even if late data moved its day or its count."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What is to be written, told and taken back."""

    events: tuple[Event, ...]
    """What follows now: flips, contests, and what is pending at the end; with the ids they were told by."""
    new: frozenset[str]
    """Those of them that are news."""
    forgotten: tuple[str, ...]
    """Alerts that do not follow any more and that nobody was told of."""
    wrong: tuple[KnownAlert, ...]
    """Alerts that do not follow any more and that somebody was told of."""


def reconcile(known: Sequence[KnownAlert], events: Iterable[Event], *, quiet_until: date) -> Reconciled:
    """Hold what follows now against what was known.

    Args:
        known: the alerts of the days judged again, oldest first.
        events: what the engine said about these days.
        quiet_until: the rule itself changed; what it says about days up to this one is no news, and what its earlier
            version told about them stays as it was told.
    """
    standing = _last_words(events)
    by_id = {alert.alert_id: alert for alert in known}
    unmatched = [alert for alert in known if alert.alert_id not in standing]
    kept: dict[str, Event] = {}
    for event in standing.values():
        if event.alert_id in by_id:
            kept[event.alert_id] = event
        elif (match := _same_story(event, unmatched)) is not None:
            unmatched.remove(match)
            kept[match.alert_id] = replace(event, alert_id=match.alert_id)
        elif event.kind == "PENDING" or event.day > quiet_until:
            kept[event.alert_id] = event
    news = {key for key, event in kept.items() if event.kind != "PENDING" and not _was_fired(by_id.get(key))}
    gone = [alert for alert in unmatched if alert.alert_id not in kept]
    if quiet_until > date.min:
        gone = [alert for alert in gone if not alert.told]
    forgotten = tuple(alert.alert_id for alert in gone if not alert.told)
    return Reconciled(tuple(kept.values()), frozenset(news), forgotten, tuple(a for a in gone if _to_correct(a)))


def _last_words(events: Iterable[Event]) -> dict[str, Event]:
    """The last word about each alert; what was dropped again is not there."""
    last: dict[str, Event] = {}
    for event in events:
        if event.kind == "DROPPED":
            last.pop(event.alert_id, None)
        else:
            last[event.alert_id] = event
    return last


def _same_story(event: Event, candidates: Iterable[KnownAlert]) -> KnownAlert | None:
    """An alert that told of the same flip, on about the same day."""
    for alert in candidates:
        same = (alert.slot, alert.entity, alert.rival) == (event.slot, event.entity, event.rival)
        confirmed = alert.confirmed_day
        if same and event.kind == "FLIP" and confirmed is not None and abs(event.day - confirmed) <= SAME_STORY:
            return alert
    return None


def _was_fired(alert: KnownAlert | None) -> bool:
    """Confirmed before, and not held back: what was held and is borne out now is news."""
    return alert is not None and alert.confirmed_day is not None and (alert.told or alert.state != "held")


def _to_correct(alert: KnownAlert) -> bool:
    """Told, and not taken back already."""
    return alert.told and alert.state != "reverted"
