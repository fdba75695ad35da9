"""Errors a user can mend. Each room derives its own from here; everything else is a bug and keeps its traceback.

LeadchangeError
├── ConfigError          monitor: the configuration is wrong                       exit 2
├── QueryRefusedError    warehouse: this SQL may not run here                      exit 2
├── NotKnownError        an unknown board, rule, channel, ...: the nearest name    exit 2
├── HubError             jobs: the Hub could not be read                           exit 3
├── ChannelError         alerts: a channel refused or could not be reached         exit 4
└── WarehouseError       warehouse: the file is locked, damaged or from elsewhere  exit 5
    ├── WarehouseBusyError   warehouse: another process has it
    └── WarehouseDeadError   warehouse: close it and open it again
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class LeadchangeError(Exception):
    """One line that says what is wrong and how to mend it."""

    exit_code: ClassVar[int] = 2


class NotKnownError(LeadchangeError):
    """A name that nothing has; offers the nearest one that something does."""

    def __init__(self, what: str, name: str, known: Iterable[str], is_named: str = "is called") -> None:
        super().__init__(f"no {what} {is_named} {name!r}{nearest(name, known)}")


class WarehouseError(LeadchangeError):
    """The warehouse is locked, damaged, or written by something newer."""

    exit_code = 5


class WarehouseBusyError(WarehouseError):
    """Another process has the warehouse open."""


class WarehouseDeadError(WarehouseError):
    """DuckDB gave this open file up (a checkpoint failed, say): close every connection and open it again.

    What was committed is on disk; whether the last transaction was is found out by looking.
    """


class QueryRefusedError(LeadchangeError):
    """A statement that may not run on the published file, or that DuckDB could not run."""


_MOST = 20
"""Names that a message lists."""


def shown(name: str) -> str:
    """Somebody's name as it stands in a message: escaped where it would command a terminal or forge a line."""
    return name if name.isprintable() else ascii(name)


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown `name`: the nearest of the `known` ones, or all when none is near."""
    names = sorted(set(map(shown, known)))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not names:
        return "; there are none yet"
    more = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
    return f"; known: {', '.join(names[:_MOST])}{more}"
