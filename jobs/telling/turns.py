"""Turns: which deliveries may go out now, in which order, and which of them as one message (pure)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from warehouse.records import ChannelHealth, Delivery

LONGEST_WAIT = timedelta(days=1)
"""However long a provider asks to be left alone."""

LONGEST_BACKOFF = timedelta(hours=1)
"""Also how long a channel is left alone that refuses everything: somebody may have mended it."""

OUTAGE = timedelta(hours=72)
"""What has waited longer than this comes as one summary, not as a flood."""

Batch = list[Delivery]
"""Deliveries of one channel that go out as one message; nearly always one."""


def queues(
    deliveries: Sequence[Delivery],
    now: datetime,
    *,
    patient: bool,
    refusing: Mapping[str, ChannelHealth] | None = None,
) -> dict[str, list[Batch]]:
    """What may go out now, by channel. The first that must wait makes the rest of its channel wait: order is kept.

    One that only some of its recipients wait for makes nobody else wait.

    Args:
        deliveries: all that are open, each channel's in order.
        now: the time.
        patient: whether backoff is observed.
        refusing: channels that refuse everything; what waits for them is held, but for one try an hour.
    """
    due: dict[str, list[Delivery]] = defaultdict(list)
    blocked = _left_alone((refusing or {}).values(), now) if patient else set()
    for delivery in deliveries:
        if delivery.channel in blocked:
            continue
        if _is_due(delivery, now, patient=patient):
            due[delivery.channel].append(delivery)
        elif holds_up(delivery):
            blocked.add(delivery.channel)
    return {name: _batches(queue, now) for name, queue in due.items()}


def _left_alone(refusing: Collection[ChannelHealth], now: datetime) -> set[str]:
    return {one.channel for one in refusing if one.refused_at and _is_near(one.refused_at + LONGEST_BACKOFF - now)}


def _is_near(wait: timedelta) -> bool:
    """Whether a moment is yet to come; one that nobody would have set was written by a clock that was wrong."""
    return timedelta(0) < wait <= 2 * LONGEST_WAIT


def _is_due(delivery: Delivery, now: datetime, *, patient: bool) -> bool:
    """Whether its time has come."""
    return not _is_near(due_at(delivery, patient=patient) - now)


def holds_up(delivery: Delivery) -> bool:
    """Whether what comes after a delivery that cannot go out now must wait for it.

    It need not when some of its recipients have it: their later news is not kept from them for the sake of the others.
    """
    return not delivery.settled or delivery.lease_until is not None or delivery.not_before is not None


def _batches(queue: list[Delivery], now: datetime) -> list[Batch]:
    """One delivery a message; after an outage everything that waited for the same recipients is one summary.

    What went out together and is open stays together, so that it keeps its identity.
    """
    batches: dict[Hashable, Batch] = defaultdict(list)
    late = {frozenset(delivery.settled) for delivery in queue if _waited_long(delivery, now)}
    for delivery in queue:
        recipients = frozenset(delivery.settled)
        if delivery.status == "sending":
            batches[delivery.last_attempt_at].append(delivery)
        else:
            batches[recipients if recipients in late else delivery.alert_id].append(delivery)
    return list(batches.values())


def _waited_long(delivery: Delivery, now: datetime) -> bool:
    """Whether it has been tried in vain for longer than anybody wants to be told of one by one."""
    if delivery.status == "sending" or delivery.attempts == 0 or delivery.queued_at is None:
        return False
    return now - delivery.queued_at > OUTAGE


def due_at(delivery: Delivery, *, patient: bool = True) -> datetime:
    """When a delivery may be attempted: after its lease, or after what the provider asked and its backoff."""
    moments = [moment for moment in (delivery.lease_until, delivery.not_before) if moment is not None]
    if patient and delivery.last_attempt_at is not None and delivery.lease_until is None:
        moments.append(delivery.last_attempt_at + backoff(delivery))
    return max(moments, default=datetime.min.replace(tzinfo=UTC))


def backoff(delivery: Delivery) -> timedelta:
    """attempts^4 seconds, at most an hour, plus up to a fifth that tells deliveries apart."""
    digest = hashlib.sha256(f"{delivery.alert_id}{delivery.channel}{delivery.attempts}".encode()).digest()
    # Compared as numbers: what months of attempts come to is more than a timedelta holds.
    seconds = min(LONGEST_BACKOFF.total_seconds(), delivery.attempts**4)
    return timedelta(seconds=seconds) * (1 + digest[0] / 255 / 5)
