"""Bring a warehouse to this version's schema: numbered SQL files, each applied in one transaction with its record."""

from __future__ import annotations

from datetime import datetime

from warehouse.db import Database
from warehouse.errors import WarehouseError
from warehouse.queries import migrations, sql


def migrate(db: Database, *, now: datetime) -> list[str]:
    """Apply what is missing; the names of what was applied.

    Raises:
        WarehouseError: the file was made by a newer leadchange, or by something else.
    """
    known = migrations()
    applied = _applied(db)
    if applied and max(applied) > known[-1][0]:
        raise WarehouseError(f"{db.path} was made by a newer leadchange: upgrade; the file is untouched")
    fresh = [migration for migration in known if migration[0] not in applied]
    for number, name, statements in fresh:
        with db.transaction():
            db.execute(statements)
            db.execute(sql("record_migration"), {"version": number, "name": name, "applied_at": now})
    if fresh:
        db.checkpoint()
    return [name for _, name, _ in fresh]


def _applied(db: Database) -> set[int]:
    """Numbers of the migrations this file has seen; none for a new file."""
    tables = {row[0] for row in db.rows(sql("table_names"))}
    if tables and "schema_migrations" not in tables:
        raise WarehouseError(f"{db.path} is a DuckDB file of something else: name another path; the file is untouched")
    return {row[0] for row in db.rows(sql("applied_migrations"))} if tables else set()
