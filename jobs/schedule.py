"""When what is due. The only file that knows the scheduler; it ticks, and what is due is a row of the warehouse.

APScheduler 3.11 fires by the wall clock and forgets what it missed. So it only ticks, every minute, and a tick decides
nothing: it asks for the job's last slot (the last moment its cron expression names) and runs the job unless a row says
that this slot, or a later one, is done. A restart, a sleeping laptop and a clock that jumps either way then neither
lose a day nor run it twice, and what failed is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import ClassVar

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from warehouse.errors import LeadchangeError

RETRY = timedelta(minutes=30)
"""How long a slot that failed waits for its next try."""

TRIES = 4
"""How often a slot is tried in all."""

PATIENCE = timedelta(minutes=10)
"""How long at least a job waits for a clock that was put back to reach the slot that is done."""

_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAYS = re.compile(r"([0-7])(?:-([0-7]))?(?:/([0-9]+))?")

_LOOK_BACK = (timedelta(minutes=2), timedelta(hours=2), timedelta(days=2), timedelta(days=40), timedelta(days=800))
"""How far back the last slot of an expression is looked for, nearest first."""

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""What does not come after this in 8,000 years never does."""


class ScheduleError(LeadchangeError):
    """A cron expression that says nothing."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class LastRun:
    """What the warehouse knows of a job's last run."""

    slot: datetime
    ended_at: datetime | None
    ok: bool
    tries: int


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do, and when."""

    name: str
    cron: str
    run: Callable[[], None]


@cache  # asked every minute, and to find out that a day never comes takes a second
def parse(cron: str) -> BaseTrigger:
    """A cron expression of five fields, in UTC; a day of the month beside one of the week means either, as in cron.

    Raises:
        ScheduleError: it is none.
    """
    *others, weekday = cron.split() or [""]
    try:
        every = [CronTrigger.from_crontab(" ".join(fields), timezone=UTC) for fields in _either(others, weekday)]
    except ValueError as error:
        raise ScheduleError(f"{cron!r} is no cron expression: {error}") from None
    coming = [trigger for trigger in every if _comes(trigger)] or every
    return coming[0] if len(coming) == 1 else OrTrigger(coming)


def _comes(trigger: BaseTrigger) -> bool:
    """Whether a trigger's day ever comes."""
    return trigger.get_next_fire_time(None, _LONG_AGO) is not None


def _either(others: list[str], weekday: str) -> list[list[str]]:
    """The fields for APScheduler, which wants both of two days to be met."""
    whole = [*others, _weekday(weekday)]
    if len(others) != 4 or others[2].startswith("*") or weekday.startswith("*"):
        return [whole]
    minute, hour, _, month = others
    return [[*others, "*"], [minute, hour, "*", month, whole[-1]]]


def _weekday(field: str) -> str:
    """The fifth field by names: cron counts from Sunday, which is 0 and 7, and APScheduler from Monday."""
    days: list[str] = []
    for part in field.split(","):
        match = _DAYS.fullmatch(part.replace("*/", "0-6/"))
        if match is None:
            days.append(part)
        else:
            first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
            days += [_NAMES[day % 7] for day in range(first, last + 1, step or 1)]
    return ",".join(days)


def problem_with(cron: str) -> str | None:
    """What is wrong with a cron expression; None when nothing is."""
    try:
        never = not _comes(parse(cron))
    except ScheduleError as error:
        return str(error)
    # The program would wait for it without a word, for ever.
    return f"{cron!r} names a day that never comes" if never else None


def last_slot(cron: str, now: datetime) -> datetime | None:
    """The last moment up to `now` that the expression names; None when there is none in two years."""
    trigger = parse(cron)
    for span in _LOOK_BACK:
        moment = trigger.get_next_fire_time(None, now - span)
        last = None
        while moment is not None and moment <= now:
            last = moment
            moment = trigger.get_next_fire_time(moment, moment + timedelta(microseconds=1))
        if last is not None:
            return datetime.fromtimestamp(last.timestamp(), UTC)
    return None


def due_slot(cron: str, now: datetime, last: LastRun | None) -> datetime | None:
    """The slot to run now, None when nothing is due (pure).

    A slot earlier than one that is done is not due: the clock went back. Unless that one is so far ahead that waiting
    for it would lose what is due till then; it was noted by a clock that was wrong. A slot that failed is due again
    after RETRY, TRIES times at most.
    """
    slot = last_slot(cron, now)
    if last is not None and last.slot - now > max(PATIENCE, _until_the_next(cron, last.slot)):
        return slot
    if slot is None or (last is not None and slot < last.slot):
        return None
    if last is None or slot > last.slot:
        return slot
    waited = last.ended_at is None or abs(now - last.ended_at) >= RETRY
    return slot if not last.ok and last.tries < TRIES and waited else None


def _until_the_next(cron: str, slot: datetime) -> timedelta:
    """How long after a slot the next one comes."""
    following = parse(cron).get_next_fire_time(None, slot + timedelta(microseconds=1))
    return datetime.fromtimestamp(following.timestamp(), UTC) - slot if following else timedelta(0)


@contextmanager
def ticking(jobs: list[Job]) -> Iterator[Callable[[], None]]:
    """Call every job now and every minute, each in a thread of its own, never twice at once.

    Yields:
        What to call when the wall clock has jumped: APScheduler waits by it, and one that was put back an hour would
        let it sleep that hour.
    """
    from apscheduler.executors.pool import ThreadPoolExecutor  # noqa: PLC0415 needed by what ticks only
    from apscheduler.schedulers.background import BackgroundScheduler  # noqa: PLC0415 the same

    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(max(2 * len(jobs), 1))},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )

    def tick_now() -> None:
        for job in scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))

    for job in jobs:
        scheduler.add_job(job.run, CronTrigger(minute="*", timezone=UTC), id=job.name, name=job.name)
    scheduler.start()
    tick_now()
    try:
        yield tick_now
    finally:
        scheduler.shutdown(wait=False)
