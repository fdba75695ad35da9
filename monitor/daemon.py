"""The daemon: build, start, wait for a signal, stop in reverse."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import FrameType

from jobs.hub import WalkCancelled
from jobs.schedule import Job, LastRun, due_slot, ticking
from monitor import systemd
from monitor.config import Settings
from monitor.health import Facts, Health, judge
from monitor.wiring import App, open_app, utc_now
from warehouse.errors import LeadchangeError, WarehouseDeadError, WarehouseError
from warehouse.reading import Reading
from warehouse.runs import Runs

log = logging.getLogger("leadchange")

MARGIN_SECONDS = 120.0
"""What a job may take beyond the deadline of its parts before it is called hung."""

GRACE_SECONDS = 4.0
"""What running jobs have to end in after SIGTERM."""

JUMP_SECONDS = 30.0
"""What the wall clock may go astray between two looks before the jobs are ticked anew."""

WATCHDOG_SECONDS = 20.0
"""How often the main thread looks after the others."""


@dataclass
class Daemon:
    """The running jobs, over one open application."""

    app: App
    stop: threading.Event = field(default_factory=threading.Event)
    began: dict[str, float] = field(default_factory=dict)
    dead: bool = False
    """The warehouse has to be closed and opened again."""
    turns: dict[str, threading.Lock] = field(default_factory=dict)
    """Held by the thread that runs a job."""

    def jobs(self) -> list[Job]:
        """What is done when: the whole daemon in one list."""
        schedule = self.app.settings.schedule
        plan: list[tuple[str, str, Callable[[App], str]]] = [
            ("collect", schedule.collect, self._collect),
            ("deliver", schedule.deliver, self._deliver),
            ("prune", schedule.prune, lambda app: str(app.prune())),
            *(
                (f"digest {d.name}", d.cron, lambda app, d=d: f"queued {app.digest(d)}")
                for d in self.app.settings.digests
            ),
        ]
        return [Job(name, cron, lambda n=name, c=cron, w=work: self.turn(n, c, w)) for name, cron, work in plan]  # type: ignore[misc]

    def turn(self, name: str, cron: str, work: Callable[[App], str]) -> None:
        """Run a job if its slot is due, in this thread, on a connection of its own; note what came of it."""
        # Whoever closes the warehouse sets `stop`, then waits until nobody is in here: a thread that comes later sees
        # it and never touches the warehouse, which would end in an abort.
        turn = self.turns.setdefault(name, threading.Lock())
        if not turn.acquire(blocking=False):
            return
        self.began[name] = time.monotonic()
        try:
            if not self.stop.is_set():
                self._turn(name, cron, work)
        finally:
            self.began.pop(name, None)
            turn.release()

    def _turn(self, name: str, cron: str, work: Callable[[App], str]) -> None:
        with self.app.db.cursor() as connection:
            app = replace(self.app, db=connection)
            runs = Runs(connection)
            last = runs.last(name)
            slot = due_slot(cron, app.now(), LastRun(*last) if last else None)
            if slot is None:
                return
            tries = last[3] + 1 if last and last[0] == slot else 1
            runs.begin(name, slot, tries=tries, now=app.now())
            ok, outcome = self._attempt(name, work, app)
            runs.end(name, slot, now=app.now(), ok=ok, outcome=outcome)

    def _attempt(self, name: str, work: Callable[[App], str], app: App) -> tuple[bool, str]:
        """Do the work; whatever it raises is noted and logged, and never ends the scheduler."""
        try:
            outcome = work(app)
        except WalkCancelled:
            return False, "stopped"
        except WarehouseDeadError as error:
            log.exception("%s: the warehouse is opened again", name)
            self.dead = True
            self.stop.set()
            return False, str(error).splitlines()[0]
        except LeadchangeError as error:
            log.error("%s: %s", name, error)  # noqa: TRY400 what a user can mend needs no traceback
            return False, str(error).splitlines()[0]
        except Exception as error:
            log.exception("%s failed", name)
            return False, f"bug: {type(error).__name__}"
        else:
            log.info("%s: %s", name, outcome)
            return True, outcome

    def _collect(self, app: App) -> str:
        """Take a snapshot, judge it, and tell at once; when none comes, that may be what a rule waits for."""
        try:
            snapshot = app.collect(stop=self.stop).snapshot
        except (WalkCancelled, WarehouseError):
            raise
        except Exception:
            self._judge(app)
            raise
        self._judge(app)
        if snapshot.verdict in ("partial", "failed"):
            raise LeadchangeError(f"{snapshot.verdict}: {snapshot.verdict_reason}")
        return f"{snapshot.verdict}: {snapshot.verdict_reason}"

    def _judge(self, app: App) -> None:
        """Judge what is there, and tell."""
        app.detect()
        app.deliver(stop=self.stop)

    def _deliver(self, app: App) -> str:
        """Send what is due; what is due is seldom anything."""
        if not app.has_open_deliveries():
            return "nothing to send"
        summary = app.deliver(stop=self.stop)
        return f"{summary.sent} sent, {summary.failed} failed, {summary.dead} refused, {summary.waiting} waiting"

    def health(self) -> Health:
        """How the daemon is doing now."""
        with self.app.db.cursor() as connection:
            last_complete, oldest = Reading(connection).freshness()
        moment = time.monotonic()
        limit = self.app.settings.hub.deadline_seconds + MARGIN_SECONDS
        facts = Facts(
            now=self.app.now(),
            last_complete=last_complete,
            oldest_open_delivery=oldest,
            running_seconds={name: moment - began for name, began in dict(self.began).items()},
            deadline_seconds={"collect": limit, "deliver": limit},
        )
        return judge(facts)

    def watch(self, tick_now: Callable[[], None]) -> None:
        """Until told to stop, look after the clock and the jobs, and tell the service manager that we are alive."""
        offset = _clock_offset(self.app.now())
        while not self._stopped_within(WATCHDOG_SECONDS):
            jumped, offset = _clock_offset(self.app.now()) - offset, _clock_offset(self.app.now())
            if abs(jumped) > JUMP_SECONDS:
                log.warning("the clock jumped by %.0f s", jumped)
                tick_now()
            hung = [reason for reason in self.health().reasons if "should have ended" in reason]
            for reason in hung:
                log.error("%s", reason)
            if not hung:
                systemd.notify("WATCHDOG=1")

    def _stopped_within(self, seconds: float) -> bool:
        """Wait for `stop`, a second at a time: a signal given to another thread does not wake this one."""
        end = time.monotonic() + seconds
        while not self.stop.wait(1.0) and time.monotonic() < end:
            pass
        return self.stop.is_set()

    def leave(self) -> None:
        """Let running jobs end by themselves; one that does not is left where it is, and the process with it."""
        self.stop.set()
        end = time.monotonic() + GRACE_SECONDS
        while self.began and time.monotonic() < end:
            time.sleep(0.02)
        if self.began:
            log.error("%s would not end; what is committed is kept", ", ".join(self.began))
            logging.shutdown()
            os._exit(1)


def run(settings: Settings, *, serve: bool = True, now: Callable[[], datetime] = utc_now) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        WarehouseError: another process holds the warehouse, or it is damaged.
    """
    while _session(settings, serve=serve, now=now):
        log.warning("everything is closed; opening the warehouse again")


