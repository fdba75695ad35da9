"""What the promises cost: `make bench` measures each in one run on one machine, and writes docs/benchmarks.md.

A figure is a ratio of two things measured in turn in the same run, so that it says as much on another machine. Each
side runs in a process of its own. A new benchmark is a function that returns a Report, and a line in `benchmarks`.

    python -m tests.bench [NAME ...]    only these sections of the page are renewed
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import Request

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Figure:
    """One thing measured, over several runs."""

    what: str
    values: Sequence[float]
    unit: str
    target: float | None = None
    """What it must not exceed; a negative one: what it must reach."""

    @property
    def value(self) -> float:
        return median(self.values)

    @property
    def holds(self) -> bool:
        return self.target is None or (self.value <= self.target if self.target > 0 else self.value >= -self.target)


@dataclass(frozen=True)
class Report:
    """What one benchmark found, and what was measured against what."""

    name: str
    about: str
    figures: Sequence[Figure]
    pictures: Mapping[str, str] = field(default_factory=dict)
    """Name of a file beside the page -> its SVG."""


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Run by run, for both were measured in turn."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def elsewhere(task: str, *arguments: object) -> dict[str, Any]:
    """What a task of TASKS measures, in a process of its own; nothing, if it only prepares."""
    command = [sys.executable, "-m", "tests.bench", "--task", task, *(str(argument) for argument in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=900)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((done.stdout.splitlines() or ["{}"])[-1])
    return found


def forget_peak() -> None:
    """Let `peak_megabytes` begin anew, where the system can do that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_megabytes() -> float:
    """The most memory that this process ever had, or has had since `forget_peak`."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# A collect pass, against the ideal and against huggingface_hub

PUBLISHERS = [f"publisher-{number}" for number in range(40)]
MODELS, LATENCY, CONCURRENCY = 20_000, 0.12, 8


def large_hub(day: str) -> None:
    """A local Hub with many models until stdin ends; its endpoint on stdout, and for each line what it was asked since.

    With each day two models of a publisher are gone, two are new, and all counts have moved.
    """
    from monitor.demo.hub import LocalHub
    from tests.spine import model

    number = int(day)
    models = [
        model(f"{publisher}/model-{m}", 1000 + m + 7 * number, license="apache-2.0", pipeline_tag="text-generation")
        for publisher in PUBLISHERS
        for m in range(2 * number, 2 * number + MODELS // len(PUBLISHERS))
    ]
    asked = {"lists": 0, "all": 0}

    def count(request: Request) -> None:
        asked["all"] += 1
        asked["lists"] += request.url.path == "/api/models"

    with LocalHub(latency_seconds=LATENCY) as hub:
        hub.show(models)
        gc.freeze()  # its pauses to look for unused objects among all these would be taken for ours
        hub.faults.append(count)
        sys.stdout.write(hub.endpoint + "\n")
        sys.stdout.flush()
        for _ in sys.stdin:
            sys.stdout.write(json.dumps(asked) + "\n")
            sys.stdout.flush()
            asked.update(lists=0, all=0)


@contextmanager
def served(day: int) -> Iterator[tuple[str, Callable[[], Mapping[str, int]]]]:
    """The Hub of `large_hub` in another process: its endpoint, and what it was asked since one asked last."""
    command = [sys.executable, "-m", "tests.bench", "--task", "large_hub", str(day)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def asked() -> Mapping[str, int]:
            stdin.write("\n")
            stdin.flush()
            found: Mapping[str, int] = json.loads(stdout.readline())
            return found

        yield stdout.readline().strip(), asked
        stdin.close()


def walk_once(*endpoints: str) -> dict[str, list[float]]:
    """Our look at all publishers, and whole collect passes: a day at each Hub, one after the other."""
    from jobs import collect, hub
    from tests.spine import BOARDS, moment, warehouse
    from warehouse.registry import Family, Registry

    settings = [hub.HubSettings(endpoint=each, quota_share=1, concurrency=CONCURRENCY) for each in endpoints]
    began = time.perf_counter()
    walk = hub.walk(settings[0], PUBLISHERS, token=None)
    walked = time.perf_counter() - began
    assert sum(len(listing.models) for listing in walk.listings) == MODELS
    registry = Registry(Family(name=name, country="US", publishers=(name,)) for name in PUBLISHERS)
    collected = []
    with tempfile.TemporaryDirectory() as folder, warehouse(Path(folder) / "w.duckdb") as db:
        for number, each in enumerate(settings):
            now, began = moment(number), time.perf_counter()
            summary = collect.run(db, each, registry, BOARDS, token=None, now=now, clock=time.monotonic)
            collected.append(time.perf_counter() - began)
            assert summary.snapshot.verdict == "complete", summary.snapshot
    return {"walk": [walked], "collect": collected}


def list_with_huggingface_hub(endpoint: str) -> dict[str, float]:
    """The loop one would write: the same publishers, the same fields, the same server."""
    from huggingface_hub import HfApi

    from jobs.hub_rows import EXPAND

    api = HfApi(endpoint=endpoint, token=False)
    began = time.perf_counter()
    found = sum(len(list(api.list_models(author=publisher, expand=list(EXPAND)))) for publisher in PUBLISHERS)
    seconds = time.perf_counter() - began
    assert found == MODELS
    return {"seconds": seconds}


def collect_pass(runs: int = 5) -> Report:
    """A look at 40 publishers and 20,000 models, from a Hub that answers each request after 120 ms."""
    ours, first, second, theirs, lists, all_requests = [], [], [], [], [], []
    with served(0) as (endpoint, asked), served(1) as (later, asked_later):
        for _ in range(runs):
            found = elsewhere("walk_once", endpoint, later)
            ours += found["walk"]
            first.append(found["collect"][0])
            second.append(found["collect"][1])
            counts = [asked(), asked_later()]
            lists.append(sum(count["lists"] for count in counts) / 3)
            all_requests.append(sum(count["all"] for count in counts) / 3)
            theirs.append(elsewhere("list_with_huggingface_hub", endpoint)["seconds"])
            asked()
    pages = len(PUBLISHERS) * -(-(MODELS // len(PUBLISHERS)) // 1000)
    ideal = [pages / CONCURRENCY * LATENCY] * runs
    about = f"""\
