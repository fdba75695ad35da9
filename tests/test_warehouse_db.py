"""The door to DuckDB: what a file that cannot be used says, and what nobody may do through it."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import polars as pl
import pytest
from spine import held_elsewhere, moment, warehouse

from warehouse.db import _MOST_PARSED, Database
from warehouse.errors import QueryRefusedError, WarehouseError
from warehouse.migrate import migrate

ROOT = Path(__file__).parent.parent


def table(path: Path, rows: int = 1) -> Path:
    """A file of ours with one table."""
    with Database.open(path) as db:
        db.execute(f"CREATE TABLE numbers AS SELECT range AS n, hash(range) AS h FROM range({rows})")
    return path


def of_version(path: Path, version: int) -> None:
    """Rewrite a file's header as if a DuckDB of another storage version had written it."""
    content = bytearray(path.read_bytes())
    content[12:20] = struct.pack("<Q", version)
    checksum = 5381
    for (word,) in struct.iter_unpack("<Q", bytes(content[8:4096])):
        checksum ^= (word * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    content[:8] = struct.pack("<Q", checksum)
    path.write_bytes(content)


def ask(path: Path, question: str) -> tuple[list[str], list[tuple[object, ...]]]:
    """A question to a published file, as `leadchange sql` puts it."""
    with Database.open_published(path) as db:
        db.refuse_writing(question)
        return db.ask(question)


def insert(db: Database, *values: object) -> None:
    """Values into the table t within one transaction; one that is an exception is raised there."""
    with db.transaction():
        for value in values:
            if isinstance(value, BaseException):
                raise value
            db.execute("INSERT INTO t VALUES ($value)", {"value": value})


# Opening


def test_opening_makes_the_file_and_its_folder_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "warehouse.duckdb"
    Database.open(path).close()
    assert path.is_file()
    assert path.parent.stat().st_mode & 0o077 == 0


def test_what_was_committed_is_there_when_opened_again(tmp_path: Path) -> None:
    with Database.open(table(tmp_path / "w.duckdb", 3)) as db:
        assert db.value("SELECT count(*) FROM numbers") == 3


def test_the_warehouse_holds_no_more_memory_than_it_may_and_than_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = "SELECT parse_formatted_bytes(current_setting('memory_limit'))"
    with Database.in_memory() as db:
        machine = db.value(held)
    monkeypatch.setattr("warehouse.db.MEMORY", 2**26)
    with Database.open(tmp_path / "a.duckdb") as db:
        assert db.value(held) == 2**26
    monkeypatch.setattr("warehouse.db.MEMORY", 2 * machine)
    with Database.open(tmp_path / "a.duckdb") as db:
        assert db.value(held) == machine


def test_a_lock_names_the_process_that_holds_it_and_what_can_be_done(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with held_elsewhere(path) as process:
        with pytest.raises(WarehouseError) as caught:
            Database.open(path)
        line = str(caught.value)
        assert f"process {process.pid} " in line
        assert "stop it, or read the published file" in line
        assert "\n" not in line
    Database.open(path).close()


@pytest.mark.parametrize("content", [b"", b"day,entity,value\n" * 500, b"\0" * 12288])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.duckdb"
    path.write_bytes(content)
    with pytest.raises(WarehouseError, match="is damaged or no DuckDB file: move it away, or restore a copy"):
        Database.open(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("where", [100, 5000])
def test_a_damaged_header_is_said_and_nothing_is_overwritten(tmp_path: Path, where: int) -> None:
    path = table(tmp_path / "w.duckdb")
    content = bytearray(path.read_bytes())
    content[where : where + 50] = b"x" * 50
    path.write_bytes(content)
    with pytest.raises(WarehouseError, match=r"w\.duckdb is damaged"):
        Database.open(path)
    assert path.read_bytes() == content


def test_a_file_cut_short_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = table(tmp_path / "w.duckdb")
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(WarehouseError, match="is damaged"):
        Database.open(path)


def test_damage_in_the_middle_is_found_when_it_is_read(tmp_path: Path) -> None:
    path = table(tmp_path / "w.duckdb", 500_000)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1000] = b"x" * 1000
    path.write_bytes(content)
    question = "SELECT sum(h), sum(n) FROM numbers"
    with Database.open(path) as db, pytest.raises(WarehouseError, match="is damaged"):
        db.value(question)
    with Database.open_published(path) as db, pytest.raises(WarehouseError, match="is damaged"):
        db.ask(question)


def test_a_file_of_a_newer_duckdb_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = table(tmp_path / "w.duckdb")
    of_version(path, 900)
    content = path.read_bytes()
    with pytest.raises(WarehouseError, match="written by a newer DuckDB: upgrade leadchange; the file is untouched"):
        Database.open(path)
    assert path.read_bytes() == content


def test_somebody_elses_duckdb_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = table(tmp_path / "theirs.duckdb")
    content = path.read_bytes()
    with Database.open(path) as db, pytest.raises(WarehouseError, match="is a DuckDB file of something else"):
        migrate(db, now=moment(0))
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WarehouseError, match=r"cannot make the folder of .*: "):
        Database.open(tmp_path / "file" / "w.duckdb")
    with pytest.raises(
        WarehouseError, match="cannot be opened: Is a directory; see who may write there, or name another"
    ):
        Database.open(tmp_path)


def test_a_published_file_that_is_not_there_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="does not exist yet: run `leadchange collect` first"):
        Database.open_published(tmp_path / "adoption.duckdb")


