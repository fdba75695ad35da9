"""Is the monitor doing its work? Facts in, a verdict with its reasons out (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

STALE = timedelta(hours=50)
"""Two daily collections and two hours: a complete snapshot older than this is stale."""

WRONG_CLOCK = timedelta(hours=2)
"""A complete snapshot that is further ahead than this says nothing about how fresh the data is."""

STUCK_DELIVERY = timedelta(hours=6)
"""A message that waits longer than this is stuck."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the monitor at a moment."""

    now: datetime
    last_complete: datetime | None
    """When the last complete snapshot was taken."""
    unfit: str = ""
    """Why the last look at the Hub is not judged by; empty when it is."""
    oldest_open_delivery: datetime | None = None
    """When the oldest message that is not delivered was queued."""
    refusing: Mapping[str, datetime] = field(default_factory=dict)
    """Channel -> since when it refuses whatever it is sent."""
    running_seconds: Mapping[str, float] = field(default_factory=dict)
    """Job -> for how long it has been running, by the monotonic clock."""
    deadline_seconds: Mapping[str, float] = field(default_factory=dict)
    """Job -> how long it may run."""
    ended: Mapping[str, str] = field(default_factory=dict)
    """Job -> why it did not end by itself when it last ran."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether all is well, and if not, why."""

    ok: bool
    reasons: tuple[str, ...]
    last_complete: datetime | None


def judge(facts: Facts) -> Health:
    """Stale data, stuck messages, channels that refuse everything and hung jobs are each a reason to be red."""
    reasons: list[str] = []
    if facts.last_complete is None:
        reasons.append("no complete snapshot yet")
    elif facts.last_complete - facts.now > WRONG_CLOCK:
        reasons.append(f"the last complete snapshot is of {facts.last_complete:%Y-%m-%d}: the clock was wrong, or is")
    elif facts.now - facts.last_complete > STALE:
        reasons.append(f"the last complete snapshot is {_age(facts.now - facts.last_complete)} old")
    if reasons and facts.unfit:
        reasons.append(facts.unfit)
    if facts.oldest_open_delivery is not None and facts.now - facts.oldest_open_delivery > STUCK_DELIVERY:
        reasons.append(f"a message has been waiting since {facts.oldest_open_delivery:%Y-%m-%d %H:%M} UTC")
    for channel, since in facts.refusing.items():
        reasons.append(f"channel {channel} refuses every message since {since:%Y-%m-%d %H:%M} UTC")
    for job, seconds in facts.running_seconds.items():
        if seconds > facts.deadline_seconds.get(job, float("inf")):
            reasons.append(f"{job} has been running for {seconds:.0f} s and should have ended")
    reasons += facts.ended.values()
    return Health(not reasons, tuple(reasons), facts.last_complete)


def _age(age: timedelta) -> str:
    """In hours, as long as one can picture them."""
    hours, days = age / timedelta(hours=1), age / timedelta(days=1)
    return f"{hours:.0f} hours" if days < 7 else f"{days:.0f} days"