A local Hub with {len(PUBLISHERS)} publishers and {MODELS:,} models answers each request after {LATENCY * 1000:.0f} ms.
The ideal is {pages} pages / {CONCURRENCY} at once x {LATENCY * 1000:.0f} ms = {ideal[0]:.2f} s. The look is what
`jobs.hub.walk` takes to list and count everything; the pass is all of `leadchange collect` after its start: look,
verdict, snapshot, lineage, standings. To the first pass every model is new; the day after all counts have moved, 80
models are new and 80 are gone. The other side is a loop over `HfApi.list_models` that asks for the same fields."""
    return Report(
        "Collect pass",
        about,
        [
            Figure("the look, against the ideal", ratios(ours, ideal), "x", 1.5),
            Figure("the whole pass, the day after, against the ideal", ratios(second, ideal), "x", 1.5),
            Figure("the whole pass, the first of a warehouse, against the ideal", ratios(first, ideal), "x"),
            Figure("`HfApi.list_models`, against the look", ratios(theirs, ours), "x", -4),
            Figure("list requests (the minimum is 40)", lists, "", float(pages)),
            Figure("all requests, with the Hub's own counts", all_requests, ""),
        ],
    )


# Ingest, against DuckDB itself

LOOKS = 50


def parquet_of(path: Path, rows: int) -> None:
    """Models as a Hub lists them, in the columns that a snapshot travels in."""
    from warehouse.db import Database

    with Database.in_memory() as db:
        db.execute(f"""
            COPY (
                SELECT printf('%024x', hash(i)) AS hub_id, 'publisher-' || (i % 500) || '/model-' || i AS repo_id,
                    'publisher-' || (i % 500) AS publisher, (hash(i) % 100000)::BIGINT AS downloads_30d,
                    (hash(i) % 10000000)::BIGINT AS downloads_all_time, (hash(i) % 1000)::BIGINT AS likes,
                    TIMESTAMPTZ '2024-01-01 00:00:00+00' + INTERVAL (i % 1000000) SECOND AS created_at,
                    (hash(i) % 70)::BIGINT * 1000000000 AS parameters,
                    ['text-generation', 'text-to-image', 'feature-extraction'][1 + i % 3] AS pipeline_tag,
                    'transformers' AS library, 'apache-2.0' AS license, 'no' AS gated, false AS disabled,
                    CASE WHEN i % 3 = 0 THEN [{{'relation': 'finetune', 'repo_id': 'base/model'}}] END AS parents
                FROM range({rows}) AS t (i)
            ) TO '{path}' (FORMAT parquet)
        """)


def ingest_looks(file: str) -> dict[str, float]:
    """As many looks as make a million observations, each written as collect writes it, in an order of its own."""
    import polars as pl

    from tests.spine import head, warehouse
    from warehouse.snapshots import store

    models = pl.read_parquet(file)
    with tempfile.TemporaryDirectory() as folder, warehouse(Path(folder) / "w.duckdb") as db:
        seconds = 0.0
        for number in range(LOOKS):
            moved = models.with_columns(pl.col("downloads_30d") + number).sample(fraction=1, shuffle=True, seed=number)
            began = time.perf_counter()
            with db.transaction():
                store.write_snapshot(db, head(number + 1, number, models=moved.height), moved)
            seconds += time.perf_counter() - began
        assert db.value("SELECT count(*) FROM observations") == models.height * LOOKS
    return {"seconds": seconds, "megabytes": peak_megabytes()}


def ingest_at_once(file: str) -> dict[str, float]:
    """One look at a million models."""
    import polars as pl

    from tests.spine import head, warehouse
    from warehouse.snapshots import store

    models = pl.read_parquet(file)
    with tempfile.TemporaryDirectory() as folder, warehouse(Path(folder) / "w.duckdb") as db:
        began = time.perf_counter()
        with db.transaction():
            store.write_snapshot(db, head(1, models=models.height), models)
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "megabytes": peak_megabytes()}


def create_table_as(file: str) -> dict[str, float]:
    """DuckDB's own way, into a file of the same kind."""
    from warehouse.db import Database

    with tempfile.TemporaryDirectory() as folder, Database.open(Path(folder) / "w.duckdb") as db:
        began = time.perf_counter()
        db.execute(f"CREATE TABLE copied AS FROM '{file}'")
        return {"seconds": time.perf_counter() - began, "megabytes": peak_megabytes()}


