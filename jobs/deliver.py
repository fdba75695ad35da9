"""Deliver: send what is due in the outbox, each channel in its own thread, each in its own order.

    due --leased, committed--> channel.send --receipt or error, committed--> next of the same channel

A delivery that is `sending` and has no lease in force is open: its sender died between taking it and writing its
receipt, or could not hear whether the provider took it. A channel that can look (`reconcile`) is asked; otherwise the
message goes out again, with the same alert id. That is the only way in which a message repeats.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from alerts.channels import Channel, ChannelError, Receipt, Reconciling
from alerts.message import Message, compose, summary
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

FALLBACK = "console"
"""The channel, where it is configured, that is told what another one refused for good."""

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
    stop: threading.Event
    pool: ThreadPoolExecutor
    running: dict[Future[Receipt], tuple[Batch, list[Batch]]] = field(default_factory=dict)
    outcomes: list[Delivery] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    silenced: int = 0
    worded: dict[str, Message] = field(default_factory=dict)
    """Alert id -> what is said about it, whichever channel says it: a picture takes longer than all else."""

    def begin(self, queue: list[Batch], *, pause: bool = False) -> None:
        """Take the first of a channel's queue that is not silenced, and send it in a thread."""
        while queue and not self.stop.is_set():
            batch = self._unsilenced(queue.pop(0))
            if batch:
                self._take(batch, queue, pause=pause)
                return

    def _take(self, batch: Batch, queue: list[Batch], *, pause: bool) -> None:
        """Lease a batch and send it; when another thread is at this channel, leave the channel to it."""
        moment = self.now()
        taken = self.outbox.lease(batch, now=moment, until=moment + LEASE)
        if taken:
            channel = self.channels[taken[0].channel]
            send = _sender(channel, self._message(taken), uncertain=batch[0].status == "sending")
            wait_ = self._pause(channel, moment, again=pause)
            self.running[self.pool.submit(self._paced, send, wait_)] = (taken, queue)

    def _pause(self, channel: Channel, moment: datetime, *, again: bool) -> float:
        """Seconds to let pass before a message, after the one before it in this run (`again`) or in an earlier one."""
        interval = float(getattr(channel, "min_interval_seconds", 0.0))
        last = self.outbox.health(channel.name).last_sent_at
        if again or last is None or not interval:
            return interval if again else 0.0
        return min(interval, max(0.0, interval - (moment - last).total_seconds()))

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
            return self._worded(lambda: self.wording.many(alerts), lambda: summary(alerts, now=self.now()))
        alert, delivery = alerts[0], batch[0]
        if alert.alert_id not in self.worded:
            beside = self.ledger.told_beside(alert.alert_id)
            self.worded[alert.alert_id] = self._worded(
                lambda: self.wording.one(alert, beside), lambda: compose(alert, also=beside, now=self.now())
            )
        reply_to = self.outbox.receipt(alert.thread_of, delivery.channel) if alert.thread_of else None
        return replace(self.worded[alert.alert_id], settled=delivery.settled, reply_to=reply_to)

    def _worded(self, usual: Callable[[], Message], plain: Callable[[], Message]) -> Message:
        """The usual message; where it cannot be made, the plain one: a picture is no reason not to tell."""
        try:
            message = usual()
        except Exception as error:
            log.exception("a message could not be worded as usual")
            self.problems.append(f"told in plain words, the usual ones failed: {type(error).__name__}")
            return plain()
        self.problems += message.problems
        return message

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
            if delivery.status == "dead" and FALLBACK in self.channels:
                self.outbox.queue(delivery.alert_id, FALLBACK, moment)
        self.outcomes += settled
        if settled[0].status in ("sent", "dead"):
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
        stop = stop or threading.Event()
        work = _Run(outbox, Ledger(db), channels, wording, now, sleep, stop, pool, problems=problems)
        for name in queues.keys() & channels.keys():
            work.begin(queues[name])
        while work.running:
            for future in wait(work.running, return_when=FIRST_COMPLETED).done:
                work.finish(future)
    sent, dead = (sum(o.status == status for o in work.outcomes) for status in ("sent", "dead"))
    failed, waiting = len(work.outcomes) - sent - dead, len(outbox.open())
    return Summary(sent, failed, dead, waiting, tuple(work.problems), work.silenced)


