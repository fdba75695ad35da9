"""Anybody's own history: Parquet and CSV files, their columns by whatever names, checked before anything is written."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from io import BufferedReader
from pathlib import Path
from typing import IO, ClassVar

import polars as pl

from jobs.history import csv_text
from jobs.history.columns import COUNTERS, REPO_ID, written_day
from jobs.history.csv_text import Spelling
from jobs.history.local_copy import local_copy
from jobs.history.sources import EARLIEST, OWN_TABLE, Part, as_day
from jobs.history.tables import Layout, MissingColumnError, Table, require
from jobs.history.told import NOTHING_TOLD, Told
from jobs.hub_base import UnreadableError
from jobs.hub_rows import MOST_COUNT
from warehouse.amounts import amount
from warehouse.errors import LeadchangeError

_OPTIONS = {"repo_id": "--id-column", "counts": "--downloads-column, --all-time-column or --likes-column"}
"""What names a column that is called otherwise than usual."""

_DAY_IN_NAME = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)")


_WIDE = 2
"""Columns that are called like days from which on a table has one for each day."""


class HistoryError(LeadchangeError):
    """A file is not what it should be; nothing was written."""

    exit_code: ClassVar[int] = 2


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
            written = None if csv else _written(file, layout)
            if csv or written:
                local = stack.enter_context(local_copy(folder))
                for line in (
                    _plain(file, written, local, told, today)
                    if written
                    else _convert(file, own, local, layout, told, today)
                ):
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
        raise HistoryError(f"{file}: {error}{_remedy(error)}") from None
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


@dataclass(frozen=True, slots=True)
class _Written:
    """A Parquet file in which counts or days are written as text."""

    rows: pl.LazyFrame
    """Its rows, each with its LINE, what is written as text."""
    counts: Sequence[str]
    day: str | None


def _written(file: Path, layout: Layout) -> _Written | None:
    """What a Parquet file has as text instead of as numbers and days; None where that is nothing, or not to be read.

    Raises:
        HistoryError: it has a column for each day.
    """
    try:
        table = pl.scan_parquet(file, glob=False)
        kinds = table.collect_schema()
        names = {wanted: name for wanted, options in layout.items() if (name := _first(options, kinds.names()))}
        _refuse_wide(file, kinds.names(), names, "read_parquet")
        counts = [name for name in _counters(names) if _is_text(kinds[name])]
        day = names.get("day")
        if day and not kinds[day].is_integer() and not (_is_text(kinds[day]) and _is_other(table, day)):
            day = None
    except (pl.exceptions.PolarsError, OSError):
        return None  # who reads it says why
    if not counts and not day:
        return None
    text = table.with_columns(pl.col(*counts, *([day] if day else [])).cast(pl.String))
    return _Written(text.with_row_index(csv_text.LINE, offset=1), counts, day)


def _is_text(kind: pl.DataType) -> bool:
    return isinstance(kind, pl.String | pl.Categorical | pl.Enum)


def _is_other(table: pl.LazyFrame, day: str) -> bool:
    """Whether a column of text has something that is no day as ISO 8601 writes it."""
    text = table.select(pl.col(day).cast(pl.String))
    return bool(text.select((written_day(day).is_null() & pl.col(day).is_not_null()).any()).collect().item())


def _counters(names: Mapping[str, str]) -> list[str]:
    """The columns of counts, each once."""
    return list(dict.fromkeys(name for wanted, name in names.items() if wanted in COUNTERS))


def _plain(file: Path, written: _Written, target: IO[bytes], told: Told, today: date) -> Iterator[str]:
    """A Parquet file with numbers and days as such, read as a CSV file's are; what to say of it, behind its name.

    Raises:
        HistoryError: something in it is no count, or no day; it names the row.
    """
    try:
        spelling = csv_text.spelling(written.rows, written.counts, written.day, told)
        _refuse(file, written.rows, written.counts, written.day, spelling, today, place="row")
        read = [_count(name, spelling) for name in written.counts]
        if written.day:
            read.append(spelling.day.read(written.day))
        if spelling.unusual:
            yield f": {spelling}"
        table = written.rows.drop(csv_text.LINE).with_columns(read)
        (table.sort(written.day) if written.day else table).sink_parquet(target)
    except UnreadableError as error:
        raise HistoryError(f"{file}: {error}") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise HistoryError(f"{file}: no readable Parquet file: {csv_text.reason(error)}") from None
    target.flush()


def _refuse_wide(file: Path, has: Sequence[str], found: Mapping[str, str], reader: str) -> None:
    """Say how a table with a column for each day is to be turned round; `reader`: what DuckDB reads it with."""
    days = [] if set(found) & set(COUNTERS) else csv_text.days_among(has)
    if len(days) < _WIDE or len(days) == len(has):
        return
    others = ", ".join('"' + name.replace('"', '""') + '"' for name in has if name not in days)
    quoted = str(file).replace("'", "''")
    wide, rest = f"{reader}('{quoted}')", f"COLUMNS(* EXCLUDE ({others}))"
    turned = f"COPY (UNPIVOT (FROM {wide}) ON {rest} INTO NAME day VALUE downloads) TO 'long.csv'"
    each = f"it has a column for each of {len(days)} days, where a row for each model and day is read"
    raise HistoryError(f"{file}: {each}. In DuckDB: {turned}")


def _convert(
    file: Path, own: BufferedReader, target: IO[bytes], layout: Layout, told: Told, today: date
) -> Iterator[str]:
    """A CSV file as Parquet by day, its days and counts as such; what to say of it, behind its name.

    Raises:
        HistoryError: something in it is wrong; it names the line.
    """
    try:
        text, has = csv_text.rows(file, own)
        names = {wanted: name for wanted, options in layout.items() if (name := _first(options, has))}
        _refuse_wide(file, has, names, "read_csv")
        require({name: options for name, options in layout.items() if name != "day"}, has, names)
        counts = _counters(names)
        spelling = csv_text.spelling(text, counts, names.get("day"), told)
        _refuse(file, text, counts, names.get("day"), spelling, today)
        read = [_count(name, spelling) for name in counts]
        if "day" in names:
            read.append(spelling.day.read(names["day"]))
        table = text.select(pl.col(*dict.fromkeys(names.values())).str.strip_chars()).with_columns(read)
        table = table.with_columns(_model(names["repo_id"]))
        if spelling.unusual:
            yield f": {spelling}"
        yield from _set_aside(text, names["repo_id"])
        (table.sort(names["day"]) if "day" in names else table).sink_parquet(target)
    except UnreadableError as error:
        raise HistoryError(f"{file}: {error}{_remedy(error)}") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise HistoryError(f"{file}: no readable CSV: {csv_text.reason(error)}") from None
    target.flush()


def _model(name: str) -> pl.Expr:
    """publisher/name, which may be written as the address of the model's page."""
    return pl.col(name).str.strip_chars().str.replace(r"^https://(?:huggingface\.co|hf\.co)/", "")


