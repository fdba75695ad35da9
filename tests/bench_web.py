"""How fast the dashboard is with a year of 20,000 models published: `python -m tests.bench_web [--days N]`.

The first page and a standing, 50 requests in flight; beside Datasette with the same rows where it is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from warehouse.db import Database
from warehouse.migrate import migrate
from warehouse.publish import publish

IN_FLIGHT = 50
QUESTION = (
    "select day, entity, value, share from standings where board = 'families' and rank = 1 order by day desc limit 100"
)

FILL = """
INSERT INTO snapshots BY NAME SELECT CAST(strftime(d, '%Y%m%d') || '100000000' AS BIGINT) AS snapshot_id,
    'hub' AS source, d + INTERVAL 10 HOUR AS taken_at, CAST(d AS DATE) AS day, 'complete' AS verdict,
    '20,000 models' AS verdict_reason,
    20000 AS models, 700 AS requests, 60.0 AS seconds
    FROM range(TIMESTAMP '2025-10-01', TIMESTAMP '2025-10-01' + to_days({days}), INTERVAL 1 DAY) AS t(d);
INSERT INTO models BY NAME SELECT 'h' || i AS hub_id, 'pub' || (i % 76) || '/model-' || i AS repo_id,
    'pub' || (i % 76) AS publisher, 'Family ' || (i % 40) AS family, 'own' AS relation, DATE '2025-10-01' AS first_seen,
    DATE '2025-10-01' AS last_seen, true AS own FROM range(20000) AS t(i);
INSERT INTO families SELECT DISTINCT family, 'Vendor', 'CN', ['pub1'] FROM models;
INSERT INTO observations BY NAME SELECT s.snapshot_id, s.day, m.hub_id, m.repo_id,
    CAST(1e7 / (1 + m.rowid) * (1 + 0.5 * sin(m.rowid + s.rowid / 40.0)) AS BIGINT) AS downloads_30d
    FROM snapshots AS s, models AS m ORDER BY s.snapshot_id;
"""

BOARD = """
INSERT INTO boards BY NAME SELECT '{board}' AS board, '{entity}' AS entity, 'downloads_30d' AS measure, 'own' AS scope,
    'Ranked by downloads.' AS definition, '' AS condition, 'f' AS fingerprint, '' AS members;
INSERT INTO standings BY NAME
    WITH v AS (SELECT o.day, o.snapshot_id, {name} AS entity, CAST(sum(o.downloads_30d) AS DOUBLE) AS value
               FROM observations AS o JOIN models AS m USING (hub_id) GROUP BY ALL)
    SELECT '{board}' AS board, *, rank() OVER (PARTITION BY day ORDER BY value DESC) AS rank,
        value / sum(value) OVER (PARTITION BY day) AS share FROM v ORDER BY day, rank;
"""


def year(folder: Path, days: int) -> Path:
    """The published file."""
    db = Database.open(folder / "warehouse.duckdb")
    migrate(db, now=datetime(2025, 10, 1, tzinfo=UTC))
    boards = (
        ("families", "family", "m.family"),
        ("publishers", "publisher", "m.publisher"),
        ("models", "model", "m.repo_id"),
    )
    scripts = [FILL.replace("{days}", str(days))]
    scripts += [
        BOARD.replace("{board}", board).replace("{entity}", entity).replace("{name}", name)
        for board, entity, name in boards
    ]
    for statement in ";".join(scripts).split(";"):
        if statement.strip():
            db.execute(statement)
    publish(db, folder / "adoption.duckdb")
    db.close()
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
        lite.execute("CREATE INDEX by_rank ON standings (board, rank, day)")
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


def measured(days: int = 365) -> dict[str, tuple[float, float, float]]:
    """What was asked for -> what `measure` says of it."""
    serve = (
        "import sys; from pathlib import Path; from monitor.web.serve import serve; serve(Path(sys.argv[1]), port=8791)"
    )
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        published = year(Path(folder), days)
        with running(sys.executable, "-c", serve, str(published), port=8791):
            found["first page"] = measure(8791, "/", 5000)
            found["a standing as JSON"] = measure(8791, "/api/boards/families/standing?top=100", 5000)
        if datasette := shutil.which("datasette"):
            path = f"/year.json?_shape=array&sql={quote(QUESTION)}"
            with running(datasette, str(as_sqlite(published)), "-p", "8792", port=8792):
                found["a question as JSON, from Datasette"] = measure(8792, path, 1000)
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=365)
    rows = [
        f"| {what} | {rate:,.0f} | {half:.0f} | {most:.0f} |"
        for what, (rate, half, most) in measured(parser.parse_args().days).items()
    ]
    head = ["| served | requests/s | p50 ms | p95 ms |", "|---|---:|---:|---:|"]
    sys.stdout.write("\n".join([*head, *rows, ""]))


if __name__ == "__main__":
    main()
