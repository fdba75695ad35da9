"""A small past for the tests of the backfill: four publishers' models over some days, in datasets that a Hub serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import polars as pl
from spine import FAMILIES, REGISTRY

from jobs import backfill
from jobs.history import backfill_plan, sources
from jobs.hub import HubSettings
from monitor.demo import dataset_files
from monitor.demo.dataset_files import HUB_STATS, MODEL_PULSE, WEEKLY, Day
from monitor.demo.datasets import LocalDatasets, Revision
from warehouse.db import Database
from warehouse.ranking.boards import Board

TODAY = date(2026, 11, 1)
START = date(2025, 2, 24)
"""Three days before all-time counts were recorded."""

PUBLISHERS = ("alpha-lab", "beta-ai", "gamma", "somebody")


def listed(number: int, models: int = 200) -> pl.DataFrame:
    """What is listed on a day by its number: everything moves, Beta passes Alpha on the third day."""
    rows = pl.DataFrame({"index": pl.int_range(models, eager=True)}).with_columns(
        publisher=pl.Series([PUBLISHERS[index % 4] for index in range(models)])
    )
    daily = pl.when(pl.col("publisher") == "beta-ai").then(2).otherwise(1) * (pl.col("index") + 5)
    return rows.select(
        hub_id=pl.format("65{}", pl.col("index").cast(pl.String).str.zfill(22)),
        repo_id=pl.format("{}/model-{}", "publisher", "index"),
        publisher="publisher",
        created_at=pl.lit(datetime(2024, 1, 1, 0, 0, 0, 7000, UTC)) + pl.duration(hours="index"),
        downloads_30d=1000 + pl.when(pl.col("publisher") == "alpha-lab").then(330).otherwise(0) + daily * number,
        downloads_all_time=90_000 + daily * number,
        likes=pl.col("index") + number,
    )


@cache
def days(count: int, *, start: date = START, models: int = 200) -> tuple[Day, ...]:
    """Some days, one after the other."""
    return tuple((start + timedelta(days=number), listed(number, models)) for number in range(count))


def repositories(past: Sequence[Day], *, rows_a_group: int = 80) -> dict[str, list[Revision]]:
    """The three datasets; made once for the same days."""
    key = tuple((day, frame.height) for day, frame in past)
    if key not in _made:
        _made[key] = {
            HUB_STATS: dataset_files.hub_stats(past, rows_a_group=rows_a_group),
            MODEL_PULSE: dataset_files.model_pulse(past, rows_a_group=rows_a_group * 7),
            WEEKLY: dataset_files.weekly(past, rows_a_group=rows_a_group),
        }
    return _made[key]


_made: dict[tuple[tuple[date, int], ...], dict[str, list[Revision]]] = {}


@contextmanager
def datasets(past: Sequence[Day], **more: Any) -> Iterator[LocalDatasets]:  # noqa: ANN401
    with LocalDatasets(repositories(past), **more) as local:
        yield local


def uploads(local: LocalDatasets) -> list[Revision]:
    """Of hub-stats, those that brought the models."""
    return [revision for revision in local.repositories[HUB_STATS] if "models.parquet" in revision.files]


def settings(local: LocalDatasets, **more: Any) -> HubSettings:  # noqa: ANN401
    return HubSettings(endpoint=local.endpoint, **{"quota_share": 1, "attempts": 2, "timeout_seconds": 10} | more)


@dataclass
class Ticks:
    """A clock that nobody waits for."""

    now: float = 0.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


def fill(
    db: Database,
    local: LocalDatasets,
    source: str = "hub-stats",
    *,
    boards: Sequence[Board] = (FAMILIES,),
    **more: Any,  # noqa: ANN401
) -> backfill.Report:
    """Plan and run."""
    asked = settings(local, attempts=1)
    plan = backfill_plan.plan(db, sources.find(source), asked, REGISTRY, token=None, **{"today": TODAY, **more})
    return backfill.run(db, plan, asked, REGISTRY, boards, token=None, clock=Ticks())


def verdicts(db: Database, source: str = "hub-stats") -> list[str]:
    """Of the days of a source, in order."""
    query = "SELECT verdict FROM snapshots WHERE source = $source ORDER BY day, snapshot_id"
    return [row[0] for row in db.rows(query, {"source": source})]


def facts(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that was stored, but how long it took."""
    skipped = {"snapshots": "EXCLUDE (seconds, requests)", "boards": ""}
    tables = ("snapshots", "observations", "model_versions", "models", "shares", "standings", "flips", "boards")
    return {table: db.rows(f"SELECT * {skipped.get(table, '')} FROM {table} ORDER BY ALL") for table in tables}


def moment(day: date, hour: int) -> datetime:
    return datetime.fromisoformat(f"{day}T{hour:02}:00:00+00:00")