def _queues(deliveries: Sequence[Delivery], now: datetime, *, patient: bool) -> dict[str, list[Batch]]:
    """What may go out now, by channel. The first that must wait makes the rest of its channel wait: order is kept."""
    due: dict[str, list[Delivery]] = defaultdict(list)
    blocked: set[str] = set()
    for delivery in deliveries:
        if delivery.channel in blocked:
            continue
        if not is_due(delivery, now, patient=patient):
            blocked.add(delivery.channel)
        else:
            due[delivery.channel].append(delivery)
    return {name: _batches(queue, now) for name, queue in due.items()}


def is_due(delivery: Delivery, now: datetime, *, patient: bool = True) -> bool:
    """Whether a delivery's time has come; a time that nobody would have set was written by a clock that was wrong."""
    wait_ = due_at(delivery, patient=patient) - now
    return wait_ <= timedelta(0) or wait_ > 2 * LONGEST_WAIT


def _batches(queue: list[Delivery], now: datetime) -> list[Batch]:
    """One delivery a message; after an outage everything that waited is one summary.

    What went out together and is open stays together, so that it keeps its identity.
    """
    if not queue:
        return []
    first = queue[0]
    if first.status == "sending":
        together = [d for d in queue if (d.status, d.last_attempt_at) == (first.status, first.last_attempt_at)]
        return [together, *_batches([d for d in queue if d not in together], now)]
    waited = first.attempts > 0 and first.queued_at is not None and now - first.queued_at > OUTAGE
    return [queue] if waited and len(queue) > 1 else [[delivery] for delivery in queue]


def due_at(delivery: Delivery, *, patient: bool = True) -> datetime:
    """When a delivery may be attempted: after its lease, or after what the provider asked and its backoff (pure)."""
    moments = [moment for moment in (delivery.lease_until, delivery.not_before) if moment is not None]
    if patient and delivery.last_attempt_at is not None and delivery.lease_until is None:
        moments.append(delivery.last_attempt_at + backoff(delivery))
    return max(moments, default=datetime.min.replace(tzinfo=UTC))


def backoff(delivery: Delivery) -> timedelta:
    """attempts^4 seconds, at most an hour, plus up to a fifth that tells deliveries apart (pure)."""
    digest = hashlib.sha256(f"{delivery.alert_id}{delivery.channel}{delivery.attempts}".encode()).digest()
    return min(LONGEST_BACKOFF, timedelta(seconds=delivery.attempts**4)) * (1 + digest[0] / 255 / 5)


def _sender(channel: Channel, message: Message, *, uncertain: bool) -> Callable[[], Receipt]:
    """What sends a message; an attempt that nobody knows the end of is looked up first, where the channel can."""

    def send() -> Receipt:
        still_open = uncertain
        try:
            if uncertain and isinstance(channel, Reconciling):
                receipt = channel.reconcile(message)
                if receipt is not None:
                    return receipt
                still_open = False
            return channel.send(message)
        except ChannelError as error:
            error.uncertain = error.uncertain or still_open
            raise
        except Exception as error:  # noqa: BLE001 see below
            # A bug in one channel must not keep the others from sending. The log gets where it happened, and nobody
            # gets the error's own text: it may hold a secret.
            kind, where = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
            log.error("channel %s failed: %s\n%s", channel.name, kind, where)  # noqa: TRY400 see above
            raise ChannelError(f"unexpected {kind}; the log has the traceback", uncertain=True) from None

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
            status="dead" if error.permanent else "sending" if error.uncertain else "pending",
            last_error=str(error),
            not_before=now + asked if asked is not None else None,
            settled=(*delivery.settled, *error.settled),
        )
        for delivery in batch
    ]
    since = health.failing_since or now
    return failed, replace(health, failing_since=since, failures=health.failures + 1, last_error=str(error))
