"""The one place where rooms are put together: settings in, an open application out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from alerts.channels import CHANNELS, Channel, ChannelSettings
from alerts.charts import race_png
from alerts.message import Message, compose
from jobs import backfill, collect, deliver, detect, hub
from monitor.config import Settings
from warehouse.db import Database
from warehouse.migrate import migrate
from warehouse.publish import publish
from warehouse.records import Alert, Listing


def utc_now() -> datetime:
    """The clock. Nothing below this room reads one."""
    return datetime.now(UTC)


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

    def detect(self) -> detect.Summary:
        """Judge what is new and publish."""
        settings = self.settings
        summary = detect.run(self.db, settings.boards, settings.rules, settings.registry, now=self.now())
        self.publish()
        return summary

    def deliver(self, *, patient: bool = True) -> deliver.Summary:
        """Send what is due and publish."""
        channels = {channel.name: build(channel) for channel in self.settings.channels}
        summary = deliver.run(self.db, channels, self.message, now=self.now, patient=patient)
        self.publish()
        return summary

    def backfill_series(self, name: str, values: pl.DataFrame, *, revision: str) -> backfill.Summary:
        """Import a series of totals, rank it, and publish."""
        settings = self.settings
        summary = backfill.run_series(
            self.db, name, values, boards=settings.boards, registry=settings.registry, revision=revision
        )
        self.publish()
        return summary

    def message(self, alert: Alert) -> Message:
        """What is said about an alert, with the picture of its race."""
        picture = race_png(alert) if len(alert.history) > 1 else None
        return compose(alert, picture=picture, now=self.now())

    def publish(self) -> None:
        """Replace the published file."""
        publish(self.db, self.settings.warehouse.publish)


@contextmanager
def open_app(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> Iterator[App]:
    """Open the warehouse of `settings`, at the schema of this version.

    Raises:
        WarehouseError: it is locked, damaged, or newer than this program.
    """
    with Database.open(settings.warehouse.path) as db:
        migrate(db, now=now())
        yield App(settings, db, now)


def build(channel: ChannelSettings) -> Channel:
    """A channel from its settings; this is where its secrets are read."""
    return CHANNELS[str(getattr(channel, "type", ""))][1](channel)
