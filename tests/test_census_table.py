"""A census from the newest table of everything; which snapshot feeds which board; a process killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import past
import pytest
from past import listed, moment
from spine import BOARDS, REGISTRY, configure, warehouse
from starlette.requests import Request
from starlette.responses import Response

from jobs import census, collect, rank
from jobs.hub import HubSettings, WalkCancelled
from monitor.cli.app import run
from monitor.demo import dataset_files
from monitor.demo.dataset_files import HUB_STATS
from monitor.demo.datasets import LocalDatasets
from warehouse.db import Database
from warehouse.errors import QueryRefusedError
from warehouse.migrate import migrate
from warehouse.ranking.boards import Board
from warehouse.ranking.made import KEEPS_DAYS, days_of
from warehouse.records import HubModel, Snapshot, Verdict
from warehouse.snapshots import store

DAY = date(2026, 5, 4)
LINEAGE = Board(name="lineage", entity="family", scope="lineage")
FAMILIES, PUBLISHERS = BOARDS


def models(number: int = 0, count: int = 200) -> list[HubModel]:
    """What the listing shows on a day by its number: what the table does."""
    return [HubModel(**row) for row in listed(number, count).iter_rows(named=True)]


def at(number: int, hour: int = 11) -> datetime:
    return moment(DAY + timedelta(days=number), hour)


@pytest.fixture
def local() -> Iterator[LocalDatasets]:
    """A Hub with a table of today, and a listing."""
    with LocalDatasets({HUB_STATS: dataset_files.hub_stats([(DAY, listed(0))])}) as running:
        running.show(models())
        yield running


@pytest.fixture
def db() -> Iterator[Database]:
    with warehouse() as opened:
        yield opened


def count(
    db: Database, local: LocalDatasets, number: int = 0, *, hour: int = 11, stop: threading.Event | None = None
) -> collect.Summary | None:
    """A census on a day by its number, with fifty models on a page."""
    settings = past.settings(local, page_size=50, attempts=1)
    reader = census.Reader(settings, None, time.monotonic, stop)
    return census.run(db, reader, REGISTRY, (*BOARDS, LINEAGE), now=at(number, hour))


def revisions(db: Database) -> list[str]:
    """Where each census was read from."""
    found = db.rows("SELECT revision FROM snapshots WHERE source = 'census' ORDER BY snapshot_id")
    return ["table" if "@" in row[0] else "listing" for row in found]


def test_a_fresh_table_is_read_by_range_and_nothing_else_is(db: Database, local: LocalDatasets) -> None:
    summary = count(db, local)
    assert summary is not None
    snapshot = summary.snapshot
    assert (snapshot.source, snapshot.day, snapshot.verdict, snapshot.models) == ("census", DAY, "complete", 200)
    assert snapshot.taken_at == at(0, 4)
    assert revisions(db) == ["table"]
    assert local.bytes_served < len(past.uploads(local)[0].files["models.parquet"] or b"") / 2
    assert set(summary.ranked.boards) == {"families", "publishers", "lineage"}


def test_a_table_is_kept_when_a_model_is_too_much_for_a_boards_condition(db: Database, local: LocalDatasets) -> None:
    reader = census.Reader(past.settings(local, page_size=50, attempts=1), None, time.monotonic)
    strict = Board(name="strict", entity="family", where="repo_id::INT > 3")
    with pytest.raises(QueryRefusedError, match="board strict: where: "):
        census.run(db, reader, REGISTRY, (*BOARDS, strict), now=at(0))
    assert db.rows("SELECT verdict, models FROM snapshots") == [("complete", 200)]
    assert db.value("SELECT count(*) FROM observations") == 200
    assert revisions(db) == ["table"]


def test_todays_census_is_taken_once(db: Database, local: LocalDatasets) -> None:
    count(db, local)
    asked = local.requests
    assert count(db, local, hour=13) is None
    assert local.requests == asked


def test_without_a_fresh_table_the_listing_is_walked(db: Database, local: LocalDatasets) -> None:
    local.show(models(3))
    assert count(db, local, 3) is not None
    assert revisions(db) == ["listing"]


def test_a_table_of_yesterday_will_do_unless_it_is_here(db: Database, local: LocalDatasets) -> None:
    first = count(db, local, 1)
    local.show(models(1))
    second = count(db, local, 1)
    assert first is not None
    assert second is not None
    assert [first.snapshot.day, second.snapshot.day] == [DAY, DAY + timedelta(days=1)]
    assert revisions(db) == ["table", "listing"]


@pytest.mark.parametrize("content", [b"no table", None])
def test_a_table_that_is_damaged_or_gone_gives_way_to_the_listing(
    db: Database, local: LocalDatasets, content: bytes | None
) -> None:
    local.damage(past.uploads(local)[0], "models.parquet", lambda _: content)
    assert count(db, local) is not None
    assert revisions(db) == ["listing"]


def test_a_table_with_a_broken_row_group_gives_way_to_the_listing(db: Database, local: LocalDatasets) -> None:
    local.damage(past.uploads(local)[0], "models.parquet", lambda whole: b"PAR1" + bytes(2000) + whole[2004:])
    summary = count(db, local)
    assert summary is not None
    assert (summary.snapshot.models, revisions(db)) == (200, ["listing"])


def test_the_listing_is_no_repeat_of_a_table_of_the_same_day_that_lacks_models(
    db: Database, local: LocalDatasets
) -> None:
    """Both show the day's counts, so hardly any model of the listing has one that the table did not show."""
    count(db, local)
    local.repositories[HUB_STATS] += dataset_files.hub_stats([(DAY + timedelta(days=1), listed(1, 190))])
    local.show(models(1))
    assert [done.snapshot.verdict for hour in (11, 13) if (done := count(db, local, 1, hour=hour))] == [
        "partial",
        "complete",
    ]
    assert revisions(db) == ["table", "table", "listing"]


