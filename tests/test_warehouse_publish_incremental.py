"""A large copy begins as the last one: what comes out is what a whole rewrite makes, whatever happened in between."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from examples import examples
from histories import LOOKS, START, Look, keep
from hypothesis import given, settings
from hypothesis import strategies as st
from spine import BOARDS, hub, judge, listed, look, moment, warehouse

from jobs import prune
from warehouse.db import Database
from warehouse.published import publish as publishing
from warehouse.published import spare
from warehouse.published.publish import RELATIONS, publish, publish_both
from warehouse.queries import sql
from warehouse.ranking.boards import Board
from warehouse.snapshots import compact

COMMENTS = """
SELECT table_name, column_name, data_type, comment FROM duckdb_columns()
WHERE schema_name = 'main' AND NOT internal ORDER BY ALL
"""


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything published, in one order."""
    with Database.open_published(path) as published:
        return {name: published.rows(f"FROM {name} ORDER BY ALL") for name in RELATIONS} | {
            "": published.rows(COMMENTS)
        }


def both_alike(db: Database, folder: Path) -> None:
    """Renew the one copy, write the other anew, hold them against each other and against what the one remembers."""
    publish(db, folder / "renewed.duckdb", small=0)
    publish(db, folder / "anew.duckdb")
    assert contents(folder / "renewed.duckdb") == contents(folder / "anew.duckdb")
    remembered, true = remembered_parts(folder / "renewed.duckdb")
    assert remembered == true


def remembered_parts(copy: Path) -> tuple[list[list[tuple[object, ...]]], list[list[tuple[object, ...]]]]:
    """The parts of the largest relations as a copy remembers them, and as they are; none where it remembers nothing."""
    tables = [table for table in publishing.TABLES if table.remembered]
    with Database.open_published(copy) as db:
        if not db.value("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'carried'"):
            return [], []
        remembered = [db.rows(f"FROM carried.parts_of_{table.relation} ORDER BY ALL") for table in tables]
        parts = [sql("parts", key=table.part, sign=table.sign, relation=table.relation) for table in tables]
        return remembered, [db.rows(f"FROM ({query}) ORDER BY ALL") for query in parts]


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


def packed(db: Database, chapters: list[list[Look]]) -> Iterator[None]:
    """After each chapter of a history, as more and more of it is over and packed."""
    for number, looks in enumerate(chapters, start=1):
        keep(db, looks, first=100 * number)
        for days in (3, 9, 40, 80):
            prune.run(db, now=midnight(days), keep_daily_days=400)
            yield


def midnight(days: int) -> datetime:
    return datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(days=days)


OBSERVED = "FROM observations ORDER BY ALL"


@settings(max_examples=examples(40, usual=2), deadline=None)
@given(st.lists(LOOKS, min_size=1, max_size=2), st.integers(1, 60))
def test_however_much_is_packed_and_however_little_is_carried_at_once_every_copy_says_the_same(
    chapters: list[list[Look]], most: int
) -> None:
    with TemporaryDirectory() as name, warehouse() as db:
        copy = Path(name) / "renewed.duckdb"
        for _ in packed(db, chapters):
            publish(db, copy, small=0, most=most)
            with Database.open_published(copy) as published:
                assert published.rows(OBSERVED) == db.rows(OBSERVED)
        publish_both(db, copy, small=0, most=most)
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


@pytest.mark.parametrize("numbered", [True, False])  # in warehouses of the first versions models had no number
def test_the_day_on_which_a_model_was_last_seen_is_renewed_alone(tmp_path: Path, numbered: bool) -> None:
    with warehouse(tmp_path / "w.duckdb") as db, hub() as local:
        look(db, local, 0, listed(9, 5))
        if not numbered:
            db.execute("UPDATE models SET number = NULL WHERE publisher = 'gamma'")
        both_alike(db, tmp_path)
        look(db, local, 1, [model for model in listed(9, 5) if model.publisher != "gamma"])
        for _ in range(2):  # the copy and the one before, with which the next publication begins
            both_alike(db, tmp_path)
        for days in (-3, 4, -41, 0, 41):  # at 0 the copy before is brought up to the last one
            db.execute(f"UPDATE models SET last_seen = last_seen + {days} WHERE publisher = 'gamma'")
            both_alike(db, tmp_path)


