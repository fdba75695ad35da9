"""How fast the dashboard is with a year of 20,000 models published: the first page and a standing, beside Datasette.

python -m tests.bench_web
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import polars as pl

from jobs import prune
from tests.bench import ROOT, Figure, Report, parquet_of, ratios, row
from tests.spine import head, moment, warehouse
from warehouse.db import Database
from warehouse.published.publish import publish
from warehouse.snapshots import store

IN_FLIGHT = 50
MODELS = 20_000
ID = 20260501100000000
BOARDS = (
    ("families", "family", "m.family", "family_standings"),
    ("publishers", "publisher", "m.publisher", "named_standings"),
    ("models", "model", "m.repo_id", "named_standings"),
)
QUESTION = (
    "select rank, entity, value, share, day from standings where board = 'families' "
    "and day = (select max(day) from standings where board = 'families') order by rank limit 40"
)
OURS, THEIRS = 8791, 8792
"""Ports."""

BOARD = """
INSERT INTO boards BY NAME SELECT '{board}' AS board, '{entity}' AS entity, 'downloads_30d' AS measure, 'own' AS scope,
    'Ranked by downloads.' AS definition, '' AS condition, 'f' AS fingerprint, '' AS members;
INSERT INTO {kept} BY NAME
    WITH v AS (SELECT o.day, o.snapshot_id, {name} AS entity, CAST(sum(o.downloads_30d) AS DOUBLE) AS value
               FROM observations AS o JOIN models AS m USING (hub_id) GROUP BY ALL)
    SELECT '{board}' AS board, *, rank() OVER (PARTITION BY day ORDER BY value DESC) AS rank,
        value / sum(value) OVER (PARTITION BY day) AS share FROM v ORDER BY day, rank;
"""


def year(folder: Path, days: int) -> Path:
    """The published file: 20,000 models of 500 publishers, 40 families, and three boards, for so many days."""
    look = folder / "look.parquet"
    parquet_of(look, MODELS)
    models = pl.read_parquet(look)
    with warehouse(folder / "warehouse.duckdb") as db:
        for number in range(days):
            moved = models.with_columns(pl.col("downloads_30d") * (100 + number % 50) // 100)
            with db.transaction():
                store.write_snapshot(db, head(ID + number, number - days, models=MODELS), moved)
        prune.run(db, now=moment(0))
        db.execute("UPDATE models SET own = true, relation = 'own', family = 'Family ' || (hash(publisher) % 40)")
        db.execute("INSERT INTO families SELECT DISTINCT family, 'Vendor', 'CN', ['publisher-1'], [] FROM models")
        for board, entity, name, kept in BOARDS:
            for statement in BOARD.format(board=board, entity=entity, name=name, kept=kept).split(";"):
                if statement.strip():
                    db.execute(statement)
        publish(db, folder / "adoption.duckdb")
    return folder / "adoption.duckdb"


def as_sqlite(published: Path) -> Path:
    """The same standings for Datasette, with the index that its question wants."""
    target = published.with_name("year.sqlite")
    with Database.open_published(published) as db, sqlite3.connect(target) as lite:
        lite.execute("CREATE TABLE standings (board TEXT, day TEXT, rank INTEGER, entity TEXT, value REAL, share REAL)")
        for batch in db.batches("SELECT board, CAST(day AS VARCHAR), rank, entity, value, share FROM standings"):
            lite.executemany(
                "INSERT INTO standings VALUES (?, ?, ?, ?, ?, ?)", zip(*batch.to_pydict().values(), strict=True)
            )
        lite.execute("CREATE INDEX by_day ON standings (board, day, rank)")
    return target


@contextmanager
def running(*command: str, port: int) -> Iterator[None]:
    """A server in a process of its own, once it answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(20)


async def _worker(port: int, path: str, times: list[float], left: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept-Encoding: gzip\r\n\r\n".encode()
    while left[0] > 0:
        left[0] -= 1
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head[:60]
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if lengths:
            await reader.readexactly(int(lengths[0].split(b":")[1]))
        else:
            await reader.readuntil(b"\r\n0\r\n\r\n")
        times.append(time.perf_counter() - began)
    writer.close()


def measure(port: int, path: str, requests: int) -> tuple[float, float, float]:
    """Requests a second, and the median and the 95th percentile of their milliseconds."""

    async def all_workers(count: int) -> list[float]:
        times: list[float] = []
        left = [count]
        await asyncio.gather(*(_worker(port, path, times, left) for _ in range(IN_FLIGHT)))
        return times

    asyncio.run(all_workers(IN_FLIGHT))
    began = time.perf_counter()
    times = asyncio.run(all_workers(requests))
    rate = len(times) / (time.perf_counter() - began)
    cuts = statistics.quantiles(times, n=100)
    return rate, cuts[49] * 1000, cuts[94] * 1000


def dashboard(published: Path) -> tuple[str, ...]:
    """The command that serves the published file as `leadchange run` does."""
    serve = (
        "import sys; from pathlib import Path; from monitor.web.serve import serve; serve(Path(sys.argv[1]), port=%d)"
    )
    return (sys.executable, "-c", serve % OURS, str(published))


def first_page(runs: int = 5, days: int = 365) -> Report:
    """The first page and a standing with a year of 20,000 models published, beside Datasette."""
    cold, page, rate, standing, theirs = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        published = year(Path(folder), days)
        theirs_alone = f"PYTHONPATH={ROOT / '.bench'}"  # it lies beside the environment (`make .venv/bench`)
        datasette = (
            "env",
            theirs_alone,
            sys.executable,
            "-m",
            "datasette",
            str(as_sqlite(published)),
            "-p",
            str(THEIRS),
        )
        for _ in range(runs):
            with running(*dashboard(published), port=OURS):
                began = time.perf_counter()
                measure(OURS, "/", IN_FLIGHT)
                cold.append(1000 * (time.perf_counter() - began))
                many, _, most = measure(OURS, "/", 5000)
                page.append(most)
                rate.append(many)
                standing.append(measure(OURS, "/api/boards/families/standing?top=40", 5000)[2])
            with running(*datasette, port=THEIRS):
                theirs.append(measure(THEIRS, f"/year.json?_shape=array&sql={quote(QUESTION)}", 1000)[2])
    about = f"""\
A year of {MODELS:,} models is published ({days} days, boards of 40 families, 500 publishers and all models), and
{IN_FLIGHT} requests are in flight, the client on the same two processors. A page is worked out once for each state of
the published file and kept, plain and packed; the first request after a change is the one that waits. Datasette answers
the same question, who stands where on the families' board now, from the same rows in SQLite with an index for it; it
asks SQLite each time."""
    return Report(
        "First page",
        about,
        [
            Figure("first page, 95th percentile", page, "ms", 100),
            Figure("first page, requests a second", rate, ""),
            Figure("first page, the first hundred requests after a change, all together", cold, "ms"),
            Figure("a standing as JSON, 95th percentile", standing, "ms"),
            Figure("the same from Datasette, 95th percentile", theirs, "ms"),
            Figure("Datasette, against a standing as JSON", ratios(theirs, standing), "x"),
        ],
    )


BENCHMARKS = {"first_page": first_page}
"""For tests.bench to take in."""


def main() -> None:
    for report in (measure_() for measure_ in BENCHMARKS.values()):
        sys.stdout.write("\n".join([report.name, *(row(figure) for figure in report.figures), ""]))


if __name__ == "__main__":
    main()
