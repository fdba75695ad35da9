"""From records to pages: the templates, and how numbers, days and names are written in them."""

from __future__ import annotations

import math
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from alerts.names import entity_name, spoken
from alerts.text import chance, humanise, percent, plain, versus
from alerts.wording import capital
from monitor.cells import as_in_sql, number
from monitor.web import statics, svg
from monitor.web.site import Site
from monitor.web.under import within

HERE = Path(__file__).parent

_DASH = "–"  # noqa: RUF001 the typographer's own


def templates(site: Site) -> jinja2.Environment:
    """The pages' templates; everything that comes from outside is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": count,
        "signed": signed,
        "exact": exact,
        "as_in_sql": as_in_sql,
        "percent": share,
        "chance": chance,
        "name": lambda text, limit=60: plain(str(text), limit),
        "capital": capital,
        "day": day_in_words,
        "moment": moment,
        "cell": cell,
    }
    environment.globals |= {
        "link": site.link,
        "static": lambda name: site.link("static", name, v=statics.version(name)),
        "entity_url": partial(entity_url, site),
        "entity_name": entity_name,
        "spoken": spoken,
        "fate": fate,
        "bar": svg.bar,
        "versus": versus,
        "version": site.version,
    }
    return environment


def render(site: Site, pages: jinja2.Environment, request: Request, template: str, **context: Any) -> HTMLResponse:  # noqa: ANN401 templates take anything
    """A page with what every page shows: where it is, and how fresh its data is."""
    status = context.pop("status", 200)
    health = site.file_health()
    text = pages.get_template(template).render(path=within(request.scope), health=health, **context)
    return HTMLResponse(text, status_code=status)


def entity_url(site: Site, kind: str, name: str) -> str | None:
    """Where more about an entity is found; None for a country."""
    if kind == "family":
        return site.link("family", name)
    if kind in ("publisher", "model"):
        return f"https://huggingface.co/{quote(name, safe='/')}"
    return None


def fate(alert: dict[str, Any]) -> str:
    """What became of an alert, in a word or two: one that waits for its channels is not told."""
    if alert["state"] != "firing":
        return str(alert["state"])
    return "not told yet" if alert["queued"] and not alert["sent"] else "told"


def count(value: float | None, digits: int = 1) -> str:
    """A count for people; a dash where it is not known."""
    return _DASH if value is None else humanise(float(value), digits)


def signed(value: float) -> str:
    """A change for people, with its sign."""
    return f"{'+' if value > 0 else ''}{humanise(float(value), 2)}" if value else "0"


def exact(value: float) -> str:
    """A number as it is, without the noise of its last digits."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e18 else f"{value:.10g}"


def share(value: float | None) -> str:
    """A share for people; a dash where it is not known."""
    return _DASH if value is None else percent(value)


def day_in_words(day: date | None) -> str:
    """`5 Oct 2026`; a dash where it is not known."""
    return _DASH if day is None else f"{day.day} {day:%b %Y}"


def moment(at: datetime | None) -> str:
    """`5 Oct 2026, 10:30 UTC`; a dash where it is not known."""
    return _DASH if at is None else f"{day_in_words(at)}, {at:%H:%M} UTC"


def cell(value: object, column: str = "") -> str:
    """Any cell of any table."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return _DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(column, value)
    return plain(str(value), 300)
