"""The whole Hub on one machine: what a model costs on a day, what a day costs, and what questions cost.

A generated Hub (`monitor.demo.generator`, sizes of the whole Hub) is kept day by day, as a census keeps it: verdict,
writing, lineage, standings, publication; every night what is over is packed.

    python -m tests.bench whole_hub              200,000 models over 60 days, in less than ten minutes
    python -m tests.bench_scale 3100000 12       any other size; the whole Hub needs about 1 GB of disk for four days
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from jobs import prune, rank
from monitor import ALLOCATOR
from monitor.config import BOARDS
from monitor.demo.generator import WHOLE_HUB, GeneratedHub, Population
from tests.bench import ROOT, Figure, Report, peak_megabytes, row
from tests.spine import head, warehouse
from warehouse import history, staging, standings, store, verdict
from warehouse.boards import Board
from warehouse.db import Database
from warehouse.publish import publish
from warehouse.registry import Family, Registry
from warehouse.store import MODEL_SCHEMA

MODELS, DAYS, EVERY = 200_000, 60, 10
"""`EVERY`: days from one that is looked at to the next."""
SIZES = (25_000, 50_000, 100_000)
"""Other sizes, over `EVERY` days each, for the chart."""
BATCH = 100_000
CHART = "benchmarks-whole-hub.svg"

REGISTRY = Registry(Family(name=f"Family {n}", country="US", publishers=(f"lab-{n}",)) for n in range(35))
"""The most prolific publishers as families."""

RANKED: tuple[Board, ...] = (*BOARDS, Board(name="lineage", entity="family", scope="lineage"))
"""The default boards, and the families with all that descends from them."""


def generated(models: int, days: int) -> Iterator[tuple[date, pl.DataFrame]]:
    """Each day and what a census of it shows: three models of five descend from one of a family."""
    number = pl.col("repo_id").str.extract(r"model-(\d+)").cast(pl.Int64)
    parent = pl.struct(relation=pl.lit("finetune"), repo_id=pl.format("lab-{}/base", number * 7919 % 50))
    described = {
        "parameters": number % 70 * 1_000_000_000,
        "pipeline_tag": pl.when(number % 3 == 0).then(pl.lit("text-generation")).otherwise(pl.lit("text-to-image")),
        "library": pl.lit("transformers"),
        "license": pl.lit("apache-2.0"),
        "gated": pl.lit("no"),
        "disabled": pl.lit(value=False),
        "parents": pl.when(number % 5 < 3).then(pl.concat_list(parent)),
    }
    for day, seen in GeneratedHub(Population(models=models, days=days, sizes=WHOLE_HUB)).days():
        yield day, seen.with_columns(**described).select(pl.col(name).cast(kind) for name, kind in MODEL_SCHEMA.items())


def generate(folder: str, models: str, days: str) -> dict[str, Any]:
    """Write every day as a census has it when it has been read: a Parquet file each."""
    for day, seen in generated(int(models), int(days)):
        staging.write(seen.iter_slices(BATCH), Path(folder) / f"day-{day}.parquet")
    return {}


@dataclass
class Watch:
    """What each step of a day took: seconds by the clock, and of the processors."""

    seconds: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)

    def __call__(self, step: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401  (whatever the work gives)
        began, busy = time.perf_counter(), time.process_time()
        found = work()
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - began
        self.processor[step] = self.processor.get(step, 0.0) + time.process_time() - busy
        return found


def day_of(db: Database, day: date, models: str, count: int, published: Path | None) -> Watch:
    """A census as the daemon keeps it; judged, ranked and published where `published` is given."""
    watch, now = Watch(), datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    with db.transaction():
        judged = None
        if published:
            before = watch("verdict", lambda: history.before(db, "census", models, taken_at=now, day=day))
            judged = verdict.of_table(count, before)
        number = store.next_snapshot_id(db, now)
        snapshot = head(number, models=count, day=day, taken_at=now, source="census")
        measured = judged.measured if judged else None
        watch("writing", lambda: store.write_snapshot(db, snapshot, models, measured=measured))
        if published:
            watch("lineage", lambda: store.attribute(db, REGISTRY))
            watch("standings", lambda: rank.run(db, RANKED, REGISTRY))
    if published:
        watch("publication", lambda: publish(db, published))
    return watch


def keep(folder: str, every: str) -> dict[str, Any]:
    """Keep day by day into FOLDER/w.duckdb; what days and nights cost, of the days looked at and before them."""
    root = Path(folder)
    published = root / "adoption.duckdb"
    days: dict[int, dict[str, Any]] = {}
    nights, rows, files = list[float](), 0, sorted(root.glob("day-*.parquet"))
    with warehouse(root / "w.duckdb") as db:
        for number, file in enumerate(files, start=1):
            models, count = staging.whole(db, file)
            day, rows = date.fromisoformat(file.stem[4:]), rows + count
            # The day before catches up with the standings of those that were passed over.
            looked_at = number % int(every) in (0, int(every) - 1) or number >= len(files) - 1
            watch = day_of(db, day, models, count, published if looked_at else None)
            if looked_at and (number % int(every) == 0 or number == len(files)):
                days[number] = {"seconds": watch.seconds, "processor": watch.processor, "peak": peak_megabytes()}
                sys.stderr.write(f"{number} {days[number]}\n")
            began = time.perf_counter()
            prune.run(db, now=datetime(day.year, day.month, day.day, 3, tzinfo=UTC) + timedelta(days=1))
            nights.append(time.perf_counter() - began)
        publish(db, published)
    return {"days": days, "nights": nights, "rows": rows, "megabytes": peak_megabytes()}


def counted_bytes(folder: str) -> dict[str, Any]:
    """What the counts alone take: runs, plain rows and names, in a file of their own."""
    target = Path(folder) / "counts.duckdb"
    target.unlink(missing_ok=True)
    with Database.open(target) as db:
        db.execute(f"ATTACH '{folder}/w.duckdb' AS w (READ_ONLY)")
        for table in ("recent_observations", "run_days", "observation_runs", "model_names"):
            db.execute(f"CREATE TABLE {table} AS FROM w.{table}")
        db.checkpoint()
    return {"bytes": target.stat().st_size}


def questions(folder: str) -> dict[str, Any]:
    """What is asked of the warehouse and of the published file, in seconds, each the best of three."""
    found: dict[str, Any] = {}
    root = Path(folder)
    with Database.open(root / "w.duckdb") as db:
        for board in RANKED:
            if board.name in ("families", "lineage"):
                found[board.name] = best(partial(from_scratch, db, board))
        db.execute("UPDATE boards SET definition = definition || '.'")
        found["publish"] = best(lambda: publish(db, root / "adoption.duckdb"))
    with Database.open_published(root / "adoption.duckdb") as db:
        hub_id = db.value("SELECT hub_id FROM models ORDER BY hash(hub_id) LIMIT 1")
        year = (
            "SELECT day, downloads_30d, downloads_all_time, likes FROM observations WHERE hub_id = $hub_id ORDER BY day"
        )
        found["year"] = best(lambda: db.rows(year, {"hub_id": hub_id}))
        shown = "SELECT day, entity, rank, value FROM standings WHERE board = 'families' ORDER BY day, rank"
        found["board"] = best(lambda: db.rows(shown))
    return found | {"megabytes": peak_megabytes()}


def from_scratch(db: Database, board: Board) -> None:
    """Every day's standing anew."""
    with db.transaction():
        standings.refresh(db, board, f"anew {time.perf_counter()}")


