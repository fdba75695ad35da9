"""Rows as a table for a terminal, as wide as it is: what a narrow one has no room for is said in fewer columns.

columns --as they are--> fit? else one after the other: heads broken at words, nothing for what is never known,
        verdicts in a word, phrases wrapped, what belongs together one beneath the other, names broken at their marks;
        and where all of that is not enough: whole rows
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from textwrap import wrap
from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from alerts.text import plain
from monitor.cells import LONGEST, header, verbatim, worded

Row = Mapping[str, Any]

_GAP = 2
"""Between columns."""

_PROSE = frozenset({"verdict", "verdict_reason", "good_verdict", "title", "last_error", "reason", "definition"})
"""Columns of sentences: they alone are wrapped, at words. What one copies, an id say, must stand in one piece."""

_NARROW = 30
"""Columns of the terminal below which prose is not squeezed."""

_NARROWEST = 20
"""The same where there is no room left."""

_PHRASE = 8
"""The same of phrases, where there is less room."""

_NAMES = frozenset({"entity", "rival", "name"})
"""Columns of names: they may be of any length, and are broken where nothing else helps."""

_NAME = 12
"""Columns of the terminal below which no name is broken."""

_BENEATH: Mapping[str, tuple[str, ...]] = {
    "kind": ("board",),
    "event": ("rule",),
    "rival": ("entity",),
    "rival_value": ("value",),
    "rival_change": ("change",),
    "confirmed_day": ("first_lead", "day"),
    "scope": ("measure",),
    "verdict": ("first_led",),
    "good_verdict": ("leads_for_good",),
    "day": ("snapshot_id",),
    "seconds": ("requests",),
    "attempts": ("status",),
    "ends_at": ("starts_at",),
    "author": ("silence_id",),
    "afterwards": ("reason",),
}
"""Column -> those beneath which it may stand."""

_BRIEFLY = {"rival_value": "rival's"}
"""What a column is called beneath another."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is to be drawn."""

    name: str
    head: str
    """May be of several lines, as cells may."""
    cells: tuple[Text, ...]
    values: tuple[object, ...]
    least: int
    """So narrow it may become."""
    notes: tuple[str, ...] = ()
    """What its cells leave out, said once below the table."""

    @property
    def most(self) -> int:
        """As wide as its widest line."""
        return max(map(cell_len, (line for text in (self.head, *map(str, self.cells)) for line in text.split("\n"))))

    @property
    def of_numbers(self) -> bool:
        """Whether it stands to the right."""
        return all(isinstance(value, int | float | Decimal | None) for value in self.values)

    @property
    def of_text(self) -> bool:
        """Whether something is written in it."""
        return any(isinstance(value, str) for value in self.values)


def columns(rows: Sequence[Row], names: Sequence[str], *, exact: bool = False) -> list[Column]:
    """The columns of rows; `exact`: for who asks in SQL, otherwise worded for people."""
    return [_column(name, [row.get(name) for row in rows], exact=exact) for name in names]


def _column(name: str, values: Sequence[object], *, exact: bool) -> Column:
    cells = tuple(verbatim(value) if exact else worded(name, value) for value in values)
    made = Column(name, plain(name, LONGEST) if exact else header(name, values), cells, tuple(values), 0)
    return replace(made, least=min(made.most, _NARROW) if name in _PROSE else made.most)


