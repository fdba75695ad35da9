"""The interactive charts, as Vega-Lite specifications: hover, a brush for time, shaded days, marked flips.

Every chart has a sibling in `svg`, which stands in its place until the browser has drawn this one.
Names are hostile text, so that fields are named by number and a name is never part of an expression.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import altair as alt

from alerts.charts import PALETTE
from alerts.text import humanise, percent, plain
from monitor.web import svg
from monitor.web.races import Race
from warehouse.published.browsing import Line

FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

_DARK = ("#56b4e9", "#f0914b", "#2fc79b", "#e58cc0", "#d9b23c", "#8ac6ff", "#b0b7c3", "#b58ae0", "#d79a5b", "#5cc7bd")


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a chart on the page."""

    ink: str
    faint: str
    grid: str
    shade: str
    palette: tuple[str, ...]


THEMES = {
    "light": Theme("#16191d", "#5b6470", "#e6e8ec", "#8b95a3", PALETTE),
    "dark": Theme("#e9ebee", "#9aa4b2", "#2a2f37", "#6b7686", _DARK),
}


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A chart in the making: what it is about, and its rows by name, which several layers share."""

    about: Race
    theme: Theme
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def chart(self, name: str, rows: list[dict[str, Any]]) -> alt.Chart:
        """A layer over some rows."""
        self.rows[name] = rows
        return alt.Chart(alt.NamedData(name=name))


@dataclass(frozen=True, slots=True)
class _Heights:
    """The value axis, and the share of its height at which a value stands."""

    low: float
    high: float
    log: bool

    @classmethod
    def of(cls, values: Sequence[float], *, log: bool) -> _Heights:
        shown = [value for value in values if value > 0] or [1.0]
        return cls(min(shown) / 1.3 if log else 0.0, max(shown) * (1.3 if log else 1.06), log)

    def share(self, value: float) -> float:
        if self.log:
            return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return value / self.high

    def value(self, share: float) -> float:
        return float(self.low * (self.high / self.low) ** share) if self.log else share * self.high

    def scale(self) -> alt.Scale:
        kind: Any = "log" if self.log else "linear"
        return alt.Scale(type=kind, domain=[self.low, self.high], nice=False)


def race(about: Race, theme: Theme, width: int = 720, *, link: Callable[..., str], log: bool = False) -> dict[str, Any]:
    """Values over days; below it the whole time to choose a part of. `link` has the address of a flip's page."""
    drawing = _Drawing(about, theme)
    rows = [_row(about, line, line[2] if line[2] > 0 or not log else None) for line in about.lines]
    axis = _Heights.of([line[2] for line in about.lines], log=log)
    brush = alt.selection_interval(encodings=["x"], name="brush", mark=alt.BrushConfig(fill=theme.faint))
    y = alt.Y("value:Q", title=None, axis=_counts(), scale=axis.scale())
    x = alt.X("day:T", title=None, axis=_dates(about), scale=alt.Scale(domain=brush, padding=7))
    upper = alt.layer(
        *_shades(drawing, x),
        _strokes(drawing, rows).encode(x=x, y=y),
        *_hover(drawing, x, y, lambda line: line[2], humanise),
        _ends(drawing, y, {name: axis.share(value) for name, value in _last(about, 2).items()}, axis.value),
        *_flips(drawing, x, link),  # last: what listens to the pointer must not lie over them
    ).properties(width=width, height=300)
    below = alt.X("day:T", title=None, axis=_dates(about), scale=alt.Scale(padding=7))
    lower = _strokes(drawing, rows, 1.2).encode(x=below, y=alt.Y("value:Q", axis=None, scale=axis.scale()))
    # The bands here too: they may reach past the last value, and a part is drawn where it lies above.
    strip = alt.layer(*_shades(drawing, below), lower.add_params(brush)).properties(width=width, height=38)
    return _finished(alt.vconcat(upper, strip, spacing=12), drawing, "values day by day")


