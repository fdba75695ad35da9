"""The sandbox of `/sql`: what is asked is answered, and nothing that is asked can hurt."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from web_world import World, small

from warehouse.db import Database
from warehouse.errors import QueryRefusedError, WarehouseError
from warehouse.published.sandbox import Limits, answer, ask, plain_cell

SHORT = Limits(seconds=1.0, rows=100)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small(World(tmp_path_factory.mktemp("sandbox"))).publish()


def test_an_answer_has_names_and_cells_that_json_knows(published: Path) -> None:
    answer = ask(
        published, "SELECT board, day, value, 1.5 AS half, NULL AS nothing FROM standings ORDER BY day, rank LIMIT 1"
    )

    assert answer.columns == ["board", "day", "value", "half", "nothing"]
    assert answer.rows == [["families", "2026-05-01", 50.0, 1.5, None]]
    assert not answer.truncated


def test_more_rows_than_the_limit_are_cut_and_said_so(published: Path) -> None:
    answer = ask(published, "FROM range(1000000000)", SHORT)

    assert len(answer.rows) == 100
    assert answer.truncated


OUTSIDE = [
    "FROM read_text('/etc/passwd')",
    "FROM read_csv('/etc/passwd')",
    "FROM read_blob('/proc/self/environ')",
    "FROM '/etc/passwd'",
    "FROM 'https://example.org/x.parquet'",
    "FROM read_parquet('s3://bucket/x')",
    "FROM glob('/*')",
    "FROM sniff_csv('/etc/passwd')",
    "FROM which_secret('x', 's3')",
    "FROM query('COPY flips TO ''stolen.csv''')",
    "FROM sqlite_scan('x', 'y')",
    "EXPLAIN ANALYZE COPY flips TO 'stolen.csv'",
    "ATTACH 'other.duckdb'",
    "ATTACH ':memory:' AS more",
    "DETACH adoption",
    "COPY flips TO 'stolen.csv'",
    "COPY flips FROM '/etc/passwd'",
    "EXPORT DATABASE 'stolen'",
    "IMPORT DATABASE 'stolen'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '/tmp/evil.duckdb_extension'",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "SET memory_limit = '64GB'",
    "SET GLOBAL enable_external_access = true",
    "RESET lock_configuration",
    "EXPLAIN ANALYZE SET threads = 64",
    "FROM enable_logging()",
    "CREATE TABLE mine AS SELECT 1",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "CREATE SECRET (TYPE s3)",
    "INSERT INTO flips SELECT * FROM flips",
    "DELETE FROM flips",
    "EXPLAIN ANALYZE DELETE FROM flips",
    "DROP TABLE flips",
    "USE memory",
    "BEGIN",
    "CHECKPOINT",
    "CALL pragma_version()",
    "PREPARE mine AS SELECT 1",
    "EXECUTE mine",
    "SELECT 1; DROP TABLE flips",
    "SELECT getenv('HOME')",
    "",
    ";",
    "--",
    "\x00",
    "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
]


@pytest.fixture(scope="module")
def inside(published: Path) -> Iterator[Database]:
    """What a query meets within its process."""
    with Database.open_published(published, memory_megabytes=SHORT.memory_megabytes) as db:
        yield db


@pytest.mark.parametrize("query", OUTSIDE)
def test_what_reaches_beyond_the_file_is_refused(inside: Database, published: Path, query: str) -> None:
    with pytest.raises(QueryRefusedError):
        answer(inside, query, SHORT)

    assert sorted(entry.name for entry in published.parent.iterdir()) == ["adoption.duckdb"]


@pytest.mark.parametrize("query", OUTSIDE[::12])
def test_what_is_refused_within_the_process_is_said_outside(published: Path, query: str) -> None:
    with pytest.raises(QueryRefusedError) as within, Database.open_published(published, memory_megabytes=256) as db:
        answer(db, query, SHORT)
    with pytest.raises(QueryRefusedError) as outside:
        ask(published, query, SHORT)

    assert str(outside.value) == str(within.value)


BOMBS = [
    "SELECT repeat('x', 2000000000)",
    "SELECT lpad('x', 2000000000, 'y')",
    "SELECT printf('%2000000000d', 1)",
    "SELECT repeat([1], 1000000000)",
    "SELECT range(1000000000)",
    "SELECT list(range) FROM range(1000000000)",
    "SELECT array_to_string(range(100000000), ',')",
    "SELECT string_split(repeat('x,', 50000000), ',')",
    "SELECT repeat('x', 6000000)",
    "EXPLAIN ANALYZE CREATE TABLE memory.bomb AS FROM range(1000000000)",
]


@pytest.mark.parametrize("query", BOMBS)
def test_what_needs_too_much_memory_is_stopped(published: Path, query: str) -> None:
    with pytest.raises(QueryRefusedError, match=r"MB|stopped"):
        ask(published, query, SHORT)


ENDLESS = [
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "SELECT count(*) FROM range(100000000000)",
    "SELECT levenshtein(repeat('a', 500000), repeat('b', 500000))",
]


@pytest.mark.parametrize("query", ENDLESS)
def test_what_never_ends_is_stopped(published: Path, query: str) -> None:
    began = time.monotonic()

    with pytest.raises(QueryRefusedError, match="stopped after 1 s"):
        ask(published, query, SHORT)

    assert time.monotonic() - began < 30


def test_no_query_sees_the_environment(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://hooks.example/T0/B0")

    said = [ask(published, query).rows for query in ("FROM duckdb_settings()", "FROM duckdb_variables()")]

    assert "hooks.example" not in str(said)


@pytest.mark.parametrize(
    "query",
    ["FROM duckdb_databases()", "SELECT name, value FROM duckdb_settings()", "SELECT current_setting('allowed_paths')"],
)
def test_no_answer_shows_where_the_file_lies(published: Path, query: str) -> None:
    said = str(ask(published, query).rows)

    assert "adoption.duckdb" in said
    assert str(published.parent) not in said


def test_no_complaint_shows_where_the_file_lies(tmp_path: Path) -> None:
    file = tmp_path / "adoption.duckdb"
    file.write_bytes(os.urandom(4096))

    with pytest.raises(WarehouseError) as said:
        ask(file, "SELECT 1")

    assert str(said.value).startswith("adoption.duckdb is damaged")


def test_python_objects_are_no_tables(published: Path) -> None:
    for name in ("db", "query", "limits", "os", "task"):
        with pytest.raises(QueryRefusedError, match="does not exist"):
            ask(published, f"FROM {name}")


def test_without_a_published_file_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="does not exist yet"):
        ask(tmp_path / "adoption.duckdb", "SELECT 1")


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    file = tmp_path / "adoption.duckdb"
    file.write_bytes(os.urandom(4096))

    with pytest.raises(WarehouseError, match="damaged"):
        ask(file, "SELECT 1")


def test_a_file_that_took_the_place_of_another_is_read_while_the_other_is_open(tmp_path: Path) -> None:
    world = small(World(tmp_path))
    with Database.open_published(world.publish()) as old:
        world.db.execute("DELETE FROM flips")
        with Database.open_published(world.publish()) as new:
            assert new.value("SELECT count(*) FROM flips") == 0
            assert old.value("SELECT count(*) FROM flips") == 1


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        (Decimal("1.5"), 1.5),
        (float("inf"), float("inf")),
        (date(2026, 5, 1), "2026-05-01"),
        (datetime(2026, 5, 1, 10, tzinfo=UTC), "2026-05-01T10:00:00+00:00"),
        ({"a": [Decimal(1), b"x"]}, {"a": [1.0, "b'x'"]}),
    ],
)
def test_cells_become_what_json_knows(cell: object, plain: object) -> None:
    assert plain_cell(cell) == plain
