"""The picture of a race: who counted how much, day by day, each line labelled where it ends.

One specification serves the page (interactive) and mail or README (PNG). Names are hostile text; days are UTC days.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

import altair as alt
import vl_convert

from alerts.message import title as headline
from alerts.text import humanise, plain
from warehouse.records import Alert

Row = tuple[date, str, float]
"""(day, entity, value)"""

Axis = Literal["zero", "near", "log"]

_YEARS = 200
"""Days from which on a date needs its year."""

# Okabe and Ito's colours, which colour-blind people tell apart, darkened where they were too light for text on white.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#b4508f", "#a8740a", "#2f8fcb", "#4d4d4d", "#7b3294", "#8c510a", "#01665e")

_FONT = "Inter, 'Helvetica Neue', 'Liberation Sans', Arial, 'DejaVu Sans', sans-serif"
_INK, _FAINT, _GRID = "#1f2430", "#6b7280", "#e5e7eb"
_LABEL = 12  # pixels of a line label's font
_AXIS: dict[str, Any] = {"grid": False, "domainColor": _GRID, "tickColor": _GRID}
_COUNTS = "replace(format(datum.value, '~s'), 'G', 'B')"


def race_png(alert: Alert, *, suspect: Collection[date] = ()) -> bytes | None:
    """The two rivals of an alert over the days before it, as a PNG 600 pixels wide at twice the density.

    `suspect` days are shaded. None when the alert has too little history for a line.
    """
    if len(alert.history) < 2 or not alert.rival:
        return None
    rows = [
        (day, name, value) for day, *both in alert.history for name, value in zip(_rivals(alert), both, strict=True)
    ]
    chart = race_chart(
        rows,
        title=alert.title or headline(alert.kind, alert.entity, alert.rival, alert.board),
        subtitle=alert.definition,
        flip=alert.day,
        suspect=suspect,
        axis="near",
    )
    return png(chart)


def png(chart: alt.LayerChart) -> bytes:
    """A chart as PNG, at twice its size in pixels; nothing is fetched from anywhere."""
    # The tests hold our charts against Altair's schema; here that would take a sixth of the time.
    image: bytes = vl_convert.vegalite_to_png(chart.to_json(validate=False), scale=2, allowed_base_urls=[])
    return image


def race_chart(
    rows: Iterable[Row],
    *,
    title: str = "",
    subtitle: str = "",
    flip: date | None = None,
    suspect: Collection[date] = (),
    axis: Axis = "zero",
    width: int = 600,
    height: int = 320,
) -> alt.LayerChart:
    """Several entities over days, as lines; the order of entities in `rows` is the order of colours.

    Args:
        rows: the values; what is not finite is left out, as is what a logarithmic axis cannot show.
        title: printed above, wrapped.
        subtitle: a sentence below the title, wrapped.
        flip: the day to mark.
        suspect: days to shade, because their data was not judged by.
        axis: `zero` begins at 0; `near` shows lines that are close as far apart as they go; `log` is for magnitudes.
        width: of the whole picture, in pixels.
        height: of the plot, in pixels.

    Raises:
        ValueError: there is nothing to draw.
    """
    known = [(day, plain(name, 24), v) for day, name, v in rows if math.isfinite(v) and (v > 0 or axis != "log")]
    if not known:
        raise ValueError("a race needs at least one value")
    first, last = min(known)[0], max(known)[0]
    scale = _Heights.of([value for _, _, value in known], axis)
    labels = _labels(known, scale, gap=(_LABEL + 4) / height)
    plot = width - 84 - max(len(label["text"]) for label in labels) * _LABEL * 0.58
    x = alt.X("day:T", title=None, axis=_time_axis(first, last), scale=alt.Scale(domain=[_at(first), _at(last)]))
    y = alt.Y("value:Q", title=None, axis=_count_axis(scale), scale=scale.altair())
    colour = _colour([name for _, name, _ in known])
    layers = [
        *_shades([day for day in suspect if first <= day <= last], x),
        *(_flip_mark(flip, x, first, last) if flip and first <= flip <= last else ()),
        _lines(known).encode(x=x, y=y, color=colour),
        _ends(labels).encode(x=x, y=y, color=colour),
    ]
    return alt.LayerChart(
        layer=layers, width=plot, height=height, padding=12, title=_title(title, subtitle, width), config=_config()
    )


@dataclass(frozen=True, slots=True)
class _Heights:
    """The value axis: its ends, and the share of its height at which a value stands."""

    low: float
    high: float
    log: bool

    @classmethod
    def of(cls, values: list[float], axis: Axis) -> _Heights:
        low, high = min(values), max(values)
        if axis == "log":
            return cls(low / 1.5, high * 1.5, log=True)
        air = (high - low) * 0.12 or abs(high) * 0.1 or 1.0
        return cls(0.0 if axis == "zero" and low >= 0 else low - air, high + air, log=False)

    def share(self, value: float) -> float:
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def value(self, share: float) -> float:
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)

    def magnitudes(self) -> list[float]:
        """Values for a logarithmic axis: 1, 3, 10, 30; 1, 2, 5, 10 where that would be too few."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found: list[float] = []
        for steps in ((1, 3), (1, 2, 5), range(1, 10)):
            values = [step * 10.0**power for power in powers for step in steps]
            found = [value for value in values if self.low <= value <= self.high]
            if len(found) >= 3:
                break
        return found

    def altair(self) -> alt.Scale:
        kind: Any = "log" if self.log else "linear"
        return alt.Scale(type=kind, domain=[self.low, self.high], nice=False, zero=False)


def _rivals(alert: Alert) -> tuple[str, str]:
    return alert.entity, alert.rival


