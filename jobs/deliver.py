"""Deliver: send what is due in the outbox, each channel in its own thread, each in its own order.

    due --leased, committed--> channel.send --receipt or error, committed--> next of the same channel

A delivery that is `sending` and has no lease in force is open: its sender died between taking it and writing its
receipt, or could not hear whether the provider took it. A channel that can look (`reconcile`) is asked; otherwise the
message goes out again, with the same alert id. That is the only way in which a message repeats.

What only some recipients of a mail wait for holds up nothing that comes after it; all else keeps its order.

A channel that is refused itself (its token is invalid, its webhook is gone) is asked once an hour, and what waits for
it is held; the fallback channel tells it meanwhile. As soon as it takes a message it gets what it refused, too.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from alerts.channels import Channel, ChannelError, Receipt, Reconciling
from alerts.message import TELLERS, Message, compose, summary
from jobs.telling import afterwards, parting
from jobs.telling.turns import LONGEST_WAIT, Batch, due_at, holds_up, queues
from warehouse.amounts import amount
from warehouse.db import Database
from warehouse.records import Alert, ChannelHealth, Delivery, Silence
from warehouse.state.ledger import Ledger
from warehouse.state.outbox import Outbox, silenced_by

LEASE = timedelta(minutes=5)
"""Longer than any channel takes for one message."""

FALLBACK = "console"
"""The channel, where it is configured, that is told what another one refused for good."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wording:
    """How alerts become messages: one with those that it tells beside its own, or many as a summary."""

    one: Callable[[Alert, Sequence[Alert]], Message]
    many: Callable[[Sequence[Alert]], Message]
    unpictured: Callable[[Alert, Sequence[Alert]], Message] | None = None
    """As `one`, without the picture, for channels that show none; None: `one` is for all."""

    def of_one(self, *, pictured: bool) -> Callable[[Alert, Sequence[Alert]], Message]:
        """How an alert is worded for a channel that shows pictures, or for one that does not."""
        return self.one if pictured or self.unpictured is None else self.unpictured


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the outbox; `problems` are lines for people."""

    sent: int
    failed: int
    dead: int
    waiting: int
    problems: tuple[str, ...]
    silenced: int = 0
    held: int = 0
    """Of those waiting, the ones whose channel refuses everything."""
    missing: tuple[str, ...] = ()
    """Channels that some wait for and that are not configured, or could not be built."""

    @property
    def undelivered(self) -> int:
        """How many were to be delivered and are not, for whatever reason."""
        return self.waiting + self.dead


@dataclass
class _Run:
    """One run over the outbox."""

    db: Database
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
    broken: BaseException | None = None
    """What went wrong first that no channel is to blame for; nothing new is taken then."""
    worded: dict[tuple[str, bool], Message] = field(default_factory=dict)
    """Alert id, and whether with its picture -> what is said about it, whichever channel says it: a picture takes
    longer than all else, and is drawn for those alone who show it."""

    def work_off(self, queues: Sequence[list[Batch]]) -> None:
        """Send all of them. When something breaks, what is on its way is written down before that is raised."""
        for queue in queues:
            self._keep_error(partial(self.begin, queue))
        while self.running:
            self._keep_error(self._finish_some)
        if self.broken is not None:
            raise self.broken

    def _finish_some(self) -> None:
        for future in wait(self.running, return_when=FIRST_COMPLETED).done:
            self._keep_error(partial(self.finish, future))

    def _keep_error(self, step: Callable[[], None]) -> None:
        """Do a step; the first error is raised when nothing is on its way any more, so that no receipt is lost."""
        try:
            step()
        except BaseException as error:  # noqa: BLE001 an end that was asked for waits for them, too
            self.broken = self.broken or error

    def begin(self, queue: list[Batch], *, pause: bool = False) -> None:
        """Take the first of a channel's queue that is not silenced, and send it in a thread."""
        while queue and self.broken is None and not self.stop.is_set():
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
            alert = self.ledger.alert(delivery.alert_id)
            if alert.kind in TELLERS:
                loud += [delivery] if self._tells_anything(delivery) else []
                continue
            silence = silenced_by(alert, self.outbox.silences(), self.now())
            if silence is None:
                loud.append(delivery)
            else:
                self._mute(delivery, silence)
        return loud

    def _mute(self, delivery: Delivery, silence: Silence) -> None:
        """Note that a delivery is not sent, by whose wish, and whether it is told afterwards."""
        why = f"silenced by {silence.author} until {silence.ends_at:%Y-%m-%d %H:%M}: {silence.reason}"
        muted = replace(delivery, status="dead", last_error=why, told_in="" if silence.afterwards else None)
        self.outbox.settle([muted], self.outbox.health(delivery.channel), now=self.now())
        self.ledger.set_state([delivery.alert_id], "silenced")
        self.silenced += 1

    def _tells_anything(self, delivery: Delivery) -> bool:
        """Whether anything is left of what was muted; when all is muted anew, or forgotten, the message is dropped."""
        if afterwards.still_to_tell(self.db, delivery, now=self.now()):
            return True
        dropped = replace(delivery, status="dead", last_error="nothing of it is left to tell")
        self.outbox.settle([dropped], self.outbox.health(delivery.channel), now=self.now())
        return False

    def _message(self, batch: Batch) -> Message:
        if len(batch) > 1:
            alerts = [one for delivery in batch for one in told_by(self.db, delivery)]
            message = self._worded(lambda: self.wording.many(alerts), lambda: summary(alerts, now=self.now()))
            have_all = set.intersection(*(set(delivery.settled) for delivery in batch))
            return replace(message, settled=tuple(sorted(have_all)))
        delivery = batch[0]
        alert, *beside = told_by(self.db, delivery)
        pictured = bool(getattr(self.channels[delivery.channel], "shows_pictures", False))
        key, usual = (alert.alert_id, pictured), self.wording.of_one(pictured=pictured)
        if key not in self.worded or alert.kind in TELLERS:
            self.worded[key] = self._worded(
                lambda: usual(alert, beside), lambda: compose(alert, also=beside, now=self.now())
            )
        reply_to = self.outbox.receipt(alert.thread_of, delivery.channel) if alert.thread_of else None
        return replace(self.worded[key], settled=delivery.settled, reply_to=reply_to)

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
        """Write what became of a batch, and begin the channel's next unless that must wait for this one."""
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
            if health.refused_since is not None:
                self.outbox.readmit(health.channel)
            health = ChannelHealth(health.channel, last_sent_at=moment)
        fallback = FALLBACK if FALLBACK in self.channels else ""
        self.outbox.settle(settled, health, now=moment, receipt=receipt.id, fallback=fallback)
        self.outcomes += settled
        over = settled[0].status in ("sent", "dead") or not holds_up(settled[0])
        if over and health.refused_since is None:
            self.begin(queue, pause=True)


