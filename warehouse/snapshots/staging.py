"""A table of more models than are to be held at once: written to a file beside the warehouse, read from it by SQL."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from warehouse.db import Database
from warehouse.queries import literal, sql
from warehouse.snapshots.store import MODEL_SCHEMA


@contextmanager
def room(db: Database) -> Iterator[Path]:
    """A folder for the files of one table; what a killed process left in it is removed."""
    if db.path is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    beside = db.path.with_name(f".{db.path.name}.table")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write(frames: Iterable[pl.DataFrame], target: Path) -> str:
    """Write frames of `store.MODEL_SCHEMA` one after the other; the query that reads them, each row with its `row`."""
    schema = pl.DataFrame(schema=MODEL_SCHEMA).to_arrow().schema
    with pq.ParquetWriter(target, schema) as writer:
        for frame in frames:
            writer.write_table(frame.to_arrow().cast(schema))
    return sql("numbered_rows", relation=reading(target, "file_row_number = true"))


def whole(db: Database, file: Path) -> tuple[str, int]:
    """A file of models as `store.Models`, and how many they are."""
    relation = reading(file)
    return f"FROM {relation}", int(db.value(sql("count_rows", relation=relation)))


def reading(file: Path, option: str = "") -> str:
    """A Parquet file as a relation of SQL."""
    return f"read_parquet({literal(str(file))}{', ' + option if option else ''})"