def ingest(runs: int = 5) -> Report:
    """A million observations into the warehouse, and a million rows into a table by DuckDB alone."""
    rows = 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        million, look = Path(folder) / "million.parquet", Path(folder) / "look.parquet"
        parquet_of(million, rows)
        parquet_of(look, rows // LOOKS)
        measured: dict[str, list[dict[str, Any]]] = {"looks": [], "once": [], "duckdb": []}
        for _ in range(runs):
            measured["duckdb"].append(elsewhere("create_table_as", million))
            measured["looks"].append(elsewhere("ingest_looks", look))
            measured["once"].append(elsewhere("ingest_at_once", million))
    seconds = {name: [run["seconds"] for run in found] for name, found in measured.items()}
    about = f"""\
{rows:,} observations as {LOOKS} looks at {rows // LOOKS:,} models, each written by `store.write_snapshot` in a
transaction and an order of its own: counts, descriptions that changed, the models as they are known then. The other
side is `CREATE TABLE AS` from a Parquet file of {rows:,} rows with the same columns, into a file of the same storage
version. Memory is the peak of the whole process, Python and frames included. One look at a million models, fifty times
what is polled and all of them new, is there to show how it grows."""
    looks, once, copied = (seconds[name] for name in ("looks", "once", "duckdb"))
    memory = {name: [run["megabytes"] for run in found] for name, found in measured.items()}
    return Report(
        "Ingest",
        about,
        [
            Figure(f"{LOOKS} looks, against `CREATE TABLE AS`", ratios(looks, copied), "x", 3),
            Figure(f"{LOOKS} looks, peak memory", memory["looks"], "MB", 500),
            Figure("one look at a million models, against `CREATE TABLE AS`", ratios(once, copied), "x"),
            Figure("one look at a million models, peak memory", memory["once"], "MB"),
            Figure("`CREATE TABLE AS`, peak memory", memory["duckdb"], "MB"),
        ],
    )


# The demo


def demo(runs: int = 2) -> Report:
    """The main job on recorded history, as `make demo` runs it once everything is installed."""
    seconds = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            code = "from monitor.cli.app import main; main()"
            command = [sys.executable, "-c", code, "demo", "--dir", folder]
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT, timeout=600)
            seconds.append(time.perf_counter() - began)
    return Report("Demo", "`leadchange demo`, from start to exit.", [Figure("wall time", seconds, "s", 90)])