def test_two_who_exchanged_their_former_ranks_alone_have_them_in_the_copy(tmp_path: Path) -> None:
    with warehouse(tmp_path / "w.duckdb") as db, hub() as local:
        for number in range(2):
            look(db, local, number, listed(9, 5))
        both_alike(db, tmp_path)
        look(db, local, 0, listed(5, 9), hour=12)
        both_alike(db, tmp_path)


def test_a_board_that_ranks_others_by_now_has_its_places_elsewhere_and_nowhere_else(tmp_path: Path) -> None:
    with warehouse(tmp_path / "w.duckdb") as db, hub() as local:
        look(db, local, 0, listed(9, 5), boards=BOARDS)
        both_alike(db, tmp_path)
        for number, entity in enumerate(["model", "publisher", "family", "model"], start=1):
            look(db, local, number, listed(9, 5 + number), boards=[*BOARDS, Board(name="chosen", entity=entity)])
            both_alike(db, tmp_path)
        look(db, local, 9, listed(9, 20), boards=BOARDS)
        both_alike(db, tmp_path)


def test_boards_stand_in_a_renewed_copy_as_they_are_configured(tmp_path: Path) -> None:
    with warehouse(tmp_path / "w.duckdb") as db, hub() as local:
        look(db, local, 0, listed(9, 5), boards=BOARDS)
        both_alike(db, tmp_path)
        look(db, local, 1, boards=BOARDS[::-1])
        both_alike(db, tmp_path)
        for copy in ("renewed.duckdb", "anew.duckdb"):
            with Database.open_published(tmp_path / copy) as published:
                assert published.rows("SELECT board FROM boards") == [(board.name,) for board in BOARDS[::-1]]


def written_in(copy: Path, statement: str) -> None:
    """Somebody else writes in a copy."""
    with duckdb.connect(copy) as somebody:
        somebody.execute(statement)


def two_days(db: Database, copy: Path) -> None:
    """Two days are in both copies, which remember it."""
    keep(db, [(day, "hub", {f"id{k}": (f"lab/{k}", day + k, 100 * k, None) for k in range(70)}) for day in range(2)])
    for _ in range(3):
        publish(db, copy, small=0)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM models WHERE hub_id = 'id7'",
        "INSERT INTO shares VALUES ('id7', NULL, 1)",
        "DELETE FROM snapshots",
        "DROP SCHEMA carried CASCADE",
        "DROP TABLE carried.sizes",
    ],
)
def test_a_copy_that_somebody_else_wrote_in_is_read_as_a_whole(tmp_path: Path, statement: str) -> None:
    copy = tmp_path / "renewed.duckdb"
    with warehouse() as db:
        two_days(db, copy)
        written_in(tmp_path / ".renewed.duckdb.spare", statement)
        both_alike(db, tmp_path)


def test_what_a_copy_remembers_is_believed_by_day_and_at_night_it_is_read(tmp_path: Path, rewrites: list[Path]) -> None:
    copy = tmp_path / "renewed.duckdb"
    licence = "SELECT license FROM models WHERE hub_id = 'id7'"
    with warehouse() as db:
        two_days(db, copy)
        written_in(tmp_path / ".renewed.duckdb.spare", "UPDATE models SET license = 'mine' WHERE hub_id = 'id7'")
        publish(db, copy, small=0)
        with Database.open_published(copy) as published:
            assert published.value(licence) == "mine", "it was read"
        publish_both(db, copy, small=0)
        for one in (copy, tmp_path / ".renewed.duckdb.spare"):
            with Database.open_published(one) as published:
                assert published.value(licence) is None
        both_alike(db, tmp_path)
    assert len(rewrites) == 2, "the first of each"


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


