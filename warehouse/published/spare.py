"""The copy before the last: kept under another name beside the published file, to begin the next copy with.

To copy the last one takes longer from day to day, for it grows; what has changed in two days does not. Only a file that
nobody else has open is written in again, so that a reader keeps what it has opened undisturbed:

    spare --nobody reads it?--yes--> draft --renewed--> target      and what was the target until then is the spare
              `--no, or there is none--> a copy of the target is the draft
"""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path


def begin(target: Path, draft: Path) -> None:
    """Make a draft with all that was published last, or the time before.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    spare = _beside(target)
    if _idle(spare):
        spare.replace(draft)
    else:
        spare.unlink(missing_ok=True)
        _copy(target, draft)


def keep(target: Path) -> None:
    """Keep what is published now, which is about to be replaced; where a file cannot have two names, it is not."""
    forget(target)
    with suppress(OSError):
        os.link(target, _beside(target))


def kept(target: Path) -> bool:
    """Whether there is a copy before the last."""
    return _beside(target).exists()


def forget(target: Path) -> None:
    """Remove the spare of `target`."""
    _beside(target).unlink(missing_ok=True)


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.spare")


def _idle(file: Path) -> bool:
    """Whether nobody has the file open, this process included, and it has no other name by which somebody may read it.

    A lease to write tells, for Linux grants it only then; where there are none, nobody can be sure. DuckDB's own locks
    would not do: they hold between processes only, and a file that is just being copied has none.
    """
    try:
        from fcntl import F_SETLEASE, F_SETSIG, F_UNLCK, F_WRLCK, fcntl  # noqa: PLC0415 on Linux only

        with file.open("rb+") as ours:
            # Who opens it in this moment makes Linux tell us: by SIGIO, which would end us, were it not another signal.
            fcntl(ours, F_SETSIG, signal.SIGURG)
            fcntl(ours, F_SETLEASE, F_WRLCK)
            fcntl(ours, F_SETLEASE, F_UNLCK)
            return os.fstat(ours.fileno()).st_nlink == 1
    except (ImportError, OSError):
        return False


def _copy(source: Path, target: Path) -> None:
    """Copy a file, sharing its blocks where the file system can."""
    with source.open("rb") as old, target.open("wb") as new:
        left = source.stat().st_size
        try:
            while left and (copied := os.copy_file_range(old.fileno(), new.fileno(), left)):
                left -= copied
        except OSError:
            old.seek(0)
            new.seek(0)
            shutil.copyfileobj(old, new, 2**22)
