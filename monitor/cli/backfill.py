"""Commands that import history: from public datasets, from files of one's own, and from published totals."""

from __future__ import annotations

import calendar
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alerts.text import terminal
from jobs.history.told import Decimal, Order, Told
from monitor.cli.common import FormatOption, SinceOption, as_day, say, settings
from monitor.clock import utc_now
from monitor.output import Format, print_rows
from warehouse.amounts import amount

if TYPE_CHECKING:  # polars and the whole application: commands that need neither start without them
    from jobs.history.backfill_plan import Plan
    from monitor.wiring import App
    from warehouse.records import Snapshot

FamiliesOption = Annotated[bool, typer.Option("--families-only", help="Only models of the publishers that are polled.")]
NameOption = Annotated[str, typer.Option("--name", help="The source as it is to stand on the snapshots.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Begin without asking.")]
FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE", help="One or more.")]
DayColumn = Annotated[str, typer.Option("--day-column", help="The column of days; day or date when left out.")]
IdColumn = Annotated[str, typer.Option("--id-column", help="The column of publisher/name; repo_id, id, ...")]
HubIdColumn = Annotated[str, typer.Option("--hub-id-column", help="The column of the Hub's _id, if there is one.")]
DownloadsColumn = Annotated[str, typer.Option("--downloads-column", help="The column of 30-day downloads.")]
AllTimeColumn = Annotated[str, typer.Option("--all-time-column", help="The column of all-time downloads.")]
LikesColumn = Annotated[str, typer.Option("--likes-column", help="The column of likes.")]
UntilOption = Annotated[
    datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], metavar="DAY", help="Up to this day, included.")
]
OneDayOption = Annotated[
    datetime | None,
    typer.Option("--day", formats=["%Y-%m-%d"], metavar="DAY", help="The day of files without a column of days."),
]
DecimalOption = Annotated[
    Decimal | None,
    typer.Option("--decimal", help="What text has before a fraction, where a file's numbers leave that open."),
]
OrderOption = Annotated[
    Order | None,
    typer.Option("--day-order", help="How a file writes days as text, where they leave that open."),
]


class Totalled(StrEnum):
    """What published totals may be of: what a board ranks."""

    publisher = "publisher"
    family = "family"
    country = "country"
    model = "model"


_HELP = {
    "hub-stats": "Every day since July 2024: the daily revisions of the dataset cfahlgren1/hub-stats, read by range.",
    "model-pulse": "Every day since July 2024: the monthly files of the dataset modelpulse/model-pulse-data.",
    "weekly": "Every week since July 2024: the dataset hfmlsoc/hub_weekly_snapshots.",
    "parquet": "Parquet files of one's own: a row for each model, and a column of days or a file for each day.",
    "csv": "CSV files of one's own: a row for each model, and a column of days or a file for each day.",
}


def _dataset(source: str) -> Callable[..., None]:
    """The command that imports a public dataset."""

    def command(
        *,
        since: SinceOption = None,
        until: UntilOption = None,
        families_only: FamiliesOption = False,
        name: NameOption = "",
        yes: YesOption = False,
        form: FormatOption = Format.table,
    ) -> None:
        from jobs import hub  # noqa: PLC0415 polars
        from jobs.history import backfill_plan, sources  # noqa: PLC0415 polars
        from monitor.wiring import open_app  # noqa: PLC0415 the whole application

        _in_order(since, until)
        with open_app(settings()) as application:
            plan = backfill_plan.plan(
                application.db,
                sources.find(source),
                application.settings.hub,
                application.settings.registry,
                token=hub.read_token(),
                today=utc_now().date(),
                name=_usable(name, source),
                since=as_day(since),
                until=as_day(until),
                families_only=families_only,
            )
            _run(application, plan, yes=yes, form=form)

    return command


def _files(kind: str) -> Callable[..., None]:
    """The command that imports files of one's own."""

    def command(
        files: FilesArgument,
        *,
        day_column: DayColumn = "",
        id_column: IdColumn = "",
        hub_id_column: HubIdColumn = "",
        downloads_column: DownloadsColumn = "",
        all_time_column: AllTimeColumn = "",
        likes_column: LikesColumn = "",
        day: OneDayOption = None,
        decimal: DecimalOption = None,
        day_order: OrderOption = None,
        since: SinceOption = None,
        until: UntilOption = None,
        families_only: FamiliesOption = False,
        name: NameOption = "",
        yes: YesOption = False,
        form: FormatOption = Format.table,
    ) -> None:
        from jobs.history import backfill_plan, own_files  # noqa: PLC0415 polars
        from monitor.wiring import open_app  # noqa: PLC0415 the whole application
        from warehouse.db import make_folder_of  # noqa: PLC0415 DuckDB

        columns = {
            "day": day_column,
            "repo_id": id_column,
            "hub_id": hub_id_column,
            "downloads_30d": downloads_column,
            "downloads_all_time": all_time_column,
            "likes": likes_column,
        }
        named = {wanted: column for wanted, column in columns.items() if column}
        _in_order(since, until)
        source, chosen, today = _usable(name, kind), settings(), utc_now().date()
        folder = make_folder_of(chosen.warehouse.path)
        with (
            own_files.opened(
                files,
                csv=kind == "csv",
                columns=named,
                day=as_day(day),
                today=today,
                folder=folder,
                told=Told(decimal, day_order),
                say=say,
            ) as parts,
            open_app(chosen) as application,
        ):
            plan = backfill_plan.plan_files(
                application.db,
                source,
                parts,
                chosen.registry,
                since=as_day(since),
                until=as_day(until),
                families_only=families_only,
            )
            _run(application, plan, yes=yes, form=form)

    return command