def _at(day: date) -> str:
    """A day as Vega reads and shows it on every machine alike: local midnight, never UTC midnight shifted."""
    return f"{day.isoformat()}T00:00:00"


def _labels(rows: list[Row], scale: _Heights, gap: float) -> list[dict[str, Any]]:
    """A label at the last value of each entity; moved until all are `gap` apart, as a share of the height."""
    last = {name: (day, value) for day, name, value in sorted(rows, key=lambda row: row[0])}
    ends = sorted(last.items(), key=lambda end: end[1][1])
    shares = _spread([scale.share(value) for _, (_, value) in ends], gap)
    return [
        {"entity": name, "day": _at(day), "value": scale.value(share), "text": f"{name} {humanise(value)}"}
        for (name, (day, value)), share in zip(ends, shares, strict=True)
    ]


def _spread(heights: list[float], gap: float) -> list[float]:
    """Ascending heights, none below 0, each at least `gap` above the one before, together moved as little as possible.

    Neighbours that are too close become a block around their common middle; blocks that then touch become one.
    """
    blocks: list[list[float]] = []
    for height in heights:
        blocks.append([height])
        while len(blocks) > 1 and _bottom(blocks[-1], gap) < _bottom(blocks[-2], gap) + gap * len(blocks[-2]):
            upper = blocks.pop()
            blocks[-1] += upper
    return [_bottom(block, gap) + gap * number for block in blocks for number in range(len(block))]


def _bottom(block: list[float], gap: float) -> float:
    return max(0.0, sum(block) / len(block) - gap * (len(block) - 1) / 2)


def _colour(names: list[str]) -> alt.Color:
    entities = list(dict.fromkeys(names))
    colours = [PALETTE[number % len(PALETTE)] for number in range(len(entities))]
    return alt.Color("entity:N", scale=alt.Scale(domain=entities, range=colours), legend=None)


def _lines(rows: list[Row]) -> alt.Chart:
    values = [{"day": _at(day), "entity": name, "value": value} for day, name, value in rows]
    few = len({day for day, _, _ in rows}) <= 45
    point: Any = alt.OverlayMarkDef(size=28, filled=True) if few else False
    lines: alt.Chart = alt.Chart(alt.InlineData(values=values)).mark_line(
        strokeWidth=2.5, strokeJoin="round", strokeCap="round", point=point
    )
    return lines


def _ends(labels: list[dict[str, Any]]) -> alt.Chart:
    names: alt.Chart = alt.Chart(alt.InlineData(values=labels)).mark_text(
        align="left", baseline="middle", dx=9, fontSize=_LABEL, fontWeight=600
    )
    return names.encode(text="text:N")


def _shades(days: list[date], x: alt.X) -> list[alt.Chart]:
    """A band from half a day before to half a day after each of the days."""
    half = timedelta(hours=12)
    noons = [datetime.combine(day, time()) for day in sorted(days)]
    values = [{"day": (noon - half).isoformat(), "until": (noon + half).isoformat()} for noon in noons]
    band = alt.Chart(alt.InlineData(values=values)).encode(x=x, x2="until:T")
    return [band.mark_rect(color="#9ca3af", opacity=0.25, clip=True)] if days else []


def _flip_mark(day: date, x: alt.X, first: date, last: date) -> list[alt.Chart]:
    """A line through the day; its note stands to the right of it when there is no room to the left."""
    early = (day - first) * 4 < last - first
    year = f" {day.year}" if (last - first).days > _YEARS else ""
    data = alt.InlineData(values=[{"day": _at(day), "text": f"since {day.day} {day:%b}{year}"}])
    rule = alt.Chart(data).encode(x=x).mark_rule(color=_FAINT, strokeDash=[4, 4])
    note = alt.Chart(data).encode(x=x, y=alt.value(0), text="text:N")
    align: Any = "left" if early else "right"
    return [rule, note.mark_text(color=_FAINT, align=align, baseline="top", dx=5 if early else -5, dy=2, fontSize=11)]


def _time_axis(first: date, last: date) -> alt.Axis:
    """About six ticks, on days that exist: Vega would put several on one day when there are few."""
    span = (last - first).days
    if span > _YEARS:
        return alt.Axis(format="%b %Y", tickCount=6, labelOverlap=True, **_AXIS)
    days = [first + timedelta(days=offset) for offset in range(0, span + 1, span // 6 + 1)]
    ticks = [alt.DateTime(year=day.year, month=day.month, date=day.day) for day in days]
    return alt.Axis(format="%-d %b", values=ticks, **_AXIS)


def _count_axis(scale: _Heights) -> alt.Axis:
    ticks: dict[str, Any] = {"values": scale.magnitudes()} if scale.log else {"tickCount": 5}
    return alt.Axis(labelExpr=_COUNTS, domain=False, ticks=False, gridColor=_GRID, labelPadding=10, **ticks)


def _title(title: str, subtitle: str, width: int) -> alt.TitleParams:
    room = width - 84
    return alt.TitleParams(
        text=textwrap.wrap(plain(title, 150), room // 8) or [""],
        subtitle=textwrap.wrap(plain(subtitle, 300), int(room / 5.4)),
    )


def _config() -> alt.Config:
    return alt.Config(
        font=_FONT,
        background="#ffffff",
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(labelColor=_FAINT, labelFontSize=11),
        title=alt.TitleConfig(
            anchor="start",
            frame="group",
            color=_INK,
            fontSize=16,
            fontWeight=700,
            offset=14,
            subtitleColor=_FAINT,
            subtitleFontSize=12,
            subtitlePadding=6,
        ),
    )
