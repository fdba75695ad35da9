"""Work in a process of its own: its memory goes with it, and it can be ended whatever it is doing."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import Pipe

from jobs.schedule import LastRun
from monitor.config import Settings
from warehouse.errors import LeadchangeError

OPEN = "open"
"""The job that brings the warehouse to this version, publishes it, and says what was done when."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done, by which configuration, and what time it is."""

    settings: Settings
    job: str
    cron: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a task."""

    last: LastRun | None
    """The job's last run, as the warehouse has it now."""
    done: bool
    """Whether it ran, and did all there was to do."""
    problem: LeadchangeError | None = None
    """Why it did not come to running."""
    known: Mapping[str, LastRun | None] = field(default_factory=dict)
    """Job -> its last run; only OPEN says."""
    unable: frozenset[str] | None = None
    """Channels that messages wait for and that cannot be used; None when it delivered nothing and does not know."""


def stop_signals() -> list[signal.Signals]:
    """What asks a process to end in order; a terminal that is closed, too, unless `nohup` has us stay."""
    stays = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGTERM, signal.SIGINT] if stays else [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


class Apart:
    """A process that does one task."""

    def __init__(self, task: Task) -> None:
        self.began = time.monotonic()
        self._ours, theirs = Pipe()
        # -P: a folder called `jobs` or `monitor` where we were started is not taken for ours.
        self._process = subprocess.Popen([sys.executable, "-P", "-m", "monitor.job"], stdin=theirs.fileno())
        theirs.close()
        with contextlib.suppress(OSError):
            self._ours.send(task)

    @property
    def seconds(self) -> float:
        """For how long it has been running, by the monotonic clock."""
        return time.monotonic() - self.began

    def answer(self, seconds: float) -> Answer | None:
        """Wait for its answer and its end; None when it died without one, or took longer and was ended."""
        try:
            return self._ours.recv() if self._ours.poll(seconds) else None
        except (EOFError, OSError):
            return None
        finally:
            self.end(0.0 if self.seconds >= seconds else 10.0)

    def ask_to_end(self) -> None:
        """Let it end in its own way: a look at the Hub is broken off, a message being sent is finished."""
        self._process.terminate()

    def end(self, grace: float) -> None:
        """End it now if it does not end by itself within `grace` seconds; what it committed is kept."""
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
