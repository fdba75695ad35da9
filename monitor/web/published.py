"""The published file, always the present one: reopened when another has taken its place, one connection a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from warehouse.browsing import Browsing
from warehouse.db import Database
from warehouse.errors import WarehouseError
from warehouse.migrate import migrate

Known = TypeVar("Known")

MEMORY_MEGABYTES = 48
"""What the queries of all pages together may take."""


@dataclass
class _Opened:
    """One state of the file; readers keep it until they are done, however often it was replaced meanwhile."""

    identity: str
    db: Database
    local: threading.local = field(default_factory=threading.local)
    known: dict[Hashable, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def browsing(self) -> Browsing:
        """This thread's connection."""
        if not hasattr(self.local, "browsing"):
            self.local.browsing = Browsing(self.db.cursor())
        browsing: Browsing = self.local.browsing
        return browsing


class Published:
    """Readings of a file that somebody else replaces."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    def identity(self) -> str:
        """Changes whenever the file does; empty when there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return ""
        return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"

    @contextmanager
    def browsing(self) -> Iterator[Browsing]:
        """Ask the present file; while there is none, an empty warehouse.

        Raises:
            WarehouseError: it is damaged.
        """
        yield self._present().browsing()

    def once(self, key: Hashable, work: Callable[[Browsing], Known]) -> Known:
        """What `work` finds in the present file, worked out once for each state of it.

        Raises:
            WarehouseError: the file is damaged.
        """
        opened = self._present()
        with opened.lock:
            if key not in opened.known:
                opened.known[key] = work(opened.browsing())
            found: Known = opened.known[key]
            return found

    @contextmanager
    def connection(self) -> Iterator[Database]:
        """A connection of one's own, for what takes longer than a page."""
        with self._present().db.cursor() as db:
            yield db
        give_back()

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


def give_back() -> None:
    """Return what Arrow keeps for the next large answer: that may be tomorrow."""
    import pyarrow as pa  # noqa: PLC0415 a sixth of a second that only large answers should cost

    pa.default_memory_pool().release_unused()


def _empty() -> Database:
    """What the warehouse looks like before anything was collected, so that every page has one case less."""
    db = Database.in_memory()
    migrate(db, now=datetime.min.replace(tzinfo=UTC))
    return db
