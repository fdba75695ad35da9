"""The whole Hub on one machine: what a day costs, what a model costs on a day, and what questions cost.

Generated Hubs (`monitor.demo.generator`, sizes of the whole Hub) are kept day by day. One as a census keeps it:
verdict, writing, lineage, standings, publication; a smaller one for a year, of which only the counts are kept before it
is ranked and published as a whole. Every night what is over is packed.

    python -m tests.bench whole_hub              200,000 models over a year, and 60,000: half an hour, 4 GB on the disk
    python -m tests.bench steady                 60,000 models over a year, as many new as gone: ten minutes
    python -m tests.bench full_size              3,100,000 models over a year: three hours, 12 GB on the disk
    python -m tests.bench_scale 3100000 5        any other size, without the year; four days of the whole Hub take 1 GB
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from jobs import prune, rank
from monitor import ALLOCATOR
from monitor.config import BOARDS
from monitor.demo.generator import WHOLE_HUB, GeneratedHub, Population
from tests.bench import ROOT, Figure, Report, forget_peak, peak_megabytes, ratios, row
from tests.spine import head, warehouse
from warehouse.db import Database
from warehouse.published.publish import publish, publish_both
from warehouse.ranking import standings
from warehouse.ranking.boards import Board
from warehouse.records import Snapshot
from warehouse.registry import Family, Registry
from warehouse.snapshots import history, staging, store, verdict
from warehouse.snapshots.store import MODEL_SCHEMA

MODELS, DAYS = 200_000, 365
FULL_SIZE, FULL_SIZE_DAYS = 3_100_000, 365
"""The whole Hub as it was in October 2026."""
AHEAD = 20
"""Days that are generated at once, before the first of them is kept: nothing else runs while a day is."""
YEAR_MODELS, YEAR = 60_000, 365
SIZES, SIZES_DAYS = (25_000, 50_000, 100_000), 5
"""Other sizes, over fewer days, for the chart."""
SETTLED = 10
"""The day from which on a day is to cost the same."""
SPAN = 20
"""Days that are held against as many earlier ones where they cost little."""
BEFORE = 4
"""Days that a new warehouse has seen before it is held against an old one."""
EDITED = 0.01
"""Share of the models whose card names another parent some day of a year: of three million some eighty a day."""
BATCH = 100_000
ALL = "generated"
"""Name of the file that says that all days were."""
CHART = "benchmarks-whole-hub.svg"

REGISTRY = Registry(Family(name=f"Family {n}", country="US", publishers=(f"lab-{n}",)) for n in range(35))
"""The most prolific publishers as families."""

RANKED: tuple[Board, ...] = (*BOARDS, Board(name="lineage", entity="family", scope="lineage"))
"""The default boards, and the families with all that descends from them."""


def generated(models: int, days: int, *, steady: bool = False) -> Iterator[tuple[date, pl.DataFrame]]:
    """Each day and what a census of it shows: three models of five descend from one of a family.

    `steady`: as many are deleted each day as are new, so that the Hub stays as large as it is.
    """
    population = Population(models=models, days=days, sizes=WHOLE_HUB)
    hub = GeneratedHub(replace(population, births=population.deletions, purge=0.0) if steady else population)
    for number, (day, seen) in enumerate(hub.days()):
        cards = seen.with_columns(**_cards(number))
        yield day, cards.select(pl.col(name).cast(kind) for name, kind in MODEL_SCHEMA.items())


def _cards(day: int) -> dict[str, pl.Expr]:
    """What models' cards say on a day by its number; a few name another parent from some day on."""
    number = pl.col("repo_id").str.extract(r"model-(\d+)").cast(pl.Int64)
    edited = number * 2_654_435_761 % 2**32 * (365 / EDITED / 2**32) < day
    parent = pl.struct(
        relation=pl.lit("finetune"), repo_id=pl.format("lab-{}/base", (number * 7919 + 7 * edited.cast(pl.Int64)) % 50)
    )
    return {
        "parameters": number % 70 * 1_000_000_000,
        "pipeline_tag": pl.when(number % 3 == 0).then(pl.lit("text-generation")).otherwise(pl.lit("text-to-image")),
        "library": pl.lit("transformers"),
        "license": pl.lit("apache-2.0"),
        "gated": pl.lit("no"),
        "disabled": pl.lit(value=False),
        "parents": pl.when(number % 5 < 3).then(pl.concat_list(parent)),
    }


