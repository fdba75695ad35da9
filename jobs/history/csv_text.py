"""What a CSV file means by its bytes, days and numbers: worked out from all of its rows or told, never guessed."""

from __future__ import annotations

import codecs
import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import combinations
from pathlib import Path

import polars as pl

from jobs.history.columns import written_day
from jobs.history.told import Decimal, Order, Told
from jobs.hub_base import UnreadableError

_QUOTED = re.compile(r'"[^"]*"')
_PACKED = b"\x1f\x8b"
_SEPARATOR = re.compile(rb'"?sep=([,;\t|])"?\r?\n')
"""A first line that says what stands between columns, as Excel understands it."""
_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""How a file begins that is no UTF-8, and says so: Excel's "Unicode text"."""


# Bytes


def readable(file: Path, content: BufferedReader) -> Path | bytes:
    """What polars is to read: the file, or the text of one that is a pipe, packed by gzip, or in UTF-16.

    Raises:
        UnreadableError: it is damaged.
    """
    head = content.peek(2)[:2]
    if content.seekable() and head != _PACKED and head not in _BYTE_ORDER_MARKS:
        return file
    try:
        text = gzip.decompress(content.read()) if head == _PACKED else content.read()
        mark = _BYTE_ORDER_MARKS.get(text[:2])
        return text.decode(mark).encode() if mark else text
    except (OSError, EOFError, UnicodeError) as error:
        raise UnreadableError(f"no readable CSV: {error}") from None


def separator(head: bytes) -> str:
    """What stands between the columns of a CSV file: of the usual marks the one of which its header has most.

    Spreadsheets write semicolons where the decimal mark is a comma.
    """
    header = head.partition(b"\n")[0].decode("utf-8", "replace")
    return max(",;\t|", key=_QUOTED.sub("", header).count)


_REASONS = {
    "utf-8": "it is not in UTF-8: save it so",
    "more fields than": "a row has more cells than the first line; put what has the delimiter in it in quotes",
}
"""What polars says of a file -> what is to be mended."""


def reason(error: Exception) -> str:
    """Why polars cannot read a file, in one line."""
    first = str(error).splitlines()[0]
    return next((ours for theirs, ours in _REASONS.items() if theirs in first.lower()), first)


LINE = "line of the file"
"""A column beside those of the file: where a row stands in it."""


def rows(file: Path, content: BufferedReader) -> tuple[pl.LazyFrame, list[str]]:
    """A file's rows as text, each with its LINE, and the names of its columns.

    Rows in which nothing stands are left out: spreadsheets leave them behind. Names of columns have no spaces around.

    Raises:
        UnreadableError: it is damaged.
        PolarsError: it is no CSV in UTF-8.
    """
    text = readable(file, content)
    head = text if isinstance(text, bytes) else content.peek()
    said = _SEPARATOR.match(head.removeprefix(codecs.BOM_UTF8))
    between = said[1].decode() if said else separator(head)
    table = pl.scan_csv(text, separator=between, infer_schema=False, glob=False, skip_rows=1 if said else 0)
    written = table.collect_schema().names()
    bare = [name.strip() for name in written]
    has = bare if len(set(bare)) == len(bare) else written
    table = table.rename(dict(zip(written, has, strict=True)))
    something = pl.any_horizontal(pl.col(name).str.strip_chars().fill_null("") != "" for name in has)
    return table.with_row_index(LINE, offset=3 if said else 2).filter(something), has


def once(names: Iterable[str], has: Sequence[str]) -> None:
    """Raise UnreadableError if one of these columns is there twice: polars calls the second `NAME_duplicated_0`."""
    for name in names:
        if f"{name}_duplicated_0" in has:
            raise UnreadableError(f"it has the column {name} more than once")


# Numbers

_SPACES = r"['\u2019 \u00a0\u2009\u202f]"
_SPACED = rf"^([+-]?\d{{1,3}})(?:{_SPACES}\d{{3}})+(?:[.,]\d+)?$"
"""Thousands apart by what is no decimal mark anywhere."""


def _patterns(decimal: str, between: str) -> tuple[str, str]:
    """What a number looks like, and what only a number with this decimal mark does."""
    point, comma = re.escape(decimal), re.escape(between)
    grouped = rf"\d{{1,3}}(?:{comma}\d{{3}})"
    number = rf"^[+-]?(?:\d+|{grouped}+)(?:{point}\d*)?(?:[eE][+-]?\d+)?$"
    fraction = rf"\d*{point}(?:\d{{0,2}}|\d{{4,}})"
    long_or_small = rf"(?:0|\d{{4,}}){point}\d+"
    proof = rf"^[+-]?(?:(?:{fraction}|{long_or_small})(?:[eE][+-]?\d+)?|\d+{point}\d+[eE][+-]?\d+"
    return number, rf"{proof}|{grouped}{{2,}}(?:{point}\d*)?|{grouped}+{point}\d*)$"


_NUMBERS = {Decimal.point: _patterns(".", ","), Decimal.comma: _patterns(",", ".")}
_OPEN = r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"
"""1,234 is a thousand and more to some, and one and a bit to others."""


