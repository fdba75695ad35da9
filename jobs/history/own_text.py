"""Files of one's own in which days and counts are text, CSV and some Parquet, as Parquet that has them as such."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from io import BufferedReader
from pathlib import Path
from typing import IO, ClassVar, Literal

import polars as pl

from jobs.history import csv_text
from jobs.history.columns import COUNTERS, REPO_ID, written_day
from jobs.history.csv_text import LINE, Spelling
from jobs.history.sources import EARLIEST
from jobs.history.tables import Layout, require
from jobs.history.told import Told
from jobs.hub_base import UnreadableError
from jobs.hub_rows import MOST_COUNT
from warehouse.amounts import amount
from warehouse.errors import LeadchangeError

_WIDE = 2
"""Columns that are called like days from which on a table has one for each day."""

_ADDRESS = r"^(?i:https?://(?:www\.)?(?:huggingface\.co|hf\.co))/(?<name>[^/\s?#]+/[^/\s?#]+)/?(?:[?#].*)?$"
"""A model's page, as browsers and spreadsheets copy it."""


class HistoryError(LeadchangeError):
    """A file is not what it should be; nothing was written."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class Text:
    """A file in which days or counts are written as text."""

    file: Path
    what: Literal["CSV", "Parquet file"]
    rows: pl.LazyFrame
    """What is read of it, each row with its LINE."""
    counts: Sequence[str]
    """Columns of counts that are text."""
    day: str | None
    """The same of days."""
    models: str | None
    """The column of models, where these may be written as addresses of their pages."""

    def read_into(self, target: IO[bytes], told: Told, today: date) -> Iterator[str]:
        """Write it as Parquet by day, with days and counts as such; what to say of it, behind its name.

        Raises:
            HistoryError: something in it is no count, or no day; it names the line.
            UnreadableError: it is damaged, or what it says may mean two things.
        """
        with _readable(self.what):
            spelling = csv_text.spelling(self.rows, self.counts, self.day, told)
            self._refuse(spelling, today)
            read = [_count(name, spelling) for name in self.counts]
            if self.day:
                read.append(spelling.day.read(self.day))
            if self.models:
                read.append(_model(self.models))
            if spelling.unusual:
                yield f": {spelling}"
            yield from self._set_aside()
            table = self.rows.drop(LINE).with_columns(read)
            (table.sort(self.day) if self.day else table).sink_parquet(target)
        target.flush()

    def _refuse(self, spelling: Spelling, today: date) -> None:
        """Name the first cell that is no count, or no day."""
        wrong = {name: _no_count(name, spelling) for name in self.counts}
        if self.day:
            wrong[self.day] = ~spelling.day.read(self.day).is_between(EARLIEST, today).fill_null(value=False)
        if not wrong:
            return
        cells = self.rows.select(LINE, *(pl.when(bad).then(pl.struct(name)).alias(name) for name, bad in wrong.items()))
        found = cells.filter(pl.any_horizontal(pl.col(*wrong).is_not_null())).head(1).collect()
        for name in wrong if found.height else ():
            if found[name][0] is not None:
                is_no = f"no day ({spelling.day}) from {EARLIEST} to {today}"
                is_no = is_no if name == self.day else "no whole number from 0 on; leave empty what is not known"
                value = f"{found[name][0][name]!r:.80}"
                place = "line" if self.what == "CSV" else "row"
                raise HistoryError(f"{self.file}, {place} {found[LINE][0]}: {name} {value} is {is_no}")

    def _set_aside(self) -> Iterator[str]:
        """What to say of rows that are of no model, sums say: they are counted later on, and may be a day's undoing."""
        if self.models is None:
            return
        name = self.models
        is_one = _model(name).str.contains(REPO_ID).fill_null(value=False)
        found = self.rows.filter(~is_one).select(pl.len().alias("rows"), pl.col(LINE, name).first()).collect()
        if rows := found["rows"][0]:
            value = f"{found[name][0] or ''!r:.80}"
            yield f", line {found[LINE][0]}: {name} {value} is no publisher/name; set aside: {amount(rows, 'row')}"