def _session(settings: Settings, *, serve: bool, now: Callable[[], datetime]) -> bool:
    """From opening the warehouse to closing it; whether it is to be opened again."""
    with ExitStack() as stack:
        daemon = Daemon(stack.enter_context(open_app(settings, now=now)))
        stack.enter_context(_signals_set(daemon.stop))
        daemon.app.publish()
        if serve:
            stack.enter_context(_dashboard(daemon, settings))
        tick_now = stack.enter_context(ticking(daemon.jobs()))
        stack.callback(daemon.leave)
        systemd.notify("READY=1")
        log.info("watching %s for %d families", settings.hub.endpoint, len(settings.registry.polled))
        daemon.watch(tick_now)
        if not daemon.dead:
            systemd.notify("STOPPING=1")
    return daemon.dead


def once(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> str:
    """Collect, judge and deliver one time, for those who have a cron of their own; what came of it.

    Raises:
        LeadchangeError: whatever went wrong, with its exit code.
    """
    with open_app(settings, now=now) as app:
        snapshot = app.collect().snapshot
        app.detect()
        summary = app.deliver(patient=False)
    return f"{snapshot.verdict}: {snapshot.verdict_reason}; {summary.sent} sent, {summary.waiting} waiting"


def _clock_offset(now: datetime) -> float:
    """Seconds between the wall clock and the monotonic one: constant until somebody sets the wall clock."""
    return now.timestamp() - time.monotonic()


@contextmanager
def _signals_set(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT set `stop` within the block."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _dashboard(daemon: Daemon, settings: Settings) -> Iterator[None]:
    """The dashboard, reading the published file, in threads of its own."""
    from monitor.web.serve import serving  # noqa: PLC0415 the web stack is for the daemon alone

    with serving(settings, health=daemon.health) as address:
        log.info("dashboard at %s", address)
        yield
