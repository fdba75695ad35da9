"""Commands that look after the warehouse itself."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from monitor.cli.common import say, settings


def _days(text: str) -> int:
    if not (match := re.fullmatch(r"(\d+)d?", text.strip())):
        raise typer.BadParameter("days, such as 400d")
    if int(match[1]) < _LEAST:
        raise typer.BadParameter(f"at least {_LEAST} days: the verdict on a new snapshot looks back as far")
    return int(match[1])


_LEAST = 31


def prune(
    keep_daily: Annotated[
        int | None,
        typer.Option(
            "--keep-daily",
            parser=_days,
            metavar="DAYS",
            help="Keep every day this long (31 at least), not the configured time.",
        ),
    ] = None,
) -> None:
    """Pack the counts of days that are over, and keep only one snapshot a week of what is old.

    What a flip or an alert refers to is kept, and so are all standings.
    """
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application

    with open_app(settings()) as application:
        summary = application.prune(keep_daily_days=keep_daily)
    say(str(summary))


def census() -> None:
    """Read every model on the Hub and keep it as one snapshot; goes on where it was interrupted."""
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application

    with open_app(settings()) as application:
        summary = application.census()
    if summary is None:
        say("today's census is here already")
        return
    snapshot = summary.snapshot
    say(f"{snapshot.models:,} models, {snapshot.verdict}: {snapshot.verdict_reason}")
    raise typer.Exit(3 if snapshot.verdict in ("partial", "failed") else 0)


def set_aside(
    snapshot_id: Annotated[int, typer.Argument(metavar="SNAPSHOT_ID", help="As the table `snapshots` has it.")],
    why: Annotated[
        str, typer.Option("--reason", help="Why; it stands with the snapshot, and in what is corrected because of it.")
    ] = "the clock was wrong",
) -> None:
    """Judge by a snapshot no longer: one that a wrong clock has dated, or of which you know better.

    What it saw is kept, under the verdict `suspect`. Boards are ranked again without it, and what was told
    because of it is corrected with the next delivery.
    """
    from monitor.config import ConfigError  # noqa: PLC0415 see cli.common
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application

    if not why.strip():
        raise ConfigError(["a snapshot is set aside with a --reason that says something, or with none written"])
    with open_app(settings()) as application:
        day = application.set_aside(snapshot_id, why)
    say(f"snapshot {snapshot_id} of {day} is set aside")


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(census)
    app.command()(prune)
    app.command("set-aside")(set_aside)
