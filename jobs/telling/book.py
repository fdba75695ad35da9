"""The book of one detection: what it must know is asked for all rules at once, and what it decides is written at once.

A query takes a millisecond whatever it asks, and a detection decides about hundreds of alerts. In between, `stories`
follows what is decided, so that each alert is judged by what was said of its slot before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime

from alerts.contests import pair_of
from alerts.engine import Event
from warehouse.changes import lines, worth
from warehouse.records import Alert, Crossing
from warehouse.state.ledger import Ledger, SlotAlert


class Book:
    """What is known of the alerts of some rules, and what is to be written of them."""

    def __init__(
        self,
        ledger: Ledger,
        rules: Collection[str],
        events: Collection[Event],
        kinds: Mapping[str, str],
        now: datetime,
        *,
        races: Collection[str],
        crossings: Collection[Crossing] = (),
    ) -> None:
        """Ask for all that these rules and events need.

        Args:
            ledger: asked now, and written to by `write`.
            rules: whose past matters.
            events: what they said.
            kinds: board -> what it ranks.
            now: when it is written.
            races: those of the rules that watch who is ahead of whom.
            crossings: what those say that watch a line or a number.
        """
        self.ledger, self.kinds, self.now = ledger, kinds, now
        self.taken = ledger.confirmed_ids(rules)
        """Rule -> the ids of everything it ever confirmed."""
        passed = {pair_of(one) for one in events if one.rule in races}
        self.worth = worth.of_pairs(ledger.db, passed)
        """(board, entity, rival, day) -> what the lead is worth in words, and whether the models bear it out."""
        self.crossed = lines.of_crossings(ledger.db, crossings)
        """What a crossing is worth, in the same way."""
        self.quality = ledger.qualities({one.snapshot_id for one in events})
        """Snapshot -> what is to be said about its data."""
        self.given_up = ledger.given_up()
        """The last day of which counts were given up."""
        slots = {(one.rule, one.slot) for one in events if one.kind not in ("PENDING", "DROPPED")}
        self._stories = defaultdict(list, ledger.stories(slots))
        self._forgotten: list[str] = []
        self._unqueued: list[str] = []
        self._written: dict[str, tuple[Alert, str]] = {}

    def story(self, rule: str, slot: str, day: date, *, without: Collection[str] = ()) -> list[SlotAlert]:
        """What was confirmed about a slot before a day and still counts, oldest first; some left out."""
        counting = [one for one in self._stories[rule, slot] if one.confirmed_day < day and not one.corrected_by]
        return [one for one in counting if one.alert_id not in without]

    def forget(self, alerts: Iterable[str]) -> None:
        """Forget alerts that nobody was told of, and what was queued of them."""
        gone = set(alerts)
        self._forgotten += gone
        for slot, known in self._stories.items():
            left = [one for one in known if one.alert_id not in gone]
            self._stories[slot] = [replace(one, corrected_by="") if one.corrected_by in gone else one for one in left]

    def take_back(self, alert_id: str, correction: str) -> None:
        """An alert counts no more: it was corrected."""
        for slot, known in self._stories.items():
            corrected = [replace(one, corrected_by=correction) if one.alert_id == alert_id else one for one in known]
            self._stories[slot] = corrected

    def put(self, alert: Alert, slot: str) -> None:
        """Write an alert, or write it anew."""
        self._written[alert.alert_id] = (alert, slot)
        if alert.confirmed_day is None or alert.kind == "correction":
            return
        known = self._stories[alert.rule, slot]
        before = next((one for one in known if one.alert_id == alert.alert_id), None)
        mine = SlotAlert(
            alert.alert_id, alert.kind, alert.entity, alert.rival, alert.state, alert.why, alert.confirmed_day,
            before.created_at if before else self.now, before.corrected_by if before else "",
        )  # fmt: skip
        rest = [one for one in known if one is not before]
        self._stories[alert.rule, slot] = sorted([*rest, mine], key=lambda one: (one.confirmed_day, one.created_at))

    def unqueue(self, alert_id: str) -> None:
        """Take back what was queued of an alert that nobody was told of; the alert stays."""
        self._unqueued.append(alert_id)

    def write(self) -> None:
        """Write everything that was decided."""
        self.ledger.forget_alerts(self._forgotten)
        if self._unqueued:
            self.ledger.unqueue(self._unqueued)
        self.ledger.write_alerts(self._written.values(), now=self.now)
