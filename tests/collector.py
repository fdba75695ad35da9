"""A collector in the manner of Alertmanager's acceptance tests: what arrives must be wanted, there and then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import NamedTuple, Self


class Arrival(NamedTuple):
    """Something that somebody got to read."""

    at: datetime
    channel: str
    what: str


class Wanted(NamedTuple):
    """Something that must come, not before and not after."""

    start: datetime
    end: datetime
    channel: str
    what: str

    def is_met_by(self, arrival: Arrival) -> bool:
        same = (arrival.channel, arrival.what) == (self.channel, self.what)
        return same and self.start <= arrival.at <= self.end


@dataclass
class Collector:
    """Fails at the end of its block on what is missing, on what was not asked for, and on the wrong order."""

    now: Callable[[], datetime]
    arrived: list[Arrival] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)

    def got(self, channel: str, what: str) -> None:
        """To be called by whoever plays a provider, for each message that people can read."""
        self.arrived.append(Arrival(self.now(), channel, what))

    def want(self, channel: str, *what: str, within: timedelta = timedelta(0)) -> None:
        """These must come from now on, in this order, within a time."""
        self.wanted += [Wanted(self.now(), self.now() + within, channel, one) for one in what]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None and self.problems():
            raise AssertionError("\n".join(self.problems()))

    def problems(self) -> list[str]:
        """What is wrong with what came."""
        found = []
        for channel in sorted({one.channel for one in (*self.arrived, *self.wanted)}):
            came = [arrival for arrival in self.arrived if arrival.channel == channel]
            due = [wanted for wanted in self.wanted if wanted.channel == channel]
            for arrival, wanted in zip(came, due, strict=False):
                if not wanted.is_met_by(arrival):
                    found.append(f"{channel}: wanted {wanted.what!r} from {wanted.start} on, got {arrival}")
            found += [f"{channel}: nobody asked for {arrival}" for arrival in came[len(due) :]]
            found += [f"{channel}: {wanted.what!r} did not come" for wanted in due[len(came) :]]
        return found
