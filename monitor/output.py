"""How rows reach people and machines: tables, JSON, CSV, sparklines, charts. No business logic."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from math import isfinite
from typing import Any

import typer
from rich.console import Console

from alerts.text import humanise, plain
from monitor.tables import Row, columns, drawn


class Format(StrEnum):
    """How a command prints its rows."""

    table = "table"
    json = "json"
    csv = "csv"


def print_rows(
    rows: Sequence[Row],
    columns: Sequence[str],
    form: Format,
    *,
    every: Sequence[str] = (),
    empty: str = "nothing yet",
) -> None:
    """Print rows to stdout in the form asked for.

    Args:
        rows: they all have the same columns.
        columns: those of a table; other forms carry every column.
        form: the form.
        every: all columns, where there are more: the header of CSV must not depend on whether there is a row.
        empty: what a table says when there are no rows.
    """
    if form is Format.json:
        typer.echo(
            json.dumps(
                [{key: for_json(value) for key, value in row.items()} for row in rows], ensure_ascii=False, indent=1
            )
        )
    elif form is Format.csv:
        typer.echo(as_csv(rows, every or columns), nl=False)
    elif not rows:
        typer.echo(empty)
    else:
        print_table(rows, columns)


def print_answer(columns: Sequence[str], rows: Sequence[Row], form: Format) -> None:
    """Print what somebody's own query answered: columns as they are called, values as they are."""
    if form is Format.table and rows:
        print_table(rows, columns, exact=True)
    else:
        print_rows(rows, columns, form, empty="no rows")


def for_json(value: object) -> object:
    """A cell as JSON knows it: whole numbers without a fraction, no number where there is none, dates in ISO form."""
    if isinstance(value, float | Decimal):
        return None if not isfinite(value) else int(value) if value == int(value) else float(value)
    if isinstance(value, dict):
        return {str(key): for_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [for_json(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else iso(value)


def named(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """Rows of cells by their columns' names, and these; of the same names the later ones have a number behind."""
    names = distinct(columns)
    return names, [dict(zip(names, row, strict=True)) for row in rows]


def distinct(columns: Sequence[str]) -> list[str]:
    """Column names with a number behind what was there before."""
    names: list[str] = []
    for column in columns:
        name, times = column, 1
        while name in names or (times > 1 and name in columns):
            times += 1
            name = f"{column}_{times}"
        names.append(name)
    return names


def iso(value: object) -> str:
    """A date or a moment in ISO form, anything else as it prints."""
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def as_csv(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Rows as CSV with a header; text that a spreadsheet would run as a formula is quoted with an apostrophe."""
    names = list(rows[0]) if rows else list(columns)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_csv_cell(row[name]) for name in names] for row in rows)
    return out.getvalue()


_HARMLESS = re.compile(r"[=+-]|[+-]\d+")
"""Texts that a spreadsheet shows, or takes for the number that they are: how a rank changed."""


def _csv_cell(value: object) -> object:
    value = for_json(value)
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") and not _HARMLESS.fullmatch(value):
        return "'" + value
    return "" if value is None else json.dumps(value) if isinstance(value, dict | list | bool) else value


_UNLIMITED = 10_000


def print_table(rows: Sequence[Row], names: Sequence[str], *, exact: bool = False) -> None:
    """Print rows as a table that fits the terminal, or with whole rows where that cannot be without cutting words."""
    console = wide_console()
    shown, notes, width = drawn(columns(rows, names, exact=exact), console.width, as_asked=exact)
    console.width = max(console.width, width)
    with console.capture() as captured:
        console.print(shown)
    for line in [*captured.get().splitlines(), *([""] if notes else []), *notes]:
        print(line.rstrip(), file=console.file)


def wide_console() -> Console:
    """stdout: as wide as the terminal, or as the text needs where there is none."""
    out = sys.stdout or io.StringIO()  # None: closed by whoever started us
    console = Console(highlight=False, file=out)
    if not console.is_terminal and not out.isatty():
        console.width = _UNLIMITED
    return console


_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Iterable[float], width: int = 16) -> str:
    """The last values as a row of bars, lowest to highest."""
    shown = list(values)[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    steps = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * steps)] for value in shown)


def line_chart(
    title: str, series: Mapping[str, Sequence[tuple[date, float]]], *, width: int = 78, height: int = 16
) -> str:
    """Several values over days, drawn with characters; the last ones are labelled."""
    import plotext  # noqa: PLC0415 it takes a tenth of a second that only charts should cost

    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, height)
    days = sorted({day for points in series.values() for day, _ in points})
    for name, points in series.items():
        line = figure.signal([day.toordinal() for day, _ in points], [value for _, value in points], marker="braille")
        line.label(plain(name, 40))
        line.lines()
        figure.draw(line)
    ticks = days[:: max(1, len(days) // 6)]
    figure.ruler("x").ticks([day.toordinal() for day in ticks], [f"{day:%Y-%m}" for day in ticks])
    values = [value for points in series.values() for _, value in points]
    heights = [min(values) + (max(values) - min(values)) * part / 4 for part in range(5)]
    figure.ruler("y").ticks(heights, [humanise(value) for value in heights])
    figure.title(title)
    return str(figure.build().string(colorless=True))
