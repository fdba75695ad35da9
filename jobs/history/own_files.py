"""Anybody's own history: Parquet and CSV files, their columns by whatever names, checked before anything is written."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from io import BufferedReader
from pathlib import Path
from typing import IO

from jobs.history import own_text
from jobs.history.local_copy import local_copy
from jobs.history.own_text import HistoryError
from jobs.history.sources import EARLIEST, OWN_TABLE, Part, as_day
from jobs.history.tables import Layout, MissingColumnError, Table
from jobs.history.told import NOTHING_TOLD, Told
from jobs.hub_base import UnreadableError

_OPTIONS = {"repo_id": "--id-column", "counts": "--downloads-column, --all-time-column or --likes-column"}
"""What names a column that is called otherwise than usual."""

_DAY_IN_NAME = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)")


@contextmanager
def opened(
    files: Sequence[Path],
    *,
    csv: bool,
    columns: Mapping[str, str],
    day: date | None,
    today: date,
    folder: Path,
    told: Told = NOTHING_TOLD,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[list[Part]]:
    """The days of some files, oldest first; a day's rows may be in several of them.

    Args:
        files: Parquet, or CSV with a header.
        csv: which.
        columns: names of columns that are not the usual ones: day, repo_id, hub_id, downloads_30d, ...
        day: of files without a column of days; without it the day in a file's name.
        today: no day may be later.
        folder: where a file with days and numbers as such is kept meanwhile, of one that has text.
        told: how files write days and numbers that are text, as far as somebody said so.
        say: takes a line on a file that writes them otherwise than ISO 8601 and computers do, and on rows of a CSV file
            that are of no model.

    Raises:
        HistoryError: a file cannot be read, has other columns, or holds what is no count or no day.
    """
    layout = {**OWN_TABLE, **{name: (column,) for name, column in columns.items()}}
    with ExitStack() as stack:
        held: dict[date, list[tuple[Path, Table]]] = defaultdict(list)
        for file in dict.fromkeys(files):
            own = stack.enter_context(_opened(file))
            local: IO[bytes] = own
            with _problems(file):
                text = own_text.of_csv(file, own, layout) if csv else own_text.of_parquet(file, layout)
                if text is not None:
                    local = stack.enter_context(local_copy(folder))
                    for line in text.read_into(local, told, today):
                        say(f"{file}{line}")
            for each, table in _days(file, local, layout, columns, day):
                if not EARLIEST <= each <= today:
                    raise HistoryError(f"{file}: it has the day {each}; days from {EARLIEST} to {today} are taken")
                held[each].append((file, table))
        yield [_part(each, held[each]) for each in sorted(held)]


@contextmanager
def _opened(file: Path) -> Iterator[BufferedReader]:
    try:
        local = file.open("rb")
    except OSError as error:
        raise HistoryError(f"{file}: cannot be read: {error.strerror}") from None
    with local:
        yield local


@contextmanager
def _problems(file: Path) -> Iterator[None]:
    """Say whose problem it is, and what to do about it."""
    try:
        yield
    except UnreadableError as error:
        raise HistoryError(f"{file}: {error}{_remedy(error)}") from None


def _days(
    file: Path, local: IO[bytes], layout: Layout, columns: Mapping[str, str], day: date | None
) -> list[tuple[date, Table]]:
    """Every day of a file, each with the table to read it from."""
    with _problems(file):
        table = Table(local, {name: names for name, names in layout.items() if name != "day"})
        _check(file, table, columns)
        if table.has(layout["day"]):
            if day is not None:
                raise HistoryError(f"{file}: it has a column of days: leave --day out, or rename the column")
            table = Table(local, layout)
            return [(each, table) for each in table.days]
    if "day" in columns:
        raise HistoryError(f"{file}: it has no column {columns['day']}")
    named = _DAY_IN_NAME.findall(file.name)
    found = day or (as_day(named[0]) if len(named) == 1 else None)
    if found is None:
        raise HistoryError(f"{file}: it has no column of days: name it with --day-column, or the day with --day")
    return [(found, table)]


def _remedy(error: UnreadableError) -> str:
    """What to do about it, where an option does."""
    option = _OPTIONS.get(error.wanted) if isinstance(error, MissingColumnError) else None
    return f"; name it with {option}" if option else ""


def _check(file: Path, table: Table, columns: Mapping[str, str]) -> None:
    """A column that was asked for by name must be there."""
    for name, column in columns.items():
        if name != "day" and name not in table.columns:
            raise HistoryError(f"{file}: it has no column {column}")
    if not table.height:
        raise HistoryError(f"{file}: no rows")


def _part(day: date, held: Sequence[tuple[Path, Table]]) -> Part:
    names = ", ".join(f"{file.name} sha256:{_digest(file)}" for file, _ in held)
    return Part(names, (day,), tables=tuple(table for _, table in held))


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]
