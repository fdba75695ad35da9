"""The daemon: build, start, wait for a signal, stop in reverse.

It stays small because it does nothing itself: it serves the published file, and starts a process for each job that is
due. Only that process has the warehouse open, for as long as the job takes.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import FrameType

from jobs.deliver import Summary as Delivered
from jobs.deliver import is_anything_due
from jobs.schedule import Job, LastRun, due_slot, ticking
from jobs.telling.turns import LONGEST_BACKOFF
from monitor import systemd
from monitor.apart import OPEN, Answer, Apart, Task, stop_signals
from monitor.clock import utc_now
from monitor.config import Settings
from monitor.health import Health, judge
from monitor.web.published import Published
from warehouse.errors import WarehouseError
from warehouse.records import Snapshot
from warehouse.state.holding import held

log = logging.getLogger("leadchange")

MARGIN_SECONDS = 120.0
"""What a job may take beyond the deadline of its parts before it is called hung, and ended."""

LONG_SECONDS = 3600.0
"""What a job without such a deadline may take."""

GRACE_SECONDS = 4.0
"""What a running job has to end in after SIGTERM."""

JUMP_SECONDS = 30.0
"""What the wall clock may go astray between two looks before the jobs are ticked anew."""

WATCHDOG_SECONDS = 20.0
"""How often the main thread looks after the others."""


@dataclass
class Daemon:
    """What is due, what is running, and how both are doing."""

    settings: Settings
    now: Callable[[], datetime]
    published: Published
    last: dict[str, LastRun | None] = field(default_factory=dict)
    """Job -> its last run, as the warehouse has it: here only to spare a process for what is not due."""
    stop: threading.Event = field(default_factory=threading.Event)
    running: dict[str, Apart] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    """Job -> why its last run was ended; until one ends by itself."""
    desk: threading.Lock = field(default_factory=threading.Lock)
    """Held while a job has the warehouse."""
    unsure: bool = False
    """A job did not end well: the published file may not show what the outbox holds."""
    unable: frozenset[str] = frozenset()
    """Channels that messages wait for and that the last job to tell anything could not use."""
    unable_at: datetime | None = None
    """When that was."""

    def jobs(self) -> list[Job]:
        """What is done when: the whole daemon in one list."""
        schedule = self.settings.schedule
        plan = {
            "collect": schedule.collect,
            "deliver": schedule.deliver,
            **({"census": schedule.census} if self.settings.hub.census else {}),
            "prune": schedule.prune,
            **{f"digest {wanted.name}": wanted.cron for wanted in self.settings.digests},
        }
        return [Job(name, cron, lambda n=name, c=cron: self.turn(n, c)) for name, cron in plan.items()]  # type: ignore[misc]

    def turn(self, name: str, cron: str) -> None:
        """Run a job if its slot is due and there is anything to do, once nobody else has the warehouse."""
        with self.desk:
            slot = due_slot(cron, self.now(), self.last.get(name))
            if slot is None or self.stop.is_set() or (name == "deliver" and not self.anything_to_deliver()):
                return
            self._note(name, slot, self.ask(name, cron))

    def ask(self, name: str, cron: str = "") -> Answer | None:
        """Let a process do a job; None when it died or had to be ended."""
        apart = self.running[name] = Apart(Task(self.settings, name, cron, self.now()))
        if self.stop.is_set():
            apart.ask_to_end()
        try:
            return apart.answer(self.limit(name))
        finally:
            del self.running[name]

    def _note(self, name: str, slot: datetime, answer: Answer | None) -> None:
        """Keep what came of a job; one that did not end by itself is tried again as one that failed."""
        self.unsure = answer is None or not answer.done
        if answer is not None and answer.unable is not None:
            self.unable, self.unable_at = answer.unable, self.now()
        if answer is not None and answer.problem is None:
            self.last[name] = answer.last
            self.ended.pop(name, None)
            return
        if self.stop.is_set():
            return
        before = self.last.get(name)
        tries = before.tries + 1 if before and before.slot == slot else 1
        self.last[name] = LastRun(slot, self.now(), ok=False, tries=tries)
        self.ended[name] = str(answer.problem) if answer else f"{name} had to be ended, or died"
        log.error("%s: %s", name, self.ended[name])

    def limit(self, name: str) -> float:
        """Seconds that a job may take."""
        return self.settings.hub.deadline_seconds + MARGIN_SECONDS if name in ("collect", "deliver") else LONG_SECONDS

    def anything_to_deliver(self) -> bool:
        """Whether a message is due; seldom one is, and a process every minute would be a waste.

        So would one be for a channel that cannot be used: whether somebody mended it is tried once an hour.
        """
        if self.unsure:
            return True
        now = self.now()
        lately = self.unable_at is not None and timedelta(0) <= now - self.unable_at < LONGEST_BACKOFF
        try:
            with self.published.browsing(waits=False) as browsing:
                return is_anything_due(browsing.db, now, without=self.unable if lately else ())
        except WarehouseError:
            return True

    def jobs_done(self) -> dict[str, LastRun | None]:
        """Job -> its last run; for other threads."""
        return dict(self.last)

    def health(self) -> Health:
        """How the daemon is doing now."""
        try:
            facts = self.published.facts(self.now())
        except WarehouseError as error:
            return Health(False, (str(error),), None)
        running = {name: apart.seconds for name, apart in dict(self.running).items()}
        limits = {name: self.limit(name) for name in running}
        return judge(replace(facts, running_seconds=running, deadline_seconds=limits, ended=dict(self.ended)))

    def watch(self, tick_now: Callable[[], None]) -> None:
        """Until told to stop, look after the clock and the jobs, and tell the service manager that we are alive."""
        offset = _clock_offset(self.now())
        while not self._stopped_within(WATCHDOG_SECONDS):
            jumped, offset = _clock_offset(self.now()) - offset, _clock_offset(self.now())
            if abs(jumped) > JUMP_SECONDS:
                log.warning("the clock jumped by %.0f s", jumped)
                tick_now()
            if not self._overdue():
                systemd.notify("WATCHDOG=1")

    def _overdue(self) -> bool:
        """Whether a job is running that should have been ended: then something is wrong with us."""
        running = dict(self.running)
        overdue = [name for name, apart in running.items() if apart.seconds > self.limit(name) + GRACE_SECONDS]
        for name in overdue:
            log.error("%s should have ended", name)
        return bool(overdue)

    def _stopped_within(self, seconds: float) -> bool:
        """Wait for `stop`, a second at a time: a signal given to another thread does not wake this one."""
        end = time.monotonic() + seconds
        while not self.stop.wait(1.0) and time.monotonic() < end:
            pass
        return self.stop.is_set()

    def leave(self) -> None:
        """Let a running job end by itself; one that does not in time is ended. What it committed is kept."""
        self.stop.set()
        running = dict(self.running)
        for apart in running.values():
            apart.ask_to_end()
        for apart in running.values():
            apart.end(GRACE_SECONDS)


def run(settings: Settings, *, serve: bool = True, now: Callable[[], datetime] = utc_now) -> None:
    """Run until one of `stop_signals` comes.

    Raises:
        WarehouseError: another process holds the warehouse, or it is damaged.
    """
    with ExitStack() as stack:
        stack.enter_context(held(settings.warehouse.path))
        daemon = Daemon(settings, now, Published(settings.warehouse.publish))
        stack.enter_context(_signals_set(daemon.stop))
        daemon.last = dict(_opened(daemon))
        if serve:
            stack.enter_context(_dashboard(daemon))
        tick_now = stack.enter_context(ticking(daemon.jobs()))
        stack.callback(daemon.leave)
        systemd.notify("READY=1")
        log.info("watching %s for %d families", settings.hub.endpoint, len(settings.registry.polled))
        daemon.watch(tick_now)
        systemd.notify("STOPPING=1")


def _opened(daemon: Daemon) -> Mapping[str, LastRun | None]:
    """Have the warehouse brought to this version and published; what was done when."""
    answer = daemon.ask(OPEN)
    if answer is None:
        raise WarehouseError(f"{daemon.settings.warehouse.path} could not be opened; the log says why")
    if answer.problem is not None:
        raise answer.problem
    return answer.known


def once(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> tuple[Snapshot, Delivered]:
    """Collect, judge and deliver one time, for those who have a cron of their own; what was seen, and what told.

    Raises:
        LeadchangeError: whatever went wrong, with its exit code.
    """
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application; the daemon itself needs none of it

    with open_app(settings, now=now) as app:
        snapshot = app.collect().snapshot
        app.detect()
        return snapshot, app.deliver(patient=False)


def _clock_offset(now: datetime) -> float:
    """Seconds between the wall clock and the monotonic one: constant until somebody sets the wall clock."""
    return now.timestamp() - time.monotonic()


@contextmanager
def _signals_set(stop: threading.Event) -> Iterator[None]:
    """Let what asks a process to end set `stop` within the block."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _dashboard(daemon: Daemon) -> Iterator[None]:
    """The dashboard, reading the published file, in threads of its own."""
    from monitor.web.serve import serving  # noqa: PLC0415 the web stack is for the daemon alone

    with serving(
        daemon.settings, daemon.published, health=daemon.health, now=daemon.now, last=daemon.jobs_done
    ) as address:
        log.info("dashboard at %s", address)
        yield
