"""The contract tables as Parquet files, one each, for those who want all of it elsewhere."""

from __future__ import annotations

from pathlib import Path

from monitor.web.formats import write_parquet
from warehouse.db import Database
from warehouse.errors import LeadchangeError
from warehouse.published.browsing import Browsing


def run(published: Path, folder: Path) -> dict[str, int]:
    """Write every published relation to `folder`, which is made; relation -> its rows.

    A file is written beside its target and moved over it, so that a reader never sees half of one.

    Raises:
        WarehouseError: there is no published file, or it is damaged.
        LeadchangeError: the folder cannot be written.
    """
    with Database.open_published(published) as db:
        names = list(dict.fromkeys(row["relation"] for row in Browsing(db).described()))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return {name: _write(db, name, folder) for name in names}
        except OSError as error:
            raise LeadchangeError(f"cannot write to {folder}: {error.strerror}") from None


def _write(db: Database, name: str, folder: Path) -> int:
    draft = folder / f".{name}.parquet.draft"
    try:
        rows = write_parquet(db, name, draft)
        draft.replace(folder / f"{name}.parquet")
    finally:
        draft.unlink(missing_ok=True)
    return rows
