"""A CSV file of totals -> a frame of day, entity, value, or one line on what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from jobs.history import csv_text
from jobs.history.csv_text import DayForm, Spelling
from jobs.history.sources import EARLIEST
from jobs.history.told import NOTHING_TOLD, Told
from jobs.hub_base import UnreadableError
from monitor.config import ConfigError

_MONTH = r"^\d{4}-\d{2}$"


def read_series(
    file: Path,
    columns: str = "day,entity,value",
    *,
    latest: date = date.max,
    told: Told = NOTHING_TOLD,
    say: Callable[[str], None] = lambda line: None,
) -> pl.DataFrame:
    """Read a series of totals.

    Args:
        file: CSV with a header.
        latest: no total is known of a later day.
        columns: the file's names for day, entity and value, separated by commas; a fourth for how sure its source is.
        told: how the file writes days and numbers, as far as somebody said so.
        say: takes a line on a file that writes them otherwise than ISO 8601 and computers do.

    Returns:
        Columns day (Date), entity (String), value (Float64), and exactness (String, null: exact) where that column is
        named. A month stands for its last day, when its total is known.

    Raises:
        ConfigError: there is no such file, a column is missing, or a row cannot be read.
    """
    names = [name.strip() for name in columns.split(",")]
    if len(names) not in (3, 4):
        raise ConfigError([f"--columns names columns for day, entity, value and perhaps exactness; not {columns!r}"])
    table = _read(file)
    missing = [name for name in names if name not in table.columns]
    if missing:
        has = ", ".join(name for name in table.columns if name != csv_text.LINE)
        raise ConfigError([f"{file}: no column {', '.join(missing)}; it has {has}"])
    day, entity, value, *exactness = names
    spelling = _spelling(file, table, names, told)
    if spelling.unusual:
        say(f"{file}: {spelling}")
    chosen = table.select(
        csv_text.LINE,
        _as_day(day, spelling.day).alias("day"),
        pl.col(entity).str.strip_chars().replace("", None).alias("entity"),
        csv_text.number(value, spelling.decimal).alias("value"),
        *(_exactness(pl.col(name)).alias("exactness") for name in exactness),
    )
    return _checked(file, chosen, latest, spelling.day)


def _read(file: Path) -> pl.DataFrame:
    try:
        with file.open("rb") as content:
            return csv_text.rows(file, content)[0].collect()
    except UnreadableError as error:
        raise ConfigError([f"{file}: {error}"]) from None
    except OSError as error:
        raise ConfigError([f"{file}: cannot be read: {error.strerror or 'no such file'}"]) from None
    except pl.exceptions.PolarsError as error:
        raise ConfigError([f"{file}: no readable CSV: {csv_text.reason(error)}"]) from None


def _spelling(file: Path, table: pl.DataFrame, names: Sequence[str], told: Told) -> Spelling:
    """How the file writes days and totals, in columns of these names; months say nothing of that."""
    day, _, value, *_ = names
    days = table.filter(~pl.col(day).str.strip_chars().str.contains(_MONTH))[day]
    try:
        csv_text.once(names, table.columns)
        return Spelling(csv_text.decimal_mark(table.lazy(), [value], told.decimal), csv_text.day_form(days, told.order))
    except UnreadableError as error:
        raise ConfigError([f"{file}: {error}"]) from None


def _exactness(word: pl.Expr) -> pl.Expr:
    """A source's word for how sure it is of a total; null when that is exact, or it has none."""
    plain = word.str.strip_chars().str.to_lowercase()
    return pl.when(~plain.is_in(["", "exact"])).then(plain.replace("est", "estimated"))


def _as_day(name: str, form: DayForm) -> pl.Expr:
    """Days as the file writes them; a month as its last day."""
    text = pl.col(name).str.strip_chars()
    month_end = (text + "-01").str.to_date("%Y-%m-%d", strict=False).dt.month_end()
    return pl.when(text.str.contains(_MONTH)).then(month_end).otherwise(form.read(name))


def _checked(file: Path, read: pl.DataFrame, latest: date, form: DayForm) -> pl.DataFrame:
    values = read.drop(csv_text.LINE)
    possible = (pl.col("value").is_finite() & (pl.col("value") >= 0)).fill_null(value=False)
    wrong = read.filter(pl.col("day").is_null() | pl.col("entity").is_null() | ~possible)
    if wrong.height:
        needed = f"a day ({form}), entity and a total that is not below 0 are needed in every row"
        raise ConfigError([f"{file}, line {wrong[csv_text.LINE][0]}: {needed}"])
    outside = read.filter(~pl.col("day").is_between(EARLIEST, latest))
    if outside.height:
        day, line = outside["day"][0], outside[csv_text.LINE][0]
        raise ConfigError([f"{file}, line {line}: it is of {day}; days from {EARLIEST} to {latest} are taken"])
    twice = values.filter(values.select("day", pl.col("entity").str.to_lowercase()).is_duplicated())
    if twice.height:
        raise ConfigError([f"{file}: {twice['entity'][0]} has two values on {twice['day'][0]}"])
    if not values.height:
        raise ConfigError([f"{file}: no rows"])
    return values