def of_csv(file: Path, own: BufferedReader, layout: Layout) -> Text:
    """A CSV file, all of which is text.

    Raises:
        UnreadableError: it is damaged, or has other columns.
    """
    with _readable("CSV"):
        rows, has = csv_text.rows(file, own)
        names = _named(file, has, layout, "read_csv")
        require({name: options for name, options in layout.items() if name != "day"}, has, names)
        csv_text.once(names.values(), has)
        rows = rows.select(LINE, pl.col(*dict.fromkeys(names.values())).str.strip_chars())
    return Text(file, "CSV", rows, _counters(names), names.get("day"), names["repo_id"])


def of_parquet(file: Path, layout: Layout) -> Text | None:
    """A Parquet file in which counts are text, or days otherwise than as ISO 8601 has them; None of any other.

    Raises:
        UnreadableError: it is damaged, or has a column for each day.
    """
    with _readable("Parquet file"):
        rows = pl.scan_parquet(file, glob=False)
        kinds = rows.collect_schema()
        names = _named(file, kinds.names(), layout, "read_parquet")
        counts = [name for name in _counters(names) if _is_text(kinds[name])]
        day = names.get("day")
        if day and not kinds[day].is_integer() and not (_is_text(kinds[day]) and _is_otherwise(rows, day)):
            day = None
        if not counts and not day:
            return None
        text = rows.with_columns(pl.col(*counts, *([day] if day else [])).cast(pl.String))
    return Text(file, "Parquet file", text.with_row_index(LINE, offset=1), counts, day, models=None)


@contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UnreadableError(f"no readable {what}: {csv_text.reason(error)}") from None


def _named(file: Path, has: Sequence[str], layout: Layout, reader: str) -> dict[str, str]:
    """What is wanted -> the column that has it, where one does.

    Raises:
        UnreadableError: there is a column for each day; says how to turn it round. `reader`: what DuckDB reads it with.
    """
    names = {wanted: name for wanted, options in layout.items() if (name := _first(options, has))}
    days = [] if set(names) & set(COUNTERS) else csv_text.days_among(has)
    if len(days) < _WIDE or len(days) == len(has):
        return names
    others = ", ".join('"' + name.replace('"', '""') + '"' for name in has if name not in days)
    quoted = str(file).replace("'", "''")
    wide, rest = f"{reader}('{quoted}')", f"COLUMNS(* EXCLUDE ({others}))"
    turned = f"COPY (UNPIVOT (FROM {wide}) ON {rest} INTO NAME day VALUE downloads) TO 'long.csv'"
    each = f"it has a column for each of {len(days)} days, where a row for each model and day is read"
    raise UnreadableError(f"{each}. In DuckDB: {turned}")


def _first(options: Sequence[str], has: Sequence[str]) -> str | None:
    return next((name for name in options if name in has), None)


def _counters(names: Mapping[str, str]) -> list[str]:
    """The columns of counts, each once."""
    return list(dict.fromkeys(name for wanted, name in names.items() if wanted in COUNTERS))


def _is_text(kind: pl.DataType) -> bool:
    return isinstance(kind, pl.String | pl.Categorical | pl.Enum)


def _is_otherwise(rows: pl.LazyFrame, day: str) -> bool:
    """Whether a column of text has something that is no day as ISO 8601 writes it."""
    text = rows.select(pl.col(day).cast(pl.String))
    return bool(text.select((written_day(day).is_null() & pl.col(day).is_not_null()).any()).collect().item())


def _model(name: str) -> pl.Expr:
    """publisher/name, which may be written as the address of the model's page."""
    return pl.col(name).str.replace(_ADDRESS, "$name")


def _count(name: str, spelling: Spelling) -> pl.Expr:
    """A count; some programs write whole numbers with a fraction of 0, and nothing for what is not known."""
    return csv_text.number(name, spelling.decimal).cast(pl.Int64, strict=False).alias(name)


def _no_count(name: str, spelling: Spelling) -> pl.Expr:
    """Whether there is something that is no count."""
    count = _count(name, spelling)
    is_one = (count == csv_text.number(name, spelling.decimal)) & count.is_between(0, MOST_COUNT)
    return (pl.col(name).str.strip_chars().fill_null("") != "") & ~is_one.fill_null(value=False)