def renewed(db: Database, target: Path) -> list[str]:
    """Renew the copy; the files that are in its folder then."""
    publish(db, target, small=0)
    return sorted(path.name for path in target.parent.iterdir())


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The drafts that began as copies of the last file."""
    found: list[Path] = []
    copy: Callable[[Path, Path], None] = spare._copy

    def watched(source: Path, target: Path) -> None:
        found.append(target)
        copy(source, target)

    monkeypatch.setattr(spare, "_copy", watched)
    return found


def test_the_copy_before_the_last_is_renewed_instead_of_copying_the_last(tmp_path: Path, copied: list[Path]) -> None:
    target = tmp_path / "renewed.duckdb"
    with warehouse() as db, hub() as local:
        for number in range(5):
            look(db, local, number, listed(9, 5 + number)[: 9 - number])
            assert renewed(db, target)[:1] == ([".renewed.duckdb.spare"] if number else ["renewed.duckdb"])
        assert len(copied) == 1
        publish(db, tmp_path / "anew.duckdb")
    assert contents(target) == contents(tmp_path / "anew.duckdb")


def test_what_was_packed_is_in_the_copy_before_the_last_as_well(tmp_path: Path, copied: list[Path]) -> None:
    target = tmp_path / "adoption.duckdb"
    with warehouse() as db, hub() as local:
        for number in range(3):
            look(db, local, number, listed(9, 5 + number))
            publish(db, target, small=0)
        prune.run(db, now=moment(70))
        publish_both(db, target, small=0)
        packed = contents(target)
        assert len(packed["run_days"]) == 3
        assert contents(tmp_path / ".adoption.duckdb.spare") == packed
    assert len(copied) == 1, "only the second copy of all began as the first"


def february(db: Database, copy: Path) -> None:
    """All of February is in both copies, a run a day and the last as plain rows; since, it is a run of five models."""
    looks: list[Look] = [
        (number, "hub", {f"id{k}": (f"lab/{k}", number + k, 100 * k, None) for k in range(5)})
        for number in range(6, 34)
    ]
    keep(db, looks[:-1])
    compact.close_days(db, midnight(33).date())
    keep(db, looks[-1:], first=28)
    for _ in range(2):
        publish(db, copy, small=0)
    prune.run(db, now=midnight(34), keep_daily_days=400)


def unnamed(copy: Path) -> int:
    """How many rows a copy has of runs that it does not name."""
    with Database.open_published(copy) as published:
        return int(published.value("SELECT count(*) FROM observation_runs ANTI JOIN run_days USING (run)"))


def test_a_run_comes_a_slice_at_a_time_unseen_until_it_is_whole(tmp_path: Path, rewrites: list[Path]) -> None:
    copy = tmp_path / "renewed.duckdb"
    with warehouse() as db:
        february(db, copy)
        for rows in (2, 2, 4, 4):  # in turn of the copy and of that before
            assert not publish(db, copy, small=0, most=2 * 28)
            assert unnamed(copy) == rows
            with Database.open_published(copy) as published:
                assert published.rows(OBSERVED) == db.rows(OBSERVED)
                assert published.value("SELECT count(*) FROM run_days") == 27
        assert publish(db, copy, small=0, most=2 * 28)
        assert unnamed(copy) == 0
        both_alike(db, tmp_path)
    assert len(rewrites) == 2, "the first of each"


def test_at_night_both_copies_get_all_that_was_packed_in_small_steps(tmp_path: Path) -> None:
    copy = tmp_path / "adoption.duckdb"
    with warehouse() as db:
        february(db, copy)
        publish(db, copy, small=0)
        assert publish_both(db, copy, small=0, most=2 * 28) == 5, "one of the two was whole"
        assert publish_both(db, copy, small=0) == 2
        assert contents(copy) == contents(tmp_path / ".adoption.duckdb.spare")
        both_alike(db, tmp_path)


def test_a_run_that_is_merged_again_on_its_way_leaves_nothing_behind(tmp_path: Path) -> None:
    copy = tmp_path / "renewed.duckdb"
    with warehouse() as db:
        february(db, copy)
        publish(db, copy, small=0, most=28)
        prune.run(db, now=midnight(100), keep_daily_days=30)
        assert db.value("SELECT count(*) FROM thinned") == 23
        while not publish(db, copy, small=0, most=1):
            with Database.open_published(copy) as published:
                kept = "FROM observations WHERE snapshot_id NOT IN (SELECT snapshot_id FROM thinned) ORDER BY ALL"
                assert published.rows(kept) == db.rows(OBSERVED)
        assert unnamed(copy) == 0
        publish_both(db, copy, small=0)
        both_alike(db, tmp_path)


def test_what_is_new_comes_before_what_is_packed_anew_and_both_within_the_same_measure(tmp_path: Path) -> None:
    copy = tmp_path / "renewed.duckdb"
    with warehouse() as db:
        february(db, copy)
        keep(db, [(34, "hub", {f"id{k}": (f"lab/{k}", 1, 1, 1) for k in range(5)})], first=34)
        compact.close_days(db, midnight(35).date())
        publish(db, copy, small=0, most=5 + 28)
        assert unnamed(copy) == 1
        with Database.open_published(copy) as published:
            assert published.value("SELECT max(day) FROM run_days") == midnight(34).date()


def test_a_run_with_a_day_that_the_copy_never_had_comes_at_once(tmp_path: Path) -> None:
    copy = tmp_path / "renewed.duckdb"
    with warehouse() as db:
        february(db, copy)
        keep(db, [(10, "hub", {"id1": ("lab/1", 7, 7, 7)})], first=99)
        prune.run(db, now=midnight(34), keep_daily_days=400)
        assert publish(db, copy, small=0, most=1)
        with Database.open_published(copy) as published:
            assert published.rows(OBSERVED) == db.rows(OBSERVED)


def test_rows_that_are_no_longer_those_of_the_run_are_taken_back(tmp_path: Path) -> None:
    copy = tmp_path / "renewed.duckdb"
    with warehouse() as db:
        february(db, copy)
        publish(db, copy, small=0, most=2 * 28)
        db.execute("UPDATE observation_runs SET name = 6 - name")
        publish_both(db, copy, small=0, most=2 * 28)
        both_alike(db, tmp_path)


def test_a_small_copy_is_published_once_for_there_is_no_other(tmp_path: Path, rewrites: list[Path]) -> None:
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(9, 5))
        publish_both(db, tmp_path / "adoption.duckdb")
    assert len(rewrites) == 1


def test_a_reader_of_the_copy_before_the_last_is_undisturbed(tmp_path: Path, copied: list[Path]) -> None:
    target = tmp_path / "adoption.duckdb"
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(9, 5))
        renewed(db, target)
        with Database.open_published(target) as first:
            for number in range(1, 4):
                look(db, local, number, listed(9, 5 + number))
                renewed(db, target)
            assert first.value("SELECT sum(downloads_30d) FROM observations") == 24
        assert len(copied) == 2  # the first time there was none yet, and then somebody read it
        with open_elsewhere(target):
            for _ in range(2):
                renewed(db, target)
        assert len(copied) == 3


@contextmanager
def open_elsewhere(file: Path) -> Iterator[None]:
    """Another process reads the file, without any lock."""
    command = [sys.executable, "-c", "import sys; file = open(sys.argv[1]); print(); sys.stdin.read()", str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        yield
        reader.terminate()


def test_a_copy_with_another_name_is_never_written_in(tmp_path: Path, copied: list[Path]) -> None:
    target, mine = tmp_path / "adoption.duckdb", tmp_path / "mine.duckdb"
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(9, 5))
        renewed(db, target)
        mine.hardlink_to(target)
        before = mine.read_bytes()
        for number in range(1, 4):
            look(db, local, number, listed(9, 5 + number))
            renewed(db, target)
    assert mine.read_bytes() == before
    assert len(copied) == 2


def test_who_looks_at_the_spare_in_the_moment_it_is_tried_ends_nobody(tmp_path: Path) -> None:
    file = tmp_path / "adoption.duckdb"
    file.touch()
    loop = "import sys\nfor _ in range(100_000): open(sys.argv[1]).close()"
    with subprocess.Popen([sys.executable, "-c", loop, str(file)]) as reader:
        found = set()
        while reader.poll() is None:
            found.add(spare._idle(file))
    assert reader.returncode == 0
    assert found == {True, False}


@pytest.mark.parametrize("missing", ["os.link", "fcntl.F_SETLEASE"])
def test_where_a_spare_cannot_be_kept_or_tried_every_copy_begins_as_the_last(
    tmp_path: Path, copied: list[Path], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    def refused(*_: object) -> None:
        raise OSError("not here")

    module, name = missing.split(".")
    if name == "link":
        monkeypatch.setattr(os, name, refused)
    else:
        monkeypatch.delattr(importlib.import_module(module), name)
    with warehouse() as db:
        for _ in range(4):
            files = renewed(db, tmp_path / "adoption.duckdb")
    assert len(copied) == 3
    assert files == (["adoption.duckdb"] if name == "link" else [".adoption.duckdb.spare", "adoption.duckdb"])


def test_a_copy_that_became_small_keeps_no_spare(tmp_path: Path) -> None:
    with warehouse() as db:
        for _ in range(2):
            files = renewed(db, tmp_path / "adoption.duckdb")
        assert files == [".adoption.duckdb.spare", "adoption.duckdb"]
        publish(db, tmp_path / "adoption.duckdb")
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

    monkeypatch.setattr(os, "copy_file_range", refused)
    with warehouse() as db:
        both_alike(db, tmp_path)
        both_alike(db, tmp_path)
    assert len(rewrites) == 3
