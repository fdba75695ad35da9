"""The one place where rooms are put together: settings in, an open application out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING

from alerts.channels import CHANNELS, Channel, ChannelSettings
from alerts.message import TELLERS, Message, compose, summary
from alerts.names import in_words
from alerts.rules import RACES
from jobs import deliver, digest
from jobs.digest import Digest
from monitor.clock import utc_now
from monitor.config import ConfigError, Settings, WarehouseSettings
from warehouse.db import Database
from warehouse.errors import LeadchangeError, WarehouseBusyError, WarehouseError
from warehouse.migrate import migrate
from warehouse.published.publish import is_behind, publish, publish_both
from warehouse.published.reading import Reading
from warehouse.ranking import conditions
from warehouse.ranking.boards import Board
from warehouse.records import Alert, Delivery, Listing
from warehouse.state.ledger import Ledger
from warehouse.state.outbox import Outbox

if TYPE_CHECKING:  # a process does one job, and what the others need takes longer to import than most of them take
    import polars as pl

    from jobs import backfill, collect, detect, prune
    from jobs.collect import Summary as Look


@dataclass(frozen=True, slots=True)
class App:
    """The verbs, bound to one configuration and one open warehouse."""

    settings: Settings
    db: Database
    now: Callable[[], datetime] = utc_now

    def collect(
        self,
        *,
        day: date | None = None,
        progress: Callable[[Listing], None] | None = None,
        stop: threading.Event | None = None,
    ) -> collect.Summary:
        """Take one snapshot and publish."""
        from jobs import collect, hub  # noqa: PLC0415 see TYPE_CHECKING above

        summary = collect.run(
            self.db,
            self.settings.hub,
            self.settings.registry,
            self.settings.boards,
            token=hub.read_token(),
            now=self.now(),
            clock=time.monotonic,
            day=day,
            progress=progress,
            stop=stop,
        )
        self.publish()
        return summary

    def census(self, *, stop: threading.Event | None = None, pause: float | None = None) -> Look | None:
        """Read every model on the Hub, go on where it was interrupted, and publish; None when today's is here.

        With `pause`, the Hub's listing is interrupted by ourselves after so many seconds (WalkCancelled).
        """
        from jobs import census, hub  # noqa: PLC0415 see TYPE_CHECKING above

        settings = self.settings
        reader = census.Reader(settings.hub, hub.read_token(), time.monotonic, stop, pause)
        summary = census.run(self.db, reader, settings.registry, settings.boards, now=self.now())
        if summary:
            self.publish()
        return summary

    def set_aside(self, snapshot_id: int, why: str) -> date:
        """Judge by a snapshot no longer, judge again what followed from it, and publish; the day it was of."""
        from jobs import aside  # noqa: PLC0415 see TYPE_CHECKING above

        day = aside.run(self.db, snapshot_id, why, now=self.now())
        self.detect()
        return day

    def detect(self) -> detect.Summary:
        """Judge what is new and publish."""
        from jobs import detect  # noqa: PLC0415 see TYPE_CHECKING above

        settings = self.settings
        names = {channel.name for channel in settings.channels}
        summary = detect.run(
            self.db, settings.boards, settings.rules, settings.registry, now=self.now(), channels=names
        )
        self.publish()
        return summary

    def deliver(self, *, patient: bool = True, stop: threading.Event | None = None) -> deliver.Summary:
        """Send what is due, and publish what came of it. A channel that cannot be built keeps no other from sending."""
        # One process at a time has the warehouse: whoever was sending in another is dead, and its lease with it.
        Outbox(self.db).end_leases()
        channels, broken = build_all(self.settings.channels)
        wording = deliver.Wording(self.message, self.summary, partial(self.message, picture=False))
        summary = deliver.run(
            self.db,
            channels,
            wording,
            now=self.now,
            sleep=time.sleep,
            readers={rule.name: rule.channels for rule in self.settings.rules},
            patient=patient,
            stop=stop,
        )
        # Not only what was sent: what was muted anew, queued, or done before somebody killed us is news to readers too.
        if is_behind(self.db, self.settings.warehouse.publish):
            self.publish()
        return replace(summary, problems=(*broken, *summary.problems))

    def digest(self, wanted: Digest) -> str:
        """Queue a digest of the days up to now, and publish; its alert id."""
        alert_id = digest.run(self.db, wanted, now=self.now())
        self.publish()
        return alert_id

    def preview(self, wanted: Digest) -> Message:
        """What a digest would say now; nothing is queued."""
        return self._digest(digest.as_alert(wanted, self.now()), wanted.boards)

    def message_of(self, delivery: Delivery) -> Message:
        """What a delivery says, without its picture."""
        alert, *also = deliver.told_by(self.db, delivery)
        return self.message(alert, also, picture=False)

    def backfill_series(self, name: str, values: pl.DataFrame, *, revision: str) -> backfill.Summary:
        """Import a series of totals, rank it, and publish."""
        from jobs import backfill  # noqa: PLC0415 see TYPE_CHECKING above

        settings = self.settings
        summary = backfill.run_series(
            self.db, name, values, boards=settings.boards, registry=settings.registry, revision=revision
        )
        self.publish()
        return summary

    def prune(self, *, keep_daily_days: int | None = None) -> prune.Summary:
        """Pack what is over, give up what is no longer kept, and publish.

        Both copies are renewed before, for a run with a day that a copy never had would come to it all at
        once, and after it, so that whoever waits for the next numbers does not wait for what was packed.
        """
        from jobs import prune  # noqa: PLC0415 see TYPE_CHECKING above

        days = self.settings.warehouse.keep_daily_days if keep_daily_days is None else keep_daily_days
        publish_both(self.db, self.settings.warehouse.publish)
        summary = prune.run(self.db, now=self.now(), keep_daily_days=days)
        if summary.packed or summary.merged:
            publish_both(self.db, self.settings.warehouse.publish)
        return summary

    def message(self, alert: Alert, also: Sequence[Alert] = (), *, picture: bool = True) -> Message:
        """What is said about an alert and those folded into it, with the picture of its race if one is wanted."""
        if alert.kind == digest.KIND:
            shown = next((one.boards for one in self.settings.digests if one.name == alert.rule), ())
            return self._digest(alert, shown)
        if alert.kind in TELLERS:
            return compose(alert, also=also, link=self._link("flips"), now=self.now())
        flip = Ledger(self.db).last_pair_flip(alert.board, alert.entity, alert.rival, alert.day)
        link = self._link(f"flips/{flip[0]}" if flip else f"board/{alert.board}" if alert.board else "flips")
        told = replace(alert, why=self._why(alert.why, flip[0])) if flip and flip[2] is not None else alert
        told = self._with_chances(told)
        return compose(told, also=also, link=link, picture=_race(alert) if picture else None, now=self.now())

    def _digest(self, alert: Alert, boards: tuple[str, ...]) -> Message:
        """What a digest says."""
        return digest.compose(self.db, alert, boards, now=self.now(), link=self._link(""))

    def _why(self, verdict: str, flip_id: str) -> str:
        """What a flip is worth, and what moved."""
        from warehouse.changes import explain  # noqa: PLC0415 see TYPE_CHECKING above

        moved = explain.one_line(explain.of_flip(self.db, flip_id))
        return f"{verdict}; {moved}" if verdict else moved

    def _with_chances(self, alert: Alert) -> Alert:
        """The alert with how likely it is that who is behind will be ahead soon."""
        if alert.kind in RACES:
            return replace(alert, rival_back_30d=self._passes(alert, ahead=alert.entity, behind=alert.rival))
        if alert.kind == "approaches":
            return replace(alert, passes_30d=self._passes(alert, ahead=alert.rival, behind=alert.entity))
        return alert

    def _passes(self, alert: Alert, *, ahead: str, behind: str) -> float | None:
        """How likely that is, seen from the day that confirmed an alert."""
        if alert.confirmed_day is None:
            return None
        found = Reading(self.db).outlook(alert.board, ahead, behind, at=alert.confirmed_day)
        return found.within_30d if found else None

    def _link(self, page: str) -> str | None:
        """Where the dashboard tells more; None where nobody else reaches it."""
        base = self.settings.web.public_url.rstrip("/")
        return f"{base}/{page}" if base else None

    def summary(self, alerts: Sequence[Alert]) -> Message:
        """What is said about many alerts at once."""
        return summary(alerts, link=self._link("flips"), now=self.now())

    def write(self, change: Callable[[Database], None]) -> None:
        """Change the warehouse in one transaction and publish."""
        with self.db.transaction():
            change(self.db)
        self.publish()

    def publish(self) -> None:
        """Replace the published file."""
        publish(self.db, self.settings.warehouse.publish)


def _race(alert: Alert) -> bytes | None:
    """The picture of an alert's race, where there is a race."""
    if len(alert.history) < 2:
        return None
    # Altair takes a second and 35 MB, and most days nobody is told anything.
    from alerts.charts import race_png  # noqa: PLC0415

    return race_png(in_words(alert))


