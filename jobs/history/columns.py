"""Columns of whatever types and meaning -> the schema `store.MODEL_SCHEMA`. Pure, vectorised; nothing is trusted.

What a live listing says row by row in JSON (`jobs.hub_rows`), a table says by columns; both are read to mean the same.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from jobs.hub_rows import LONGEST_NAME, MOST_COUNT
from warehouse.snapshots.store import MODEL_SCHEMA

COUNTERS = ("downloads_30d", "downloads_all_time", "likes")

_OFFSET = r"(?<sign>[+-])(?<hours>\d{2}):?(?<minutes>\d{2})"
_DAY = rf"^(?<day>\d{{4}}-\d{{2}}-\d{{2}})(?:[T ](?<time>\d{{2}}:\d{{2}})[\d:.]*)? ?(?:Z|UTC|{_OFFSET})?$"
REPO_ID = rf"^[^/\s]{{1,{LONGEST_NAME}}}/[^/\s]{{1,{LONGEST_NAME}}}$"
_BASE_MODEL = r"^base_model:(?:(quantized|finetune|adapter|merge):)?([^:]+)$"
_WRITTEN_TAG = r"[^\[\]'\",\s]+"
"""A tag in a cell of a CSV file, however lists are written there: `a,b`, `["a", "b"]`, `['a', 'b']`."""

_PARENTS = MODEL_SCHEMA["parents"]


def normalised(read: pl.DataFrame) -> pl.DataFrame:
    """Columns by our names, of whatever types -> MODEL_SCHEMA."""
    license_, parents = _described(read)
    texts = {name: read[name].cast(pl.String) for name in ("pipeline_tag", "library", "hub_id") if name in read.columns}
    repo_id = read["repo_id"].cast(pl.String)
    known: dict[str, Any] = {
        **{name: text.set(text == "", None) for name, text in texts.items()},
        **{name: _as_count(read[name]) for name in COUNTERS if name in read.columns},
        "repo_id": repo_id,
        "publisher": repo_id.str.split("/").list.first(),
        "created_at": _as_moment(read["created_at"]) if "created_at" in read.columns else None,
        "parameters": _as_size(read),
        "gated": _as_gate(read["gated"]) if "gated" in read.columns else None,
        "disabled": read["disabled"] if "disabled" in read.columns and read["disabled"].dtype == pl.Boolean else None,
        "license": license_,
        "parents": parents,
    }
    columns = [
        pl.Series(name, [None] * read.height, kind) if known.get(name) is None else known[name].cast(kind).alias(name)
        for name, kind in MODEL_SCHEMA.items()
    ]
    return pl.DataFrame(columns)


def believed(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Rows with a name and counts that can be true, and how many others there were."""
    counts = [pl.col(name).is_between(0, MOST_COUNT).fill_null(value=True) for name in COUNTERS]
    named = pl.col("repo_id").str.contains(REPO_ID).fill_null(value=False)
    good = rows.filter(named, *counts)
    return good, rows.height - good.height


def _as_count(values: pl.Series) -> pl.Series:
    """Whole numbers; -1, which `believed` refuses, for a number that is none, and null for what is not known."""
    if values.dtype.is_float():
        values = values.fill_nan(None)
    whole = values.cast(pl.Int64, strict=False)
    wrong = values.is_not_null() & (whole != values).fill_null(value=True)
    return whole.set(wrong, -1)


def as_day(values: pl.Series) -> pl.Series:
    """UTC days, from dates, moments or text; null for what is none."""
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    if values.dtype == pl.String:
        return values.to_frame("day").select(written_day("day")).to_series()
    return values.cast(pl.Date, strict=False)