def benchmarks() -> dict[str, Callable[[], Report]]:
    """Everything that is measured, in the order of the page."""
    from tests import bench_alerts, bench_daemon, bench_scale, bench_trust, bench_web

    parts = (bench_alerts, bench_web, bench_daemon, bench_trust, bench_scale)
    elsewhere_: dict[str, Callable[[], Report]] = {}
    for part in parts:
        elsewhere_ |= part.BENCHMARKS
    return {"collect_pass": collect_pass, "ingest": ingest, "demo": demo} | elsewhere_


def tasks() -> dict[str, Callable[..., Any]]:
    """What runs in a process of its own, here and elsewhere."""
    from tests import bench_trust

    return TASKS | bench_trust.TASKS


TASKS: dict[str, Callable[..., Any]] = {
    "large_hub": large_hub,
    "walk_once": walk_once,
    "list_with_huggingface_hub": list_with_huggingface_hub,
    "ingest_looks": ingest_looks,
    "ingest_at_once": ingest_at_once,
    "create_table_as": create_table_as,
}
"""What runs in a process of its own."""


_HEAD = """\
# Benchmarks

Measured by `make bench`. A ratio compares two things that were measured in turn in the same run; a figure is the median
over the runs, with the lowest and the highest. Each part says when and on what it was measured.
"""

_MARK = re.compile(r"<!-- benchmark: (\w+) -->\n")


def renewed(text: str, fresh: Mapping[str, str], order: Iterable[str]) -> str:
    """The page with some sections replaced or added, the others as they stand, in the order given."""
    found = _MARK.split(text)
    sections = dict(zip(found[1::2], found[2::2], strict=True)) | fresh
    parts = [f"<!-- benchmark: {name} -->\n{sections[name].strip()}\n" for name in order if name in sections]
    return "\n".join([_HEAD, *parts])


def section(report: Report) -> str:
    """One benchmark as Markdown."""
    head = ["| | median | lowest to highest | runs | target |", "|---|---:|---:|---:|---|"]
    table = "\n".join([*head, *(row(figure) for figure in report.figures)])
    pictures = [f"![{report.name}]({name})" for name in report.pictures]
    return "\n\n".join([f"## {report.name}", report.about, table, *pictures, machine()]) + "\n"


def row(figure: Figure) -> str:
    low, high = shown(min(figure.values), figure.unit), shown(max(figure.values), figure.unit)
    target = ""
    if figure.target is not None:
        bound = "at most" if figure.target > 0 else "at least"
        target = f"{bound} {shown(abs(figure.target), figure.unit)}{'' if figure.holds else ': missed'}"
    spread = low if low == high else f"{low} to {high}"
    return f"| {figure.what} | {shown(figure.value, figure.unit)} | {spread} | {len(figure.values)} | {target} |"


def shown(value: float, unit: str) -> str:
    text = f"{value:.2f}" if unit in ("x", "bytes") else f"{value:,.0f}"
    return f"{text} {unit}".strip()


def machine() -> str:
    """What it was measured on."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("duckdb", "polars", "httpx"))
    load = os.getloadavg()[0]
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = next((line.split(":")[1].strip() for line in cpuinfo() if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"*{time.strftime('%Y-%m-%d')}, {processors} processors ({name}), {memory:.0f} GB, {platform.system()}, Python "
        f"{platform.python_version()}, {versions}, load at the end {load:.1f}.*"
    )


def cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def main() -> int:
    """Measure all benchmarks, or those named; 1 when a target is missed."""
    if sys.argv[1:2] == ["--task"]:
        outcome = tasks()[sys.argv[2]](*sys.argv[3:])
        if outcome is not None:
            sys.stdout.write(json.dumps(outcome) + "\n")
        return 0
    known = benchmarks()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(known)}")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in known]:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    missed = 0
    for name in arguments.names or known:
        report = known[name]()
        missed += sum(not figure.holds for figure in report.figures)
        sys.stdout.write("\n".join([report.name, *(row(figure) for figure in report.figures), ""]))
        sys.stdout.flush()
        PAGE.write_text(renewed(PAGE.read_text("utf-8"), {name: section(report)}, known), "utf-8")
        for file, picture in report.pictures.items():
            PAGE.with_name(file).write_text(picture, "utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
