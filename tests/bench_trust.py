"""What trust costs: a verdict, lineage and standings for one day of every model on the Hub, and the reason of a flip.

python -m tests.bench_trust
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench import Figure, Report, elsewhere, peak_megabytes, row

if TYPE_CHECKING:
    import polars as pl

    from warehouse.db import Database
    from warehouse.ranking.boards import Board
    from warehouse.records import Snapshot
    from warehouse.registry import Registry

HUB = 3_000_000
"""Models of the whole Hub."""
PUBLISHERS, FAMILIES = 30_000, 80
"""Whose they are: half of them of the first fifth; each of the first is a family."""
POLLED, POLLED_PUBLISHERS = 20_000, 300
"""Models of what is polled, and whose they are."""
STEPS = ("verdict", "lineage", "standings")

_MACROS = """
CREATE OR REPLACE MACRO drawn(i, n) AS (hash(i * 31 + n) % 1000000) / 1e6;
CREATE OR REPLACE MACRO name_of(i) AS
    'publisher-' || (least(drawn(i, 1), drawn(i, 2), drawn(i, 3)) * {publishers})::INTEGER || '/model-' || i;
CREATE OR REPLACE MACRO parent_of(i, n) AS CASE
    WHEN drawn(i, 10 + n) < 0.07 THEN 'unlisted/' || i % 20000
    ELSE name_of((i * pow(drawn(i, 20 + n), 3))::BIGINT) END;
