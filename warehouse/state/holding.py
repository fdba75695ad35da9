"""One daemon for each warehouse: DuckDB's own lock comes and goes with its jobs, this one stays as long as it does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from warehouse.errors import WarehouseError


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Be the only daemon of the warehouse at `path` within the block; the lock is a file beside it, and ends with us.

    Raises:
        WarehouseError: another process is, and which.
    """
    beside = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not emptied on opening: it says who has it.
        file = beside.open("a+", encoding="ascii")
    except OSError as error:
        raise WarehouseError(f"cannot write to the folder of {path}: {error.strerror}") from None
    with file:
        if not _locked(file):
            file.seek(0)
            raise WarehouseError(
                f"{path} is in use by process {file.read(20).strip()} (leadchange run): stop it, or read the published "
                "file (`leadchange sql`, `leadchange board`)"
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _locked(file: TextIO) -> bool:
    """Whether the lock is ours now; where the system has none, DuckDB's own must do."""
    try:
        import fcntl  # noqa: PLC0415 not on Windows
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
