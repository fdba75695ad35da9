"""What every command shares: the configuration named, the published file, options, lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alerts.text import terminal
from monitor.output import Format

if TYPE_CHECKING:  # imported where they are used, here and in the other commands: `--help` needs none of them
    from monitor.config import Settings
    from warehouse.published.reading import Reading

FormatOption = Annotated[Format, typer.Option("--format", help="How to print rows.")]
SinceOption = Annotated[
    datetime | None,
    typer.Option("--since", formats=["%Y-%m-%d"], metavar="DAY", help="From this day on (YYYY-MM-DD, UTC)."),
]


class Chosen:
    """The configuration file named on the command line."""

    path: Path | None = None


def settings() -> Settings:
    """The configuration in force."""
    from monitor import config  # noqa: PLC0415

    return config.load(Chosen.path)


@contextmanager
def reading(chosen: Settings | None = None) -> Iterator[Reading]:
    """The published file, open for questions."""
    from warehouse.db import Database  # noqa: PLC0415 DuckDB
    from warehouse.published.reading import Reading  # noqa: PLC0415 DuckDB

    with Database.open_published((chosen or settings()).warehouse.publish) as db:
        yield Reading(db)


def as_day(moment: datetime | None) -> date | None:
    """The day of an option; typer reads dates as moments."""
    return moment.date() if moment else None


def say(line: str) -> None:
    """A line for people, to stderr; names in it may be anybody's."""
    typer.echo(terminal(line), err=True)
