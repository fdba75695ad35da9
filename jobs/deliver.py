"""Deliver: send what is due in the outbox, each channel in its own thread, each in its own order.

    due --lease, committed--> channel.send --receipt or error, committed--> next of the same channel

A message can go out twice only if the program dies between the provider's acceptance and the receipt; it then carries
the same alert id. A lease that ran out is such a case, and is sent again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from alerts.channels import Channel, ChannelError, Receipt
from alerts.message import Message
from warehouse.db import Database
from warehouse.ledger import Ledger
from warehouse.records import Alert, Delivery

LEASE = timedelta(minutes=5)
"""Longer than any channel takes for one message."""

LONGEST_WAIT = timedelta(days=1)
"""However long a provider asks to be left alone."""

LONGEST_BACKOFF = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the outbox; `problems` are lines for people."""

    sent: int
    failed: int
    dead: int
    waiting: int
    problems: tuple[str, ...]


def run(
    db: Database,
    channels: Mapping[str, Channel],
    compose: Callable[[Alert], Message],
    *,
    now: Callable[[], datetime],
    patient: bool = True,
) -> Summary:
    """Send what is due.

    Args:
        db: the warehouse.
        channels: by name; a delivery to one that is not here waits, and is reported.
        compose: an alert's message.
        now: the time, asked again for each attempt.
        patient: False tries what has failed before without waiting for its backoff (a person asked); a provider that
            asked to be left alone is left alone all the same.
    """
    ledger = Ledger(db)
    queues = _queues(ledger.open_deliveries(), now(), patient=patient)
    known = {name: queue for name, queue in queues.items() if name in channels}
    problems = [
        f"{name}: no channel of this name is configured; its alerts wait" for name in queues.keys() - known.keys()
    ]
    outcomes: list[Delivery] = []
    with ThreadPoolExecutor(max_workers=max(len(known), 1), thread_name_prefix="deliver") as pool:
        running: dict[Future[Receipt], tuple[Delivery, list[Delivery]]] = {}

        def begin(queue: list[Delivery]) -> None:
            """Take the first of a channel's queue and send it in a thread."""
            if not queue:
                return
            delivery = queue.pop(0)
            moment = now()
            ledger.lease(delivery, now=moment, until=moment + LEASE)
            taken = replace(delivery, status="sending", attempts=delivery.attempts + 1, last_attempt_at=moment)
            message = replace(compose(ledger.alert(taken.alert_id)), settled=taken.settled)
            running[pool.submit(channels[taken.channel].send, message)] = (taken, queue)

        for queue in known.values():
            begin(queue)
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                delivery, queue = running.pop(future)
                settled, receipt, problem = _settled(delivery, future, now())
                ledger.settle(settled, receipt=receipt)
                outcomes.append(settled)
                problems += [problem] if problem else []
                if settled.status != "pending":
                    begin(queue)
    return _summary(outcomes, len(ledger.open_deliveries()), problems)


def _summary(outcomes: Sequence[Delivery], waiting: int, problems: Sequence[str]) -> Summary:
    count = {status: sum(o.status == status for o in outcomes) for status in ("sent", "pending", "dead")}
    return Summary(count["sent"], count["pending"], count["dead"], waiting, tuple(problems))


def _queues(deliveries: Sequence[Delivery], now: datetime, *, patient: bool) -> dict[str, list[Delivery]]:
    """What may go out now, by channel. The first that must wait makes the rest of its channel wait: order is kept."""
    queues: dict[str, list[Delivery]] = defaultdict(list)
    blocked: set[str] = set()
    for delivery in deliveries:
        if delivery.channel in blocked:
            continue
        if due_at(delivery, patient=patient) > now:
            blocked.add(delivery.channel)
        else:
            queues[delivery.channel].append(delivery)
    return dict(queues)


def due_at(delivery: Delivery, *, patient: bool = True) -> datetime:
    """When a delivery may be attempted: after its lease, after what the provider asked, after its backoff (pure)."""
    moments = [moment for moment in (delivery.lease_until, delivery.not_before) if moment is not None]
    if patient and delivery.last_attempt_at is not None and delivery.status == "pending":
        moments.append(delivery.last_attempt_at + backoff(delivery))
    return max(moments, default=datetime.min.replace(tzinfo=UTC))


def backoff(delivery: Delivery) -> timedelta:
    """attempts^4 seconds, at most an hour, plus up to a fifth that tells deliveries apart (pure)."""
    digest = hashlib.sha256(f"{delivery.alert_id}{delivery.channel}{delivery.attempts}".encode()).digest()
    jitter = digest[0] / 255 / 5
    return min(LONGEST_BACKOFF, timedelta(seconds=delivery.attempts**4)) * (1 + jitter)


def _settled(delivery: Delivery, future: Future[Receipt], now: datetime) -> tuple[Delivery, str | None, str | None]:
    """The delivery after its attempt, the provider's receipt, and a line about what went wrong."""
    try:
        receipt = future.result()
    except ChannelError as error:
        return _refused(delivery, error, now)
    return replace(delivery, status="sent", sent_at=now, last_error=None, not_before=None), receipt.id, None


def _refused(delivery: Delivery, error: ChannelError, now: datetime) -> tuple[Delivery, None, str]:
    not_before = None
    if error.retry_after is not None:
        not_before = now + min(LONGEST_WAIT, timedelta(seconds=error.retry_after))
    failed = replace(
        delivery,
        status="dead" if error.permanent else "pending",
        last_error=str(error),
        not_before=not_before,
        settled=(*delivery.settled, *error.settled),
    )
    return failed, None, f"{delivery.channel}: {error}"