# Transactions


@pytest.mark.parametrize(
    "failure", [ZeroDivisionError(), KeyboardInterrupt(), "no number"], ids=["bug", "interruption", "statement"]
)
def test_a_transaction_is_there_as_a_whole_or_not_at_all(failure: object) -> None:
    with warehouse() as db:
        db.execute("CREATE TABLE t (n INTEGER)")
        with pytest.raises((ZeroDivisionError, KeyboardInterrupt, duckdb.ConversionException)):
            insert(db, 1, failure, 2)
        assert db.rows("FROM t") == []
        insert(db, 1, 2)
        assert db.rows("FROM t ORDER BY n") == [(1,), (2,)]


def test_our_own_wrong_sql_stays_the_bug_it_is() -> None:
    with warehouse() as db, pytest.raises(duckdb.CatalogException):
        db.rows("FROM no_such_table")


# Asking


def test_rows_records_frames_and_cells_agree() -> None:
    with warehouse() as db:
        question = "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS t (n, s) ORDER BY n"
        assert db.rows(question) == [(1, "a"), (2, None)]
        assert db.records(question) == [{"n": 1, "s": "a"}, {"n": 2, "s": None}]
        assert db.frame(question).rows() == [(1, "a"), (2, None)]
        assert db.value(question) == 1
        assert db.value("SELECT 1 WHERE false") is None
        assert db.value("SELECT $n + 1", {"n": 1}) == 2


def test_a_frame_is_seen_under_its_name_within_the_block_only() -> None:
    with warehouse() as db:
        with db.view_of("incoming", pl.DataFrame({"n": [1, 2]})):
            assert db.value("SELECT sum(n) FROM incoming") == 3
        with pytest.raises(duckdb.CatalogException):
            db.rows("FROM incoming")


def test_what_went_wrong_while_a_frame_was_seen_is_what_is_told() -> None:
    with (
        warehouse() as db,
        pytest.raises(duckdb.ConversionException, match="many"),
        db.transaction(),
        db.view_of("incoming", pl.DataFrame({"n": ["many"]})),
    ):
        db.rows("CREATE TABLE numbers AS SELECT n::INTEGER AS n FROM incoming")


def test_a_cursor_serves_another_thread_in_utc(tmp_path: Path) -> None:
    seen: list[object] = []
    with Database.open(table(tmp_path / "w.duckdb", 5)) as db:
        cursor = db.cursor()

        def ask() -> None:
            seen.append(cursor.rows("SELECT count(*), current_setting('TimeZone') FROM numbers"))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert seen == [[(5, "UTC")]]


