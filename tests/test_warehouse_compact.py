"""Packing changes no answer; what is old is thinned to a snapshot a week and what was told about."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from examples import examples
from histories import LOOKS, START, Look, keep, observations
from hypothesis import given, settings
from hypothesis import strategies as st
from spine import REGISTRY, day, hub, judge, listed, lived, look, moment, warehouse

from jobs import prune
from warehouse.db import Database
from warehouse.errors import WarehouseError
from warehouse.queries import sql
from warehouse.ranking import standings
from warehouse.ranking.boards import Board
from warehouse.snapshots import compact

ROOT = Path(__file__).parent.parent
EVERY_DAY: list[Look] = [(number, "hub", {"a": ("lab/a", number, 10 * number, 1)}) for number in range(75)]


def midnight(number: int) -> datetime:
    return datetime.combine(START + timedelta(days=number), time(3, 15), UTC)


def in_order(db: Database) -> list[tuple[int, int, int]]:
    """The models of the last run as they stand there: number, recent downloads + 1, downloads in all + 1."""
    return db.rows(
        "SELECT name, list_max(downloads_30d) + 1, list_max(downloads_all_time) + 1 "
        "FROM observation_runs WHERE run = (SELECT max(run) FROM run_days) ORDER BY rowid"
    )


def pack(db: Database, number: int) -> prune.Summary:
    """Prune on a day by its number, giving nothing up."""
    return prune.run(db, now=midnight(number))


def packed(db: Database, looks: list[Look]) -> list[tuple[int, int, int]]:
    """Keep and pack some looks, which answers as before; the models of the last run as they stand there."""
    keep(db, looks)
    before = observations(db)
    pack(db, 100)
    assert observations(db) == before
    return in_order(db)


@settings(max_examples=examples(40), deadline=None)
@given(LOOKS, st.lists(st.integers(0, 130), min_size=1, max_size=4))
def test_packing_at_any_time_changes_no_answer(looks: list[Look], times: list[int]) -> None:
    with warehouse() as db:
        keep(db, looks)
        before = observations(db)
        for number in sorted(times):
            pack(db, number)
            assert observations(db) == before
        pack(db, 200)
        assert observations(db) == before
        assert db.value("SELECT count(*) FROM recent_observations") == 0


@settings(max_examples=examples(20), deadline=None)
@given(LOOKS, LOOKS)
def test_looks_that_come_late_are_packed_with_the_others(early: list[Look], late: list[Look]) -> None:
    with warehouse() as db:
        keep(db, early)
        pack(db, 90)
        keep(db, late, first=500)
        before = observations(db)
        pack(db, 120)
        assert observations(db) == before
        spans = db.rows(
            "SELECT source, date_trunc('month', d.day), count(DISTINCT run) "
            "FROM run_days AS d JOIN snapshots USING (snapshot_id) GROUP BY ALL"
        )
        assert all(runs == 1 for *_, runs in spans)


def test_what_is_not_counted_is_not_what_is_not_seen() -> None:
    blank = (None, None, None)
    looks: list[Look] = [
        (0, "hub", {"a": ("lab/a", *blank), "b": ("lab/b", 1, 2, 3)}),
        (1, "hub", {"b": ("lab/c", 1, None, 3)}),
    ]
    with warehouse() as db:
        keep(db, looks)
        pack(db, 60)
        counts = (
            "SELECT hub_id, repo_id, downloads_30d, downloads_all_time, likes FROM observations ORDER BY day, hub_id"
        )
        assert db.rows(counts) == [
            ("a", "lab/a-a", *blank),
            ("b", "lab/b-b", 1, 2, 3),
            ("b", "lab/c-b", 1, None, 3),
        ]


def test_days_weeks_and_months_are_packed_when_they_are_over() -> None:
    with warehouse() as db:
        keep(db, EVERY_DAY[:20])  # 26 January to 14 February
        pack(db, 19)
        runs = db.rows("SELECT min(day), count(*) FROM run_days GROUP BY run ORDER BY 1")
        assert runs == [
            (date(2026, 1, 26), 6),
            (date(2026, 2, 1), 7),
            *((date(2026, 2, day), 1) for day in range(8, 14)),
        ]
        assert db.rows("SELECT DISTINCT day FROM recent_observations") == [(date(2026, 2, 14),)]
        assert pack(db, 19) == prune.Summary(0, 0, 0)


@pytest.mark.parametrize(
    ("day", "today", "span"),
    [
        (date(2026, 2, 14), date(2026, 2, 14), (date(2026, 2, 14), date(2026, 2, 14))),
        (date(2026, 2, 14), date(2026, 2, 15), (date(2026, 2, 8), date(2026, 2, 14))),
        (date(2026, 2, 28), date(2026, 2, 28), (date(2026, 2, 28), date(2026, 2, 28))),
        (date(2026, 2, 28), date(2026, 3, 1), (date(2026, 2, 1), date(2026, 2, 28))),
        (date(2027, 12, 31), date(2028, 1, 1), (date(2027, 12, 1), date(2027, 12, 31))),
    ],
)
def test_the_span_of_a_day_is_the_longest_that_is_over(day: date, today: date, span: tuple[date, date]) -> None:
    assert compact.span_of(day, today) == span


def test_more_models_than_a_slice_holds_are_merged_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Look] = [
        (number, "hub", {f"id{m}": ("lab/m", m, m * number, None) for m in range(number % 3, 23)})
        for number in range(40)
    ]
    monkeypatch.setattr(compact, "SLICE", 7)
    with warehouse() as db:
        sizes = [size for _, _, size in packed(db, looks)]
        assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("days", [1, 40])
def test_neighbouring_numbers_stand_together_and_the_largest_of_them_first(
    days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Look] = [
        (number, "hub", {f"id{m}": ("lab/m", 5 * m % 23, 7 * m % 23, None) for m in range(23)})
        for number in range(days)
    ]
    monkeypatch.setattr(compact, "SLICE", 7)
    monkeypatch.setattr(compact, "BLOCK", 5)
    with warehouse() as db:
        kept = packed(db, looks)
        assert kept == sorted(kept, key=lambda model: (model[0] // 5, -model[1].bit_length(), -model[2], model[0]))
        assert len(kept) == 23


def test_rows_that_packing_would_change_are_left_alone() -> None:
    with warehouse() as db:
        keep(db, EVERY_DAY[:5])
        pack(db, 5)
        db.execute("UPDATE observation_runs SET likes = [7] WHERE run = 3")
        before = observations(db)
        with pytest.raises(WarehouseError, match="nothing was changed"):
            pack(db, 60)
        assert observations(db) == before
        assert db.value("SELECT count(*) FROM observation_runs") == 5


def test_the_last_complete_snapshot_of_each_old_week_is_kept() -> None:
    with warehouse() as db:
        keep(db, EVERY_DAY)
        summary = prune.run(db, now=midnight(75), keep_daily_days=30)
        kept = [row[0] for row in db.rows("SELECT DISTINCT day FROM observations ORDER BY day")]
        assert kept[:6] == [START + timedelta(days=7 * week + 6) for week in range(6)]
        assert kept[6:] == [START + timedelta(days=number) for number in range(42, 75)]
        assert summary.thinned == 36
        assert db.value("SELECT count(*) FROM snapshots") == 75
        assert db.value("SELECT count(*) FROM thinned") == 36
        assert prune.run(db, now=midnight(75), keep_daily_days=30) == prune.Summary(0, 0, 0)


def test_daily_detail_can_be_kept_for_ever() -> None:
    with warehouse() as db:
        keep(db, EVERY_DAY[:50])
        assert prune.run(db, now=midnight(75), keep_daily_days=10**12).thinned == 0


@settings(max_examples=examples(20), deadline=None)
@given(LOOKS)
def test_thinning_changes_nothing_of_what_is_kept(looks: list[Look]) -> None:
    with warehouse() as db:
        keep(db, looks)
        before = observations(db)
        prune.run(db, now=midnight(100), keep_daily_days=40)
        gone = {row[0] for row in db.rows("SELECT snapshot_id FROM thinned")}
        assert observations(db) == [row for row in before if row[0] not in gone]


def test_a_snapshot_that_is_not_complete_does_not_speak_for_its_week() -> None:
    with warehouse() as db:
        keep(db, EVERY_DAY[:7])
        db.execute("UPDATE snapshots SET verdict = 'suspect' WHERE day = $day", {"day": START + timedelta(days=6)})
        prune.run(db, now=midnight(100), keep_daily_days=30)
        assert db.rows("SELECT DISTINCT day FROM observations") == [(START + timedelta(days=5),)]


def story(db: Database) -> None:
    """Three weeks in which Beta passes Alpha on the second Wednesday."""
    with hub() as local:
        for number in range(3, 24):  # from a Monday on
            look(db, local, number, listed(100 + number, 50 if number < 12 else 300 + number))
        judge(db, 23)


def test_both_ends_of_a_flip_and_what_an_alert_rests_on_are_kept() -> None:
    with warehouse(like=lived(story)) as db:
        before = db.rows("SELECT * FROM flips ORDER BY ALL")
        (flip_id, told, previous) = db.rows("SELECT flip_id, day, previous_day FROM flips WHERE board = 'families'")[0]
        prune.run(db, now=moment(200), keep_daily_days=60)
        kept = {row[0] for row in db.rows("SELECT DISTINCT day FROM observations")}
        assert {told, previous} <= kept
        assert len(kept) == 5
        assert db.rows("SELECT * FROM flips ORDER BY ALL") == before
        assert flip_id in {row[0] for row in before}


def test_standings_of_thinned_days_stay_until_they_would_have_to_be_made_anew() -> None:
    board = Board(name="families", entity="family")
    with warehouse(like=lived(story)) as db:
        before = db.rows("SELECT * FROM standings WHERE board = 'families' ORDER BY ALL")
        fingerprint = board.fingerprint(REGISTRY.fingerprint())
        prune.run(db, now=moment(200), keep_daily_days=60)
        with db.transaction():
            assert standings.refresh(db, board, fingerprint) is None
        assert db.rows("SELECT * FROM standings WHERE board = 'families' ORDER BY ALL") == before
        with db.transaction():
            standings.refresh(db, board, "another")
        kept = db.rows("SELECT day, entity, value FROM standings WHERE board = 'families' ORDER BY ALL")
        assert len({day for day, *_ in kept}) == 5
        assert set(kept) <= {(row[1], row[4], row[5]) for row in before}
        with db.transaction():
            assert standings.refresh(db, board, "another") is None


def test_the_rank_before_is_that_of_the_day_before_though_its_counts_were_given_up() -> None:
    """A day that comes late has all after it ranked again that can be; Gamma came in the middle of the week."""
    ranks = (
        "SELECT day, entity, rank, previous_rank FROM standings WHERE board = 'families' AND day > $day ORDER BY ALL"
    )
    with warehouse() as db, hub() as local:
        for number in range(3, 17):
            look(db, local, number, listed(100 + number, 50)[: 2 if number < 6 else 3])
        before = db.rows(ranks, {"day": day(3)})
        assert prune.run(db, now=moment(200), keep_daily_days=60).thinned
        look(db, local, 2, listed(102, 50)[:2])
        assert db.rows(ranks, {"day": day(3)}) == before


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from killed import forked
from test_warehouse_compact import midnight
from jobs import prune
from warehouse import db as door
rows, count, path = door.Database.rows, 0, Path(sys.argv[1])
def work(point):
    def watched(self, sql, parameters=None):
        global count
        if count == point:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1
        return rows(self, sql, parameters)
    with door.Database.open(path) as db:
        door.Database.rows = watched
        prune.run(db, now=midnight(100), keep_daily_days=40)
for point in map(int, sys.argv[2:]):
    print(forked(lambda: work(point)))
    for end in ("", ".wal"):
        if Path(f"{path}{end}").exists():
            shutil.copy(f"{path}{end}", f"{path}-{point}{end}")
"""


