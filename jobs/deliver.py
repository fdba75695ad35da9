"""Deliver: send what is due in the outbox, each channel in its own thread, each in its own order.

    due --leased, committed--> channel.send --receipt or error, committed--> next of the same channel

A lease that ran out means that the sender died between taking a delivery and writing its receipt: nobody knows whether
the message arrived. A channel that can look (`reconcile`) is asked; otherwise the message goes out again, with the same
alert id. That is the only way in which a message repeats.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from alerts.channels import Channel, ChannelError, Receipt
from alerts.message import Message
from warehouse.db import Database
from warehouse.ledger import Ledger
from warehouse.outbox import Outbox, silenced_by
from warehouse.records import Alert, ChannelHealth, Delivery

LEASE = timedelta(minutes=5)
"""Longer than any channel takes for one message."""

LONGEST_WAIT = timedelta(days=1)
"""However long a provider asks to be left alone."""

LONGEST_BACKOFF = timedelta(hours=1)

OUTAGE = timedelta(hours=72)
"""What has waited longer than this comes as one summary, not as a flood."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wording:
    """How alerts become messages: one with those that it tells beside its own, or many as a summary."""

    one: Callable[[Alert, Sequence[Alert]], Message]
    many: Callable[[Sequence[Alert]], Message]


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the outbox; `problems` are lines for people."""

    sent: int
    failed: int
    dead: int
    waiting: int
    problems: tuple[str, ...]
    silenced: int = 0


Batch = list[Delivery]
"""Deliveries of one channel that go out as one message; nearly always one."""


@dataclass
class _Run:
    """One run over the outbox."""

    outbox: Outbox
    ledger: Ledger
    channels: Mapping[str, Channel]
    wording: Wording
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    pool: ThreadPoolExecutor
    running: dict[Future[Receipt], tuple[Batch, list[Batch]]] = field(default_factory=dict)
    outcomes: list[Delivery] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    silenced: int = 0

    def begin(self, queue: list[Batch], *, pause: bool = False) -> None:
        """Take the first of a channel's queue that is not silenced, and send it in a thread."""
        while queue:
            batch = self._unsilenced(queue.pop(0))
            if batch:
                uncertain = batch[0].status == "sending"
                moment = self.now()
                taken = [self.outbox.lease(delivery, now=moment, until=moment + LEASE) for delivery in batch]
                channel = self.channels[taken[0].channel]
                wait_ = getattr(channel, "min_interval_seconds", 0.0) if pause else 0.0
                send = _sender(channel, self._message(taken), uncertain=uncertain)
                self.running[self.pool.submit(self._paced, send, wait_)] = (taken, queue)
                return

    def _paced(self, send: Callable[[], Receipt], pause: float) -> Receipt:
        if pause > 0:
            self.sleep(pause)
        return send()

    def _unsilenced(self, batch: Batch) -> Batch:
        """The deliveries of a batch that nobody has muted; the others are over."""
        loud = []
        for delivery in batch:
            silence = silenced_by(self.ledger.alert(delivery.alert_id), self.outbox.silences(), self.now())
            if silence is None:
                loud.append(delivery)
                continue
            why = f"silenced by {silence.author} until {silence.ends_at:%Y-%m-%d %H:%M}: {silence.reason}"
            muted = replace(delivery, status="dead", last_error=why)
            self.outbox.settle(muted, self.outbox.health(delivery.channel))
            self.ledger.set_state([delivery.alert_id], "silenced")
            self.silenced += 1
        return loud

    def _message(self, batch: Batch) -> Message:
        alerts = [self.ledger.alert(delivery.alert_id) for delivery in batch]
        if len(batch) > 1:
            return self.wording.many(alerts)
        alert, delivery = alerts[0], batch[0]
        reply_to = self.outbox.receipt(alert.thread_of, delivery.channel) if alert.thread_of else None
        message = self.wording.one(alert, self.ledger.told_beside(alert.alert_id))
        return replace(message, settled=delivery.settled, reply_to=reply_to)

    def finish(self, future: Future[Receipt]) -> None:
        """Write what became of a batch, and begin the channel's next unless this one must be tried again first."""
        batch, queue = self.running.pop(future)
        moment = self.now()
        health = self.outbox.health(batch[0].channel)
        try:
            receipt = future.result()
        except ChannelError as error:
            settled, health = _refused(batch, health, error, moment)
            self.problems.append(f"{health.channel}: {error}")
            receipt = Receipt()
        else:
            settled = [_taken(delivery, receipt, moment) for delivery in batch]
            health = replace(health, failing_since=None, failures=0, last_error=None, last_sent_at=moment)
        for delivery in settled:
            self.outbox.settle(delivery, health, receipt=receipt.id)
        self.outcomes += settled
        if settled[0].status != "pending":
            self.begin(queue, pause=True)


