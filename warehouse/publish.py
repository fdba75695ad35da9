"""The published file: everybody's read-only copy of the contract relations, replaced atomically.

A reader of the warehouse itself would block its writer and the writer every reader; so readers get a copy. It is
written beside its target and moved over it: who has the old one open keeps it undisturbed.
"""

from __future__ import annotations

import glob
import os
from pathlib import Path

from warehouse.db import STORAGE_VERSION, Database
from warehouse.errors import WarehouseError
from warehouse.queries import sql

RELATIONS = (
    "snapshots",
    "models",
    "observations",
    "families",
    "shares",
    "boards",
    "standings",
    "flips",
    "alerts",
    "deliveries",
    "silences",
    "channel_health",
    "listings",
    "series_values",
)
"""What is published, in the order of the documentation; everything else is the daemon's own."""


def publish(db: Database, target: Path) -> None:
    """Write the published file anew from the warehouse `db`, and move it over `target`.

    Raises:
        WarehouseError: the disk is full or the folder cannot be written; the old file stays.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _forget_drafts(target)
        draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
        with db.writing:
            _write(db, draft)
        draft.replace(target)
    except OSError as error:
        raise WarehouseError(f"cannot publish to {target}: {error.strerror}") from None
    finally:
        _forget_drafts(target)


def _forget_drafts(target: Path) -> None:
    """Remove drafts, also those of a process that was killed: only one has the warehouse open."""
    for draft in target.parent.glob(f".{glob.escape(target.name)}.*.draft*"):
        draft.unlink(missing_ok=True)


def _write(db: Database, draft: Path) -> None:
    name = str(draft).replace("'", "''")
    db.execute(f"ATTACH '{name}' AS published (STORAGE_VERSION '{STORAGE_VERSION}')")
    try:
        for relation in RELATIONS:
            db.execute(f"CREATE TABLE published.{relation} AS FROM {relation}")
        for comment in _comments(db):
            db.execute(comment)
        db.execute("CHECKPOINT published")
    finally:
        db.execute("DETACH published")


def _comments(db: Database) -> list[str]:
    """COMMENT ON statements that carry every meaning and unit over."""
    found = db.rows(sql("comments"), {"relations": list(RELATIONS)})
    return [
        f"COMMENT ON {what} published.{name} IS '{text.replace(chr(39), chr(39) * 2)}'" for what, name, text in found
    ]
