"""The schema: from zero, twice, and everything that the contract names, with its meaning."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from spine import moment, warehouse

from warehouse import migrate as migrating
from warehouse.db import Database
from warehouse.errors import WarehouseError
from warehouse.migrate import migrate
from warehouse.published.publish import RELATIONS, publish
from warehouse.queries import migrations
from warehouse.ranking import places

CONTRACT = {
    "snapshots": "snapshot_id source taken_at day verdict verdict_reason models requests seconds",
    "models": (
        "hub_id repo_id publisher family relation root_repo_id created_at parameters pipeline_tag library license "
        "gated first_seen last_seen"
    ),
    "observations": "snapshot_id day hub_id repo_id downloads_30d downloads_all_time likes",
    "families": "family vendor country publishers",
    "boards": "board entity measure scope definition",
    "standings": "board day snapshot_id rank entity value share previous_rank",
    "flips": "flip_id board kind entity rival day value rival_value margin verdict panel_holds",
    "alerts": "alert_id rule board kind entity rival state day confirmed_day title",
    "deliveries": "alert_id channel status attempts last_error sent_at",
}
"""What users script against: relation -> columns, at least these."""

TYPES = {
    ("snapshots", "taken_at"): "TIMESTAMP WITH TIME ZONE",
    ("snapshots", "day"): "DATE",
    ("flips", "panel_holds"): "BOOLEAN",
    ("standings", "day"): "DATE",
    ("observations", "downloads_30d"): "BIGINT",
    ("deliveries", "sent_at"): "TIMESTAMP WITH TIME ZONE",
}

COLUMNS = (
    "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() "
    "WHERE NOT internal AND database_name = current_database()"
)
_OURS = "NOT internal AND database_name = current_database()"
TABLES = (
    f"SELECT table_name, comment FROM duckdb_tables() WHERE {_OURS} "
    f"UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE {_OURS}"
)


def test_every_migration_is_applied_once_and_recorded(tmp_path: Path) -> None:
    names = [name for _, name, _ in migrations()]
    with Database.open(tmp_path / "w.duckdb") as db:
        assert migrate(db, now=moment(0)) == names
        assert migrate(db, now=moment(1)) == []
    with Database.open(tmp_path / "w.duckdb") as db:
        assert migrate(db, now=moment(2)) == []
        assert db.rows("SELECT name, applied_at FROM schema_migrations ORDER BY version") == [
            (name, moment(0)) for name in names
        ]


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [number for number, _, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_every_relation_and_column_of_the_contract_exists() -> None:
    with warehouse() as db:
        kinds = {(table, column): kind for table, column, kind, _ in db.rows(COLUMNS)}
    wanted = {(table, column) for table, columns in CONTRACT.items() for column in columns.split()}
    assert wanted - kinds.keys() == set()
    assert {key: kinds[key] for key in TYPES} == TYPES


def test_everything_in_the_warehouse_carries_its_meaning() -> None:
    with warehouse() as db:
        silent = [row[0] for row in db.rows(TABLES) if not row[1] and row[0] != "schema_migrations"]
        silent += [f"{row[0]}.{row[1]}" for row in db.rows(COLUMNS) if not row[3] and row[0] != "schema_migrations"]
    assert silent == []


def test_every_published_relation_and_column_carries_the_same_meaning(tmp_path: Path) -> None:
    with warehouse(tmp_path / "w.duckdb") as db:
        publish(db, tmp_path / "adoption.duckdb")
        kept = {row for row in db.rows(COLUMNS) if row[0] in RELATIONS}
    with Database.open_published(tmp_path / "adoption.duckdb") as published:
        assert set(published.rows(COLUMNS)) == kept
        assert {row[0] for row in published.rows(TABLES) if row[1]} == set(RELATIONS)
    assert CONTRACT.keys() - set(RELATIONS) == set()


def test_facts_need_nothing_that_a_lake_does_not_have() -> None:
    with warehouse() as db:
        assert db.rows("SELECT * FROM duckdb_constraints() WHERE constraint_type NOT IN ('NOT NULL')") == []
        assert db.rows("SELECT * FROM duckdb_indexes()") == []
        assert db.rows("SELECT * FROM duckdb_sequences()") == []


def test_a_warehouse_of_a_newer_leadchange_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with warehouse(path) as db:
        db.execute("INSERT INTO schema_migrations VALUES (999, 'from_the_future', now())")
    with Database.open(path) as db, pytest.raises(WarehouseError, match="made by a newer leadchange: upgrade"):
        migrate(db, now=moment(0))


def test_a_migration_that_fails_half_way_leaves_nothing_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = (2000, "broken", "CREATE TABLE half (n INTEGER); INSERT INTO half VALUES ('no number');")
    path = tmp_path / "w.duckdb"
    with warehouse(path) as db:
        before = db.rows(TABLES)
        monkeypatch.setattr(migrating, "migrations", lambda: [*migrations(), broken])
        with pytest.raises(duckdb.ConversionException):
            migrate(db, now=moment(1))
        assert db.rows(TABLES) == before
    with Database.open(path) as db:
        assert db.rows(TABLES) == before
        assert db.value("SELECT max(version) FROM schema_migrations") == len(migrations())


def test_a_warehouse_whose_counts_carried_names_answers_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.duckdb"
    with monkeypatch.context() as before, Database.open(path) as db:
        before.setattr(migrating, "migrations", lambda: migrations()[:4])
        migrate(db, now=moment(0))
        db.execute("INSERT INTO model_names VALUES (1, 'a', 'lab/a')")
        db.execute("INSERT INTO run_days VALUES (1, 1, 7, DATE '2026-05-01', 1, 0)")
        db.execute("INSERT INTO observation_runs VALUES (1, 1, NULL, [5], [NULL], [0])")
        db.execute(
            "INSERT INTO recent_observations VALUES (8, DATE '2026-05-02', 'a', 'lab/a', 6, NULL, 0), "
            "(8, DATE '2026-05-02', 'b', 'lab/b', NULL, 9, 1), (9, DATE '2026-05-03', 'b', 'lab/b-new', 1, 9, 1)"
        )
        seen = db.rows("FROM observations ORDER BY ALL")
    with Database.open(path) as db:
        assert migrate(db, now=moment(1))[0] == "numbers"
        assert db.rows("FROM observations ORDER BY ALL") == seen
        assert db.rows("FROM model_names ORDER BY ALL")[1:] == [(2, "b", "lab/b"), (3, "b", "lab/b-new")]


def test_boards_of_models_that_stood_under_names_answer_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.duckdb"
    with monkeypatch.context() as before, Database.open(path) as db:
        before.setattr(migrating, "migrations", lambda: migrations()[:9])
        migrate(db, now=moment(0))
        boards = [("models", "model", "likes"), ("own", "family", "likes"), ("roots", "model", "derivatives")]
        for board, entity, measure in boards:
            db.execute(
                "INSERT INTO boards (board, entity, measure, scope, definition, condition, fingerprint) "
                f"VALUES ('{board}', '{entity}', '{measure}', 'own', '', '', '')"
            )
        db.execute(
            "INSERT INTO models (hub_id, repo_id, publisher, first_seen, last_seen) "
            "VALUES ('b', 'lab/b', 'lab', DATE '2026-05-01', DATE '2026-05-01')"
        )
        db.execute(
            "INSERT INTO standings VALUES ('models', DATE '2026-05-01', 1, 1, 'lab/a', 6, 0.6, NULL), "
            "('models', DATE '2026-05-01', 1, 2, 'lab/b', 4, 0.4, 1), "
            "('own', DATE '2026-05-01', 1, 1, 'Alpha', 6, 1, NULL), "
            "('roots', DATE '2026-05-01', 1, 1, 'lab/a', 6, 1, NULL)"
        )
        db.execute("INSERT INTO rankings (board, day, snapshot_id) VALUES ('models', DATE '2026-05-01', 1)")
        seen = db.rows("FROM standings ORDER BY ALL")
    with Database.open(path) as db:
        assert migrate(db, now=moment(1)) == [name for _, name, _ in migrations()[9:]]
        assert db.rows("FROM standings ORDER BY ALL") == seen
        assert db.rows("FROM ranked_models ORDER BY ALL") == [(1, "lab/a", "lab/a"), (2, "b", "lab/b")]
        stands = "SELECT DISTINCT board FROM {} ORDER BY ALL"
        assert [db.rows(stands.format(table)) for table in places.TABLES] == [[("own",)], [("roots",)], [("models",)]]
