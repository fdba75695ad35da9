"""`leadchange sql` without a query: the `duckdb` program where it is installed, else a small prompt of our own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import typer

from monitor.cli.common import say
from monitor.output import Format, named, print_answer
from warehouse.errors import QueryRefusedError
from warehouse.published.browsing import Browsing

OLDEST = (1, 5)
"""The oldest DuckDB that opens the published file."""

HELP = "End a query with `;`. `.tables` lists the relations, `.quit` or Ctrl-D ends. Tab completes names."

WORDS = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "JOIN", "USING", "DESCRIBE", "SUMMARIZE", "WITH",
)  # fmt: skip


def duckdb_program() -> str | None:
    """The `duckdb` program, when there is one that opens our file."""
    program = shutil.which("duckdb")
    if program is None:
        return None
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 the user's own program
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"v(\d+)\.(\d+)", told.stdout)
    return program if found and (int(found[1]), int(found[2])) >= OLDEST else None


def hand_over(program: str, published: Path) -> None:
    """Become the `duckdb` program, reading only."""
    say(f"handing over to {program} -readonly {published}")
    sys.stdout.flush()
    os.execv(program, [program, "-readonly", str(published)])  # noqa: S606 no shell is wanted


def run(browsing: Browsing, form: Format) -> int:
    """Answer queries until there are no more; 2 when one of several read from a pipe was refused."""
    described = browsing.described()
    names = [*dict.fromkeys(row["relation"] for row in described), *{row["column_name"] for row in described}]
    asked = _typed(names) if sys.stdin.isatty() else sys.stdin
    for query in queries(asked):
        if query == ".tables":
            typer.echo("\n".join(dict.fromkeys(row["relation"] for row in described)))
        elif query.startswith("."):
            say(HELP)
        elif not _answered(browsing, query, form) and not sys.stdin.isatty():
            return 2
    return 0


def queries(lines: Iterable[str]) -> Iterator[str]:
    """The queries in what was typed: each ends with `;`, what begins with a dot is a line of its own."""
    begun: list[str] = []
    for line in lines:
        text = line.strip()
        if text in (".quit", ".exit", "quit", "exit") and not begun:
            return
        if text.startswith(".") and not begun:
            yield text
            continue
        begun += [line.rstrip("\n")] if text or begun else []
        if text.endswith(";"):
            yield "\n".join(begun)
            begun = []
    if "".join(begun).strip():
        yield "\n".join(begun)


def _answered(browsing: Browsing, line: str, form: Format) -> bool:
    """Answer what was typed up to the end of a line, which may be several queries; whether none was refused."""
    try:
        for query in browsing.db.statements_in(line):
            browsing.db.refuse_writing(query)
            columns, rows = named(*browsing.db.ask(query))
            print_answer(columns, rows, form)
    except QueryRefusedError as error:
        say(str(error))
        return False
    return True


def _typed(names: Sequence[str]) -> Iterator[str]:
    """Lines from a person, with Tab and a history."""
    complete_with(names)
    say(HELP)
    prompt = "leadchange> "
    while True:
        try:
            line = input(prompt)
        except EOFError:
            typer.echo()
            return
        except KeyboardInterrupt:
            # Ctrl-C drops what was begun, as it does in every other SQL prompt.
            typer.echo()
            line = ";"
        prompt = "leadchange> " if line.strip().endswith(";") or not line.strip() else "       ...> "
        if line.strip() != ";":
            yield line


def complete_with(names: Sequence[str]) -> None:
    """Let Tab complete the names of relations and columns, and SQL's commonest words."""
    try:
        import readline  # noqa: PLC0415 not on every system
    except ImportError:
        return
    words = sorted({*names, *WORDS})

    def complete(begun: str, number: int) -> str | None:
        found = [word for word in words if word.lower().startswith(begun.lower())]
        return found[number] if number < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n,()=<>*;")
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete")