@pytest.mark.parametrize("column", ["downloads", "downloadsAllTime"])
def test_a_table_without_a_count_that_the_listing_has_gives_way_to_it(
    db: Database, local: LocalDatasets, column: str
) -> None:
    table = dataset_files.hub_table(DAY, listed(0)).drop(column)
    local.damage(past.uploads(local)[0], "models.parquet", lambda _: dataset_files.parquet(table))
    assert count(db, local) is not None
    assert revisions(db) == ["listing"]


def test_a_model_keeps_its_id_whoever_names_it(db: Database, local: LocalDatasets) -> None:
    """The table has no `_id`: rows are of the models called so, and the listing lends its own to the rest."""
    local.show(models(0, 120))
    local.repositories[HUB_STATS].clear()
    count(db, local)
    local.repositories[HUB_STATS] += dataset_files.hub_stats([(DAY + timedelta(days=1), listed(1))])
    count(db, local, 1)
    assert db.value("SELECT count(*) FROM models WHERE starts_with(hub_id, 'name:')") == 80
    local.show(models(2))
    local.repositories[HUB_STATS].clear()
    count(db, local, 2)
    assert db.value("SELECT count(*) FROM models") == 200
    assert db.value("SELECT count(*) FROM models WHERE starts_with(hub_id, 'name:')") == 0
    assert [row[0] for row in db.rows("SELECT verdict FROM snapshots ORDER BY day")] == ["complete"] * 3


def test_what_a_table_does_not_say_stays_as_it_is_known(db: Database, local: LocalDatasets) -> None:
    local.repositories[HUB_STATS].clear()
    local.show(HubModel(**row, gated="manual") for row in listed(0).iter_rows(named=True))
    count(db, local)
    local.repositories[HUB_STATS] += dataset_files.hub_stats([(DAY + timedelta(days=1), listed(1))])
    count(db, local, 1)
    assert revisions(db) == ["listing", "table"]
    assert db.rows("SELECT DISTINCT gated FROM models") == [("manual",)]


def test_what_was_created_last_is_not_gone_because_a_table_lacks_it(db: Database, local: LocalDatasets) -> None:
    late = HubModel(
        hub_id="f" * 24, repo_id="gamma/new", publisher="gamma", downloads_30d=1, downloads_all_time=1, likes=0,
        created_at=at(-1, 23),
    )  # fmt: skip
    keep(db, "hub", -1, [*models(), late])
    count(db, local)
    assert db.rows("SELECT repo_id FROM models WHERE gone_on IS NOT NULL") == []


def test_a_census_that_is_told_to_stop_while_it_reads_a_table_leaves_nothing(
    db: Database, local: LocalDatasets
) -> None:
    stop = threading.Event()

    def cut(request: Request) -> Response | None:
        if request.url.path.startswith("/storage/"):
            stop.set()
            time.sleep(0.5)
        return None

    local.faults.append(cut)
    with pytest.raises(WalkCancelled):
        count(db, local, stop=stop)
    assert db.value("SELECT count(*) FROM snapshots") == 0


# Which snapshot feeds which board


def keep(
    db: Database, source: str, number: int, seen: Sequence[HubModel], *, hour: int = 10, verdict: Verdict = "complete"
) -> int:
    """Write a snapshot and rank; its id."""
    with db.transaction():
        snapshot_id = store.next_snapshot_id(db, at(number, hour))
        day = DAY + timedelta(days=number)
        head = Snapshot(snapshot_id, source, at(number, hour), day, verdict, "", len(seen))
        store.write_snapshot(db, head, store.model_frame(seen), revision="somewhere")
        store.attribute(db, REGISTRY)
        rank.run(db, (*BOARDS, LINEAGE), REGISTRY)
    return snapshot_id


def fed(db: Database, board: Board) -> dict[int, str]:
    """Number of a day -> the source that feeds a board."""
    sources = dict(db.rows("SELECT snapshot_id, source FROM snapshots"))
    return {(day - DAY).days: sources[snapshot] for day, snapshot in days_of(db, board).items()}


POLLED, EVERYTHING = models(0, 20), models()


