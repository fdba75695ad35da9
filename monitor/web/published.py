"""The published file, always the present one: reopened when another has taken its place, a few readers at a time.

All pages share one DuckDB with little memory. So a page takes its turn before it asks, and has a connection for as long
as that lasts; connections are kept for whoever is next, never by a thread: one that ends with the process would close
its own while Python is already being taken down, which aborts the process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from monitor.health import Facts, Look
from warehouse.db import Database
from warehouse.errors import WarehouseError
from warehouse.migrate import migrate
from warehouse.published.browsing import Browsing
from warehouse.state.outbox import Outbox

Known = TypeVar("Known")

MEMORY_MEGABYTES = 64
"""What the queries of all pages together may take."""

AT_ONCE = 2
"""Pages that ask at the same time: more would not find the memory, nor be sooner."""

PATIENCE = 20.0
"""Seconds that a page waits for its turn."""

DOWNLOADS = 2
"""Whole relations that are read at the same time; each lasts as long as its reader needs."""

DOWNLOAD_PATIENCE = 5.0
"""Seconds that another one waits."""


@dataclass
class _Opened:
    """One state of the file; readers keep it until they are done, however often it was replaced meanwhile."""

    identity: str
    db: Database
    known: dict[Hashable, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    idle: list[Browsing] = field(default_factory=list)

    @contextmanager
    def reader(self) -> Iterator[Browsing]:
        """A connection that nobody else has within the block."""
        try:
            browsing = self.idle.pop()
        except IndexError:
            browsing = Browsing(self.db.cursor())
        try:
            yield browsing
        finally:
            self.idle.append(browsing)


class Published:
    """Readings of a file that somebody else replaces."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._downloads = threading.BoundedSemaphore(DOWNLOADS)
        self._mine = threading.local()
        """What this thread is reading; who has a turn must not wait for another one."""
        self._asking: list[Database] = []
        self._left = False

    def identity(self) -> str:
        """Changes whenever the file does; empty when there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return ""
        return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"

    @contextmanager
    def browsing(self, *, waits: bool = True) -> Iterator[Browsing]:
        """Ask the present file; while there is none, an empty warehouse. Within another such block, the same file.

        Args:
            waits: for its turn; False for what is so small that it must not be held up.

        Raises:
            WarehouseError: it is damaged, or it was not our turn for long.
        """
        with self._reading(waits) as (_, browsing):
            yield browsing

    def once(self, key: Hashable, work: Callable[[Browsing], Known], *, waits: bool = True) -> Known:
        """What `work` finds in the present file, worked out once for each state of it; `waits` as for `browsing`.

        Raises:
            WarehouseError: the file is damaged, or it was not our turn for long.
        """
        opened = getattr(self._mine, "opened", None) or self._present()
        if key not in opened.known:
            # First the turn, then the lock: the other way round two could wait for each other.
            with self._reading(waits) as (opened, browsing), opened.lock:
                if key not in opened.known:
                    opened.known[key] = work(browsing)
        found: Known = opened.known[key]
        return found

    def facts(self, now: datetime) -> Facts:
        """How fresh the file is, and what is stuck; cheap, for it is kept until the file changes.

        Raises:
            WarehouseError: the file is damaged.
        """
        looks = self.once("looks", _looks, waits=False)
        oldest = self.once("oldest", Browsing.oldest_open_delivery, waits=False)
        refusing = self.once("refusing", lambda browsing: Outbox(browsing.db).refusing(), waits=False)
        since = {channel.channel: channel.refused_since for channel in refusing if channel.refused_since}
        return Facts(now, looks, oldest, refusing=since)

    @contextmanager
    def connection(self) -> Iterator[Database]:
        """A connection of one's own, for what takes longer than a page.

        Raises:
            WarehouseError: the file is damaged, or as many others have one as there may be.
        """
        with _turn(self._downloads, DOWNLOAD_PATIENCE), self._present().db.cursor() as db, self._asked(db):
            yield db
        give_back()

    def leave(self, seconds: float) -> bool:
        """Let no page begin any more, and break off what pages are asking; False when that took too long.

        A thread that is within DuckDB when Python is taken down aborts the process.
        """
        self._left = True
        end = time.monotonic() + seconds
        while (asking := tuple(self._asking)) and time.monotonic() < end:
            for db in asking:
                db.interrupt()
            time.sleep(0.02)
        return not asking

    @contextmanager
    def _reading(self, waits: bool) -> Iterator[tuple[_Opened, Browsing]]:
        if getattr(self._mine, "opened", None) is not None:
            yield self._mine.opened, self._mine.browsing
            return
        with _turn(self._turns, PATIENCE) if waits else nullcontext():
            if self._left:
                raise WarehouseError("the dashboard is stopping")
            opened = self._present()
            with opened.reader() as browsing, self._asked(browsing.db):
                self._mine.opened, self._mine.browsing = opened, browsing
                try:
                    yield opened, browsing
                finally:
                    self._mine.opened = self._mine.browsing = None

    @contextmanager
    def _asked(self, db: Database) -> Iterator[None]:
        """Let `leave` know of a connection that is in use."""
        self._asking.append(db)
        try:
            yield
        finally:
            self._asking.remove(db)

    def _present(self) -> _Opened:
        identity = self.identity()
        with self._lock:
            if self._opened is None or self._opened.identity != identity:
                self._opened = None
                self._opened = _Opened(identity, self._open() if identity else _empty())
            return self._opened

    def _open(self) -> Database:
        try:
            return Database.open_published(self.path, memory_megabytes=MEMORY_MEGABYTES)
        except WarehouseError as error:
            # Where the file lies is nobody's business.
            raise WarehouseError(str(error).replace(str(self.path), self.path.name)) from None


def _looks(browsing: Browsing) -> list[Look]:
    return [Look(*look) for look in browsing.own_looks()]


@contextmanager
def _turn(turns: threading.BoundedSemaphore, patience: float) -> Iterator[None]:
    if not turns.acquire(timeout=patience):
        raise WarehouseError("many are asking at the same time: try again in a moment")
    try:
        yield
    finally:
        turns.release()


def give_back() -> None:
    """Return what Arrow keeps for the next large answer: that may be tomorrow."""
    import pyarrow as pa  # noqa: PLC0415 a sixth of a second that only large answers should cost

    pa.default_memory_pool().release_unused()


def _empty() -> Database:
    """What the warehouse looks like before anything was collected, so that every page has one case less."""
    db = Database.in_memory()
    migrate(db, now=datetime.min.replace(tzinfo=UTC))
    return db