def _usable(name: str, kind: str) -> str:
    """The name of a source, that of its `kind` when empty; not one that means something else."""
    from jobs.history.sources import SOURCES  # noqa: PLC0415 polars
    from monitor.config import ConfigError  # noqa: PLC0415

    if name and (name != name.strip() or not name.isprintable()):
        raise ConfigError([f"--name {name!r}: write it in one line, without spaces around it"])
    if name in ("hub", "census") or name.startswith("series:"):
        raise ConfigError([f"--name {name}: that is what our own looks at the Hub and imported totals are called"])
    if name != kind and name in SOURCES:
        raise ConfigError([f"--name {name}: that is what days of the dataset are called"])
    return name or kind


def _in_order(since: datetime | None, until: datetime | None) -> None:
    """Raises ConfigError where no day can be in between."""
    from monitor.config import ConfigError  # noqa: PLC0415

    if since and until and since > until:
        raise ConfigError([f"--since {since.date()} is after --until {until.date()}"])


def _run(application: App, plan: Plan, *, yes: bool, form: Format) -> None:
    """Say what is coming, do it, say what came."""
    from alerts.names import with_names  # noqa: PLC0415 DuckDB
    from jobs import backfill, hub  # noqa: PLC0415 polars
    from jobs.history.local_copy import full_disk_is_ours  # noqa: PLC0415 httpx
    from monitor.cli import backfill_words as words  # noqa: PLC0415 polars

    for line in words.announcement(plan):
        say(line)
    if plan.parts and not yes and _asked_in_vain():
        say("nothing was read")
        raise typer.Exit(0)
    chosen = application.settings
    with _bar(len(plan.days)) as progress:
        report = backfill.run(
            application.db,
            plan,
            chosen.hub,
            chosen.registry,
            chosen.boards,
            token=hub.read_token(),
            clock=time.monotonic,
            progress=progress,
        )
    with full_disk_is_ours(chosen.warehouse.publish.parent):
        application.publish()
    if form is Format.table:
        for line in words.findings(report):
            typer.echo(terminal(line))
        if report.flips:
            kinds = {board.name: board.entity for board in chosen.boards}
            shown = [with_names(flip, kinds.get(flip["board"])) for flip in words.flips_to_show(report)]
            print_rows(shown, words.FLIP_COLUMNS, form)
    else:
        row = words.as_row(report)
        print_rows([row], list(row), form)
    for line in [*report.unread, *([report.problem] if report.problem else [])]:
        say(line)
    if report.unread or report.problem or any(report.verdicts.get(verdict) for verdict in ("partial", "failed")):
        raise typer.Exit(3)


def _asked_in_vain() -> bool:
    """Whether a person at a terminal says no; where nobody sits, nobody is asked."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    # Polars takes Ctrl-C for its own, and has the system go on reading what nobody is going to type.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return not typer.confirm("begin?", default=True, err=True)


@contextmanager
def _bar(days: int) -> Iterator[Callable[[Snapshot], None]]:
    """What to call with each day that was written."""
    from monitor.progress import progress_bar  # noqa: PLC0415 rich's progress bars cost start-up time

    with progress_bar() as bar:
        task = bar.add_task("importing", total=days)
        yield lambda snapshot: bar.update(task, advance=1, description=f"importing {snapshot.day} {snapshot.verdict:8}")


def series(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="With a header; see --columns.")],
    name: Annotated[str, typer.Option(help="A board reads it as measure = 'series:NAME'.")],
    entity: Annotated[
        Totalled, typer.Option(help="What the totals are of; for your own orientation.")
    ] = Totalled.publisher,
    columns: Annotated[
        str,
        typer.Option(
            help="The file's columns for day, entity and value, in this order; a fourth for how sure its source is."
        ),
    ] = "day,entity,value",
    decimal: DecimalOption = None,
    day_order: OrderOption = None,
) -> None:
    """Import a published series of totals; a day may be written as YYYY-MM-DD, or YYYY-MM for a month's last day."""
    from monitor.series import read_series  # noqa: PLC0415 polars
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application

    _named(name)
    today = utc_now().date()
    month_end = today.replace(day=calendar.monthrange(today.year, today.month)[1])
    values = read_series(file, columns, latest=month_end, told=Told(decimal, day_order), say=say)
    with open_app(settings()) as application:
        summary = application.backfill_series(name, values, revision=file.name)
    written, found = amount(summary.days, "day"), amount(summary.ranked.flips, "flip")
    say(f"{written} of {entity} totals written to series:{name}, {found} found")


def _named(name: str) -> None:
    """Raises ConfigError for a series without a name."""
    from monitor.config import ConfigError  # noqa: PLC0415

    if not name.strip():
        raise ConfigError(["--name is empty: a board reads the series as measure = 'series:NAME'"])


def register(backfill: typer.Typer) -> None:
    """Add these commands to the program."""
    for source in ("hub-stats", "model-pulse", "weekly"):
        backfill.command(source, help=_HELP[source])(_dataset(source))
    for kind in ("parquet", "csv"):
        backfill.command(kind, help=_HELP[kind])(_files(kind))
    backfill.command("series")(series)