def test_each_board_keeps_to_its_kind_of_look(db: Database) -> None:
    keep(db, "hub", 0, POLLED)
    for number in (1, 3):
        keep(db, "hub", number, POLLED)
        keep(db, "census", number, EVERYTHING, hour=11)
    keep(db, "hub", 2, POLLED)
    keep(db, "census", 4, EVERYTHING)
    assert fed(db, LINEAGE) == fed(db, PUBLISHERS) == {0: "hub", 1: "census", 3: "census", 4: "census"}
    assert fed(db, FAMILIES) == dict.fromkeys(range(4), "hub")


def test_a_board_does_not_jump_when_a_census_is_missing_or_suspect(db: Database) -> None:
    for number in range(5):
        keep(db, "hub", number, POLLED)
        if number != 2:
            keep(db, "census", number, EVERYTHING, hour=12, verdict="suspect" if number == 3 else "complete")
    values = db.rows("SELECT day, value FROM standings WHERE board = 'lineage' AND entity = 'Beta' ORDER BY day")
    assert [(day - DAY).days for day, _ in values] == [0, 1, 4]
    assert len({value for _, value in values}) == 1


def test_a_look_after_the_census_of_the_day_changes_nothing(db: Database) -> None:
    before = keep(db, "census", 0, EVERYTHING, hour=9)
    keep(db, "hub", 0, POLLED, hour=15)
    assert db.rows("SELECT DISTINCT snapshot_id FROM standings WHERE board = 'lineage'") == [(before,)]


def test_a_board_waits_four_weeks_for_another_census(db: Database) -> None:
    keep(db, "census", 0, EVERYTHING)
    for number in (1, KEEPS_DAYS, KEEPS_DAYS + 1):
        keep(db, "hub", number, POLLED)
    assert fed(db, LINEAGE) == {0: "census", KEEPS_DAYS + 1: "hub"}


def test_a_missing_census_is_stood_in_for_by_a_table_of_everything_only(db: Database) -> None:
    keep(db, "census", 0, EVERYTHING)
    keep(db, "hub-stats", 1, EVERYTHING)
    keep(db, "my-files", 2, EVERYTHING)
    assert fed(db, LINEAGE) == {0: "census", 1: "hub-stats"}
    assert fed(db, FAMILIES) == {0: "census", 1: "hub-stats", 2: "my-files"}


def test_without_looks_at_the_families_a_census_feeds_every_board(db: Database) -> None:
    keep(db, "census", 0, EVERYTHING)
    assert fed(db, FAMILIES) == {0: "census"}


# As people use it


def test_the_command_takes_todays_census_once(
    tmp_path: Path, local: LocalDatasets, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    config = configure(tmp_path, local.endpoint)
    assert run(["census", "--config", str(config)]) == 0
    assert "200 models, complete" in capsys.readouterr().err
    assert run(["census", "--config", str(config)]) == 0
    assert "today's census is here already" in capsys.readouterr().err
    assert run(["sql", "SELECT source, models FROM snapshots", "--format", "csv", "--config", str(config)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["census,200"]


def test_a_listing_that_breaks_off_is_said_in_one_line(
    tmp_path: Path, local: LocalDatasets, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    local.faults.append(lambda request: Response(status_code=403) if request.url.path == "/api/models" else None)
    assert run(["census", "--config", str(configure(tmp_path, local.endpoint))]) == 3
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"{local.endpoint} cannot be read: answered 403")
    assert line.endswith("; what was read of the listing is kept, and the next census goes on there")


# Killed in the middle


def take(path: str, endpoint: str, now: str) -> None:
    """Take a census, as a process of its own does."""
    moment = datetime.fromisoformat(now)
    with Database.open(Path(path)) as db:
        migrate(db, now=moment)
        settings = HubSettings(endpoint=endpoint, quota_share=1, attempts=1, timeout_seconds=10, page_size=5)
        census.run(db, census.Reader(settings, None, time.monotonic), REGISTRY, BOARDS, now=moment)


def test_killed_in_the_middle_it_reads_only_the_pages_that_are_left(tmp_path: Path, local: LocalDatasets) -> None:
    """Forty pages; the process is killed at the 25th, when twenty are kept."""
    local.repositories[HUB_STATS].clear()
    pages, victim = list[str](), list[subprocess.Popen[bytes]]()

    def note(request: Request) -> Response | None:
        if request.url.path == "/api/models":
            pages.append(request.query_params.get("cursor", ""))
            if len(pages) == 25:
                os.kill(victim[0].pid, signal.SIGKILL)
        return None

    local.faults.append(note)
    arguments = [str(tmp_path / "w.duckdb"), local.endpoint]
    child = "import sys; from test_census_table import take; take(*sys.argv[1:])"
    command = [sys.executable, "-c", child, *arguments, at(0, 11).isoformat()]
    tests = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    victim.append(subprocess.Popen(command, env=os.environ | {"PYTHONPATH": tests}))
    assert victim[0].wait(timeout=120) == -signal.SIGKILL
    take(*arguments, at(0, 12).isoformat())
    assert len(pages) == 25 + 20
    assert len(set(pages)) == 40
    with Database.open(tmp_path / "w.duckdb") as db:
        assert db.rows("SELECT verdict, models, requests FROM snapshots") == [("complete", 200, 40)]
