"""Is the monitor doing its work? Facts in, a verdict with its reasons out (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from typing import NamedTuple

from alerts.text import plain
from warehouse.published.reading import WRONG_CLOCK

STALE = timedelta(hours=50)
"""Two daily collections and two hours: a complete snapshot older than this is stale."""

NOTES = 3
"""Of several of a kind so many are told of one by one."""

STUCK_DELIVERY = timedelta(hours=6)
"""A message that waits longer than this is stuck."""


class Look(NamedTuple):
    """One look of our own at the Hub."""

    snapshot_id: int
    source: str
    """`hub`, the families; or `census`, everything."""
    taken_at: datetime
    verdict: str = "complete"
    reason: str | None = None
    """Why it is not judged by; None when it is."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the monitor at a moment."""

    now: datetime
    looks: Sequence[Look]
    """Newest first."""
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
    """When the families were last seen completely: neither a census nor imported history hides that polling fails."""
    notes: tuple[str, ...] = ()
    """What somebody should mend though all is well."""


def judge(facts: Facts) -> Health:
    """Stale data, stuck messages, channels that refuse everything and hung jobs are each a reason to be red."""
    last = next(_of_families(facts), None)
    last_complete = next((look.taken_at for look in _of_families(facts) if look.verdict == "complete"), None)
    reasons = _stale(last_complete, facts.now)
    if reasons and last and last.verdict != "complete":
        reasons.append(_unfit(last))
    if facts.oldest_open_delivery is not None and facts.now - facts.oldest_open_delivery > STUCK_DELIVERY:
        reasons.append(f"a message has been waiting since {facts.oldest_open_delivery:%Y-%m-%d %H:%M} UTC")
    for channel, since in facts.refusing.items():
        reasons.append(f"channel {channel} refuses every message since {since:%Y-%m-%d %H:%M} UTC")
    for job, seconds in facts.running_seconds.items():
        if seconds > facts.deadline_seconds.get(job, float("inf")):
            reasons.append(f"{job} has been running for {seconds:.0f} s and should have ended")
    reasons += facts.ended.values()
    # What several jobs failed of, such as a full disk, is one reason.
    return Health(not reasons, tuple(dict.fromkeys(reasons)), last_complete, _notes(ahead(facts.looks, facts.now)))


def _notes(lines: Sequence[str]) -> tuple[str, ...]:
    """What stands on every page: the first few, and how many more there are."""
    more = len(lines) - NOTES
    return (*lines[:NOTES], *([f"so it is with {more} more; `leadchange check` lists them"] if more > 0 else []))


def _of_families(facts: Facts) -> Iterator[Look]:
    """The looks at the families that are not ahead, newest first; as every page asks, years are not gone through."""
    return (look for look in facts.looks if look.source == "hub" and look.taken_at - facts.now <= WRONG_CLOCK)


def ahead(looks: Sequence[Look], now: datetime) -> list[str]:
    """A line on each complete look that a wrong clock has dated ahead: until its day it would be every board's last."""
    found = takewhile(lambda look: look.taken_at - now > WRONG_CLOCK, looks)
    return [
        f"snapshot {look.snapshot_id} is of {look.taken_at:%Y-%m-%d}, which is still to come: the clock was wrong, "
        f"or is; if it was, `leadchange set-aside {look.snapshot_id}` takes the snapshot out"
        for look in found
        if look.verdict == "complete"
    ]


def _stale(last_complete: datetime | None, now: datetime) -> list[str]:
    """Why the data is not fresh; nothing when it is."""
    if last_complete is None:
        return ["no complete snapshot yet"]
    age = now - last_complete
    return [f"the last complete snapshot is {_age(age)} old"] if age > STALE else []


def _unfit(look: Look) -> str:
    """Why a look is not judged by, in one line."""
    return f"the look of {look.taken_at:%Y-%m-%d %H:%M} UTC is {look.verdict}: {plain(look.reason or '', 300)}"


def _age(age: timedelta) -> str:
    """In hours, as long as one can picture them."""
    hours, days = age / timedelta(hours=1), age / timedelta(days=1)
    return f"{hours:.0f} hours" if days < 7 else f"{days:.0f} days"
