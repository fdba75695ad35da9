"""A large copy begins as the last one: what comes out is what a whole rewrite makes, whatever happened in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from examples import examples
from histories import LOOKS, Look, keep
from hypothesis import given, settings
from hypothesis import strategies as st
from spine import hub, judge, listed, look, moment, warehouse

from jobs import prune
from warehouse import publish as publishing
from warehouse.db import Database
from warehouse.publish import RELATIONS, publish

COMMENTS = "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything published, in one order."""
    with Database.open_published(path) as published:
        return {name: published.rows(f"FROM {name} ORDER BY ALL") for name in RELATIONS} | {
            "": published.rows(COMMENTS)
        }


def both_alike(db: Database, folder: Path) -> None:
    """Renew the one copy, write the other anew, and hold them against each other."""
    publish(db, folder / "renewed.duckdb", small=0)
    publish(db, folder / "anew.duckdb")
    assert contents(folder / "renewed.duckdb") == contents(folder / "anew.duckdb")


@pytest.fixture
def rewrites(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The drafts that were written anew."""
    found: list[Path] = []
    write: Callable[[Database, Path, Path], None] = publishing._write

    def watched(db: Database, draft: Path, mould: Path) -> None:
        found.append(draft)
        write(db, draft, mould)

    monkeypatch.setattr(publishing, "_write", watched)
    return found


@settings(max_examples=examples(12, usual=3), deadline=None)
@given(st.lists(st.tuples(LOOKS, st.booleans()), min_size=1, max_size=3))
def test_a_renewed_copy_is_what_a_rewrite_makes(chapters: list[tuple[list[Look], bool]]) -> None:
    with TemporaryDirectory() as name, warehouse() as db:
        both_alike(db, Path(name))
        for number, (looks, pack) in enumerate(chapters, start=1):
            keep(db, looks, first=100 * number)
            if pack:
                prune.run(db, now=moment(100 * number), keep_daily_days=120)
            both_alike(db, Path(name))


def test_standings_flips_alerts_and_last_seen_are_renewed(tmp_path: Path, rewrites: list[Path]) -> None:
    with warehouse(tmp_path / "w.duckdb") as db, hub() as local:
        look(db, local, 0, listed(9, 5))
        both_alike(db, tmp_path)
        look(db, local, 1, listed(9, 20))
        judge(db, 1)
        both_alike(db, tmp_path)
        look(db, local, 2, listed(9, 20)[:2])
        both_alike(db, tmp_path)
        db.execute("UPDATE models SET license = 'mit', last_seen = last_seen - 1 WHERE publisher = 'gamma'")
        db.execute("DELETE FROM models WHERE publisher = 'beta-ai'")
        both_alike(db, tmp_path)
    assert [path.name.split(".")[1] for path in rewrites] == ["renewed", *["anew"] * 4]


def test_a_reader_of_the_copy_before_is_undisturbed(tmp_path: Path) -> None:
    target = tmp_path / "adoption.duckdb"
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(9, 5))
        publish(db, target, small=0)
        with Database.open_published(target) as old:
            look(db, local, 1, listed(9, 20))
            publish(db, target, small=0)
            assert old.value("SELECT sum(downloads_30d) FROM observations") == 24
            with Database.open_published(target) as new:
                assert new.value("SELECT sum(downloads_30d) FROM observations") == 24 + 39
    assert [path.name for path in tmp_path.iterdir()] == ["adoption.duckdb"]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE published.models DROP COLUMN gone_on",
        "COMMENT ON TABLE published.models IS 'something else'",
        "DROP VIEW published.observations",
        "DROP TABLE published.shares",
    ],
)
def test_a_copy_of_another_shape_is_written_anew(tmp_path: Path, rewrites: list[Path], change: str) -> None:
    target = tmp_path / "adoption.duckdb"
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(9, 5))
        publish(db, target, small=0)
        db.execute(f"ATTACH '{target}' AS published")
        db.execute(change)
        db.execute("DETACH published")
        both_alike_after = len(rewrites)
        publish(db, target, small=0)
        assert len(rewrites) == both_alike_after + 1
        with Database.open_published(target) as published:
            assert published.rows("FROM models") == db.rows("FROM models")


def test_a_damaged_copy_is_written_anew(tmp_path: Path, rewrites: list[Path]) -> None:
    target = tmp_path / "adoption.duckdb"
    target.write_bytes(b"no database" * 1000)
    with warehouse() as db:
        publish(db, target, small=0)
    assert len(rewrites) == 1
    assert contents(target)["snapshots"] == []


def test_a_copy_of_another_warehouse_becomes_that_of_this_one(tmp_path: Path) -> None:
    with warehouse() as other:
        keep(other, [(0, "hub", {"a": ("lab/a", 1, 2, 3)}), (50, "hub", {"b": ("lab/b", 1, 2, 3)})])
        prune.run(other, now=moment(100))
        publish(other, tmp_path / "renewed.duckdb")
    with warehouse() as db:
        keep(db, [(0, "hub", {"c": ("lab/a", 7, 2, 3)}), (51, "hub", {"b": ("lab/b", 1, 2, 4)})])
        prune.run(db, now=moment(100) + timedelta(days=1))
        both_alike(db, tmp_path)


def test_a_copy_that_wastes_its_blocks_is_written_anew(
    tmp_path: Path, rewrites: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "WASTE", -0.1)
    with warehouse() as db:
        both_alike(db, tmp_path)
        both_alike(db, tmp_path)
    assert len(rewrites) == 4


def test_a_file_system_that_cannot_share_blocks_gets_a_plain_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rewrites: list[Path]
) -> None:
    def refused(*_: object) -> int:
        raise OSError("not here")

    monkeypatch.setattr(publishing.os, "copy_file_range", refused)
    with warehouse() as db:
        both_alike(db, tmp_path)
        both_alike(db, tmp_path)
    assert len(rewrites) == 3