DAYS = """
import json, sys
from datetime import datetime, UTC
from pathlib import Path
from types import SimpleNamespace
from warehouse.db import Database
late = datetime(2026, 5, 1, 23, 30, tzinfo=UTC)
with Database.open(Path(sys.argv[1])) as db:
    db.execute("CREATE OR REPLACE TABLE t AS SELECT $late::TIMESTAMPTZ AS moment", {"late": late})
    text = db.value("SELECT moment::DATE::VARCHAR || ' ' || moment::VARCHAR FROM t")
    print(json.dumps([text, db.rows("FROM t")[0][0].isoformat()]))
"""


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
def test_a_day_is_a_utc_day_whatever_the_machines_time_zone(tmp_path: Path, zone: str) -> None:
    command = [sys.executable, "-c", DAYS, str(tmp_path / "w.duckdb")]
    done = subprocess.run(
        command, env=os.environ | {"TZ": zone}, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == '["2026-05-01 2026-05-01 23:30:00+00", "2026-05-01T23:30:00+00:00"]'


def test_moments_come_back_aware_and_days_as_days() -> None:
    with warehouse() as db:
        at = datetime(2026, 5, 1, 23, 30, tzinfo=UTC)
        ((moment_, day_),) = db.rows("SELECT $at::TIMESTAMPTZ, $at::TIMESTAMPTZ::DATE", {"at": at})
        assert moment_ == at
        assert moment_.utcoffset().total_seconds() == 0
        assert day_ == date(2026, 5, 1)


# What nobody may do through the published file

WRITING = """
INSERT INTO numbers VALUES (1, 1)
UPDATE numbers SET n = 1
DELETE FROM numbers
TRUNCATE numbers
MERGE INTO numbers USING numbers AS u ON numbers.n = u.n WHEN MATCHED THEN DELETE
CREATE TABLE x AS SELECT 1
CREATE TEMP TABLE x AS SELECT 1
CREATE OR REPLACE VIEW x AS SELECT 1
CREATE MACRO f(x) AS x
CREATE SCHEMA x
CREATE SEQUENCE x
CREATE TYPE x AS INTEGER
CREATE INDEX x ON numbers (n)
CREATE SECRET x (TYPE s3)
DROP TABLE numbers
ALTER TABLE numbers ADD b INTEGER
COMMENT ON TABLE numbers IS 'x'
COPY numbers TO 'x.csv'
COPY numbers FROM 'x.csv'
COPY (SELECT 1) TO 'x.csv'
EXPORT DATABASE 'x'
IMPORT DATABASE 'x'
ATTACH 'x.duckdb'
DETACH x
USE x
SET threads = 1
RESET threads
PRAGMA threads = 1
PRAGMA version
INSTALL httpfs
LOAD httpfs
UPDATE EXTENSIONS
CALL pragma_version()
CHECKPOINT
FORCE CHECKPOINT
VACUUM
ANALYZE
BEGIN
COMMIT
ROLLBACK
PREPARE p AS SELECT 1
EXECUTE p
DEALLOCATE p
""".strip().splitlines()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table(tmp_path_factory.mktemp("published") / "adoption.duckdb", 3)


@pytest.mark.parametrize("statement", WRITING)
def test_every_kind_of_statement_that_does_not_read_is_refused(published: Path, statement: str) -> None:
    with (
        Database.open_published(published) as db,
        pytest.raises(QueryRefusedError, match=r"refused: this file is read-only|Parser Error"),
    ):
        db.refuse_writing(statement)


@pytest.mark.parametrize("statement", ["", ";", "-- nothing", "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE numbers"])
def test_none_or_several_statements_are_refused(published: Path, statement: str) -> None:
    with Database.open_published(published) as db, pytest.raises(QueryRefusedError, match="one statement at a time"):
        db.refuse_writing(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "EXPLAIN ANALYZE INSERT INTO numbers VALUES (9, 9)",
        "EXPLAIN ANALYZE DELETE FROM numbers",
        "EXPLAIN ANALYZE COPY numbers TO '{folder}/x.csv'",
        "WITH gone AS (DELETE FROM numbers RETURNING n) SELECT * FROM gone",
        "WITH new AS (INSERT INTO numbers VALUES (9, 9) RETURNING n) SELECT * FROM new",
        "SELECT * FROM query('DELETE FROM numbers')",
    ],
)
def test_writing_dressed_as_reading_changes_nothing(published: Path, tmp_path: Path, statement: str) -> None:
    before = published.read_bytes()
    with pytest.raises(QueryRefusedError):
        ask(published, statement.replace("{folder}", str(tmp_path)))
    assert published.read_bytes() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "question",
    [
        "SELECT count(*) FROM numbers;",
        "FROM numbers",
        "TABLE numbers",
        "VALUES (1)",
        "DESCRIBE numbers",
        "SHOW TABLES",
        "SUMMARIZE numbers",
        "EXPLAIN SELECT 1",
        "WITH few AS (SELECT n FROM numbers) SELECT sum(n) FROM few",
        "SELECT 'DROP TABLE numbers; --'",
    ],
)
def test_everything_that_reads_is_answered(published: Path, question: str) -> None:
    columns, rows = ask(published, question)
    assert columns
    assert rows