def bump(about: Race, theme: Theme, width: int = 720, places: int = 10) -> dict[str, Any]:
    """Ranks over days: who passed whom."""
    drawing = _Drawing(about, theme)
    rows = [_row(about, line, line[4] if line[4] <= places else None) for line in about.lines]
    ranks = alt.Axis(values=list(range(1, places + 1)), domain=False, ticks=False, labelPadding=10)
    y = alt.Y("value:Q", title=None, axis=ranks, scale=alt.Scale(domain=[0.6, places + 0.4], reverse=True, nice=False))
    x = alt.X("day:T", title=None, axis=_dates(about))
    ends = {name: 1 - (rank - 0.6) / (places - 0.2) for name, rank in _last(about, 4).items() if rank <= places}
    chart = alt.layer(
        _strokes(drawing, rows).encode(x=x, y=y),
        _strokes(drawing, rows, kind="point").encode(x=x, y=y),
        *_hover(drawing, x, y, lambda line: line[4] if line[4] <= places else None, lambda rank: f"#{rank:g}"),
        _ends(drawing, y, ends, lambda height: 0.6 + (1 - height) * (places - 0.2)),
    ).properties(width=width, height=26 * places)
    return _finished(chart, drawing, "ranks day by day")


def shares(about: Race, theme: Theme, width: int = 720) -> dict[str, Any]:
    """How the whole is divided, day by day; what the others have is one band."""
    drawing = _Drawing(about, theme)
    rest = len(about.names)
    rows = [_row(about, line, line[3] or 0.0) for line in about.lines]
    told: dict[date, float] = {}
    for line in about.lines:
        told[line[0]] = told.get(line[0], 0.0) + (line[3] or 0.0)
    rows += [{"day": _at(day), "id": f"e{rest}", "value": max(0.0, 1 - share)} for day, share in told.items()]
    numbered = [row | {"number": int(row["id"][1:])} for row in rows]
    axis = alt.Axis(format=".0%", tickCount=5, domain=False, ticks=False, labelPadding=10)
    y = alt.Y("value:Q", stack="zero", title=None, axis=axis, scale=alt.Scale(domain=[0, 1]))
    x = alt.X("day:T", title=None, axis=_dates(about))
    area = (
        drawing.chart("areas", numbered)
        .mark_area(strokeWidth=0.6, stroke=theme.grid)
        .encode(
            x=x,
            y=y,
            color=_colour(about, theme),
            order=alt.Order("number:Q", sort="ascending"),
        )
    )
    tips = _hover(drawing, x, y, lambda line: line[3], percent, dots=False)
    flat = alt.Y("value:Q", stack=None, title=None, axis=axis, scale=alt.Scale(domain=[0, 1]))
    names = _ends(drawing, flat, _middles(about), lambda height: height)
    chart = alt.layer(area, *tips, names).properties(width=width, height=280)
    return _finished(chart, drawing, "shares day by day")


def _row(about: Race, line: Line, value: float | None) -> dict[str, Any]:
    return {"day": _at(line[0]), "id": f"e{about.names.index(line[1])}", "value": value}


def _at(day: date) -> str:
    """A day as Vega shows it everywhere alike: local midnight."""
    return f"{day.isoformat()}T00:00:00"


def _last(about: Race, column: int) -> dict[str, float]:
    """Name -> its last value."""
    last: dict[str, float] = {}
    for line in about.lines:
        last[line[1]] = line[column] or 0.0  # type: ignore[assignment]  # a column is a number from 2 on
    return last


def _middles(about: Race) -> dict[str, float]:
    """Name -> the height of the middle of its band on the last day; the first name's band is at the bottom."""
    found, below = {}, 0.0
    last = _last(about, 3)
    for name in about.names:
        share = last.get(name, 0.0)
        if share > 0.02:
            found[name] = below + share / 2
        below += share
    return found


