"""Somebody's own SQL on the published file, in a process of its own that can be killed.

    ask -> this module (no environment, no network, no files, little memory, little time) -> Answer

DuckDB's own limits do not hold for everything: one `repeat('x', 2000000000)` takes 4 GB under a limit of 256 MB and
is deaf to an interrupt. So the query's process has a hard limit of the operating system as well, and an end.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from warehouse.db import Database
from warehouse.errors import LeadchangeError, QueryRefusedError, WarehouseError


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may use."""

    seconds: float = 5.0
    rows: int = 1000
    memory_megabytes: int = 256
    answer_megabytes: int = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found; cells are what JSON knows, anything else as text."""

    columns: list[str]
    rows: list[list[Any]]
    truncated: bool
    """There are more rows than the limit."""
    seconds: float


_GRACE = 4.0
"""Seconds for the process to start and to answer; then it is killed."""

_ADDRESS_SPACE = 768 << 20
"""What Python and DuckDB take before the first query, in bytes of address space."""


def ask(published: Path, query: str, limits: Limits = Limits()) -> Answer:
    """Ask the published file; nothing that `query` says can hurt this process.

    Raises:
        QueryRefusedError: it may not run, DuckDB could not run it, or it needs more than the limits allow.
        WarehouseError: there is no published file, or it is damaged.
    """
    if not published.exists():
        raise WarehouseError(f"{published.name} does not exist yet: run `leadchange collect` first")
    task = json.dumps({"published": str(published.absolute()), "query": query, "limits": asdict(limits)})
    try:
        finished = subprocess.run(
            [sys.executable, "-I", "-m", "warehouse.published.sandbox"],
            input=task.encode(),
            capture_output=True,
            env={name: os.environ[name] for name in ("LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ},
            timeout=limits.seconds + _GRACE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise QueryRefusedError(_too_long(limits)) from None
    if finished.returncode != 0:
        # Killed for its memory before it could say so.
        raise QueryRefusedError(_too_much(limits))
    return _answer(json.loads(finished.stdout))


def _answer(said: dict[str, Any]) -> Answer:
    if "refused" in said:
        raise QueryRefusedError(said["refused"])
    if "warehouse" in said:
        raise WarehouseError(said["warehouse"])
    return Answer(**said)


def _too_long(limits: Limits) -> str:
    return f"stopped after {limits.seconds:g} s: ask for less, or open the published file in a DuckDB of your own"


def _too_much(limits: Limits) -> str:
    return f"it needs more than {limits.memory_megabytes} MB: ask for less, or open the file in a DuckDB of your own"


# What follows runs in the other process.


def main() -> None:
    """Answer the one question on stdin, as JSON on stdout."""
    task = json.load(sys.stdin)
    limits = Limits(**task["limits"])
    confine(limits)
    try:
        with Database.open_published(Path(task["published"]), memory_megabytes=limits.memory_megabytes) as db:
            said = asdict(answer(db, task["query"], limits))
        text = json.dumps(said, ensure_ascii=True)
        if len(text) > limits.answer_megabytes << 20:
            raise QueryRefusedError(f"the answer is larger than {limits.answer_megabytes} MB: ask for less")
    except QueryRefusedError as error:
        text = json.dumps({"refused": str(error)})
    except LeadchangeError as error:
        text = json.dumps({"warehouse": str(error)})
    except MemoryError:
        text = json.dumps({"refused": _too_much(limits)})
    sys.stdout.write(_without_folder(text, task["published"]))
    sys.stdout.flush()
    # Nothing is left to do, and a thread of DuckDB's that is deaf to its interrupt must not hold us up.
    os._exit(0)


def _without_folder(text: str, published: str) -> str:
    """The answer without where the file lies: DuckDB names it in its own tables and in messages, by its whole path."""
    folder, _, name = json.dumps(published, ensure_ascii=True)[1:-1].rpartition("/")
    return text.replace(f"{folder}/{name}", name) if folder else text


def confine(limits: Limits) -> None:
    """Limits of the operating system: memory, processor time, no new files, no core dumps."""
    try:
        import resource  # noqa: PLC0415 not on Windows, where DuckDB's own limits must do
    except ImportError:
        return
    space = _ADDRESS_SPACE + (limits.memory_megabytes << 20)
    seconds = math.ceil(limits.seconds + _GRACE)
    for kind, most in (
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def answer(db: Database, query: str, limits: Limits) -> Answer:
    """What a published file says to somebody's own query, as far as DuckDB's own limits hold.

    Raises:
        QueryRefusedError: it may not run, DuckDB could not run it, or it was too much for it.
    """
    db.refuse_writing(query)
    began = time.monotonic()
    try:
        with db.at_most(limits.seconds):
            columns, rows = db.ask(query, most=limits.rows + 1)
    except QueryRefusedError as error:
        raise QueryRefusedError(_in_words(str(error), limits)) from None
    cells = [[plain_cell(cell) for cell in row] for row in rows[: limits.rows]]
    return Answer(columns, cells, len(rows) > limits.rows, time.monotonic() - began)


def _in_words(message: str, limits: Limits) -> str:
    if "Interrupted" in message:
        return _too_long(limits)
    if message.startswith("Out of Memory"):
        return _too_much(limits)
    return message


def plain_cell(cell: object) -> object:
    """A cell as JSON knows it, but for numbers that are none, which Python's reads; what it does not know, as text."""
    if isinstance(cell, Decimal):
        cell = float(cell)
    if isinstance(cell, str | int | float | bool | None):
        return cell
    if isinstance(cell, dict):
        return {str(plain_cell(key)): plain_cell(value) for key, value in cell.items()}
    if isinstance(cell, list | tuple):
        return [plain_cell(item) for item in cell]
    return cell.isoformat() if isinstance(cell, date | datetime) else str(cell)


if __name__ == "__main__":
    main()
