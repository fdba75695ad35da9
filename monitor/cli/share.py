"""The commands that hand the data on: SQL, a report, an export."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.common import FormatOption, reading, say, settings
from monitor.output import Format, named, print_answer, print_rows


def sql(
    query: Annotated[str | None, typer.Argument(metavar="QUERY", help="Without one, a prompt.")] = None,
    form: FormatOption = Format.table,
) -> None:
    """Ad-hoc SQL on the published file, read-only; without a query, a prompt."""
    chosen = settings()
    if query is None:
        _prompt(chosen.warehouse.publish, form)
        return
    with reading(chosen) as published:
        published.db.refuse_writing(query)
        columns, rows = named(*published.db.ask(query))
    print_answer(columns, rows, form)


def _prompt(published: Path, form: Format) -> None:
    from monitor.cli import prompt  # noqa: PLC0415 for this alone
    from warehouse.published.browsing import Browsing  # noqa: PLC0415 DuckDB

    with reading() as opened:
        program = prompt.duckdb_program() if sys.stdin.isatty() else None
        if program is None:
            raise typer.Exit(prompt.run(Browsing(opened.db), form))
    prompt.hand_over(program, published)


def report(out: Annotated[Path, typer.Option("--out", metavar="FILE.html", help="Where to write it.")]) -> None:
    """One self-contained page: who leads, the races, alerts, and how good the data is."""
    from monitor import report as reporting  # noqa: PLC0415 the web's templates

    reporting.write(settings().warehouse.publish, out, datetime.now(UTC))
    say(f"wrote {out}")


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write them.")],
    form: FormatOption = Format.table,
) -> None:
    """The contract tables as Parquet, a file each."""
    from monitor import export as exporting  # noqa: PLC0415 pyarrow

    written = exporting.run(settings().warehouse.publish, folder)
    rows = [
        {"relation": name, "rows": count, "file": str(folder / f"{name}.parquet")} for name, count in written.items()
    ]
    print_rows(rows, ["relation", "rows", "file"], form)


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(sql)
    app.command()(report)
    app.command()(export)