def _set_aside(text: pl.LazyFrame, name: str) -> Iterator[str]:
    """What to say of rows that are of no model, sums say: they are counted later on, and may be a day's undoing."""
    is_one = _model(name).str.contains(REPO_ID).fill_null(value=False)
    found = text.filter(~is_one).select(pl.len().alias("rows"), pl.col(csv_text.LINE, name).first()).collect()
    if rows := found["rows"][0]:
        value = f"{found[name][0] or ''!r:.80}"
        yield f", line {found[csv_text.LINE][0]}: {name} {value} is no publisher/name; set aside: {amount(rows, 'row')}"


def _first(options: Sequence[str], has: Sequence[str]) -> str | None:
    return next((name for name in options if name in has), None)


def _count(name: str, spelling: Spelling) -> pl.Expr:
    """A count; some programs write whole numbers with a fraction of 0, and nothing for what is not known."""
    return csv_text.number(name, spelling.decimal).cast(pl.Int64, strict=False).alias(name)


def _refuse(
    file: Path,
    text: pl.LazyFrame,
    counts: Sequence[str],
    day: str | None,
    spelling: Spelling,
    today: date,
    *,
    place: str = "line",
) -> None:
    """Name the first cell that is no count, or no day."""
    wrong = {name: _no_count(name, spelling) for name in counts}
    if day:
        wrong[day] = ~spelling.day.read(day).is_between(EARLIEST, today).fill_null(value=False)
    if not wrong:
        return
    cells = text.select(csv_text.LINE, *(pl.when(bad).then(pl.struct(name)).alias(name) for name, bad in wrong.items()))
    found = cells.filter(pl.any_horizontal(pl.col(*wrong).is_not_null())).head(1).collect()
    for name in wrong if found.height else ():
        if found[name][0] is not None:
            is_no = f"no day ({spelling.day}) from {EARLIEST} to {today}"
            is_no = is_no if name == day else "no whole number from 0 on; leave empty what is not known"
            value = f"{found[name][0][name]!r:.80}"
            raise HistoryError(f"{file}, {place} {found[csv_text.LINE][0]}: {name} {value} is {is_no}")


def _no_count(name: str, spelling: Spelling) -> pl.Expr:
    """Whether there is something that is no count."""
    count = _count(name, spelling)
    is_one = (count == csv_text.number(name, spelling.decimal)) & count.is_between(0, MOST_COUNT)
    return (pl.col(name).str.strip_chars().fill_null("") != "") & ~is_one.fill_null(value=False)