def best(work: Callable[[], Any], times: int = 3) -> float:
    """The least seconds of some tries."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def last_days(folder: str) -> list[Path]:
    return sorted(Path(folder).glob("day-*.parquet"))[-30:]


def duckdb_alone(folder: str) -> dict[str, Any]:
    """The floor: DuckDB reads a day's counts from Parquet and adds them up."""
    sums = "SELECT sum(downloads_30d), sum(downloads_all_time), sum(likes), count(DISTINCT hub_id) FROM '{}'"
    with Database.in_memory() as db:
        return {"seconds": best(lambda: db.rows(sums.format(last_days(folder)[-1])))}


def appended_csv(folder: str) -> dict[str, Any]:
    """The usual tracker: one more day at the end of a CSV file, row by row."""
    day, target = last_days(folder)[-1], Path(folder) / "tracker.csv"
    rows = pl.read_parquet(day).select("hub_id", "downloads_30d", "downloads_all_time", "likes")
    began = time.perf_counter()
    with target.open("a", newline="") as file:
        writer = csv.writer(file)
        for one in rows.iter_rows():
            writer.writerow([day.stem, *one])
    return {"seconds": time.perf_counter() - began, "bytes": target.stat().st_size, "rows": rows.height}


def rebuilt_with_polars(folder: str) -> dict[str, Any]:
    """The nearest public tracker: family totals for every day, from daily Parquet files."""
    files = []
    for day in last_days(folder):
        counts = pl.scan_parquet(day).select("hub_id", "repo_id", "downloads_30d", "downloads_all_time", "likes")
        files.append(day.with_name(day.name.replace("day-", "counts-")))
        counts.sink_parquet(files[-1], compression="zstd")
    family = pl.col("repo_id").str.extract(r"^lab-(\d+)/").cast(pl.Int64)

    def rebuild() -> None:
        every = pl.scan_parquet(files, include_file_paths="day").with_columns(family=family).filter(family < 35)
        every.group_by("day", "family").agg(pl.col("downloads_30d").sum()).sort("day").collect()

    return {"seconds": best(rebuild), "days": len(files), "bytes": sum(file.stat().st_size for file in files)}


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    task.__name__: task
    for task in (generate, keep, counted_bytes, questions, duckdb_alone, appended_csv, rebuilt_with_polars)
}
"""What runs in a process of its own."""