def run(
    db: Database,
    channels: Mapping[str, Channel],
    wording: Wording,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
    patient: bool = True,
    stop: threading.Event | None = None,
) -> Summary:
    """Send what is due.

    Args:
        db: the warehouse.
        channels: by name; a delivery to one that is not here waits, and is reported.
        wording: how alerts become messages.
        now: the time, asked again for each attempt.
        sleep: waits so many seconds, between two messages of a channel that wants a pause.
        patient: False tries what has failed before without waiting for its backoff (a person asked); a provider that
            asked to be left alone is left alone all the same.
        stop: set from another thread: what is being sent is finished, nothing new is taken.
    """
    outbox = Outbox(db)
    queues = _queues(outbox.open(), now(), patient=patient)
    missing = sorted(queues.keys() - channels.keys())
    problems = [f"{name}: no working channel of this name is configured; its alerts wait" for name in missing]
    with ThreadPoolExecutor(max_workers=max(len(queues), 1), thread_name_prefix="deliver") as pool:
        work = _Run(outbox, Ledger(db), channels, wording, now, sleep, pool, problems=problems)
        for name in queues.keys() & channels.keys():
            work.begin(queues[name])
        while work.running:
            for future in wait(work.running, return_when=FIRST_COMPLETED).done:
                if stop is not None and stop.is_set():
                    work.running[future][1].clear()
                work.finish(future)
    count = {status: sum(o.status == status for o in work.outcomes) for status in ("sent", "pending", "dead")}
    waiting = len(outbox.open())
    return Summary(count["sent"], count["pending"], count["dead"], waiting, tuple(work.problems), work.silenced)


def _queues(deliveries: Sequence[Delivery], now: datetime, *, patient: bool) -> dict[str, list[Batch]]:
    """What may go out now, by channel. The first that must wait makes the rest of its channel wait: order is kept."""
    due: dict[str, list[Delivery]] = defaultdict(list)
    blocked: set[str] = set()
    for delivery in deliveries:
        if delivery.channel in blocked:
            continue
        if due_at(delivery, patient=patient) > now:
            blocked.add(delivery.channel)
        else:
            due[delivery.channel].append(delivery)
    return {name: _batches(queue, now) for name, queue in due.items()}


def _batches(queue: list[Delivery], now: datetime) -> list[Batch]:
    """One delivery a message; after an outage everything that waited is one summary."""
    first = queue[0]
    waited = first.attempts > 0 and first.queued_at is not None and now - first.queued_at > OUTAGE
    return [queue] if waited and len(queue) > 1 else [[delivery] for delivery in queue]


def due_at(delivery: Delivery, *, patient: bool = True) -> datetime:
    """When a delivery may be attempted: after its lease, after what the provider asked, after its backoff (pure)."""
    moments = [moment for moment in (delivery.lease_until, delivery.not_before) if moment is not None]
    if patient and delivery.last_attempt_at is not None and delivery.status == "pending":
        moments.append(delivery.last_attempt_at + backoff(delivery))
    return max(moments, default=datetime.min.replace(tzinfo=UTC))


def backoff(delivery: Delivery) -> timedelta:
    """attempts^4 seconds, at most an hour, plus up to a fifth that tells deliveries apart (pure)."""
    digest = hashlib.sha256(f"{delivery.alert_id}{delivery.channel}{delivery.attempts}".encode()).digest()
    return min(LONGEST_BACKOFF, timedelta(seconds=delivery.attempts**4)) * (1 + digest[0] / 255 / 5)


def _sender(channel: Channel, message: Message, *, uncertain: bool) -> Callable[[], Receipt]:
    """What sends a message; an attempt that nobody knows the end of is looked up first, where the channel can."""

    def send() -> Receipt:
        reconcile = getattr(channel, "reconcile", None)
        if uncertain and reconcile is not None:
            receipt = reconcile(message)
            if isinstance(receipt, Receipt):
                return receipt
        try:
            return channel.send(message)
        except ChannelError:
            raise
        except Exception as error:
            # A bug in one channel must not keep the others from sending; its traceback goes to the log, where the
            # channel's own error would show, and only its kind into the row: its text may hold a secret.
            log.exception("channel %s failed", channel.name)
            raise ChannelError(f"unexpected {type(error).__name__}; the log has the traceback") from None

    return send


def _taken(delivery: Delivery, receipt: Receipt, now: datetime) -> Delivery:
    """A delivery that its provider took; what it noted (a refused recipient, say) is kept."""
    return replace(delivery, status="sent", sent_at=now, last_error=receipt.note or None, not_before=None)


def _refused(
    batch: Batch, health: ChannelHealth, error: ChannelError, now: datetime
) -> tuple[list[Delivery], ChannelHealth]:
    """A batch that its provider did not take, and how its channel is doing now."""
    asked = min(LONGEST_WAIT, timedelta(seconds=error.retry_after)) if error.retry_after is not None else None
    failed = [
        replace(
            delivery,
            status="dead" if error.permanent else "pending",
            last_error=str(error),
            not_before=now + asked if asked is not None else None,
            settled=(*delivery.settled, *error.settled),
        )
        for delivery in batch
    ]
    since = health.failing_since or now
    return failed, replace(health, failing_since=since, failures=health.failures + 1, last_error=str(error))