def generate(folder: str, models: str, days: str, at_once: str = "", steady: str = "") -> dict[str, Any]:
    """Write every day as a census has it when it has been read: a Parquet file each.

    `at_once`: how many; the next when these are gone. What is too few for that comes first: the last ones stay.
    """
    step = int(at_once or days)
    try:
        whole = generated(int(models), int(days), steady=bool(steady))
        for size in (int(days) % step, *[step] * (int(days) // step)):
            fresh = [_written(Path(folder), *one) for one in islice(whole, size)]
            while day_files(folder):
                time.sleep(0.1)
            for file in fresh:
                file.rename(file.with_name(file.name.replace("next-", "day-")))
    finally:
        (Path(folder) / ALL).touch()
    return {}


def _written(folder: Path, day: date, seen: pl.DataFrame) -> Path:
    file = folder / f"next-{day}.parquet"
    staging.write(seen.iter_slices(BATCH), file)
    return file


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


def written(db: Database, day: date, models: str, count: int) -> Watch:
    """The counts of a day, without a question who leads."""
    watch = Watch()
    with db.transaction():
        watch("writing", lambda: store.write_snapshot(db, _head(db, day, count), models))
    return watch


def ranked(db: Database, day: date, models: str, count: int) -> Watch:
    """A census as the daemon keeps it: judged, written, attributed, ranked."""
    watch = Watch()
    with db.transaction():
        look = _head(db, day, count)
        before = watch("verdict", lambda: history.before(db, "census", models, taken_at=look.taken_at, day=day))
        measured = verdict.of_table(count, before).measured
        watch("writing", lambda: store.write_snapshot(db, look, models, measured=measured))
        watch("lineage", lambda: store.attribute(db, REGISTRY))
        watch("standings", lambda: rank.run(db, RANKED, REGISTRY))
    return watch


def _head(db: Database, day: date, count: int) -> Snapshot:
    now = datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    return head(store.next_snapshot_id(db, now), models=count, day=day, taken_at=now, source="census")


def yardstick() -> None:
    """Always the same questions, small ones and a large one: what they take is how fast the machine is just then."""
    with Database.in_memory() as db:
        for number in range(60):
            db.rows(f"SELECT i % 7 AS k, count(*), sum(i + {number}) FROM range(2000) AS t(i) GROUP BY k ORDER BY k")
        db.rows("SELECT i % 1000 AS k, sum(hash(i) % 1000) FROM range(6000000) AS t(i) GROUP BY k ORDER BY k")


def keep(folder: str) -> dict[str, Any]:
    """Keep every day of FOLDER as a census, as they are generated, and leave the last ones there.

    What each of them took, and each of the nights; the peak of each in MB; how many counts that were; beside each day,
    what the yardstick took.
    """
    days, nights = list[dict[str, Any]](), list[dict[str, float]]()
    target = Path(folder) / "adoption.duckdb"
    with warehouse(Path(folder) / "w.duckdb") as db:
        for day, models, count in _days_used_up(db, folder):
            forget_peak()
            watch = ranked(db, day, models, count)
            watch("publication", lambda: publish(db, target))
            took = {"seconds": watch.seconds, "processor": watch.processor, "peak": peak_megabytes()}
            measure = Watch()
            measure("yardstick", yardstick)
            took |= {"yardstick": measure.processor["yardstick"]}
            days.append(took | {"models": count, "known": db.value("SELECT count(*) FROM models")})
            sys.stderr.write(f"{day} {days[-1]}\n")
            nights.append(_night(db, day, target))
    return {"days": days, "nights": nights, "rows": sum(day["models"] for day in days)}


def keep_counts(folder: str) -> dict[str, Any]:
    """Keep the counts of every day of FOLDER, then rank and publish all of it; what the counts take in bytes."""
    rows = 0
    with warehouse(Path(folder) / "w.duckdb") as db:
        for day, models, count in _days_in(db, folder):
            written(db, day, models, count)
            _pack(db, day)
            rows += count
        with db.transaction():
            store.attribute(db, REGISTRY)
            rank.run(db, RANKED, REGISTRY)
        publish(db, Path(folder) / "adoption.duckdb")
    return {"rows": rows}


def _days_in(db: Database, folder: str) -> Iterator[tuple[date, str, int]]:
    for file in day_files(folder):
        yield date.fromisoformat(file.stem[4:]), *staging.whole(db, file)


def _days_used_up(db: Database, folder: str) -> Iterator[tuple[date, str, int]]:
    """The days as they come, each gone when the next is asked for, but for those that were generated last."""
    every, left = Path(folder) / ALL, set[Path]()
    while not every.exists() or not left.issuperset(day_files(folder)):
        for file in sorted({*day_files(folder)} - left):
            yield date.fromisoformat(file.stem[4:]), *staging.whole(db, file)
            if every.exists():
                left.add(file)
            else:
                file.unlink()
        time.sleep(0.1)


def _night(db: Database, day: date, target: Path) -> dict[str, float]:
    """Pack what is over and publish it, as the daemon does: seconds of packing and of a publication; the peak in MB."""
    forget_peak()
    watch = Watch()
    times = watch("publication", lambda: publish_both(db, target))
    watch("packing", lambda: _pack(db, day))
    times += watch("publication", lambda: publish_both(db, target))
    seconds = watch.seconds
    return {"packing": seconds["packing"], "publication": seconds["publication"] / times, "peak": peak_megabytes()}


def _pack(db: Database, day: date) -> None:
    prune.run(db, now=datetime(day.year, day.month, day.day, 3, tzinfo=UTC) + timedelta(days=1))


def counted(folder: str) -> dict[str, Any]:
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
    """What is asked of the warehouse and of the published file: milliseconds of each of three tries."""
    found: dict[str, Any] = {}
    root = Path(folder)
    with Database.open(root / "w.duckdb") as db:
        for board in RANKED:
            if board.name in ("families", "lineage"):
                found[board.name] = times(partial(from_scratch, db, board))
    with Database.open_published(root / "adoption.duckdb") as db:
        hub_id = db.value("SELECT hub_id FROM models ORDER BY hash(hub_id) LIMIT 1")
        year = (
            "SELECT day, downloads_30d, downloads_all_time, likes FROM observations WHERE hub_id = $hub_id ORDER BY day"
        )
        found["year"] = times(lambda: db.rows(year, {"hub_id": hub_id}))
        shown = "SELECT day, entity, rank, value FROM standings WHERE board = 'families' ORDER BY day, rank"
        found["board"] = times(lambda: db.rows(shown))
    return found


def from_scratch(db: Database, board: Board) -> None:
    """Every day's standing anew."""
    with db.transaction():
        standings.refresh(db, board, f"anew {time.perf_counter()}")


def times(work: Callable[[], object], tries: int = 3) -> list[float]:
    """The milliseconds of each of some tries."""
    found = []
    for _ in range(tries):
        began = time.perf_counter()
        work()
        found.append(1000 * (time.perf_counter() - began))
    return found


def day_files(folder: str) -> list[Path]:
    return sorted(Path(folder).glob("day-*.parquet"))


def duckdb_alone(folder: str) -> dict[str, Any]:
    """The floor: DuckDB reads a day's counts from Parquet and adds them up."""
    sums = "SELECT sum(downloads_30d), sum(downloads_all_time), sum(likes), count(DISTINCT hub_id) FROM '{}'"
    with Database.in_memory() as db:
        return {"seconds": min(times(lambda: db.rows(sums.format(day_files(folder)[-1])))) / 1000}


def appended_csv(folder: str) -> dict[str, Any]:
    """The usual tracker: a loop over the models listed, and a pandas frame of them at the end of a CSV file."""
    import pandas as pd  # type: ignore[import-not-found]

    day, target = day_files(folder)[-1], Path(folder) / "tracker.csv"
    listed = pl.read_parquet(day).select("hub_id", "downloads_30d", "downloads_all_time", "likes").rows()
    began = time.perf_counter()
    rows = []
    for hub_id, downloads, all_time, likes in listed:
        rows.append({"day": day.stem, "id": hub_id, "downloads": downloads, "all_time": all_time, "likes": likes})
    pd.DataFrame(rows).to_csv(target, mode="a", header=False, index=False)
    return {"seconds": time.perf_counter() - began, "bytes": target.stat().st_size, "rows": len(rows)}


def rebuilt_with_polars(folder: str) -> dict[str, Any]:
    """The nearest public tracker: the families' totals for every day, from a Parquet file a day."""
    files = []
    for day in day_files(folder):
        counts = pl.scan_parquet(day).select("hub_id", "repo_id", "downloads_30d", "downloads_all_time", "likes")
        files.append(day.with_name(day.name.replace("day-", "counts-")))
        counts.sink_parquet(files[-1], compression="zstd")
    family = pl.col("repo_id").str.extract(r"^lab-(\d+)/").cast(pl.Int64)

    def rebuild() -> None:
        every = pl.scan_parquet(files, include_file_paths="day").with_columns(family=family).filter(family < 35)
        every.group_by("day", "family").agg(pl.col("downloads_30d").sum()).sort("day").collect()

    return {"times": times(rebuild), "bytes": sum(file.stat().st_size for file in files)}


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    task.__name__: task
    for task in (generate, keep, keep_counts, counted, questions, duckdb_alone, appended_csv, rebuilt_with_polars)
}
"""What runs in a process of its own."""


def elsewhere(task: str, *arguments: object) -> dict[str, Any]:
    """What a task measures, in a process of its own; what it says on the way goes to stderr.

    The usual tracker alone finds pandas: it lies beside the environment (`make .venv/bench`).
    """
    with _beside(task, *arguments) as process:
        said, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


@contextmanager
def _beside(task: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Within the block a task runs in a process of its own."""
    command = [sys.executable, "-m", "tests.bench_scale", "--task", task, *(str(argument) for argument in arguments)]
    environment = os.environ | ALLOCATOR
    if task == appended_csv.__name__:
        environment |= {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / ".bench")])}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


_ABOUT = """\
A generated Hub of {models:,} models over {days} days (`monitor.demo.generator`, sizes of the whole Hub; three models of
five descend from one of 35 families), kept day by day in one warehouse as a census keeps it. A day is verdict, writing,
lineage, the standings of {boards} boards and their flips, and the published file; at night what is over is packed, and
published in both copies of the file. The figures of a day are of the last {last}. Beside it: DuckDB alone adding up a
day's counts in a Parquet file (the floor), and the usual tracker, a loop over the models whose rows pandas appends to a
CSV file.
Every day some cards name another parent, and what their models had on all days counts for other families from then on.
On a day on which a model moves that alone is as large as one of the 100 leading publishers, their places on every day
kept are written again. What the published file was before the last time is renewed, as nobody reads it any more."""

_ABOUT_YEAR = """

{models:,} models over a year, {rows:,} counts, are there for what a count takes and for what is asked of the past.
Beside them: polars adding up the families of every day from a Parquet file a day, like the nearest public tracker."""

_ABOUT_STEADY = """\
A generated Hub of {models:,} models over {days} days like the one before, kept day by day in the same way, but with as
many models new each day as are gone: what a day costs more after a year is what days add, and not models. It is
processor time, for as much of it as always the same questions took that were asked beside each day, as the machine is a
fifth faster or slower from minute to minute; the median of {span} days each time."""


def whole_hub() -> Report:
    """Everything about a Hub that is like the whole one, over a year; and a smaller one's year, for what it takes."""
    about, figures, costs = _kept(MODELS, DAYS)
    more, past = _year(YEAR_MODELS)
    others = {size: statistics.median(_costs_of(size)[1:]) for size in SIZES}
    drawn = chart(dict(enumerate(costs, start=1)), others | {MODELS: statistics.median(costs[-SETTLED:])})
    return Report("The whole Hub", about + more, figures + past, {CHART: drawn})


def full_size() -> Report:
    """A year of the whole Hub as large as it is."""
    about, figures, _ = _kept(FULL_SIZE, FULL_SIZE_DAYS, asked=True)
    return Report("The whole Hub at its full size", about, figures)


def _kept(models: int, days: int, *, asked: bool = False) -> tuple[str, list[Figure], list[float]]:
    """A Hub of so many models, kept day by day: about what that is, what was measured, and the seconds of each day.

    `asked`: what its past takes, and what questions about it do, as well.
    """
    assert (ROOT / ".bench").is_dir(), "run `make .venv/bench`: it installs pandas beside the environment"
    with tempfile.TemporaryDirectory() as folder:
        with _beside("generate", folder, models, days, AHEAD) as generating:
            kept = elsewhere("keep", folder)
            assert generating.wait() == 0, "not all days were generated"
        alone, tracker = (elsewhere(task, folder) for task in ("duckdb_alone", "appended_csv"))
        past = elsewhere("counted", folder) | elsewhere("questions", folder) if asked else {}
        afresh = _kept_afresh(folder) if asked else []
    costs = [sum(day["seconds"].values()) for day in kept["days"]]
    last = min(SETTLED, days - 1)
    figures = [
        *_figures_of_days(kept["days"][-last:]),
        *_flat(kept["days"]),
        *_behind(kept["days"], afresh),
        Figure(
            "a day, against DuckDB alone adding up its counts", [cost / alone["seconds"] for cost in costs[-last:]], "x"
        ),
        Figure(
            "the usual tracker's day, against writing it",
            [tracker["seconds"] / day["seconds"]["writing"] for day in kept["days"][-last:]],
            "x",
        ),
        Figure("peak memory of a day, the first included", [max(day["peak"] for day in kept["days"])], "MB", 2_000),
        Figure("packing at night", [1000 * night["packing"] for night in kept["nights"]], "ms"),
        Figure("... publishing it, each time", [1000 * night["publication"] for night in kept["nights"]], "ms", 5_000),
        Figure("peak memory of a night", [max(night["peak"] for night in kept["nights"])], "MB", 2_000),
        *(_figures_of_the_past(past, kept["rows"]) if asked else ()),
    ]
    return _ABOUT.format(models=models, days=days, boards=len(RANKED), last=last), figures, costs


def _figures_of_days(days: Sequence[dict[str, Any]]) -> Iterator[Figure]:
    yield Figure(
        "a day, from verdict to publication", [1000 * sum(day["seconds"].values()) for day in days], "ms", 60_000
    )
    targets = {"publication": 5_000}
    for step in days[-1]["seconds"]:
        yield Figure(f"... {step}", [1000 * day["seconds"][step] for day in days], "ms", targets.get(step))
    yield Figure("... processor time of all", [1000 * sum(day["processor"].values()) for day in days], "ms")


def _flat(days: Sequence[dict[str, Any]]) -> Iterator[Figure]:
    """The last days against those from which on a day is to cost the same, where there are as many."""
    if len(days) < 3 * SETTLED:
        return
    costs, busy = ([sum(day[kind].values()) for day in days] for kind in ("seconds", "processor"))
    what = f"a day, the last {SETTLED} against days {SETTLED} to {2 * SETTLED - 1}"
    for name, each in ((what, costs), ("... in processor time", busy)):
        yield Figure(name, [_grown(each)], "x")
        a_model = [cost / day["models"] for cost, day in zip(each, days, strict=True)]
        yield Figure("... for as many models: the Hub grows", [_grown(a_model)], "x")
    settled = costs[SETTLED - 1 :]
    dearest = max(settled) / statistics.median(settled)
    yield Figure(f"the dearest day from day {SETTLED} on, against the median", [dearest], "x")


def _kept_afresh(folder: str) -> list[dict[str, Any]]:
    """What the last days of FOLDER take in a new warehouse, which begins some days before."""
    with tempfile.TemporaryDirectory() as other:
        for file in day_files(folder)[-SETTLED - BEFORE :]:
            file.rename(Path(other) / file.name)
        (Path(other) / ALL).touch()
        days: list[dict[str, Any]] = elsewhere("keep", other)["days"]
    return days[BEFORE:]


def _behind(kept: Sequence[dict[str, Any]], afresh: Sequence[dict[str, Any]]) -> Iterator[Figure]:
    """What all days before add to the last ones, of the same hour: against the same days `afresh`."""
    if not afresh:
        return
    pairs = list(zip(kept[-len(afresh) :], afresh, strict=True))

    def against(what: Callable[[dict[str, Any]], float]) -> list[float]:
        return [what(old) / what(new) for old, new in pairs]

    what = "a day with all days before it, against the same day in a new warehouse"
    yield Figure(what, against(lambda day: sum(day["seconds"].values())), "x")
    yield Figure("... in processor time", against(lambda day: sum(day["processor"].values())), "x")
    per_model = against(lambda day: sum(day["processor"].values()) / day["known"])
    yield Figure("... for as many models known, those that are gone too", per_model, "x")
    for step in afresh[0]["processor"]:
        yield Figure(f"... {step}, in processor time", against(lambda day, of=step: day["processor"][of]), "x")


def _grown(costs: Sequence[float], since: int = SETTLED, span: int = SETTLED) -> float:
    """The median of the last days, as a multiple of that of as many from a day on: the first that are settled."""
    return statistics.median(costs[-span:]) / statistics.median(costs[since - 1 : since - 1 + span])


def steady() -> Report:
    """What days alone add to a day: of a Hub that stays as large as it is."""
    models, days = YEAR_MODELS, YEAR
    with tempfile.TemporaryDirectory() as folder, _beside("generate", folder, models, days, AHEAD, "steady") as making:
        kept = elsewhere("keep", folder)["days"]
        assert making.wait() == 0, "not all days were generated"
    busy = [sum(day["processor"].values()) for day in kept]
    against = [cost / day["yardstick"] for cost, day in zip(busy, kept, strict=True)]
    what = f"the last {SPAN} days against days"
    figures = [
        Figure("a day", [1000 * sum(day["seconds"].values()) for day in kept[-SETTLED:]], "ms"),
        Figure("... processor time", [1000 * cost for cost in busy[-SETTLED:]], "ms"),
        *(
            Figure(f"{what} {since} to {since + SPAN - 1}", [_grown(against, since, SPAN)], "x")
            for since in (SETTLED, 30, 60, 180)
        ),
        Figure(f"{what} {SETTLED} to {SETTLED + SPAN - 1}, as measured", [_grown(busy, SETTLED, SPAN)], "x"),
        Figure("as many models as on day 10", [kept[-1]["models"] / kept[SETTLED - 1]["models"]], "x"),
        Figure("as many models known", [kept[-1]["known"] / kept[SETTLED - 1]["known"]], "x"),
    ]
    return Report("What days alone add to a day", _ABOUT_STEADY.format(models=models, days=days, span=SPAN), figures)


def _costs_of(models: int) -> list[float]:
    """Seconds of each of a few days with so many models."""
    with tempfile.TemporaryDirectory() as folder:
        elsewhere("generate", folder, models, SIZES_DAYS)
        return [sum(day["seconds"].values()) for day in elsewhere("keep", folder)["days"]]


def _year(models: int) -> tuple[str, list[Figure]]:
    """What a year takes on disk, and how long what is asked of it."""
    with tempfile.TemporaryDirectory() as folder:
        elsewhere("generate", folder, models, YEAR)
        rows = elsewhere("keep_counts", folder)["rows"]
        past = elsewhere("counted", folder) | elsewhere("questions", folder)
        tracker, polars = (elsewhere(task, folder) for task in ("appended_csv", "rebuilt_with_polars"))
    return _ABOUT_YEAR.format(models=models, rows=rows), [
        *_figures_of_the_past(past, rows),
        Figure("daily Parquet with zstd, for one model on one day", [polars["bytes"] / rows], "bytes"),
        Figure("the usual tracker, for one model on one day", [tracker["bytes"] / tracker["rows"]], "bytes"),
        Figure(
            "polars from daily Parquet, against families from scratch", ratios(polars["times"], past["families"]), "x"
        ),
    ]


def _figures_of_the_past(past: dict[str, Any], rows: int) -> Iterator[Figure]:
    """What so many counts take, and what is asked of them."""
    yield Figure("bytes for one model on one day, all counters and names", [past["bytes"] / rows], "bytes", 1.5)
    yield Figure("family standings of every day from scratch", past["families"], "ms", 10_000)
    yield Figure("... with all that descends from the families", past["lineage"], "ms")
    yield Figure("a family board by day, from what is stored", past["board"], "ms", 200)
    yield Figure("one model's days", past["year"], "ms", 50)


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
    about, figures, _ = _kept(int(sys.argv[1]), int(sys.argv[2]), asked=True)
    sys.stdout.write("\n".join([about, "", *(row(figure) for figure in figures), ""]))


BENCHMARKS: dict[str, Callable[[], Report]] = {"whole_hub": whole_hub, "steady": steady, "full_size": full_size}

if __name__ == "__main__":
    main()