@contextmanager
def open_app(settings: Settings, *, now: Callable[[], datetime] = utc_now, patience: float = 0.0) -> Iterator[App]:
    """Open the warehouse of `settings`, at the schema of this version; wait `patience` seconds for who else has it.

    Raises:
        WarehouseError: it is locked, damaged, newer than this program, or gone while its published copy is there.
        ConfigError: a board's condition is none.
    """
    _refuse_to_begin_anew(settings.warehouse)
    with _opened(settings, time.monotonic() + patience) as db:
        migrate(db, now=now())
        if wrong := wrong_conditions(db, settings.boards):
            raise ConfigError(wrong)
        yield App(settings, db, now)


def _refuse_to_begin_anew(files: WarehouseSettings) -> None:
    """Raises WarehouseError rather than publish an empty warehouse over the only copy of one that is gone."""
    if files.publish.is_file() and not files.path.exists():
        raise WarehouseError(
            f"{files.path} is not there, but {files.publish}, which was published from one, is: restore it, "
            f"mend [warehouse] path, or move {files.publish.name} away to begin anew"
        )


def wrong_conditions(db: Database, boards: Iterable[Board]) -> list[str]:
    """A line on each board whose `where` is no condition over models, or hangs on more than what was collected."""
    return _refused(db, boards, conditions.refuse)


