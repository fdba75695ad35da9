"""Everybody's copy: replaced as a whole, open to any DuckDB from 1.5 on, at any moment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import duckdb
import pytest
from spine import held_elsewhere, hub, judge, listed, look, warehouse

from warehouse.db import Database
from warehouse.errors import WarehouseError
from warehouse.published.publish import RELATIONS, is_behind, publish

ROOT = Path(__file__).parent.parent
DUCKDB15 = ROOT / ".duckdb15"

READ = """
import json, sys
import duckdb
db = duckdb.connect(sys.argv[1], read_only=True)
tables = db.execute("SELECT DISTINCT table_name FROM duckdb_columns() WHERE NOT internal ORDER BY 1").fetchall()
tables = [row[0] for row in tables]
counts = {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
leader = db.execute("SELECT arg_max(entity, value) FROM standings WHERE board = 'families'").fetchone()[0]
comment = db.execute("SELECT comment FROM duckdb_columns() WHERE column_name = 'downloads_30d'").fetchone()[0]
print(json.dumps([duckdb.__version__, counts, leader, comment]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse of two days with a flip, published."""
    path = tmp_path_factory.mktemp("published")
    with warehouse(path / "w.duckdb") as db, hub() as local:
        look(db, local, 0, listed(9, 5))
        look(db, local, 1, listed(9, 20))
        judge(db, 1)
        publish(db, path / "adoption.duckdb")
    return path


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with Database.open_published(path) as published:
        return {relation: published.rows(f"FROM {relation} ORDER BY ALL") for relation in RELATIONS}


def test_the_copy_holds_what_the_warehouse_holds(folder: Path) -> None:
    copied = contents(folder / "adoption.duckdb")
    with Database.open(folder / "w.duckdb") as db:
        kept = {relation: db.rows(f"FROM {relation} ORDER BY ALL") for relation in RELATIONS}
    assert copied == kept
    assert all(copied[name] for name in ("snapshots", "models", "standings", "flips", "alerts", "deliveries"))


def test_a_copy_is_behind_when_anything_told_is_other_than_it_says(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "w.duckdb", tmp_path)
    target = tmp_path / "adoption.duckdb"
    with Database.open(tmp_path / "w.duckdb") as db:
        assert is_behind(db, target)
        publish(db, target)
        assert not is_behind(db, target)
        db.execute("UPDATE deliveries SET last_error = 'muted anew'")
        assert is_behind(db, target)
        publish(db, target)
        assert not is_behind(db, target)
        target.write_bytes(b"no database")
        assert is_behind(db, target)


def test_the_daemons_own_rows_are_not_published(folder: Path) -> None:
    with Database.open_published(folder / "adoption.duckdb") as published:
        tables = {row[0] for row in published.rows("SELECT table_name FROM duckdb_columns() WHERE NOT internal")}
    assert tables == set(RELATIONS)


def test_publishing_makes_its_folder_and_leaves_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "it's new" / "adoption.duckdb"
    with warehouse() as db:
        publish(db, target)
        publish(db, target)
    assert [path.name for path in target.parent.iterdir()] == ["adoption.duckdb"]


def test_a_reader_with_the_old_file_open_keeps_it_undisturbed(tmp_path: Path) -> None:
    target = tmp_path / "adoption.duckdb"
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(9, 5))
        publish(db, target)
        with Database.open_published(target) as old:
            look(db, local, 1, listed(9, 20))
            publish(db, target)
            assert old.value("SELECT count(*) FROM snapshots") == 1
            assert old.value("SELECT sum(downloads_30d) FROM observations") == 24
    with Database.open_published(target) as new:
        assert new.value("SELECT count(*) FROM snapshots") == 2


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    target = tmp_path / "adoption.duckdb"
    code = (
        "import sys\nfrom pathlib import Path\nfrom warehouse.db import Database\n"
        "print('go', flush=True)\nseen = 0\n"
        "while seen < 2 or not Path(sys.argv[2]).exists():\n"
        "    with Database.open_published(Path(sys.argv[1])) as db:\n"
        "        assert db.value('SELECT count(*) FROM snapshots') == 1\n"
        "        seen += 1\nprint(seen)"
    )
    done = tmp_path / "done"
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(9, 5))
        publish(db, target)
        command = [sys.executable, "-c", code, str(target), str(done)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "go\n"
            for _ in range(10):
                publish(db, target)
            done.touch()
            assert int(reader.stdout.read()) >= 2
            assert reader.wait(30) == 0


def test_a_failed_publication_leaves_the_old_file(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "adoption.duckdb"
    with warehouse() as db:
        publish(db, target)
        before = target.read_bytes()
        db.execute("DROP TABLE deliveries")
        with pytest.raises(Exception, match="deliveries"):
            publish(db, target)
        assert db.value("SELECT count(*) FROM duckdb_databases() WHERE database_name = 'published'") == 0
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["adoption.duckdb"]


def test_drafts_of_a_killed_publication_are_removed_and_other_files_are_not(tmp_path: Path) -> None:
    for name in (".adoption.duckdb.1.draft", ".adoption.duckdb.1.draft.wal", ".other.duckdb.1.draft", "adoption.csv"):
        (tmp_path / name).write_text("left behind")
    with warehouse() as db:
        publish(db, tmp_path / "adoption.duckdb")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".other.duckdb.1.draft",
        "adoption.csv",
        "adoption.duckdb",
    ]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with warehouse() as db, pytest.raises(WarehouseError, match=r"cannot publish to .*: "):
        publish(db, tmp_path / "file" / "adoption.duckdb")


def test_the_copy_is_read_while_the_warehouse_is_open_in_another_process(folder: Path) -> None:
    with held_elsewhere(folder / "w.duckdb"):
        with pytest.raises(WarehouseError, match="is in use by process"):
            Database.open(folder / "w.duckdb")
        assert contents(folder / "adoption.duckdb")["standings"]


def test_two_processes_read_the_copy_at_once(folder: Path) -> None:
    with Database.open_published(folder / "adoption.duckdb") as published:
        command = [sys.executable, "-c", READ, str(folder / "adoption.duckdb")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert json.loads(done.stdout)[1]["snapshots"] == published.value("SELECT count(*) FROM snapshots")


@pytest.mark.parametrize("name", ["adoption.duckdb", "w.duckdb"])
def test_the_oldest_duckdb_supported_opens_it(folder: Path, name: str) -> None:
    if not DUCKDB15.is_dir():
        assert not os.environ.get("CI"), "run `make test`: it installs DuckDB 1.5 into .duckdb15"
        pytest.skip("`make .venv/duckdb15` installs DuckDB 1.5")
    command = [sys.executable, "-c", READ, str(folder / name)]
    environment = os.environ | {"PYTHONPATH": str(DUCKDB15)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    version, counts, leader, comment = json.loads(done.stdout)
    assert version == "1.5.5"
    assert counts["snapshots"] == 2
    assert counts["observations"] == 6
    assert leader == "Beta"
    assert comment == "Downloads of the 30 days before, as the Hub counts them"


def test_the_duckdb_tested_with_is_the_oldest_that_the_package_accepts() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (oldest,) = [
        wanted.split(",")[0].removeprefix("duckdb>=") for wanted in dependencies if wanted.startswith("duckdb")
    ]
    assert f"duckdb=={oldest} " in (ROOT / "requirements-duckdb15.lock").read_text()


def test_a_copy_made_like_the_last_one_is_what_the_first_one_was(folder: Path) -> None:
    def shape(target: Path) -> list[tuple[object, ...]]:
        with duckdb.connect(target, read_only=True) as db:
            return db.execute("""
                SELECT table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns() WHERE NOT internal
                UNION ALL SELECT table_name, NULL, NULL, NULL, comment FROM duckdb_tables()
                UNION ALL SELECT view_name, sql, NULL, NULL, comment FROM duckdb_views() WHERE NOT internal
                ORDER BY ALL
            """).fetchall()

    with Database.open(folder / "w.duckdb") as db:
        for name in ("first.duckdb", "again.duckdb", "again.duckdb"):
            publish(db, folder / name)

    assert shape(folder / "again.duckdb") == shape(folder / "first.duckdb")