def written_day(name: str) -> pl.Expr:
    """The UTC day of a text: YYYY-MM-DD, or a moment that begins so, in UTC where it names no offset; else null."""
    parts = pl.col(name).str.strip_chars().str.extract_groups(_DAY).struct
    moment = (parts["day"] + parts["time"].fill_null("00:00")).str.to_datetime("%Y-%m-%d%H:%M", strict=False)
    hours, minutes = (parts[unit].fill_null("0").cast(pl.Int64) for unit in ("hours", "minutes"))
    offset = pl.duration(hours=hours, minutes=minutes)
    return pl.when(parts["sign"] == "-").then(moment + offset).otherwise(moment - offset).dt.date().alias(name)


def _as_moment(values: pl.Series) -> pl.Series:
    """Moments in UTC; those without a time zone are in UTC already."""
    if values.dtype == pl.String:
        return values.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone:
        return values.dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
    return values.cast(pl.Datetime("us"), strict=False).dt.replace_time_zone("UTC")


def _as_size(read: pl.DataFrame) -> pl.Series | None:
    """Parameters by the weights, or by the GGUF header; 0 is what the Hub writes for "cannot tell"."""
    columns = [name for name in ("parameters", "gguf_parameters") if name in read.columns]
    numbers = [pl.col(name).cast(pl.Int64, strict=False) for name in columns]
    sizes = [pl.when(number > 0).then(number) for number in numbers]
    return read.select(size=pl.coalesce(sizes)).to_series() if sizes else None


def _as_gate(values: pl.Series) -> pl.Series:
    """`auto`, `manual` or `no`."""
    text = values.cast(pl.String).str.to_lowercase()
    return text.replace_strict({"false": "no", "no": "no", "auto": "auto", "manual": "manual"}, default=None)


def _described(read: pl.DataFrame) -> tuple[pl.Series | None, pl.Series | None]:
    """Licence and parents of every row, from the tags, as `jobs.hub_rows` reads them one by one."""
    if "tags" in read.columns and read["tags"].dtype == pl.String:
        read = read.with_columns(pl.col("tags").str.extract_all(_WRITTEN_TAG))
    if "tags" not in read.columns or not isinstance(read["tags"].dtype, pl.List):
        return None, _based(read)
    every = read.select(pl.int_range(pl.len()).alias("row"), "tags").explode("tags")
    tags = every.filter(pl.col("tags").str.contains("^(license|base_model):"))
    licences = tags.filter(pl.col("tags").str.starts_with("license:")).unique("row", keep="first")
    licences = licences.select("row", license=pl.col("tags").str.strip_prefix("license:").replace("", None))
    groups = pl.col("tags").str.extract_groups(_BASE_MODEL)
    bases = tags.select("row", relation=groups.struct[0], repo_id=groups.struct[1]).drop_nulls("repo_id")
    parents = (
        bases.group_by("row", "repo_id", maintain_order=True)
        .agg(pl.col("relation").drop_nulls().last())
        .group_by("row", maintain_order=True)
        .agg(parents=pl.struct("relation", "repo_id"))
    )
    rows = read.select(pl.int_range(pl.len()).alias("row"))
    joined = rows.join(licences, on="row", how="left").join(parents, on="row", how="left").sort("row")
    return joined["license"].cast(pl.String), joined["parents"].cast(_PARENTS)


def _based(read: pl.DataFrame) -> pl.Series | None:
    """Parents of every row from the column that the Hub works out from the tags: one relation for all of them."""
    if "base_models" not in read.columns or not isinstance(read["base_models"].dtype, pl.Struct):
        return None
    bases = pl.col("base_models").struct
    every = read.select(pl.int_range(pl.len()).alias("row"), bases["relation"], bases["models"]).explode("models")
    named = every.select("row", pl.col("relation").cast(pl.String), repo_id=pl.col("models").struct.field("id"))
    parents = (
        named.drop_nulls("repo_id").group_by("row", maintain_order=True).agg(parents=pl.struct("relation", "repo_id"))
    )
    rows = read.select(pl.int_range(pl.len()).alias("row"))
    return rows.join(parents, on="row", how="left").sort("row")["parents"].cast(_PARENTS)