"""

_MODELS = """
SELECT printf('66%06x%016x', i, i) AS hub_id, name_of(i) AS repo_id, split_part(name_of(i), '/', 1) AS publisher,
    (size * (30 + drawn(i, {day})) / 30)::BIGINT AS downloads_30d,
    (size * (8 + {day} / 30))::BIGINT + {day} AS downloads_all_time, (size / 1000)::BIGINT AS likes,
    TIMESTAMPTZ '2024-01-01 00:00:00+00' + INTERVAL (i * 800 // {models}) DAY AS created_at,
    7000000000::BIGINT AS parameters, 'text-generation' AS pipeline_tag, 'transformers' AS library,
    'apache-2.0' AS license, 'no' AS gated, false AS disabled,
    CASE WHEN drawn(i, 4) < 0.71 THEN list_transform(range(1 + (drawn(i, 5) < 0.015)::INTEGER), lambda n: {{
        'relation': ['finetune', 'adapter', 'quantized'][1 + (i % 3)], 'repo_id': parent_of(i, n)}})
    END AS parents
FROM (
    SELECT i, 8 * exp(2.4 * sqrt(-2 * ln(drawn(i, 6) + 1e-7)) * cos(6.2832 * drawn(i, 7)))
        * CASE WHEN {day} > 0 AND starts_with(name_of(i), 'publisher-1/') THEN 1.5 ELSE 1 END AS size
    FROM range({models}) AS t (i))
"""


def look(day: int, models: int, publishers: int) -> pl.DataFrame:
    """So many models on a day, as `store.write_snapshot` takes them.

    71 % declare a parent, 1.5 % of those two; 7 % of the parents are unlisted. On the second day publisher-1 has half
    as much again and passes others.
    """
    from warehouse.db import Database
    from warehouse.snapshots.store import MODEL_SCHEMA

    with Database.in_memory() as db:
        db.execute(_MACROS.format(publishers=publishers))
        return db.frame(_MODELS.format(models=models, day=day)).cast(MODEL_SCHEMA)


def _registry() -> Registry:
    from warehouse.registry import Family, Registry

    names = [f"publisher-{number}" for number in range(FAMILIES)]
    return Registry(Family(name=name, country="US" if len(name) % 2 else "CN", publishers=(name,)) for name in names)


def _boards() -> list[Board]:
    """Those that are configured when nobody says otherwise."""
    from monitor.config import load

    return list(load(None, {}).boards)


def _head(day: int, models: int) -> Snapshot:
    from tests.spine import head

    return head(20260501_100000_000 + day, day, models=models)


@contextmanager
def _timed(times: dict[str, float], what: str) -> Iterator[None]:
    """Note the seconds that the block takes, of the clock and of the processors."""
    began, busy = time.perf_counter(), time.process_time()
    yield
    times[what], times[f"{what} cpu"] = time.perf_counter() - began, time.process_time() - busy


# Tasks, each in a process of its own


def yesterday(folder: str) -> None:
    """A warehouse that knows the whole Hub as it was a day ago, and the day that is to be judged beside it."""
    from jobs import rank
    from tests.spine import warehouse
    from warehouse.snapshots import store

    look(1, HUB, PUBLISHERS).write_parquet(Path(folder) / "today.parquet")
    models = look(0, HUB, PUBLISHERS)
    with warehouse(Path(folder) / "yesterday.duckdb") as db, db.transaction():
        store.write_snapshot(db, _head(0, HUB), models)
        store.attribute(db, _registry())
        rank.run(db, _boards(), _registry())


def judge_today(folder: str) -> dict[str, float]:
    """Verdict, lineage and standings of the day, as collect goes through them; seconds of each, and the peak."""
    from jobs import rank
    from tests.spine import warehouse
    from warehouse.snapshots import history, store, verdict

    file = Path(folder) / "today.duckdb"
    shutil.copy(Path(folder) / "yesterday.duckdb", file)
    times: dict[str, float] = {}
    models, head = f"FROM '{folder}/today.parquet'", _head(1, HUB)
    with warehouse(file) as db, db.transaction():
        with _timed(times, "verdict"):
            before = history.before(db, "hub", models, taken_at=head.taken_at, day=head.day)
            judged = verdict.of_table(HUB, before)
        assert judged.verdict == "complete", judged
        store.write_snapshot(db, head, models)
        db.execute("DELETE FROM attribution")  # nothing is new: all of it is read as on the dearest day
        with _timed(times, "lineage"):
            store.attribute(db, _registry())
        with _timed(times, "standings"):
            rank.run(db, _boards(), _registry())
    return times | {"megabytes": peak_megabytes()}


def year(folder: str, days: str) -> None:
    """So many days of what is polled, published: every publisher rises and falls at a time of its own."""
    import polars as pl

    from jobs import prune, rank
    from tests.spine import moment, warehouse
    from warehouse.published import publish
    from warehouse.snapshots import store

    models, number = look(0, POLLED, POLLED_PUBLISHERS), pl.col("publisher").hash() % 97
    with warehouse(Path(folder) / "year.duckdb") as db:
        for day in range(int(days)):
            moved = pl.col("downloads_30d") * (1 + 0.3 * (number + day / 20).sin())
            with db.transaction():
                store.write_snapshot(db, _head(day, POLLED), models.with_columns(moved.cast(pl.Int64)))
        with db.transaction():
            store.attribute(db, _registry())
            rank.run(db, _boards(), _registry())
        prune.run(db, now=moment(int(days)))
        publish.publish(db, Path(folder) / "adoption.duckdb")


def explain_flips(file: str) -> dict[str, float]:
    """The longest that it takes to explain one of ten flips, from boards of all kinds."""
    from warehouse.db import Database

    with Database.open_published(Path(file)) as db:
        found = [row[0] for row in db.rows(_LAST_FLIPS)]
        assert found, "there is no flip to explain"
        return {"seconds": max(_seconds_to_explain(db, flip) for flip in found), "flips": len(found)}


_LAST_FLIPS = """
SELECT flip_id FROM flips QUALIFY row_number() OVER (PARTITION BY board ORDER BY day DESC, flip_id) <= 4 LIMIT 10
"""


def _seconds_to_explain(db: Database, flip: str) -> float:
    from warehouse.changes import explain

    began = time.perf_counter()
    assert explain.of_flip(db, flip).parts
    return time.perf_counter() - began


# Reports


def trust(runs: int = 3) -> Report:
    """A day of the whole Hub, from the verdict to the standings, and why its flips happened."""
    with tempfile.TemporaryDirectory() as folder:
        elsewhere("yesterday", folder)
        days, reasons = [], []
        for _ in range(runs):
            days.append(elsewhere("judge_today", folder))
            reasons.append(elsewhere("explain_flips", Path(folder) / "today.duckdb")["seconds"])
    about = f"""\
{HUB:,} generated models of {PUBLISHERS:,} publishers, {FAMILIES} of them families, 71 % of them with declared parents,
stand in the warehouse as they were a day ago. The day after, a Parquet file, is held against them, written, traced to
its roots, and ranked on the four boards that everybody has (families, publishers, countries, models), in one process.
The sum is of verdict, lineage and standings; memory is the peak of the whole process, the writing included. The lineage
of all models is read, which on most days need not be."""
    return Report(
        "A whole Hub's day",
        about,
        [
            Figure("verdict, lineage and standings", [sum(day[step] for step in STEPS) for day in days], "s", 20),
            *(Figure(step, [day[step] for day in days], "s") for step in STEPS),
            Figure("processor time of the three", [sum(day[f"{step} cpu"] for step in STEPS) for day in days], "s"),
            Figure("peak memory", [day["megabytes"] for day in days], "MB", 3000),
            Figure("explain, the slowest flip", [1000 * seconds for seconds in reasons], "ms", 1000),
        ],
    )


def reasons(runs: int = 3, days: int = 365) -> Report:
    """Why a flip happened, with a year of what is polled published."""
    with tempfile.TemporaryDirectory() as folder:
        elsewhere("year", folder, days)
        published = Path(folder) / "adoption.duckdb"
        slowest = [1000 * elsewhere("explain_flips", published)["seconds"] for _ in range(runs)]
    return Report(
        "The reason of a flip",
        f"`explain` of the last flips on boards of all kinds, with {days} days of {POLLED:,} models published.",
        [Figure("explain, the slowest flip", slowest, "ms", 1000)],
    )


BENCHMARKS = {"trust": trust, "reasons": reasons}
"""For tests.bench to take in."""

TASKS: dict[str, Callable[..., Any]] = {
    "yesterday": yesterday,
    "judge_today": judge_today,
    "year": year,
    "explain_flips": explain_flips,
}
"""What runs in a process of its own."""


def main() -> None:
    for report in (measure() for measure in BENCHMARKS.values()):
        sys.stdout.write("\n".join([report.name, *(row(figure) for figure in report.figures), ""]))


if __name__ == "__main__":
    main()