@pytest.mark.parametrize(
    "source",
    [
        "'{file}'",
        "read_csv('{file}')",
        "read_text('{file}')",
        "read_blob('{file}')",
        "glob('{folder}/*')",
        "sniff_csv('{file}')",
        "read_parquet('http://127.0.0.1:9/x.parquet')",
        "'http://127.0.0.1:9/x.csv'",
        "duckdb_secrets()",
        "frame",
    ],
)
def test_no_other_file_and_no_network_is_in_reach(published: Path, tmp_path: Path, source: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a,b\n1,hunter2\n")
    frame = pl.DataFrame({"b": ["hunter2"]})
    question = f"FROM {source}".replace("{file}", str(file)).replace("{folder}", str(tmp_path))
    with pytest.raises(QueryRefusedError) as caught:
        ask(published, question)
    assert "hunter2" not in str(caught.value)
    assert frame.height == 1


def test_the_sandbox_cannot_be_opened_from_inside(published: Path) -> None:
    with Database.open_published(published) as db:
        for way_out in ("SET enable_external_access = true", "SET lock_configuration = false", "SET threads = 1"):
            with pytest.raises(duckdb.Error):
                db.execute(way_out)


def test_a_mistake_in_a_query_is_one_line(published: Path) -> None:
    for mistake in ("SELEC 1", "FROM no_such", "SELECT nothing FROM numbers", "SELECT 'x'::INTEGER"):
        with pytest.raises(QueryRefusedError) as caught:
            ask(published, mistake)
        assert "\n" not in str(caught.value)


# Conditions of boards


def test_a_condition_is_one_boolean_expression_over_the_models() -> None:
    with warehouse() as db:
        db.refuse_condition("pipeline_tag = 'text-generation' AND parameters > 1e9", "models")
        db.refuse_condition("gated = 'no' -- with a comment", "models")


@pytest.mark.parametrize(
    "wrong",
    [
        "nothing = 1",
        "",
        "-- nothing",
        "gated",
        "1",
        "SELECT",
        "true) UNION SELECT (true",
        "true) AS condition FROM models --",
        "true); DROP TABLE models; SELECT (1",
        "true) OR (true",
        "true ELSE false",
    ],
)
def test_anything_else_is_no_condition(wrong: str) -> None:
    with warehouse() as db:
        with pytest.raises(QueryRefusedError):
            db.refuse_condition(wrong, "models")
        assert db.value("SELECT count(*) FROM models") == 0


def test_a_published_file_of_another_version_says_how_to_renew_it(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "adoption.duckdb")) as older:
        older.execute("CREATE TABLE deliveries (alert_id VARCHAR)")
    with Database.open_published(tmp_path / "adoption.duckdb") as published:
        for question in ("SELECT refused_since FROM deliveries", "FROM former_publishers"):
            with pytest.raises(WarehouseError, match="another version of leadchange: run `leadchange detect`"):
                published.rows(question)


def test_a_statement_that_is_known_sees_what_has_changed_on_every_connection() -> None:
    """It is parsed once, and bound anew each time."""
    with Database.in_memory() as one, Database.in_memory() as other:
        one.execute("CREATE TABLE known AS SELECT 1 AS a")
        other.execute("CREATE TABLE known AS SELECT 'x' AS b")
        assert one.records("FROM known") == [{"a": 1}]
        assert other.records("FROM known") == [{"b": "x"}]
        one.execute("ALTER TABLE known ADD COLUMN c DATE")
        assert one.records("FROM known") == [{"a": 1, "c": None}]
        assert one.frame("FROM known").columns == ["a", "c"]
        for kind in (1, "x", None, 1.5):
            assert one.value("SELECT $it", {"it": kind}) == kind
        for number in range(_MOST_PARSED + 10):
            assert one.value(f"SELECT {number}") == number


def test_work_that_is_not_shared_out_is_shared_out_again_afterwards_whatever_happened() -> None:
    threads = "SELECT current_setting('threads')"
    with Database.in_memory() as db:
        db.execute("SET threads = 3")
        with suppress(KeyError), db.alone():
            assert db.value(threads) == 1
            raise KeyError
        assert db.value(threads) == 3


def test_while_it_rests_a_warehouse_holds_half_of_what_it_may_and_afterwards_all(tmp_path: Path) -> None:
    limit = "SELECT current_setting('memory_limit')"
    with Database.open(tmp_path / "w.duckdb") as db:
        before = db.value(limit)
        with suppress(KeyError), db.transaction(), db.resting():
            assert db.value(limit) != before
            raise KeyError
        assert db.value(limit) == before


@pytest.fixture
def heeded() -> Iterator[None]:
    """Ctrl-C is Python's own also where the tests run in the background, whose shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("ask", [Database.value, Database.ask, Database.frame])
def test_ctrl_c_within_a_query_is_ctrl_c(ask: Callable[[Database, str], object]) -> None:
    alarm = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    with Database.in_memory() as db:
        alarm.start()
        with pytest.raises(KeyboardInterrupt):
            ask(db, "SELECT sum(sqrt(x)) FROM range(400_000_000) AS t(x)")
        assert db.value("SELECT 42") == 42


def test_little_room_on_the_disk_is_said_before_a_transaction_and_what_stands_is_not_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database.open(tmp_path / "w.duckdb") as db:
        with db.transaction():
            db.execute("CREATE TABLE day_one AS SELECT 1 AS n")
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1))
        with (
            pytest.raises(WarehouseError, match=r"MB are free on the disk of .*; what was stored before is kept"),
            db.transaction(),
        ):
            db.execute("CREATE TABLE day_two AS SELECT 2 AS n")
        assert db.value("SELECT n FROM day_one") == 1