def decimal_mark(text: pl.LazyFrame, columns: Sequence[str], told: Decimal | None) -> Decimal:
    """The decimal mark of a file's numbers, as all of them together show it.

    Raises:
        UnreadableError: it is left open, or the numbers contradict each other.
    """
    if told or not columns:
        return told or Decimal.point
    cells = [_bare(name) for name in columns]
    first = {
        name: pl.concat_list(cell.filter(cell.str.contains(pattern)).first() for cell in cells)
        for name, pattern in [*((mark.name, proof) for mark, (_, proof) in _NUMBERS.items()), ("open", _OPEN)]
    }
    found = text.select(**first).collect()
    shown = {name: next((cell for cell in found[name][0] if cell is not None), None) for name in first}
    proven = [mark for mark in Decimal if shown[mark.name] is not None]
    if len(proven) > 1:
        one, other = shown["point"], shown["comma"]
        raise UnreadableError(f"its decimal mark is a point in {one!r} and a comma in {other!r}: write all one way")
    if not proven and shown["open"] is not None:
        raise UnreadableError(
            f"{shown['open']!r} may have thousands or a fraction, and no number tells: "
            "say --decimal . or --decimal , (which mark stands before a fraction)"
        )
    return proven[0] if proven else Decimal.point


def number(name: str, decimal: Decimal) -> pl.Expr:
    """A number, however its thousands are set apart; null for nothing, and for what is none."""
    cell, between = _bare(name), "," if decimal == "." else "."
    plain = cell.str.replace_all(between, "", literal=True).str.replace(decimal, ".", literal=True)
    return pl.when(cell.str.contains(_NUMBERS[decimal][0])).then(plain.cast(pl.Float64, strict=False)).alias(name)


def _bare(name: str) -> pl.Expr:
    """A cell without spaces around, and between thousands."""
    cell = pl.col(name).str.strip_chars()
    return pl.when(cell.str.contains(_SPACED)).then(cell.str.replace_all(_SPACES, "")).otherwise(cell)


# Days

_TIME = r"[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?$"
_ORDERS = {Order.ymd: ("Y", "m", "d"), Order.dmy: ("d", "m", "Y"), Order.mdy: ("m", "d", "Y")}
_UNITS = {"Y": (r"\d{4}", "YYYY"), "m": (r"\d{1,2}", "MM"), "d": (r"\d{1,2}", "DD")}


@dataclass(frozen=True, slots=True)
class DayForm:
    """A way to write a day; none of its own: ISO 8601."""

    order: Order = Order.ymd
    mark: str = "-"
    exact: bool = True
    """As ISO 8601 has it: two digits for months and days, and offsets."""

    def __str__(self) -> str:
        return self.mark.join(_UNITS[unit][1] for unit in _ORDERS[self.order])

    def read(self, name: str) -> pl.Expr:
        """The day of a text, null where it is none in this form; a time is of that day."""
        if self.exact:
            return written_day(name)
        units = _ORDERS[self.order]
        cell = pl.col(name).str.strip_chars().str.replace(_TIME, "")
        digits = r"\d\d" if not self.mark else r"\d{1,2}"
        pattern = re.escape(self.mark).join(r"\d{4}" if unit == "Y" else digits for unit in units)
        day = cell.str.to_date(self.mark.join(f"%{unit}" for unit in units), strict=False)
        return pl.when(cell.str.contains(f"^{pattern}$")).then(day).alias(name)


ISO = DayForm()


def _forms(told: Order | None) -> Iterator[DayForm]:
    yield ISO
    for order in [told] if told else Order:
        for mark in ("-", "/", ".", ""):
            if mark or order is Order.ymd:
                yield DayForm(order, mark, exact=False)


def day_form(days: pl.Series, told: Order | None) -> DayForm:
    """The way in which the days of a file are written: the one in which all of them are days.

    Of a file in which none is, the one of most of them: what is no day is then found in that.

    Raises:
        UnreadableError: they are days in two ways, and not the same ones.
    """
    written = pl.DataFrame({"day": days.drop_nulls().unique()})
    read = {form: written.select(form.read("day"))["day"] for form in _forms(told)}
    best = max(form_days.count() for form_days in read.values())
    fit = [form for form, form_days in read.items() if form_days.count() == best]
    for one, other in combinations(fit, 2):
        differing = read[one].ne_missing(read[other])
        if best and best == written.height and differing.any():
            cell: str = written.filter(differing)["day"][0]
            raise UnreadableError(f"{cell!r} may be {one} or {other}, and no day tells: say --day-order dmy or mdy")
    return fit[0]


def days_among(names: Sequence[str]) -> list[str]:
    """Those of some names that are days, written in whatever way."""
    written = pl.DataFrame({"day": names}, schema={"day": pl.String})
    return written.filter(pl.any_horizontal(form.read("day").is_not_null() for form in _forms(None)))["day"].to_list()


# Both


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a file writes days and numbers."""

    decimal: Decimal = Decimal.point
    day: DayForm = ISO

    @property
    def unusual(self) -> bool:
        """Whether somebody may want to know."""
        return self != Spelling()

    def __str__(self) -> str:
        return f"days are read as {self.day}, fractions begin with a {self.decimal.name}"


def spelling(text: pl.LazyFrame, numbers: Sequence[str], day: str | None, told: Told) -> Spelling:
    """How a file writes days and numbers. Raises UnreadableError where it leaves that open."""
    decimal = decimal_mark(text, numbers, told.decimal)
    return Spelling(decimal, day_form(text.select(day).collect()[day], told.order) if day else ISO)
