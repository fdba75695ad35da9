"""Files of the public datasets that history is read from, generated with the documented schemas.

    days of a GeneratedHub --> hub_stats: a revision a day | model_pulse: a file a month | weekly: a file a week

Columns that nobody needs (cards, configurations, file lists) make up most of the bytes, as in the real files.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pyarrow.parquet as pq

from monitor.demo.datasets import Revision
from monitor.demo.generator import GeneratedHub, Population

HUB_STATS = "cfahlgren1/hub-stats"
MODEL_PULSE = "modelpulse/model-pulse-data"
WEEKLY = "hfmlsoc/hub_weekly_snapshots"

ALL_TIME_SINCE = date(2025, 2, 27)
BASES_SINCE = date(2025, 7, 1)
GATED_UNTIL = date(2025, 3, 1)
"""Days on which columns of hub-stats came and went."""

Day = tuple[date, pl.DataFrame]
"""A day, and what is listed on it: a frame as `GeneratedHub.days` has them."""


def generated(models: int, days: int, *, start: date, seed: int = 0) -> list[Day]:
    """Some days of a Hub that never was."""
    return list(GeneratedHub(Population(seed=seed, models=models, days=days, start=start)).days())


def hub_table(day: date, listed: pl.DataFrame) -> pl.DataFrame:
    """What is listed on a day, in the columns that hub-stats had then."""
    every_fourth = pl.col("repo_id").hash() % 4 == 3
    base = pl.lit("lab-0/base")
    parent = pl.when(every_fourth).then(pl.concat_list(pl.format("base_model:quantized:{}", base)))
    columns = {
        "id": pl.col("repo_id"),
        "author": pl.col("publisher"),
        "cardData": _noise(6),
        "downloads": pl.col("downloads_30d"),
        "likes": pl.col("likes"),
        "trendingScore": pl.col("likes") % 7,
        "createdAt": pl.col("created_at").dt.replace_time_zone(None).dt.cast_time_unit("ms"),
        "lastModified": pl.col("created_at").dt.replace_time_zone(None).dt.cast_time_unit("ms"),
        "pipeline_tag": pl.lit("text-generation"),
        "library_name": pl.lit("transformers"),
        "tags": pl.concat_list(pl.lit("transformers"), pl.lit("license:apache-2.0")).list.concat(parent.fill_null([])),
        "config": _noise(4),
        "safetensors": pl.struct(total=pl.lit(8_190_735_360), parameters=pl.struct(BF16=pl.lit(8_190_735_360))),
        "siblings": pl.concat_list(pl.struct(rfilename=_noise(1)), pl.struct(rfilename=pl.lit("config.json"))),
    }
    if day >= ALL_TIME_SINCE:
        columns["downloadsAllTime"] = pl.col("downloads_all_time")
    if day >= BASES_SINCE:
        columns["baseModels"] = pl.when(every_fourth).then(
            pl.struct(relation=pl.lit("quantized"), models=pl.concat_list(pl.struct(_id=pl.lit("0"), id=base)))
        )
    if day < GATED_UNTIL:
        columns |= {"gated": pl.lit("False"), "private": pl.lit(value=False), "sha": _noise(1)}
    return listed.select(**columns)


def parquet(table: pl.DataFrame, *, rows_a_group: int = 2_000) -> bytes:
    """A table as a Parquet file."""
    out = io.BytesIO()
    pq.write_table(table.to_arrow(), out, row_group_size=rows_a_group, compression="zstd", write_page_checksum=True)
    return out.getvalue()


def hub_stats(days: Iterable[Day], *, hour: int = 4, rows_a_group: int = 2_000) -> list[Revision]:
    """A commit for each day, between those of other tables."""
    found = []
    for day, listed in days:
        at = datetime.combine(day, time(hour), UTC)
        table = parquet(hub_table(day, listed), rows_a_group=rows_a_group)
        found += [
            _upload("datasets.parquet", at - timedelta(minutes=2), b"PAR1"),
            _upload("models.parquet", at, table),
            _upload("spaces.parquet", at + timedelta(minutes=2), b"PAR1"),
        ]
    return found


def model_pulse(days: Iterable[Day], *, rows_a_group: int = 20_000) -> list[Revision]:
    """A file for each month, by day, and one that describes the models; where no all-time count was known stands 0."""
    months: dict[str, list[pl.DataFrame]] = defaultdict(list)
    last = pl.DataFrame()
    for day, last in days:
        total = pl.col("downloads_all_time") if day >= ALL_TIME_SINCE else pl.lit(0, pl.Int64)
        counts = last.select(id="repo_id", day=pl.lit(day), dl30="downloads_30d", dl_all=total, likes="likes")
        months[f"{day:%Y-%m}"].append(counts)
    files: dict[str, bytes | None] = {
        f"series/{month}.parquet": parquet(pl.concat(frames), rows_a_group=rows_a_group)
        for month, frames in months.items()
    }
    files["models.parquet"] = parquet(
        last.select(id="repo_id", created="created_at", pipeline_tag=pl.lit("text-generation"))
    )
    return [Revision("daily update", datetime.combine(day, time(12), UTC), files)]


def weekly(days: Iterable[Day], *, rows_a_group: int = 2_000) -> list[Revision]:
    """A folder for every seventh day."""
    return [
        _upload(
            f"models/{day}/models.parquet",
            datetime.combine(day, time(6), UTC),
            parquet(hub_table(day, listed), rows_a_group=rows_a_group),
        )
        for number, (day, listed) in enumerate(days)
        if number % 7 == 0
    ]


def _upload(path: str, at: datetime, content: bytes) -> Revision:
    return Revision(f"Upload {path} with huggingface_hub", at, {path: content})


def _noise(words: int) -> pl.Expr:
    """Text that does not compress, always the same for a model."""
    return pl.concat_str([pl.col("repo_id").hash(seed).cast(pl.String) for seed in range(words)], separator=" ")
