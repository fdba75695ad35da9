"""Files of a source, fetched ahead: two at a time, while the one before is being written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from jobs.history.datasets import RemoteTable, open_table
from jobs.history.local_copy import local_copy
from jobs.history.ranges import DamagedError, MissingError, Reader, Tally
from jobs.history.sources import Part
from jobs.history.tables import Layout, Table
from jobs.hub_base import UnreadableError

LANES = 2


@dataclass(slots=True)
class Fetched:
    """One file, here as far as it is needed; a context manager, for it holds a local copy."""

    part: Part
    tables: tuple[Table, ...] = ()
    days: tuple[date, ...] = ()
    """Days to take from it."""
    problem: str | None = None
    """Why there is nothing to take, and never will be: none of the `days`, where these are known."""
    unread: str | None = None
    """Why there is nothing to take this time."""
    empty: bool = False
    """Whether there is not one row in it."""
    tally: Tally = field(default_factory=Tally)
    needed: int = 0
    """Compressed bytes of the columns and row groups needed."""
    seconds: float = 0.0
    _held: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._held.close()


@dataclass(frozen=True, slots=True)
class Fetcher:
    """How the files of one source are fetched."""

    reader: Reader
    layout: Layout
    publishers: Collection[str] | None
    """Only models of these; None: all."""
    wanted: Callable[[Part, Sequence[date]], list[date]]
    """Of these days of a part, those to take."""
    folder: Path
    """Where local copies are kept."""
    clock: Callable[[], float]

    def each(self, parts: Sequence[Part]) -> Generator[Fetched, None, None]:
        """Every part in order, each to be closed by who takes it.

        Raises:
            HubError: there is no point in going on: the token is refused, or the rate limit asks for too long a wait.
            WarehouseError: the disk is full.
        """
        waiting: deque[Future[Fetched]] = deque()
        rest = iter(parts)
        with ThreadPoolExecutor(LANES, thread_name_prefix="fetch") as pool:
            try:
                waiting.extend(pool.submit(self._fetch, part) for part in islice(rest, LANES))
                while waiting:
                    got = waiting.popleft().result()
                    waiting.extend(pool.submit(self._fetch, part) for part in islice(rest, 1))
                    yield got
            finally:
                self.reader.stop.set()
                for late in waiting:
                    if not late.cancel():
                        late.add_done_callback(_dispose)

    def _fetch(self, part: Part) -> Fetched:
        began, got = self.clock(), Fetched(part)
        try:
            self._read(part, got)
        except (MissingError, DamagedError) as error:
            got.problem = str(error)
        except UnreadableError as error:
            got.unread = str(error)
        except BaseException:
            got._held.close()  # noqa: SLF001  (made here)
            raise
        got.seconds = self.clock() - began
        return got

    def _read(self, part: Part, got: Fetched) -> None:
        if part.address is None:
            got.tables, got.days = part.tables, tuple(self.wanted(part, part.days))
            return
        local = got._held.enter_context(local_copy(self.folder))  # noqa: SLF001
        remote = open_table(self.reader, part.address, self.layout, local)
        got.tally = remote.tally
        days = self._days(remote) if part.many else part.days
        got.tables, got.days = (remote.table,), tuple(self.wanted(part, days))
        got.empty = not remote.table.height
        if got.days:
            groups = remote.table.row_groups(self.publishers, got.days if part.many else None)
            got.needed = sum(part.length for part in remote.table.ranges(groups))
            remote.fetch(groups, [name for name in remote.table.columns if name != "day"])

    def _days(self, remote: RemoteTable) -> list[date]:
        remote.fetch(remote.table.row_groups(), ["day"])
        return remote.table.days


def _dispose(late: Future[Fetched]) -> None:
    """Close what nobody will take."""
    if not late.cancelled() and late.exception() is None:
        late.result().__exit__(None, None, None)
