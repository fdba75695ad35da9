"""Room on the disk for parts of far-away files, and one line when there is none. No business logic."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from warehouse.errors import WarehouseError

_FULL = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]


@contextmanager
def local_copy(folder: Path) -> Iterator[IO[bytes]]:
    """A file without a name in `folder`, to hold the parts that were read; it is gone when closed, or killed.

    Raises:
        WarehouseError: the disk is full.
    """
    with full_disk_is_ours(folder), tempfile.TemporaryFile(dir=folder, prefix="parts-") as file:
        yield file


@contextmanager
def full_disk_is_ours(folder: Path) -> Iterator[None]:
    """Say in one line that a disk is full, whoever found out: the system, polars, or DuckDB on its way to a commit."""
    try:
        yield
    except Exception as error:
        if isinstance(error, WarehouseError) or not any(sign in str(error) for sign in _FULL):
            raise
        kept = "what was stored before is kept: free some space and run again"
        raise WarehouseError(f"the disk of {folder} is full; {kept}") from None