def elsewhere(task: str, *arguments: object) -> dict[str, Any]:
    """What a task measures, in a process of its own; what it says on the way goes to stderr."""
    command = [sys.executable, "-m", "tests.bench_scale", "--task", task, *(str(argument) for argument in arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=os.environ | ALLOCATOR)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


_ABOUT = """\
A generated Hub of {models:,} models over {days} days (`monitor.demo.generator`, sizes of the whole Hub; three models of
five descend from one of 35 families), kept day by day in one warehouse as a census keeps it: {rows:,} counts. A day is
verdict, writing, lineage, the standings of {boards} boards and their flips, and the published file; at night what is
over is packed. Beside it: DuckDB alone adding up a day's counts in a Parquet file (the floor), a loop that appends a
day to a CSV file row by row, and polars adding up the families of {files} days from daily Parquet files. For the whole
Hub: `python -m tests.bench_scale 3100000 12`."""


def whole_hub(models: int = MODELS, days: int = DAYS, sizes: Sequence[int] = SIZES) -> Report:
    """Everything about the whole Hub, at this size."""
    with tempfile.TemporaryDirectory() as folder:
        elsewhere("generate", folder, models, days)
        kept = elsewhere("keep", folder, EVERY)
        counted, asked, alone, tracker, polars = (
            elsewhere(task, folder)
            for task in ("counted_bytes", "questions", "duckdb_alone", "appended_csv", "rebuilt_with_polars")
        )
    others = {size: _last_day(size) for size in sizes}
    costs = {int(number): sum(day["seconds"].values()) for number, day in kept["days"].items()}
    first, last = min(costs), max(costs)
    steps = kept["days"][str(last)]["seconds"]
    per_day = polars["seconds"] / polars["days"]
    figures = [
        Figure(
            "bytes for one model on one day, all counters and names", [counted["bytes"] / kept["rows"]], "bytes", 1.5
        ),
        Figure("... appended to CSV", [tracker["bytes"] / tracker["rows"]], "bytes"),
        Figure("... in daily Parquet with zstd", [polars["bytes"] / (tracker["rows"] * polars["days"])], "bytes"),
        Figure(f"day {last}, from verdict to publication", [1000 * costs[last]], "ms", 60_000),
        *(Figure(f"... {step}", [1000 * seconds], "ms") for step, seconds in steps.items()),
        Figure(f"day {last}, against day {first}", [costs[last] / costs[first]], "x"),
        Figure("a day, against DuckDB alone adding up its counts", [costs[last] / alone["seconds"]], "x"),
        Figure("appending a day to CSV, against writing it", [tracker["seconds"] / steps["writing"]], "x"),
        Figure("packing at night, median", [1000 * sorted(kept["nights"])[days // 2]], "ms"),
        Figure("packing at night, at most", [1000 * max(kept["nights"])], "ms"),
        Figure("peak memory of keeping, nights included", [kept["megabytes"]], "MB", 2_000),
        Figure("family standings of every day from scratch", [1000 * asked["families"]], "ms", 10_000),
        Figure("... with all that descends from the families", [1000 * asked["lineage"]], "ms"),
        Figure("polars from daily Parquet, against that, a day", [per_day / (asked["families"] / days)], "x"),
        Figure("a family board by day, from what is stored", [1000 * asked["board"]], "ms", 200),
        Figure("one model on every day", [1000 * asked["year"]], "ms", 50),
        Figure("the published file replaced", [1000 * asked["publish"]], "ms", 5_000),
    ]
    about = _ABOUT.format(models=models, days=days, rows=kept["rows"], boards=len(RANKED), files=polars["days"])
    return Report("The whole Hub", about, figures, {CHART: chart(costs, others | {models: costs[last]})})


def _last_day(models: int) -> float:
    """Seconds that the last of `EVERY` days costs with so many models."""
    with tempfile.TemporaryDirectory() as folder:
        elsewhere("generate", folder, models, EVERY)
        day = elsewhere("keep", folder, EVERY)["days"][str(EVERY)]
        return float(sum(day["seconds"].values()))


def chart(by_day: dict[int, float], by_models: dict[int, float]) -> str:
    """What a day costs against the days before it, and against how many models there are, as SVG."""
    import altair as alt
    import vl_convert

    def drawn(costs: dict[int, float], axis: str) -> alt.Chart:
        rows = [{axis: at, "seconds": seconds} for at, seconds in sorted(costs.items())]
        y = alt.Y("seconds:Q", title="seconds for one day", scale=alt.Scale(zero=True))
        lines = alt.Chart(alt.Data(values=rows), width=300, height=200).mark_line(point=True)
        return lines.encode(x=alt.X(f"{axis}:Q", title=axis), y=y)

    both = alt.hconcat(drawn(by_day, "days kept before it"), drawn(by_models, "models"))
    return vl_convert.vegalite_to_svg(both.to_dict())


def main() -> None:
    """Measure at another size and print the figures."""
    if sys.argv[1:2] == ["--task"]:
        sys.stdout.write(json.dumps(TASKS[sys.argv[2]](*sys.argv[3:])) + "\n")
        return
    report = whole_hub(int(sys.argv[1]), int(sys.argv[2]), ())
    sys.stdout.write("\n".join([report.about, "", *(row(figure) for figure in report.figures), ""]))


BENCHMARKS: dict[str, Callable[[], Report]] = {"whole_hub": whole_hub}

if __name__ == "__main__":
    main()