def test_a_killed_prune_leaves_one_or_the_other(tmp_path: Path) -> None:
    looks = [(number, "hub", {"a": ("lab/a", number, None, 1), "b": ("lab/b", 1, 1, 1)}) for number in (0, 1, 2, 40)]
    path = tmp_path / "w.duckdb"
    with warehouse(path) as db:
        keep(db, looks)
        before = observations(db)
        wanted = observations(db, "day NOT IN ('2026-01-26', '2026-01-27')")
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    points = [str(point) for point in (5, 12, 20, 30, 34, 40, 60)]
    command = [sys.executable, "-c", KILLED, str(path), *points]
    done = subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True, text=True)
    for point in points:
        with Database.open(tmp_path / f"w.duckdb-{point}") as db:
            found = observations(db)
            assert found in (before, wanted)
    assert set(done.stdout.split()) == {"0", "-9"}
    assert found == wanted


def test_history_by_name_is_adopted_after_it_was_packed() -> None:
    with warehouse() as db:
        keep(db, [(0, "weekly", {"name:lab/a-a": ("lab/a", 5, None, None)}), (40, "hub", {"a": ("lab/a", 7, 8, 9)})])
        pack(db, 39)
        db.execute("CREATE TEMP TABLE adopted AS SELECT 'name:lab/a-a' AS former, 'a' AS hub_id")
        db.execute(sql("adopt_names"))
        pack(db, 100)
        assert {row[0] for row in db.rows("SELECT hub_id FROM observations")} == {"a"}
        assert db.value("SELECT count(*) FROM observations") == 2
