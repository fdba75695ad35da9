"""The bundled recordings of the real Hub: 53 looks between February and October 2026. NOTICE names their sources.

They have the faults of real data, which the monitor must survive: stale rows, a list that grows, a counter gone wild.
No all-time counters, licences or gates were recorded; what was not recorded is None.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path

import polars as pl

from monitor.demo.hub import hub_id
from warehouse.records import HubModel, Parent

DATA = Path(__file__).parent / "data"
"""The recordings, and the lists and licences that came with them."""

FULL = 450
"""Models from which a recorded list is full; below, the recording broke off."""

_COLUMNS = ("repo_id", "author", "downloads_30d", "likes", "created_at", "parameters", "pipeline_tag")
_Row = tuple[str, str, int | None, int | None, date | None, int | None, str | None]


def snapshots(only_usable: bool = True) -> Iterator[tuple[datetime, list[HubModel]]]:
    """Every look, oldest first: when it was taken, and all models that were listed.

    A look is not usable when the recording broke off early or repeats the one before.
    """
    index = pl.read_csv(DATA / "hub_snapshots_2026_index.csv", try_parse_dates=True).sort("taken_at")
    wanted = index.filter(pl.col("usable")) if only_usable else index
    rows = pl.read_parquet(DATA / "hub_snapshots_2026.parquet").partition_by("taken_at", as_dict=True)
    parents = _parents()
    for moment in wanted["taken_at"]:
        look = rows[(moment,)].select(_COLUMNS)
        yield moment, [_model(row, parents) for row in look.iter_rows()]


def num_models(moment: datetime) -> Mapping[str, int]:
    """How many models each publisher had at a moment: what the full list nearest to it holds.

    The lists came without the Hub's own counts. Who recorded them would have found the counts of the whole list, also
    on the days when the recording broke off early.
    """
    counts = _full_counts()
    return counts[min(counts, key=lambda full: abs(full - moment))]


@cache
def _full_counts() -> dict[datetime, dict[str, int]]:
    lists = pl.read_parquet(DATA / "hub_snapshots_2026.parquet", columns=["taken_at", "author", "repo_id"])
    full = lists.filter(pl.len().over("taken_at") >= FULL).group_by("taken_at", "author").len()
    counts: dict[datetime, dict[str, int]] = {}
    for moment, author, models in full.sort("taken_at", "author").iter_rows():
        counts.setdefault(moment, {})[author] = models
    return counts


def _parents() -> dict[str, tuple[Parent, ...]]:
    """What models descend from: recorded once, in August, and true of them at any time."""
    census = pl.read_parquet(DATA / "hub_census_2026_08.parquet", columns=["repo_id", "base_models"]).drop_nulls()
    return {
        repo_id: tuple(Parent(base["relation"], base["repo_id"]) for base in bases)
        for repo_id, bases in census.iter_rows()
    }


def _model(row: _Row, parents: dict[str, tuple[Parent, ...]]) -> HubModel:
    repo_id, publisher, downloads, likes, created, parameters, pipeline_tag = row
    return HubModel(
        hub_id=hub_id(repo_id),
        repo_id=repo_id,
        publisher=publisher,
        downloads_30d=downloads,
        downloads_all_time=None,
        likes=likes,
        created_at=datetime.combine(created, time(), UTC) if created else None,
        parameters=parameters,
        pipeline_tag=pipeline_tag,
        parents=parents.get(repo_id, ()),
    )
