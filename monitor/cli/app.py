"""The command line: data to stdout, everything else to stderr, and the exit codes of the contract.

0 done   1 a bug   2 usage or configuration   3 a source not read completely   4 a delivery failed   5 the warehouse
"""

from __future__ import annotations

import errno
import io
import sys
from collections.abc import Collection, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import backfill, backtest, daemon, deliveries, forecast, history, rules, share, warehouse
from monitor.cli.common import Chosen, FormatOption, SinceOption, as_day, reading, say, settings
from monitor.clock import utc_now
from monitor.output import Format, print_rows, sparkline
from monitor.tracebacks import mask_tracebacks
from warehouse.errors import LeadchangeError

if TYPE_CHECKING:  # see cli.common
    from warehouse.ranking.boards import Board

app = typer.Typer(
    name="leadchange",
    help="The open-model adoption monitor: who leads, since when, and an alert on the day that changes.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

alert_commands = typer.Typer(help="What the rules said.", rich_markup_mode=None)
delivery_commands = typer.Typer(help="What was sent, what failed and why.", rich_markup_mode=None)
backfill_commands = typer.Typer(help="Import history.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(alert_commands, name="alerts")
app.add_typer(delivery_commands, name="deliveries")
app.add_typer(backfill_commands, name="backfill")
backtest.register(app)
rules.register(app, alert_commands)
deliveries.register(app, delivery_commands)
daemon.register(app)
warehouse.register(app)
backfill.register(backfill_commands)
forecast.register(app)
history.register(app)
share.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 for this alone

        typer.echo(f"leadchange {version('leadchange')}")
        raise typer.Exit


@app.callback()
def root(
    config_path: Annotated[
        Path | None,
        typer.Option("--config", metavar="PATH", help="The configuration; may stand before or after the command."),
    ] = None,
    _show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """What holds for every command."""
    Chosen.path = config_path


@app.command()
def demo(
    directory: Annotated[Path, typer.Option("--dir", help="Where to leave the warehouse and the outbox.")] = Path(
        "leadchange-demo"
    ),
    serve: Annotated[bool, typer.Option("--serve", help="Open the dashboard on it afterwards.")] = False,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where the dashboard listens.")] = 8765,
) -> None:
    """The main job, offline, on recorded real history: collect, rank, detect, deliver."""
    from monitor.demo import story  # noqa: PLC0415 the recordings and the local Hub are for this command alone

    last = story.run(directory)
    if serve:
        from monitor.web.serve import serve as serve_published  # noqa: PLC0415 the web stack

        say(f"dashboard at http://127.0.0.1:{port}, until Ctrl-C")
        serve_published(directory / "adoption.duckdb", "127.0.0.1", port, now=lambda: last)


@app.command()
def init(directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.")] = Path()) -> None:
    """Write a commented leadchange.toml and say what to do next."""
    from monitor import config  # noqa: PLC0415 see cli.common

    target = directory / config.DEFAULT_NAME
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(config.template())
    except OSError as error:
        if target.exists():
            raise config.ConfigError([f"{target} is there already: nothing was written"]) from None
        raise config.ConfigError([f"{target} cannot be written: {error.strerror}"]) from None
    typer.echo(f"wrote {target}")
    chosen = f"--config {quote(str(target))}"
    say(f"next: leadchange check {chosen}; leadchange collect {chosen}")


_LINE = 4000
"""Characters of a line about what may be called anything: the Hub's names are others' text."""


@app.command()
def check() -> None:
    """Validate configuration, families, rules and channels, and reach the Hub; every problem in one run."""
    from alerts.text import plain  # noqa: PLC0415 see cli.common
    from monitor import config  # noqa: PLC0415 see cli.common
    from monitor.check import problems  # noqa: PLC0415 it imports every channel's client

    draft = config.read(Chosen.path)
    found = problems(draft.settings, draft.mistakes, draft.unread, now=utc_now())
    for line in found.lines:
        typer.echo(plain(line, _LINE))
    for problem in found.problems:
        say(problem)
    raise typer.Exit(found.exit_code)


@app.command()
def collect(
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="Only for a source that says which day it shows."),
    ] = None,
    form: FormatOption = Format.table,
) -> None:
    """Take one snapshot now."""
    from jobs.history.sources import EARLIEST  # noqa: PLC0415 polars
    from monitor.config import ConfigError  # noqa: PLC0415 see cli.common
    from monitor.demo import hub_is_gone  # noqa: PLC0415 the channels
    from monitor.progress import listing_progress  # noqa: PLC0415 rich's progress bars cost start-up time
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application

    chosen, shown, today = settings(), as_day(day), utc_now().date()
    if shown and not EARLIEST <= shown <= today:
        raise ConfigError([f"--day {shown}: days from {EARLIEST} to {today} are taken"])
    with open_app(chosen) as application, listing_progress(len(chosen.registry.publishers)) as progress:
        snapshot = application.collect(day=shown, progress=progress).snapshot
    columns = ["snapshot_id", "day", "verdict", "models", "requests", "seconds", "verdict_reason"]
    print_rows([{name: getattr(snapshot, name) for name in columns}], columns, form)
    if snapshot.verdict in ("partial", "failed"):
        gone = hub_is_gone(chosen.source, chosen.hub.endpoint) if snapshot.verdict == "failed" else ""
        say(f"{snapshot.verdict}: {snapshot.verdict_reason}{gone}")
        raise typer.Exit(3)


@app.command()
def detect() -> None:
    """Evaluate the rules on snapshots not yet evaluated."""
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application
    from warehouse.amounts import amount  # noqa: PLC0415 see cli.common

    with open_app(settings()) as application:
        summary = application.detect()
    for title in summary.fired:
        typer.echo(title)
    judged, queued = amount(summary.days, "day"), amount(len(summary.fired), "alert")
    say(f"{judged} judged, {queued} queued, {summary.pending} pending")


@app.command()
def deliver() -> None:
    """Send what is due in the outbox; what failed before is tried again at once."""
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application

    with open_app(settings()) as application:
        summary = application.deliver(patient=False)
    for problem in summary.problems:
        say(problem)
    say(f"{summary.sent} sent, {summary.failed} failed, {summary.dead} refused for good, {summary.waiting} waiting")
    if summary.undelivered:
        raise typer.Exit(4)


@app.command()
def board(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The board; the first one when left out.")] = None,
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="On this day, or the board's last day before it."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many places.")] = 20,
    form: FormatOption = Format.table,
) -> None:
    """A standing, with rank changes and a sparkline."""
    from alerts.names import with_names  # noqa: PLC0415 see cli.common

    chosen = settings()
    which = chosen.board(name) if name else chosen.boards[0]
    with reading(chosen) as published:
        found = published.standing(which.name, at=as_day(at), top=top)
        trend = published.trend(which.name, [row["entity"] for row in found], at=as_day(at))
        days = published.days(which.name)
        ranked_on = None if found else published.ranked_on(which.name)
        ranked = published.definitions()
    first = days[-1] if days else None
    rows = [row | {"change": _rank_change(row, first), "trend": sparkline(trend[row["entity"]])} for row in found]
    if form is Format.table and rows:
        typer.echo(f"{which.name} on {rows[0]['day']}: {ranked[which.name]}")
    if rows and ranked[which.name] != which.definition:
        say(f"the configuration defines {which.name} otherwise by now; `leadchange detect` ranks it so")
    print_rows(
        [with_names(row, which.entity) for row in rows] if form is Format.table else rows,
        ["rank", "change", "entity", "value", "share", "trend"],
        form,
        every=[*found.columns, "change", "trend"],
        empty=_no_standing(which, as_day(at), days, ranked, ranked_on),
    )


def _no_standing(
    which: Board, at: date | None, days: Sequence[date], ranked: Collection[str], ranked_on: date | None
) -> str:
    """Why a board shows nothing: its days, newest first; the boards that are ranked; the last day it was."""
    name = which.name
    if not days and which.series is not None:
        return f"{name} has no standing yet: `leadchange backfill series FILE.csv --name {which.series}` imports one"
    if ranked and name not in ranked:
        return f"{name} was not ranked yet: `leadchange detect` does that"
    if not days and ranked_on is not None:
        return f"nobody stands on {name}: when it was ranked for {ranked_on}, no count was known of what it ranks"
    if not days:
        return f"{name} has no standing yet: collect a complete snapshot first"
    its = f"its days are {days[-1]} to {days[0]}" if len(days) > 1 else f"its only day is {days[0]}"
    return f"{name} has no standing on {at} nor before; {its}"


def _rank_change(row: dict[str, object], first: date | None) -> str | None:
    """How a rank moved since the board's day before; None on its first day, when nobody knows."""
    rank, before = row["rank"], row["previous_rank"]
    if row["day"] == first:
        return None
    if not isinstance(rank, int) or not isinstance(before, int):
        return "new"
    return "=" if rank == before else f"+{before - rank}" if rank < before else f"-{rank - before}"


@app.command()
def flips(
    board_name: Annotated[str | None, typer.Option("--board", help="Only of this board.")] = None,
    since: SinceOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Lead changes and overtakes found."""
    from alerts.names import with_names  # noqa: PLC0415 see cli.common

    chosen = settings()
    which = chosen.board(board_name).name if board_name else None
    with reading(chosen) as published:
        found = published.flips(board=which, since=as_day(since))
        kinds = published.kinds()
    rows = [with_names(row, kinds[row["board"]]) for row in found] if form is Format.table else found
    columns = ["flip_id", "day", "board", "kind", "entity", "rival", "value", "rival_value", "margin", "verdict"]
    print_rows(rows, columns, form, every=found.columns, empty="no flips found")


@alert_commands.callback(invoke_without_command=True)
def list_alerts(context: typer.Context, form: FormatOption = Format.table) -> None:
    """What the rules said."""
    if context.invoked_subcommand is not None:
        return
    with reading() as published:
        rows = published.alerts()
    columns = ["alert_id", "rule", "state", "day", "confirmed_day", "title"]
    print_rows(rows, columns, form, every=rows.columns, empty="no alerts yet")


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--config PATH` moved to the front, so that it may stand anywhere."""
    front: list[str] = []
    rest: list[str] = []
    pending = iter(arguments)
    for argument in pending:
        if argument == "--":
            rest += [argument, *pending]
        elif argument == "--config":
            value = next(pending, None)
            if value is None:
                return [argument]  # nothing else is worth saying before this is mended
            front += [argument, value]
        elif argument.startswith("--config="):
            front.append(argument)
        else:
            rest.append(argument)
    return front + rest


def run(arguments: Sequence[str]) -> int:
    """Run one command; the exit code. What a user can mend is one line on stderr, a bug keeps its traceback."""
    try:
        outcome = _program().main(args=hoisted(arguments), prog_name="leadchange", standalone_mode=False)
    except LeadchangeError as error:
        for line in str(error).splitlines():
            say(line)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):  # Ctrl-C, or Ctrl-D where something was asked
        return 130
    except (BrokenPipeError, SystemExit) as error:
        # Whoever read our output has seen enough. Typer and rich end with 1 then, which is the code of a bug.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        sys.stdout = None  # Python must not complain when it flushes
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.stdout = None
        say(f"what was asked for cannot be written: {error.strerror}")
        return 2
    except Exception as error:
        usage = _usage(error)
        if usage is None:
            raise
        say(usage)
        return 2
    return outcome if isinstance(outcome, int) else 0


@cache
def _program() -> Any:  # noqa: ANN401 typer keeps the class of a command to itself
    """The commands, once they are all registered."""
    return typer.main.get_command(app)


def _usage(error: Exception) -> str | None:
    """A misuse of the command line as one line; None for anything else (typer keeps these classes to itself)."""
    describe = getattr(error, "format_message", None)
    if not callable(describe):
        return None
    message = str(describe())
    # A command group named without a command answers with its whole help.
    if message.startswith("Usage: "):
        return message
    plain = message.replace("\n", " ").replace("Value error, ", "")
    return plain.replace("'%Y-%m-%dT%H:%M'", "YYYY-MM-DDTHH:MM").replace("'%Y-%m-%d'", "YYYY-MM-DD")


def _speak_utf8() -> None:
    """Print UTF-8 whatever the locale, as data is read on other machines too; files are called what they are called."""
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)


def main() -> None:
    """The console script."""
    mask_tracebacks()
    _speak_utf8()
    sys.exit(run(sys.argv[1:]))
