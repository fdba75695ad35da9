"""How much of a rate limit is left and how long to wait for more. Pure: every moment comes in as an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RESET_GRACE_SECONDS = 1.0
"""Waited beyond the start of a window, for the headers count whole seconds."""

_MAX_BACKOFF_SECONDS = 8.0
_SLACK_SECONDS = 2.0  # the headers count whole seconds, so two readings of one window disagree by a little


@dataclass(frozen=True, slots=True)
class Quota:
    """What an answer says about the window of requests that it was counted in."""

    remaining: int
    """Requests left."""
    reset_seconds: float
    """Seconds until the window starts anew."""
    limit: int | None
    """Requests a window; None where the Hub did not say."""


class Gate:
    """Says how long to wait before the next request, so that no more than `share` of every window is used."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._quota: Quota | None = None
        self._reset_at = 0.0
        self._held_until = 0.0

    @property
    def quota(self) -> Quota | None:
        """The last thing known about the window; None before the first answer that tells."""
        return self._quota

    def note(self, quota: Quota, now: float) -> None:
        """Take in what an answer says. Answers overtake each other: the lowest count in a window is the true one."""
        reset_at = now + quota.reset_seconds
        if self._quota and now < self._reset_at and reset_at < self._reset_at + _SLACK_SECONDS:
            if quota.remaining < self._quota.remaining:
                self._quota = quota
            return
        self._quota, self._reset_at = quota, reset_at

    def hold(self, seconds: float, now: float) -> None:
        """Let nothing through for so many seconds (`Retry-After`)."""
        self._held_until = max(self._held_until, now + seconds)

    def wait(self, in_flight: int, now: float) -> float:
        """Seconds to wait before one more request; 0 to go ahead. `in_flight` are sent and not answered."""
        waits = [self._held_until - now, 0.0]
        if now < self._reset_at and self._used_up(in_flight):
            waits.append(self._reset_at - now)
        return max(waits)

    def _used_up(self, in_flight: int) -> bool:
        if self._quota is None:
            return False
        if self._quota.limit is None:
            return self._quota.remaining <= in_flight
        used = self._quota.limit - self._quota.remaining
        return used + in_flight >= self._quota.limit * self._share


def backoff_seconds(attempt: int, jitter: float) -> float:
    """Seconds to wait after an attempt (from 1) that failed, apart from others by a `jitter` from 0 to 1."""
    return min(0.5 * 2.0 ** (attempt - 1), _MAX_BACKOFF_SECONDS) * (0.5 + jitter)


def retry_after_seconds(value: str | None, answered_at: str | None, now: float) -> float | None:
    """Seconds that a `Retry-After` header asks for; None if it is absent or says nothing.

    A date is measured from the answer's own `Date` header (`answered_at`), because this machine's clock may be wrong;
    without one from `now`, in seconds since 1970.
    """
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    until = _http_date(value)
    since = _http_date(answered_at) or datetime.fromtimestamp(now, UTC)
    return max(0.0, (until - since).total_seconds()) if until else None


def _http_date(value: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):  # the latter of a zone that is further away than a calendar goes
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
