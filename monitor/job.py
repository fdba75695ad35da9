"""The daemon's jobs, each run in a process of its own: what it took is given back when it ends.

    monitor.apart --Task--> python -m monitor.job --Answer--> monitor.apart

What is due is a row of the warehouse, so that a restart, a sleeping laptop and a clock that was set lose nothing.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection

from jobs.deliver import Summary as Delivered
from jobs.digest import Digest
from jobs.hub_base import WalkCancelled
from jobs.schedule import LastRun, due_slot
from monitor import logs
from monitor.apart import OPEN, Answer, Task, stop_signals
from monitor.wiring import App, build_all, open_app
from warehouse.errors import LeadchangeError, WarehouseError
from warehouse.records import Snapshot
from warehouse.state.runs import Runs

log = logging.getLogger("leadchange")

PATIENCE_SECONDS = 60.0
"""How long a job waits for a command that has the warehouse."""

CENSUS_SECONDS = 120.0
"""How long the Hub's listing is read before another job may have the warehouse; then it goes on with the next page."""


@dataclass(frozen=True)
class Work:
    """The jobs, over one open application."""

    app: App
    stop: threading.Event = field(default_factory=threading.Event)
    told: list[Delivered] = field(default_factory=list)
    """What came of each time that it delivered."""

    def plan(self) -> dict[str, Callable[[], str]]:
        """Job -> what it does, and says of it."""
        return {
            "collect": self._collect,
            "deliver": self._deliver,
            "census": self._census,
            "prune": lambda: str(self.app.prune()),
            **{f"digest {wanted.name}": partial(self._digest, wanted) for wanted in self.app.settings.digests},
        }

    def turn(self, name: str, cron: str, work: Callable[[], str] | None = None) -> Answer:
        """Run a job if its slot is due, and note what came of it."""
        runs = Runs(self.app.db)
        last = _last(runs, name)
        slot = due_slot(cron, self.app.now(), last)
        if slot is None:
            return Answer(last, done=False)
        tries = last.tries + 1 if last and last.slot == slot else 1
        runs.begin(name, slot, tries=tries, now=self.app.now())
        try:
            ok, outcome = self._attempt(name, _begins if _is_too_early(name, last) else work or self.plan()[name])
        except WalkCancelled:
            # Not a failure, which would wait for its next try: whoever starts us again wants it done.
            runs.forget(name, slot)
            return Answer(last, done=False)
        runs.end(name, slot, now=self.app.now(), ok=ok, outcome=outcome)
        unable = frozenset(self.told[-1].missing) if self.told else None
        return Answer(LastRun(slot, self.app.now(), ok=ok, tries=tries), done=ok, unable=unable)

    def _attempt(self, name: str, work: Callable[[], str]) -> tuple[bool, str]:
        """Do the work; whatever it raises is noted and logged."""
        try:
            outcome = work()
        except WalkCancelled:
            raise
        except LeadchangeError as error:
            log.error("%s: %s", name, error)  # noqa: TRY400 what a user can mend needs no traceback
            return False, str(error).splitlines()[0]
        except Exception as error:
            log.exception("%s failed", name)
            return False, f"bug: {type(error).__name__}"
        else:
            log.info("%s: %s", name, outcome)
            return True, outcome

    def _collect(self) -> str:
        """Take a snapshot, judge it, and tell at once; when none comes, that may be what a rule waits for."""
        try:
            snapshot = self.app.collect(stop=self.stop).snapshot
        except (WalkCancelled, WarehouseError):
            raise
        except Exception:
            self._judge()
            raise
        self._judge()
        return _told(snapshot)

    def _census(self) -> str:
        """Read everything on the Hub, judge it, and tell at once; a long listing makes room for others now and then."""
        summary = self.app.census(stop=self.stop, pause=CENSUS_SECONDS)
        if summary is None:
            return "today's is here already"
        self._judge()
        return _told(summary.snapshot)

    def _digest(self, wanted: Digest) -> str:
        """Queue a summary."""
        return f"queued {self.app.digest(wanted)}"

    def _judge(self) -> None:
        """Judge what is there, and tell."""
        self.app.detect()
        summary = self._tell()
        if summary.sent or summary.undelivered:
            log.info("told: %s", _counted(summary))

    def _tell(self) -> Delivered:
        """Send what is due, and log why something is not delivered."""
        summary = self.app.deliver(stop=self.stop)
        self.told.append(summary)
        for problem in summary.problems:
            log.warning(problem)
        return summary

    def _deliver(self) -> str:
        """Send what is due."""
        return _counted(self._tell())


def _counted(summary: Delivered) -> str:
    return f"{summary.sent} sent, {summary.failed} failed, {summary.dead} refused, {summary.waiting} waiting"


def _is_too_early(name: str, last: LastRun | None) -> bool:
    """Whether a job that never ran has missed nothing: days before it was wanted are no matter for a summary."""
    return last is None and name.startswith("digest ")


def _begins() -> str:
    return "begins with its next time"


def _told(snapshot: Snapshot) -> str:
    """What came of a look; LeadchangeError when it is to be tried again."""
    words = f"{snapshot.verdict}: {snapshot.verdict_reason}"
    if snapshot.verdict in ("partial", "failed"):
        raise LeadchangeError(words)
    return words


def _last(runs: Runs, name: str) -> LastRun | None:
    found = runs.last(name)
    return LastRun(*found) if found else None


def perform(task: Task, stop: threading.Event, now: Callable[[], datetime]) -> Answer:
    """Do what a task says, on a warehouse that is open for it alone.

    Raises:
        WarehouseError: another process holds the warehouse, or it is damaged.
    """
    with open_app(task.settings, now=now, patience=PATIENCE_SECONDS) as app:
        if task.job != OPEN:
            return Work(app, stop).turn(task.job, task.cron)
        app.publish()
        for problem in build_all(app.settings.channels)[1]:
            log.warning(problem)
        return Answer(None, done=True, known={name: _last(Runs(app.db), name) for name in Work(app).plan()})


def main(connection: Connection) -> None:
    """Take a task, do it, answer; end early on `stop_signals`, and when whoever asked is gone."""
    task: Task = connection.recv()
    logs.configure()
    stop = threading.Event()
    for number in stop_signals():
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_set_when_gone, args=(connection, stop), daemon=True).start()
    began = time.monotonic()
    try:
        answer = perform(task, stop, lambda: task.now + timedelta(seconds=time.monotonic() - began))
    except LeadchangeError as error:
        answer = Answer(None, done=False, problem=error)
    with contextlib.suppress(OSError):
        connection.send(answer)


def _set_when_gone(connection: Connection, stop: threading.Event) -> None:
    """Nothing more is sent to us: what comes is the end of who asked."""
    with contextlib.suppress(OSError, EOFError):
        connection.poll(None)
    stop.set()


if __name__ == "__main__":
    main(Connection(0))