def drawn(found: Sequence[Column], width: int, *, as_asked: bool = False) -> tuple[Table, list[str], int]:
    """A table of these columns that fits so many of the terminal's, what is to be said below it, and how wide it is.

    `as_asked`: somebody named the columns, and gets these.
    """
    fitting = found if _least(found) <= width else None if as_asked else _changed(found, width)
    shown = found if fitting is None else fitting
    widths = [column.most for column in found] if fitting is None else _widths(shown, width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, wide in zip(shown, widths, strict=True):
        table.add_column(
            Text(column.head),
            justify="right" if column.of_numbers else "left",
            no_wrap=column.least == column.most,
            width=wide,
            overflow="fold",
        )
    for cells in zip(*(column.cells for column in shown), strict=True):
        table.add_row(*cells)
    notes = dict.fromkeys(note for column in shown for note in column.notes)
    return table, list(notes), sum(widths) + _GAP * len(widths)


def _least(found: Sequence[Column]) -> int:
    """How narrow a table of these columns may become."""
    return sum(column.least for column in found) + _GAP * (len(found) - 1)


def _widths(found: Sequence[Column], width: int) -> list[int]:
    """How wide each column is: what is left over goes to the narrowest of those that need more, a cell at a time."""
    widths, most = [column.least for column in found], [column.most for column in found]
    for _ in range(width - _least(found)):
        wanting = [number for number, wide in enumerate(widths) if wide < most[number]]
        if not wanting:
            break
        widths[min(wanting, key=widths.__getitem__)] += 1
    return widths


# What makes a table narrower, in the order in which it is tried


def _changed(found: Sequence[Column], width: int) -> Sequence[Column] | None:
    """Columns that fit, changed no more than it takes; None where they cannot be made to."""
    for narrower in (_headed, _without_nothing, _in_a_word, _at_words):
        found = narrower(found)
        if _least(found) <= width:
            return found
    squeezed = _squeezed(found)
    for one in (found, squeezed, _at_marks(squeezed, width)):
        stacked = _stacked(one)
        if _least(stacked) <= width:
            return stacked
    return None


def _headed(found: Sequence[Column]) -> list[Column]:
    """What stands above broken at words, where it is longer than all that stands below."""
    return [_narrowed(column, head=_broken_head(column)) for column in found]


def _narrowed(column: Column, **changes: object) -> Column:
    """A column otherwise, and as narrow as that allows."""
    changed = replace(column, **changes)  # type: ignore[arg-type]
    return replace(changed, least=min(column.least, changed.most))


def _broken_head(column: Column) -> str:
    widest = max((cell_len(str(cell)) for cell in column.cells), default=0)
    longest = max(map(cell_len, column.head.split()), default=0)
    return "\n".join(wrap(column.head, max(widest, longest, 1), break_long_words=False))


def _without_nothing(found: Sequence[Column]) -> list[Column]:
    """Those in which something is said."""
    return [column for column in found if any(value not in (None, "") for value in column.values)] or list(found)


def _in_a_word(found: Sequence[Column]) -> list[Column]:
    """Verdicts by their names; what they mean is said once."""
    return [_named_verdict(column) if column.name == "verdict" else column for column in found]


def _named_verdict(column: Column) -> Column:
    full = [str(cell) for cell in column.cells]
    cells = tuple(
        Text(text.partition(": ")[0], style=cell.style) for text, cell in zip(full, column.cells, strict=True)
    )
    notes = tuple(dict.fromkeys(text for text in full if ": " in text))
    return _phrased(_narrowed(column, cells=cells, notes=notes))


def _at_words(found: Sequence[Column]) -> list[Column]:
    """Text may be wrapped that is of several words."""
    return [_phrased(column) if column.of_text and column.name not in _PROSE else column for column in found]


def _phrased(column: Column) -> Column:
    words = [cell_len(word) for text in (column.head, *map(str, column.cells)) for word in text.split()]
    return replace(column, least=min(column.least, max(_PHRASE, *words)))


def _squeezed(found: Sequence[Column]) -> list[Column]:
    """Prose as narrow as can be read."""
    return [
        replace(column, least=min(column.least, _NARROWEST)) if column.name in _PROSE else column for column in found
    ]


def _stacked(found: Sequence[Column]) -> list[Column]:
    """What belongs together in one column, one beneath the other."""
    there = {column.name: column for column in found}
    under = {
        name: upper
        for name, uppers in _BENEATH.items()
        if name in there and (upper := next((one for one in uppers if one in there), None))
    }
    uppers = {upper for upper in under.values() if upper not in under}
    beneath = {upper: there[name] for name, upper in under.items() if upper in uppers}
    heights = [
        max((str(there[name].cells[row]).count("\n") for name in beneath), default=0)
        for row in range(len(found[0].cells))
    ]
    moved = {column.name for column in beneath.values()}
    return [
        _over(column, beneath[column.name], heights) if column.name in beneath else column
        for column in found
        if column.name not in moved
    ]


def _over(upper: Column, lower: Column, heights: Sequence[int]) -> Column:
    """One column above another; each row's upper cells are as high as the highest of them."""
    indent = "" if upper.of_numbers and lower.of_numbers else "  "
    head = f"{upper.head}\n{indent}{_BRIEFLY.get(lower.name, lower.head)}"
    cells = tuple(
        above if value is None else _above(above, below, height, indent)
        for above, below, value, height in zip(upper.cells, lower.cells, lower.values, heights, strict=True)
    )
    least = max(upper.least, lower.least + len(indent), *map(cell_len, head.split("\n")))
    return _narrowed(replace(upper, least=least, notes=upper.notes + lower.notes), head=head, cells=cells)


def _above(above: Text, below: Text, height: int, indent: str) -> Text:
    """A cell above another, which begins below so many lines and one."""
    missing = height - str(above).count("\n")
    return Text.assemble(above, "\n" * missing, *(part for line in below.split("\n") for part in ("\n", indent, line)))


def _at_marks(found: Sequence[Column], width: int) -> list[Column]:
    """Long names broken behind a slash, a hyphen or a space, so that a table in which they are stacked is as wide."""
    stacked = _stacked(found)
    excess = _least(stacked) - width + _GAP
    least = {column.name: column.least for column in stacked}
    return [
        _named_within(column, max(_NAME, least.get(column.name, column.least) - excess))
        if column.name in _NAMES
        else column
        for column in found
    ]


def _named_within(column: Column, width: int) -> Column:
    return _narrowed(column, cells=tuple(_broken(cell, width) for cell in column.cells))


def _broken(cell: Text, width: int) -> Text:
    """A name on as few lines as its marks allow."""
    lines = [""]
    for piece in re.findall(r"[^/\- ]*[/\- ]|[^/\- ]+", str(cell)):
        if lines[-1] and cell_len(lines[-1] + piece) > width:
            lines.append("")
        lines[-1] += piece
    return Text("\n".join(lines), style=cell.style)
