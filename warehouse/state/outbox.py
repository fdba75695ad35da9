"""The outbox: deliveries, silences and the health of channels, one method a query.

In the same file as the alerts, so that one transaction holds them together.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime

from warehouse.db import Database
from warehouse.queries import fragment, sql
from warehouse.records import Alert, ChannelHealth, Delivery, Silence

_LEASED = ("attempts", "last_attempt_at", "lease_until", "queued_at")
"""What only queueing and taking a delivery change."""


class Outbox:
    """What is on its way to whom."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def queue(self, alert_id: str, channel: str, now: datetime) -> None:
        """Queue an alert for a channel; once, however often asked."""
        self.queue_all([(alert_id, channel)], now)

    def queue_all(self, wanted: Iterable[tuple[str, str]], now: datetime) -> None:
        """Queue alerts for channels, given as (alert, channel); each once, however often asked."""
        rows = sorted(set(wanted))
        if rows:
            with self.db.rows_as("wanted", rows, {"alert_id": str, "channel": str}):
                self.db.execute(sql("queue_deliveries"), {"queued_at": now})

    def copy(self, of: str, to: str, channels: Collection[str] | None) -> None:
        """Let an alert stand in the outbox as another does: on some channels and those that took it; None: on all."""
        keys = {"of": of, "to": to, "everywhere": channels is None, "channels": list(channels or ())}
        self.db.execute(sql("copy_deliveries"), keys)

    def queue_instead(self, channel: str, now: datetime) -> None:
        """Queue for a channel what waits for channels that refuse everything; once, however often asked."""
        self.db.execute(sql("queue_instead"), {"channel": channel, "queued_at": now})

    def open(self) -> list[Delivery]:
        """What is not yet delivered, in the order it must go out, channel by channel."""
        return [Delivery(**row | {"settled": tuple(row["settled"])}) for row in self.db.records(sql("open_deliveries"))]

    def lease(self, deliveries: Iterable[Delivery], *, now: datetime, until: datetime) -> list[Delivery]:
        """Take deliveries that go out together; committed before the message leaves.

        Ends before the first that another thread has taken, sent or taken back since they were looked at.
        """
        taken = []
        with self.db.transaction():
            for one in deliveries:
                seen = {name: getattr(one, name) for name in ("alert_id", "channel", "status", "attempts")}
                rows = self.db.rows(sql("lease_delivery"), seen | {"now": now, "lease_until": until})
                if not rows:
                    break
                mine = replace(one, status="sending", attempts=rows[0][0], last_attempt_at=now, lease_until=until)
                taken.append(mine)
        return taken

    def end_leases(self) -> None:
        """Give back what others took: for who knows that they are dead."""
        self.db.execute(sql("end_leases"))

    def settle(
        self,
        deliveries: Sequence[Delivery],
        health: ChannelHealth,
        *,
        now: datetime,
        receipt: str | None = None,
        fallback: str = "",
    ) -> None:
        """Write what became of an attempt, all of it or nothing.

        What was muted and is told by this message is sent with it.

        Args:
            deliveries: those that went out together, as they are now.
            health: their channel, as it is now.
            now: the time.
            receipt: the provider's own id for the message.
            fallback: the channel, if any, that is told what was refused for good.
        """
        with self.db.transaction():
            for delivery in deliveries:
                self._settle(delivery, receipt)
            self.db.execute(sql("forget_health"), {"channel": health.channel})
            self.db.execute(sql("write_health"), asdict(health))
            if fallback:
                self.queue_all([(one.alert_id, fallback) for one in deliveries if one.status == "dead"], now)

    def _settle(self, delivery: Delivery, receipt: str | None) -> None:
        row = {name: value for name, value in asdict(delivery).items() if name not in _LEASED}
        self.db.execute(sql("settle_delivery"), row | {"settled": list(delivery.settled), "receipt": receipt})
        if delivery.status == "sent":
            told = {name: row[name] for name in ("alert_id", "channel", "sent_at")}
            self.db.execute(sql("settle_muted"), told | {"receipt": receipt})

    def health(self, channel: str) -> ChannelHealth:
        """How a channel is doing; as new when it never sent anything."""
        rows = self.db.records(sql("channel_health"), {"channel": channel})
        return ChannelHealth(**rows[0]) if rows else ChannelHealth(channel)

    def refusing(self) -> list[ChannelHealth]:
        """The channels that refuse whatever they are sent."""
        return [ChannelHealth(**row) for row in self.db.records(sql("refusing_channels"))]

    def readmit(self, channel: str = "") -> None:
        """Let a channel (or all) that refused everything be tried again, with what it refused."""
        with self.db.transaction():
            for query in ("revive_deliveries", "readmit_channels"):
                self.db.execute(sql(query), {"channel": channel})

    def channels_told(self, alerts: Iterable[str]) -> dict[str, list[str]]:
        """Alert -> the channels that were told it, or may have been, be it within another's message."""
        told: dict[str, list[str]] = defaultdict(list)
        query = sql("channels_told", told_messages=fragment("told_messages"))
        with self.db.rows_as("asked", [(alert_id,) for alert_id in sorted(set(alerts))], {"alert_id": str}):
            for alert_id, channel in self.db.rows(query):
                told[alert_id].append(channel)
        return told

    def receipt(self, alert_id: str, channel: str) -> str | None:
        """The provider's own id for a message that it took; None when it gave none, or took none."""
        value = self.db.value(sql("delivery_receipt"), {"alert_id": alert_id, "channel": channel})
        return None if value is None else str(value)

    def retry(self, *, alert_id: str = "", channel: str = "") -> int:
        """Queue again what was refused, and what is held: all, or that of an alert or a channel. How many.

        What was muted is queued only when its alert is named. Unless one is, channels that refused everything are tried
        again.
        """
        keys = {"alert_id": alert_id, "channel": channel}
        with self.db.transaction():
            count = int(self.db.value(sql("count_dead"), keys))
            self.db.execute(sql("retry_dead"), keys)
            if not alert_id:
                self.db.execute(sql("readmit_channels"), {"channel": channel})
        return count

    def add_silence(self, silence: Silence) -> None:
        """Write a silence."""
        self.db.execute(sql("insert_silence"), asdict(silence))

    def expire_silence(self, silence_id: str, now: datetime) -> None:
        """End a silence now."""
        self.db.execute(sql("expire_silence"), {"silence_id": silence_id, "now": now})

    def muted(self) -> list[tuple[str, str]]:
        """(alert, channel) of what was muted and is to be told when nothing mutes it any more."""
        return [(alert_id, channel) for alert_id, channel in self.db.rows(sql("muted_deliveries"))]

    def tell_in(self, alert_id: str, channel: str, teller: str) -> None:
        """Let the message of `teller` tell what was muted; when that is empty, it waits again."""
        self.db.execute(sql("tell_muted_in"), {"alert_id": alert_id, "channel": channel, "told_in": teller})

    def tell_all_in(self, pairs: Iterable[tuple[str, str]], teller: str) -> None:
        """Let the message of `teller` tell what waits to be sent by itself, given as (alert, channel)."""
        with self.db.rows_as("pairs", sorted(set(pairs)), {"alert_id": str, "channel": str}):
            self.db.execute(sql("tell_all_in"), {"told_in": teller})

    def told_in(self, teller: str, channel: str) -> list[str]:
        """The muted alerts that an alert's message tells a channel."""
        return [row[0] for row in self.db.rows(sql("told_in"), {"alert_id": teller, "channel": channel})]

    def silences(self) -> list[Silence]:
        """Every silence, newest first."""
        return [Silence(**row) for row in self.db.records(sql("all_silences"))]


def silence_id(rule: str, board: str, entity: str, starts_at: datetime) -> str:
    """Short, and different for silences that differ in what they mute or when they begin."""
    return hashlib.sha256(f"{rule}\n{board}\n{entity}\n{starts_at.isoformat()}".encode()).hexdigest()[:8]


def silenced_by(alert: Alert, silences: list[Silence], now: datetime) -> Silence | None:
    """The silence in force that mutes an alert; None when nothing does (pure)."""
    for silence in silences:
        named = (silence.rule in ("", alert.rule)) and (silence.board in ("", alert.board))
        if named and silence.entity in ("", alert.entity, alert.rival) and silence.starts_at <= now < silence.ends_at:
            return silence
    return None
