"""The command that stays: the daemon."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli.common import say, settings


def run(
    once: Annotated[
        bool,
        typer.Option("--once", help="Collect, judge and deliver one time, for those who have a cron of their own."),
    ] = False,
    web: Annotated[bool, typer.Option("--web/--no-web", help="Serve the dashboard too.")] = True,
) -> None:
    """The daemon: schedule and dashboard in one process, until SIGTERM."""
    from monitor import daemon, logs  # noqa: PLC0415 the whole application

    chosen = settings()
    if once:
        snapshot, told = daemon.once(chosen)
        for problem in told.problems:
            say(problem)
        say(f"{snapshot.verdict}: {snapshot.verdict_reason}; {told.sent} sent, {told.waiting} waiting")
        if snapshot.verdict in ("partial", "failed"):
            raise typer.Exit(3)
        raise typer.Exit(4 if told.undelivered else 0)
    logs.configure()
    daemon.run(chosen, serve=web)


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command()(run)