def _colour(about: Race, theme: Theme) -> alt.Color:
    """A colour for each name; one more is for all others."""
    domain = [f"e{number}" for number in range(len(about.names) + 1)]
    colours = [theme.palette[number % len(theme.palette)] for number in range(len(about.names))]
    return alt.Color("id:N", scale=alt.Scale(domain=domain, range=[*colours, theme.grid]), legend=None)


def _strokes(drawing: _Drawing, rows: list[dict[str, Any]], stroke: float = 2.4, kind: str = "line") -> alt.Chart:
    chart = drawing.chart("lines", rows + _breaks(drawing.about))
    if kind == "point":
        drawn = chart.mark_point(filled=True, size=34, opacity=1)
    else:
        few: Any = alt.OverlayMarkDef(size=26, filled=True) if len({row["day"] for row in rows}) <= 2 else False
        drawn = chart.mark_line(strokeWidth=stroke, strokeJoin="round", strokeCap="round", point=few, clip=True)
    coloured: alt.Chart = drawn.encode(color=_colour(drawing.about, drawing.theme))
    return coloured


def _breaks(about: Race) -> list[dict[str, Any]]:
    """A row without a value wherever a line breaks off, as it does in the picture; there Vega lifts the pen."""
    lines = ([(line[0], line[2]) for line in about.lines if line[1] == name] for name in about.names)
    return [
        {"day": _at(piece[0][0] - timedelta(days=1)), "id": f"e{number}", "value": None}
        for number, line in enumerate(lines)
        for piece in svg.pieces(line)[1:]
    ]


def _hover(
    drawing: _Drawing,
    x: alt.X,
    y: alt.Y,
    pick: Callable[[Line], float | None],
    write: Callable[[float], str],
    *,
    dots: bool = True,
) -> list[alt.Chart]:
    """A line through the nearest day with everybody's values on it, and a dot on each line."""
    about = drawing.about
    nearest = alt.selection_point(
        name="nearest", fields=["day"], nearest=True, on="pointermove", clear="pointerout", empty=False
    )
    days: dict[date, dict[str, Any]] = {}
    spots = []
    for line in about.lines:
        value = pick(line)
        if value is None:
            continue
        number = about.names.index(line[1])
        days.setdefault(line[0], {"day": _at(line[0])})[f"t{number}"] = write(value)
        spots.append({"day": _at(line[0]), "id": f"e{number}", "value": value})
    tips = [alt.Tooltip("day:T", title="Day", format="%-d %b %Y")]
    tips += [alt.Tooltip(f"t{number}:N", title=plain(name, 32)) for number, name in enumerate(about.names)]
    visible = alt.condition(nearest, alt.value(0.7), alt.value(0))
    rule = (
        drawing.chart("tips", list(days.values()))
        .mark_rule(color=drawing.theme.faint, strokeWidth=1)
        .encode(x=x, opacity=visible, tooltip=tips)
        .add_params(nearest)
    )
    dot = (
        drawing.chart("spots", spots)
        .mark_point(filled=True, size=60, opacity=1, clip=True)
        .encode(x=x, y=y, color=_colour(about, drawing.theme))
        .transform_filter(nearest)
    )
    return [rule, dot] if dots else [rule]


def _ends(drawing: _Drawing, y: alt.Y, heights: dict[str, float], value: Callable[[float], float]) -> alt.Chart:
    """Names at the right edge, at a share of the height each, far enough apart to be read; `value` is for the axis."""
    ordered = sorted(heights.items(), key=lambda end: end[1])
    placed = _spread([height for _, height in ordered], 0.058)
    rows = [
        {"id": f"e{drawing.about.names.index(name)}", "value": value(height), "text": plain(name, 20)}
        for (name, _), height in zip(ordered, placed, strict=True)
    ]
    chart: alt.Chart = (
        drawing.chart("ends", rows)
        .mark_text(align="left", baseline="middle", dx=8, fontSize=12, fontWeight=600, clip=False)
        .encode(x=alt.value("width"), y=y, text="text:N", color=_colour(drawing.about, drawing.theme))
    )
    return chart


