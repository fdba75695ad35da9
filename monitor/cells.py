"""What stands in a table's cell, on a terminal and on a page: a value in words for people, or as DuckDB shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

from rich.text import Text

from alerts.text import chance, humanise, percent, plain

LONGEST = 300
"""Longest text in a table's cell, in code points."""


def header(name: str, values: Iterable[object]) -> str:
    """What stands above a column: moments are in UTC, wherever the terminal is."""
    return name.replace("_", " ") + (" (UTC)" if any(isinstance(value, datetime) for value in values) else "")


def worded(name: str, value: object) -> Text:
    """A cell as text without markup: what comes from the Hub is hostile."""
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, int | float | Decimal):
        return Text(number(name, value))
    return Text(plain(moment(value), LONGEST))


def verbatim(value: object) -> Text:
    """A cell as DuckDB shows it."""
    return Text(plain(as_in_sql(value), LONGEST), style="dim" if value is None else "")


def as_in_sql(value: object) -> str:
    """A value as DuckDB shows it, and what it holds as well: `[1, NULL]`, `{'day': 2026-05-01}`."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat(sep=" ")
        case list() | tuple():
            return f"[{', '.join(map(as_in_sql, value))}]"
        case dict():
            return f"{{{', '.join(f'{key!r}: {as_in_sql(item)}' for key, item in value.items())}}}"
        case _:
            return str(value)


_WORDED: dict[str, Callable[[float], str]] = {
    **dict.fromkeys(("share", "margin"), percent),
    **dict.fromkeys(("within_30d", "within_90d", "within_180d", "said"), chance),
    "came": "{:.0%}".format,
    **dict.fromkeys(("skill", "line_skill"), "{:.2f}".format),
}
"""Columns whose numbers are no counts."""


def number(name: str, value: float | Decimal) -> str:
    """A number by the name of its column: shares, margins and chances in percent, large values humanised."""
    if name in _WORDED:
        return _WORDED[name](float(value))
    if name.endswith("value"):
        return humanise(float(value))
    if name.endswith("_id"):
        return str(value)
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(float(value)) >= 1000 else f"{value:g}"


def moment(value: object) -> str:
    """A moment to the minute, anything else as it prints."""
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)
