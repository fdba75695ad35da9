"""The dashboard as one self-contained page: no script, no other file, nothing fetched."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from monitor.web import ahead, races, statics, words
from monitor.web.published import Published
from monitor.web.site import Site
from monitor.web.view import templates
from warehouse.errors import LeadchangeError, WarehouseError
from warehouse.published.browsing import Browsing

PLACES = 10
"""Places of each board in the report."""

MOST = 2 * PLACES
"""Rows that they may take, for several may share the last of them; where more do, the report says how many."""


def page(published: Path, now: datetime) -> str:
    """The report on a published file as it stands at `now`.

    Raises:
        WarehouseError: there is no published file, or it is damaged.
    """
    if not published.exists():
        raise WarehouseError(f"{published} does not exist yet: run `leadchange collect` first")
    site = Site(Published(published), lambda: now)
    style = (statics.FOLDER / "app.css").read_text("utf-8")
    with site.published.browsing() as browsing:
        return (
            templates(site)
            .get_template("report.html")
            .render(
                style=Markup(style),  # noqa: S704 our own file
                now=now,
                health=site.file_health(),
                boards=[_board(site, browsing, leader) for leader in browsing.leaders()],
                alerts=browsing.newest_alerts(30),
                flips=browsing.notable_flips(20),
                looks=browsing.looks(now),
            )
        )


def write(published: Path, out: Path, now: datetime) -> None:
    """Write the report to a file, at once or not at all: one that is there stays until the new one is whole.

    Raises:
        LeadchangeError: the file cannot be written.
    """
    text = page(published, now)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists() and not out.is_file():
            out.write_text(text, "utf-8")  # a pipe or a device takes what comes, and is nothing to be replaced
        else:
            _replace(out.resolve(), text)
    except OSError as error:
        raise LeadchangeError(f"cannot write {out}: {error.strerror}") from None


def _replace(out: Path, text: str) -> None:
    draft = out.with_name(f".{out.name}.draft")
    try:
        draft.write_text(text, "utf-8")
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def _board(site: Site, browsing: Browsing, leader: dict[str, Any]) -> dict[str, Any]:
    race = races.of(site, leader, "race")
    placed = browsing.standing(leader["board"], top=PLACES)
    shown = placed if len(placed) <= MOST else placed[:PLACES]
    return leader | {
        "statement": words.standing_in_words(leader),
        "ahead": ahead.likely(site, leader, leader["day"], leader["leaders"] or []),
        "picture": races.picture(race),
        "rows": shown,
        "beyond": len(placed) - len(shown),
    }