def unreckonable_conditions(db: Database, boards: Iterable[Board]) -> list[str]:
    """A line on each board whose `where`, which is a condition, cannot be told of every model that was seen."""
    well = [board for board in boards if not wrong_conditions(db, [board])]
    return _refused(db, well, conditions.refuse_of_models)


def _refused(db: Database, boards: Iterable[Board], check: Callable[[Database, str], None]) -> list[str]:
    """A line on each board whose `where` does not pass a check."""
    found = []
    for board in boards:
        if board.where:
            try:
                check(db, board.where)
            except LeadchangeError as error:
                found.append(f"board {board.name}: where: {error}")
    return found


def _opened(settings: Settings, until: float) -> Database:
    while True:
        try:
            return Database.open(settings.warehouse.path)
        except WarehouseBusyError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def build(channel: ChannelSettings) -> Channel:
    """A channel from its settings; this is where its secrets are read."""
    return CHANNELS[str(getattr(channel, "type", ""))][1](channel)


def build_all(settings: Iterable[ChannelSettings]) -> tuple[dict[str, Channel], list[str]]:
    """The channels that can be built, by name, and a line on each that cannot."""
    channels, broken = {}, []
    for channel in settings:
        try:
            channels[channel.name] = build(channel)
        except LeadchangeError as error:
            broken.append(f"{channel.name}: {error}")
    return channels, broken
