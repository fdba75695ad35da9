"""A CSV file of totals -> a frame of day, entity, value, or one line on what is wrong with it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from jobs.history.own_files import separator
from jobs.history.sources import EARLIEST
from monitor.config import ConfigError

_MONTH = r"^\d{4}-\d{2}$"


def read_series(file: Path, columns: str = "day,entity,value", *, latest: date = date.max) -> pl.DataFrame:
    """Read a series of totals.

    Args:
        file: CSV with a header.
        latest: no total is known of a later day.
        columns: the file's names for day, entity and value, separated by commas; a fourth for how sure its source is.

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
        raise ConfigError([f"{file}: no column {', '.join(missing)}; it has {', '.join(table.columns)}"])
    day, entity, value, *exactness = names
    chosen = table.select(
        pl.col(day).str.strip_chars().alias("day"),
        pl.col(entity).alias("entity"),
        pl.col(value).cast(pl.Float64, strict=False).alias("value"),
        *(_exactness(pl.col(name)).alias("exactness") for name in exactness),
    )
    return _checked(file, chosen.with_columns(day=_as_day(pl.col("day"))), latest)


def _read(file: Path) -> pl.DataFrame:
    try:
        with file.open("rb") as content:
            return pl.read_csv(content, separator=separator(content), infer_schema=False)
    except OSError as error:
        raise ConfigError([f"{file}: cannot be read: {error.strerror or 'no such file'}"]) from None
    except pl.exceptions.PolarsError as error:
        raise ConfigError([f"{file}: no readable CSV: {str(error).splitlines()[0]}"]) from None


def _exactness(word: pl.Expr) -> pl.Expr:
    """A source's word for how sure it is of a total; null when that is exact, or it has none."""
    plain = word.str.strip_chars().str.to_lowercase()
    return pl.when(~plain.is_in(["", "exact"])).then(plain.replace("est", "estimated"))


def _as_day(text: pl.Expr) -> pl.Expr:
    """ISO days as they are; a month as its last day."""
    month_end = (text + "-01").str.to_date("%Y-%m-%d", strict=False).dt.month_end()
    return pl.when(text.str.contains(_MONTH)).then(month_end).otherwise(text.str.to_date("%Y-%m-%d", strict=False))


def _checked(file: Path, values: pl.DataFrame, latest: date) -> pl.DataFrame:
    possible = (pl.col("value").is_finite() & (pl.col("value") >= 0)).fill_null(value=False)
    wrong = values.with_row_index("line", offset=2).filter(
        pl.col("day").is_null() | pl.col("entity").is_null() | ~possible
    )
    if wrong.height:
        needed = "day, entity and a total that is not below 0 are needed in every row"
        raise ConfigError([f"{file}, line {wrong['line'][0]}: {needed}"])
    outside = values.with_row_index("line", offset=2).filter(~pl.col("day").is_between(EARLIEST, latest))
    if outside.height:
        day, line = outside["day"][0], outside["line"][0]
        raise ConfigError([f"{file}, line {line}: it is of {day}; days from {EARLIEST} to {latest} are taken"])
    twice = values.filter(values.select("day", "entity").is_duplicated())
    if twice.height:
        raise ConfigError([f"{file}: {twice['entity'][0]} has two values on {twice['day'][0]}"])
    if not values.height:
        raise ConfigError([f"{file}: no rows"])
    return values
