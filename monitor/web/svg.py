"""Charts that need no script: lines over days as SVG, coloured by the page's own style sheet. No business logic."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from markupsafe import Markup, escape

from alerts.text import plain

Point = tuple[date, float]
Series = Mapping[str, Sequence[Point]]

COLOURS = 10
"""Classes c0 to c9 of the style sheet."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 176, 14, 28


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where a day and a value stand on the picture."""

    first: date
    last: date
    low: float
    high: float
    width: int
    height: int
    down: bool

    def x(self, day: date) -> float:
        span = (self.last - self.first).days or 1
        return _LEFT + (day - self.first).days / span * (self.width - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1)
        return _TOP + (share if self.down else 1 - share) * (self.height - _TOP - _BOTTOM)


def lines(
    series: Series,
    *,
    label: str,
    form: Callable[[float], str],
    shaded: Collection[date] = (),
    marked: Collection[date] = (),
    ranks: bool = False,
    width: int = 780,
    height: int = 340,
) -> Markup:
    """Several lines, each labelled where it ends; empty when there is nothing to draw.

    Args:
        series: name -> its values, oldest first; the order is that of the colours.
        label: what the picture shows, for those who do not see it.
        form: writes a value.
        shaded: days whose data is not judged by.
        marked: days on which something changed.
        ranks: 1 stands at the top.
        width: of the picture, in its own units.
        height: likewise.
    """
    points = [point for values in series.values() for point in values]
    if not points:
        return Markup("")
    days, values = [day for day, _ in points], [value for _, value in points]
    low, high = (1, max(*values, 2)) if ranks else (min(0.0, *values), max(0.0, *values) * 1.06 or 1)
    plot = _Plot(min(days), max(days), low, high, width, height, ranks)
    ticks = _whole(low, high) if ranks else _round(high)
    body = (
        *(_shade(plot, day) for day in sorted(shaded) if plot.first <= day <= plot.last),
        *(_level(plot, tick, form(tick).replace(".0", "")) for tick in ticks),
        *(_date(plot, day) for day in _days(plot.first, plot.last)),
        *(_mark(plot, day) for day in sorted(marked) if plot.first <= day <= plot.last),
        *(_line(plot, number, values) for number, values in enumerate(series.values()) if values),
        *_labels(plot, series, form, ranks=ranks),
    )
    return Markup(
        '<svg class="lines" viewBox="0 0 {} {}" role="img" aria-label="{}" xmlns="http://www.w3.org/2000/svg">{}</svg>'
    ).format(width, height, label, Markup("").join(body))


def bar(share: float) -> Markup:
    """A share of 1 as a bar, for a table's cell."""
    width = round(max(0.0, min(1.0, share if math.isfinite(share) else 0.0)) * 100, 1)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="6"/><rect class="fill" width="{}" height="6"/></svg>'
    ).format(width)


def pieces(values: Sequence[Point]) -> list[Sequence[Point]]:
    """A line, oldest first, in pieces: it breaks off where more than twice as long as just before and after is unknown.

    Held against its neighbours, what was known once a week and is known daily now is no row of dots; and as two breaks
    never follow each other, no value stands alone.
    """
    spans = [(after[0] - before[0]).days for before, after in pairwise(values)]
    breaks = [
        number
        for number, (before, span, after) in enumerate(zip(spans, spans[1:], spans[2:], strict=False), start=2)
        if span > 2 * max(before, after)
    ]
    return [values[start:end] for start, end in pairwise([0, *breaks, len(values)])]


def _line(plot: _Plot, number: int, values: Sequence[Point]) -> Markup:
    return Markup("").join(_piece(plot, number, piece) for piece in pieces(values))


def _piece(plot: _Plot, number: int, values: Sequence[Point]) -> Markup:
    spots = [f"{plot.x(day):.1f},{plot.y(value):.1f}" for day, value in values]
    if len(spots) == 1:
        x, y = spots[0].split(",")
        return Markup('<circle class="dot c{}" cx="{}" cy="{}" r="4"/>').format(number % COLOURS, x, y)
    return Markup('<polyline class="line c{}" points="{}"/>').format(number % COLOURS, " ".join(spots))


def _labels(plot: _Plot, series: Series, form: Callable[[float], str], *, ranks: bool) -> list[Markup]:
    """A label beside the end of each line, moved down until all can be read."""
    ends = sorted(
        (plot.y(values[-1][1]), number, name, values[-1])
        for number, (name, values) in enumerate(series.items())
        if values
    )
    heights = _spread([end[0] for end in ends], 17, plot.height - _BOTTOM)
    return [
        Markup('<text class="end c{}" x="{:.1f}" y="{:.1f}">{} <tspan class="faint">{}</tspan></text>').format(
            number % COLOURS, plot.width - _RIGHT + 10, y + 4.5, plain(name, 17), "" if ranks else form(value)
        )
        for y, (_, number, name, (_, value)) in zip(heights, ends, strict=True)
    ]


def _spread(wanted: Sequence[float], gap: float, bottom: float) -> list[float]:
    """Ascending heights at least `gap` apart: first pushed down, then back up from the bottom."""
    heights = list(wanted)
    for number in range(1, len(heights)):
        heights[number] = max(heights[number], heights[number - 1] + gap)
    limit = bottom
    for number in range(len(heights) - 1, -1, -1):
        heights[number] = min(heights[number], limit)
        limit = heights[number] - gap
    return heights


def _level(plot: _Plot, value: float, text: str) -> Markup:
    return Markup(
        '<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>'
        '<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>'
    ).format(_LEFT, plot.width - _RIGHT, _LEFT - 8, plot.y(value) + 4, text, y=plot.y(value))


def _date(plot: _Plot, day: date) -> Markup:
    text = f"{day:%b %Y}" if (plot.last - plot.first).days > 300 else f"{day.day} {day:%b}"
    return Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
        plot.x(day), plot.height - 6, escape(text)
    )


def _shade(plot: _Plot, day: date) -> Markup:
    left, right = plot.x(day - timedelta(hours=12)), plot.x(day + timedelta(days=1))
    wide = max(3.0, right - left)
    return Markup('<rect class="shade" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>').format(
        plot.x(day) - wide / 2, _TOP, wide, plot.height - _TOP - _BOTTOM
    )


def _mark(plot: _Plot, day: date) -> Markup:
    return Markup('<line class="flip" x1="{x:.1f}" x2="{x:.1f}" y1="{}" y2="{}"/>').format(
        _TOP, plot.height - _BOTTOM, x=plot.x(day)
    )


def _days(first: date, last: date, count: int = 5) -> list[date]:
    """About `count` days, evenly spaced, both ends among them."""
    span = (last - first).days
    steps = max(1, min(count, span))
    return sorted({first + timedelta(days=round(span * step / steps)) for step in range(steps + 1)})


def _round(high: float, count: int = 4) -> list[float]:
    """Round values from 0 to `high`, about `count` of them."""
    rough = high / count
    size = 10 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= rough)
    return [step * number for number in range(int(high / step) + 1)]


def _whole(low: float, high: float) -> list[float]:
    return [float(value) for value in range(int(low), int(high) + 1)]
