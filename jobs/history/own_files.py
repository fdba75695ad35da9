"""Anybody's own history: Parquet and CSV files, their columns by whatever names, checked before anything is written."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from io import BufferedReader
from pathlib import Path
from typing import IO, ClassVar

import polars as pl

from jobs.history.columns import COUNTERS, written_day
from jobs.history.local_copy import local_copy
from jobs.history.sources import EARLIEST, OWN_TABLE, Part, as_day
from jobs.history.tables import Layout, Table, require
from jobs.hub_base import UnreadableError
from jobs.hub_rows import MOST_COUNT
from warehouse.errors import LeadchangeError

_QUOTED = re.compile(r'"[^"]*"')
_DAY_IN_NAME = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)")


class HistoryError(LeadchangeError):
    """A file is not what it should be; nothing was written."""

    exit_code: ClassVar[int] = 2


@contextmanager
def opened(
    files: Sequence[Path], *, csv: bool, columns: Mapping[str, str], day: date | None, today: date, folder: Path
) -> Iterator[list[Part]]:
    """The days of some files, oldest first; a day's rows may be in several of them.

    Args:
        files: Parquet, or CSV with a header.
        csv: which.
        columns: names of columns that are not the usual ones: day, repo_id, hub_id, downloads_30d, ...
        day: of files without a column of days; without it the day in a file's name.
        today: no day may be later.
        folder: where a CSV file is kept as Parquet meanwhile.

    Raises:
        HistoryError: a file cannot be read, has other columns, or holds what is no count or no day.
    """
    layout = {**OWN_TABLE, **{name: (column,) for name, column in columns.items()}}
    with ExitStack() as stack:
        held: dict[date, list[tuple[Path, Table]]] = defaultdict(list)
        for file in dict.fromkeys(files):
            own = stack.enter_context(_opened(file))
            local: IO[bytes] = own
            if csv:
                local = stack.enter_context(local_copy(folder))
                _convert(file, separator(own), local, layout, today)
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


def _days(
    file: Path, local: IO[bytes], layout: Layout, columns: Mapping[str, str], day: date | None
) -> list[tuple[date, Table]]:
    """Every day of a file, each with the table to read it from."""
    try:
        table = Table(local, {name: names for name, names in layout.items() if name != "day"})
        _check(file, table, columns)
        if table.has(layout["day"]):
            if day is not None:
                raise HistoryError(f"{file}: it has a column of days: leave --day out, or rename the column")
            table = Table(local, layout)
            return [(each, table) for each in table.days]
    except UnreadableError as error:
        raise HistoryError(f"{file}: {error}") from None
    if "day" in columns:
        raise HistoryError(f"{file}: it has no column {columns['day']}")
    named = _DAY_IN_NAME.findall(file.name)
    found = day or (as_day(named[0]) if len(named) == 1 else None)
    if found is None:
        raise HistoryError(f"{file}: it has no column of days: name it with --day-column, or the day with --day")
    return [(found, table)]


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


def separator(content: BufferedReader) -> str:
    """What stands between the columns of a CSV file: of the usual marks the one of which its header has most.

    Spreadsheets write semicolons where the decimal mark is a comma. `content` is only looked at, for it may be a pipe.
    """
    header = content.peek().partition(b"\n")[0].decode("utf-8", "replace")
    return max(",;\t|", key=_QUOTED.sub("", header).count)


def _convert(file: Path, between: str, target: IO[bytes], layout: Layout, today: date) -> None:
    """A CSV file as Parquet by day, its counts as numbers. Raises HistoryError, which names the line."""
    try:
        text = pl.scan_csv(file, separator=between, infer_schema=False, glob=False)
        has = text.collect_schema().names()
        names = {wanted: name for wanted, options in layout.items() if (name := _first(options, has))}
        require({name: options for name, options in layout.items() if name != "day"}, has, names)
        counts = list(dict.fromkeys(name for wanted, name in names.items() if wanted in COUNTERS))
        _refuse(file, text, counts, names.get("day"), today)
        table = text.select(*dict.fromkeys(names.values())).with_columns(_number(name) for name in counts)
        (table.sort(names["day"]) if "day" in names else table).sink_parquet(target)
    except UnreadableError as error:
        raise HistoryError(f"{file}: {error}") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise HistoryError(f"{file}: no readable CSV: {str(error).splitlines()[0]}") from None
    target.flush()


def _first(options: Sequence[str], has: Sequence[str]) -> str | None:
    return next((name for name in options if name in has), None)


def _number(name: str) -> pl.Expr:
    """A count; some programs write whole numbers with a fraction of 0, and nothing for what is not known."""
    return _float(name).cast(pl.Int64, strict=False).alias(name)


def _float(name: str) -> pl.Expr:
    return pl.col(name).str.strip_chars().replace("", None).cast(pl.Float64, strict=False)


def _refuse(file: Path, text: pl.LazyFrame, counts: Sequence[str], day: str | None, today: date) -> None:
    """Name the first line on which a count is none, or a day."""
    wrong = [
        (pl.col(name).str.strip_chars().fill_null("") != "")
        & ~((_number(name) == _float(name)) & _number(name).is_between(0, MOST_COUNT)).fill_null(value=False)
        for name in counts
    ]
    if day:
        wrong.append(~written_day(day).is_between(EARLIEST, today).fill_null(value=False))
    if not wrong:
        return
    found = text.with_row_index("line", offset=2).filter(pl.any_horizontal(wrong)).head(1).collect()
    if found.height:
        values = ", ".join(f"{name} {found[name][0]!r}" for name in (*counts, *([day] if day else [])))
        raise HistoryError(
            f"{file}, line {found['line'][0]}: no whole number from 0 on, or no day (YYYY-MM-DD) from {EARLIEST} "
            f"to {today}, among {values:.150}"
        )