def run(
    db: Database,
    channels: Mapping[str, Channel],
    wording: Wording,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
    readers: Mapping[str, Collection[str]] | None = None,
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
        readers: rule -> the channels that it tells, for what a silence takes out of another's message; of a rule that
            is not here, those of that message.
        patient: False tries what has failed before without waiting for its backoff (a person asked); a provider that
            asked to be left alone is left alone all the same.
        stop: set from another thread: what is being sent is finished, nothing new is taken.
    """
    outbox = Outbox(db)
    afterwards.queue(db, now=now())
    parting.part(db, readers or {}, now=now())
    if FALLBACK in channels:
        outbox.queue_instead(FALLBACK, now())
    refusing = {health.channel: health for health in outbox.refusing()}
    opened = outbox.open()
    waiting = queues(opened, now(), patient=patient, refusing=refusing)
    problems = _homeless(opened, channels) + ([] if patient else _put_off(opened, waiting, channels))
    with ThreadPoolExecutor(max_workers=max(len(waiting), 1), thread_name_prefix="deliver") as pool:
        stop = stop or threading.Event()
        work = _Run(db, outbox, Ledger(db), channels, wording, now, sleep, stop, pool, problems=problems)
        work.work_off([waiting[name] for name in waiting.keys() & channels.keys()])
    return _summed_up(work)


def _summed_up(work: _Run) -> Summary:
    """What became of the outbox in a run that is over."""
    sent, dead = (sum(o.status == status for o in work.outcomes) for status in ("sent", "dead"))
    failed, still = len(work.outcomes) - sent - dead, work.outbox.open()
    held = Counter(delivery.channel for delivery in still if delivery.channel in work.channels)
    refused = [health for health in work.outbox.refusing() if held[health.channel]]
    lines = [in_words(health, held[health.channel]) for health in refused]
    return Summary(
        sent,
        failed,
        dead,
        len(still),
        (*work.problems, *lines),
        work.silenced,
        held=sum(held[health.channel] for health in refused),
        missing=_missing(still, work.channels),
    )


def is_anything_due(db: Database, now: datetime, *, without: Collection[str] = ()) -> bool:
    """Whether there is anything to do, be it that a silence is over; what waits for channels `without` use is not."""
    outbox = Outbox(db)
    refusing = {health.channel: health for health in outbox.refusing()}
    waiting = [delivery for delivery in outbox.open() if delivery.channel not in without]
    return bool(queues(waiting, now, patient=True, refusing=refusing) or afterwards.free(db, now))


def told_by(db: Database, delivery: Delivery) -> list[Alert]:
    """The alert of a delivery, and those that its message tells beside it."""
    ledger = Ledger(db)
    alert = ledger.alert(delivery.alert_id)
    told = afterwards.members(db, delivery) if alert.kind in TELLERS else [alert]
    beside = [one for known in told for one in (known, *ledger.told_beside(known.alert_id))]
    return [alert, *beside] if alert.kind in TELLERS else beside


def in_words(health: ChannelHealth, held: int) -> str:
    """A channel that refuses everything, and how to mend that, in one line for people (pure)."""
    waiting = f"{amount(held, 'message')} held" if held else "what comes next is held"
    return (
        f"{health.channel}: refuses whatever it is sent since {health.refused_since:%Y-%m-%d %H:%M} UTC "
        f"({health.last_error}), {waiting}: mend it, then `leadchange send-test {health.channel}`"
    )


def _missing(deliveries: Iterable[Delivery], channels: Container[str]) -> tuple[str, ...]:
    """The channels that deliveries wait for and that are not there."""
    return tuple(sorted({one.channel for one in deliveries if one.channel not in channels}))


def _homeless(deliveries: Iterable[Delivery], channels: Container[str]) -> list[str]:
    """A line on each channel that deliveries wait for in vain (pure)."""
    missing = _missing(deliveries, channels)
    return [f"{name}: no working channel of this name is configured; its alerts wait" for name in missing]


def _put_off(deliveries: Sequence[Delivery], due: Container[str], channels: Container[str]) -> list[str]:
    """A line on each channel that is left alone though somebody asked for its messages: until when, and why (pure)."""
    firsts = {one.channel: one for one in reversed(deliveries) if one.channel in channels and one.channel not in due}
    return [
        f"{name}: left alone until {due_at(first, patient=False):%Y-%m-%d %H:%M:%S} UTC: "
        f"{first.last_error or 'somebody else is sending'}"
        for name, first in sorted(firsts.items())
    ]


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
    asked = _asked(error)
    # The message that shows that a channel refuses everything is a dead letter; those after it are spared that.
    gone: Literal["dead", "pending"] = "pending" if error.closed and health.refused_since else "dead"
    failed = [
        replace(
            delivery,
            status=gone if error.permanent else "sending" if error.uncertain else "pending",
            last_error=str(error),
            lease_until=None,
            not_before=now + asked if asked is not None else None,
            settled=tuple(sorted({*delivery.settled, *error.settled})),
        )
        for delivery in batch
    ]
    now_known = replace(
        health, failing_since=health.failing_since or now, failures=health.failures + 1, last_error=str(error)
    )
    if error.closed:
        began = health.refused_since or batch[0].last_attempt_at or now
        now_known = replace(now_known, refused_since=began, refused_at=now)
    elif error.permanent:
        now_known = replace(now_known, refused_since=None, refused_at=None)
    return failed, now_known


def _asked(error: ChannelError) -> timedelta | None:
    """How long the provider asked to be left alone, at most a day: it may name any number."""
    if error.retry_after is None:
        return None
    return timedelta(seconds=min(LONGEST_WAIT.total_seconds(), error.retry_after))