def _spread(heights: list[float], gap: float) -> list[float]:
    """Ascending shares of the height at least `gap` apart, kept below the top where that is possible."""
    placed = list(heights)
    for number in range(1, len(placed)):
        placed[number] = max(placed[number], placed[number - 1] + gap)
    limit = 1.0
    for number in range(len(placed) - 1, -1, -1):
        placed[number] = min(placed[number], limit)
        limit = placed[number] - gap
    return placed


def _shades(drawing: _Drawing, x: alt.X) -> list[alt.Chart]:
    """A band over each day whose data is not judged by."""
    rows = [
        {
            "day": f"{(row['day'] - timedelta(days=1)).isoformat()}T12:00:00",
            "until": f"{row['day'].isoformat()}T12:00:00",
            "why": f"{row['day']} {row['verdict']}: {plain(row['verdict_reason'], 90)}",
        }
        for row in drawing.about.unjudged
    ]
    band = drawing.chart("unjudged", rows).mark_rect(color=drawing.theme.shade, opacity=0.22, clip=True)
    return [band.encode(x=x, x2="until:T", tooltip=alt.Tooltip("why:N", title="Not judged"))] if rows else []


def _flips(drawing: _Drawing, x: alt.X, link: Callable[..., str]) -> list[alt.Chart]:
    """A mark at the top for each flip among those shown; it leads to its page."""
    rows = [
        {
            "day": _at(flip["day"]),
            "text": f"{plain(flip['entity'], 24)} passes {plain(flip['rival'], 24)}",
            "url": link("flips", flip["flip_id"]),
        }
        for flip in drawing.about.flips
    ]
    marks: alt.Chart = (
        drawing.chart("flips", rows)
        .mark_point(shape="triangle-down", filled=True, size=70, color=drawing.theme.ink, opacity=0.85, clip=True)
        .encode(
            x=x,
            y=alt.value(4),
            href="url:N",
            tooltip=[alt.Tooltip("text:N", title="Flip"), alt.Tooltip("day:T", title="Day", format="%-d %b %Y")],
        )
    )
    return [marks] if rows else []


def _dates(about: Race) -> alt.Axis:
    """Days, and months where there are many; where there are few, the ticks that Vega has within them are bare."""
    days = [line[0] for line in about.lines]
    span = (max(days) - min(days)).days if days else 0
    day, month = (f"timeFormat(datum.value, '{form}')" for form in ("%-d %b", "%b %Y"))
    named = f"date(datum.value) == 1 ? {month} : {day}" if span > 300 else day
    label = f"hours(datum.value) ? '' : {named}"
    return alt.Axis(
        labelExpr=label, tickCount=5, labelOverlap="greedy", labelSeparation=12, grid=False, labelFlush=True
    )


def _counts() -> alt.Axis:
    return alt.Axis(
        labelExpr="replace(format(datum.value, '~s'), 'G', 'B')",
        tickCount=5,
        domain=False,
        ticks=False,
        labelPadding=10,
    )


def _finished(chart: alt.TopLevelMixin, drawing: _Drawing, what: str) -> dict[str, Any]:
    """The specification with the page's fonts and colours; `usermeta` says how much room it needs beside itself.

    In pixels: for the axis and the margins, and for a letter of the longest name.
    """
    about, theme = drawing.about, drawing.theme
    spec: dict[str, Any] = chart.to_dict(validate=False)
    spec["datasets"] = drawing.rows
    longest = max((len(plain(name, 20)) for name in about.names), default=0)
    spec["usermeta"] = {"margin": 66, "letters": longest, "letter": 7}
    spec["description"] = f"{about.board}: {what} of {', '.join(plain(name, 32) for name in about.names)}"
    axis = {"labelColor": theme.faint, "domainColor": theme.grid, "tickColor": theme.grid, "gridColor": theme.grid}
    spec["background"] = "transparent"
    spec["config"] = {
        "font": FONT,
        "view": {"stroke": None},
        "axis": {**axis, "labelFontSize": 11},
        "concat": {"spacing": 12},
    }
    return spec
