"""Run one verb of the program again and again, killed each time before another statement of its SQL.

    python tests/killed.py FOLDER VERB DAY  ->  JSON: every statement, and the folders of the runs that were killed

FOLDER holds a configuration and a warehouse; each run works on a copy of it. The runs are forked, so that the modules
are read once; no thread and no connection exists before the fork.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from examples import THOROUGH
from spine import FAMILIES, moment

from monitor import config, wiring
from monitor.wiring import open_app
from warehouse import db as door

STRIDE = 10 if THOROUGH else 30
"""Beside every commit, every so many statements."""


def settings_of(folder: Path) -> config.Settings:
    """The configuration of a world, with one board: how many there are makes no other commit."""
    return replace(config.load(folder / config.DEFAULT_NAME, {}), boards=(FAMILIES,))


def copy(folder: Path, name: str) -> Path:
    """A copy of the world beside it, whose configuration names the copy."""
    target = folder.with_name(name)
    shutil.copytree(folder, target)
    file = target / config.DEFAULT_NAME
    file.write_text(file.read_text("utf-8").replace(str(folder), str(target)), "utf-8")
    return target


def run(folder: Path, verb: str, number: int, before: Callable[[str], None]) -> None:
    """One verb on a day by its number; `before` is told of every statement."""
    rows = door.Database.rows

    def watched(self: door.Database, sql: str, parameters: door.Parameters | None = None) -> list[door.Row]:
        before(sql)
        return rows(self, sql, parameters)

    # A picture takes no part in what is promised, and takes longer than all the rest.
    wiring._race = lambda _: None  # type: ignore[assignment]
    with open_app(settings_of(folder), now=lambda: moment(number, 12)) as app:
        door.Database.rows = watched  # type: ignore[method-assign]
        getattr(app, verb)()


def forked(work: Callable[[], None]) -> int:
    """How a process that does this work ends: 0, its exit code, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 nothing may get out of the child
            sys.stderr.write(repr(error))
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def statements_of(folder: Path, verb: str, number: int) -> list[str]:
    """Every statement of an undisturbed run."""
    whole = copy(folder, f"{folder.name}-whole")

    def work() -> None:
        seen: list[str] = []
        run(whole, verb, number, seen.append)
        (whole / "statements.json").write_text(json.dumps(seen))

    code = forked(work)
    assert code == 0, code
    return [str(statement) for statement in json.loads((whole / "statements.json").read_text())]


def killed_before(folder: Path, verb: str, number: int, point: int) -> Path:
    """A run that was killed before its statement of this number; its folder."""
    target = copy(folder, f"{folder.name}-{point:03}")
    count = 0

    def strike(_: str) -> None:
        nonlocal count
        if count == point:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    code = forked(lambda: run(target, verb, number, strike))
    assert code == -signal.SIGKILL, (point, code)
    return target


def main(folder: Path, verb: str, number: int) -> None:
    statements = statements_of(folder, verb, number)
    commits = [index for index, statement in enumerate(statements) if statement in ("COMMIT", "CHECKPOINT published")]
    before = commits if THOROUGH else commits[:1]  # a run that died before the next has little more than after the last
    points = {*before, *(index + 1 for index in commits), *range(0, len(statements), STRIDE)}
    runs = [killed_before(folder, verb, number, point) for point in sorted(points) if point < len(statements)]
    sys.stdout.write(json.dumps({"statements": statements, "runs": [str(path) for path in runs]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
