"""A year of the daemon with the clock driven: 365 daily looks at a Hub of 20,000 models, by its real processes.

    here: a generated Hub, day after day --> the daemon's process, at a time it is told --> a process for each job

python -m tests.bench_daemon [DAYS]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl

from monitor import config
from monitor.demo.generator import GeneratedHub, Population
from monitor.demo.hub import LocalHub
from tests.bench import ROOT, Figure, Report, row
from warehouse.db import Database
from warehouse.records import HubModel

MODELS, PUBLISHERS, DAYS, MONTH = 20_000, 40, 365, 30

CONFIGURATION = """
[hub]
endpoint = "{endpoint}"
quota_share = 1.0
[warehouse]
path = "{folder}/warehouse.duckdb"
publish = "{folder}/adoption.duckdb"
[web]
port = 0
[registry]
bundled = false
[[rule]]
name = "who-leads"
board = "families"
channels = ["outbox"]
[[rule]]
name = "everybody"
board = "publishers"
when = "overtake"
top = 10
channels = ["outbox"]
[[digest]]
name = "weekly"
channels = ["outbox"]
[[channel]]
name = "outbox"
type = "folder"
path = "{folder}/outbox"
"""

FAMILY = """
[[family]]
name = "Family {number}"
country = "{country}"
publishers = ["lab-{number}"]
"""


def configured(folder: Path, endpoint: str) -> Path:
    """The configuration of 40 families."""
    file = folder / config.DEFAULT_NAME
    families = [FAMILY.format(number=n, country=("US", "CN", "FR", "KR", "AE")[n % 5]) for n in range(PUBLISHERS)]
    file.write_text(CONFIGURATION.format(endpoint=endpoint, folder=folder) + "".join(families), "utf-8")
    return file


def listed(frame: pl.DataFrame) -> list[HubModel]:
    """A generated day as models of 40 publishers."""
    number = pl.col("repo_id").str.extract(r"model-(\d+)").cast(pl.Int64) % PUBLISHERS
    publisher = pl.format("lab-{}", number)
    named = frame.with_columns(
        publisher=publisher, repo_id=publisher + "/" + pl.col("repo_id").str.split("/").list.last()
    )
    return [HubModel(**model) for model in named.iter_rows(named=True)]


@contextmanager
def driven(file: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.driven_daemon", str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def simulated(folder: Path, days: int) -> Iterator[dict[str, Any]]:
    """The daemon's state after each day."""
    generated = GeneratedHub(Population(models=MODELS, days=days))
    with LocalHub({f"lab-{n}": [] for n in range(PUBLISHERS)}) as hub:
        file = configured(folder, hub.endpoint)
        with driven(file) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for day, frame in generated.days():
                hub.show(listed(frame))
                process.stdin.write(datetime.combine(day, time(10, 31), UTC).isoformat() + "\n")
                process.stdin.flush()
                state = json.loads(process.stdout.readline())
                assert state["ok"], state
                yield state


def by_month(days: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The state at the end of each month of 30 days, with the processor seconds of a day in it."""
    found = []
    for end in range(MONTH - 1, len(days), MONTH):
        before = days[end - MONTH]["seconds"] if end >= MONTH else 0.0
        found.append(days[end] | {"a_day": (days[end]["seconds"] - before) / MONTH, "month": end // MONTH + 1})
    return found


def table(months: list[dict[str, Any]]) -> str:
    """The months as Markdown."""
    head = ["| after days | daemon, MB | a job at most, MB | CPU s a day | warehouse, MB | published, MB |"]
    rows = [
        f"| {month['month'] * MONTH} | {month['daemon']:.0f} | {month['job']:.0f} | {month['a_day']:.1f} "
        f"| {month['warehouse'] / 2**20:.0f} | {month['published'] / 2**20:.0f} |"
        for month in months
    ]
    return "\n".join([*head, "|---:|---:|---:|---:|---:|---:|", *rows])


def a_year(days: int = DAYS) -> Report:
    """A year of daily looks."""
    with tempfile.TemporaryDirectory() as folder:
        found = list(simulated(Path(folder), days))
        return reported(found, *_rows(Path(folder) / "adoption.duckdb"))


def reported(found: list[dict[str, Any]], observations: int, standings: int) -> Report:
    """What the states after each day say."""
    months = by_month(found)
    rest = {name for day in found for name in day["other"]}
    grown = [(later["published"] - sooner["published"]) / MONTH for sooner, later in pairwise(months[1:])]

    def against(what: str) -> list[float]:
        return [months[-1][what] / months[1][what]]

    about = f"""\
The daemon as a process with its dashboard, which is visited once a day, its clock driven through {len(found)} days.
Each day it collects {MODELS:,} models of {PUBLISHERS} publishers from a generated Hub over HTTP, judges, tells, packs
and publishes, each job in a process of its own. In the end there are {observations:,} observations and {standings:,}
standings, and {found[-1]["published"] / observations:.1f} bytes of published file for an observation. Beside the two
files its folder holds {", ".join(sorted(rest)) or "nothing"}.

{table(months)}"""
    return Report(
        "A year of the daemon",
        about,
        [
            Figure("the daemon's memory, every month", [month["daemon"] for month in months], "MB", 200),
            Figure("its memory in the end, against the second month", against("daemon"), "x"),
            Figure("a job's memory in the end, against the second month", against("job"), "x"),
            Figure("published kilobytes a day, every month", [growth / 1024 for growth in grown], "kB"),
            Figure("the last month's growth, against the median", [grown[-1] / median(grown)], "x", 1.5),
        ],
    )


def _rows(published: Path) -> tuple[int, int]:
    with Database.open_published(published) as db:
        return int(db.value("SELECT count(*) FROM observations")), int(db.value("SELECT count(*) FROM standings"))


BENCHMARKS = {"a_year": a_year}
"""For tests.bench to take in."""


def main() -> None:
    report = a_year(int(sys.argv[1]) if len(sys.argv) > 1 else DAYS)
    sys.stdout.write("\n".join([report.about, *(row(figure) for figure in report.figures), ""]))


if __name__ == "__main__":
    main()
