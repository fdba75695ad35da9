"""Collect: what a look at the Hub leaves behind, whatever the Hub did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from spine import BOARDS, REGISTRY, day, hub, judge, listed, look, model, moment, warehouse
from starlette.responses import JSONResponse, Response

from jobs import collect
from jobs.hub import HubError, HubSettings, WalkCancelled
from monitor.demo.faults import CutShort, Silence, at, maintenance
from warehouse.db import Database
from warehouse.errors import QueryRefusedError
from warehouse.ranking.boards import Board
from warehouse.records import Listing, Snapshot
from warehouse.snapshots import history


def leader(db: Database, board: str = "families") -> str:
    return str(db.value("SELECT entity FROM standings WHERE board = $b ORDER BY day DESC, rank LIMIT 1", {"b": board}))


def test_a_look_leaves_a_snapshot_its_counts_and_the_standings() -> None:
    with warehouse() as db, hub(listed(9, 5)) as local:
        summary = look(db, local, 0, boards=BOARDS)
        (snapshot,) = [Snapshot(*row) for row in db.rows("SELECT * EXCLUDE (revision, measured) FROM snapshots")]
        assert snapshot == summary.snapshot
        assert (snapshot.verdict, snapshot.models, snapshot.day) == ("complete", 3, day(0))
        assert snapshot.taken_at == moment(0)
        assert snapshot.verdict_reason.startswith("3 models of 3 publishers, every listing read to its end")
        assert snapshot.requests == local.requests == 6
        assert db.value("SELECT revision FROM snapshots") == local.endpoint
        assert db.value("SELECT count(*) FROM observations") == 3
        assert db.rows("SELECT rank, entity, value FROM standings WHERE board = 'families' ORDER BY rank") == [
            (1, "Gamma", 10), (2, "Alpha", 9), (3, "Beta", 5),
        ]  # fmt: skip
        assert summary.ranked.boards == {board.name: day(0) for board in BOARDS}


def test_a_look_is_kept_when_a_new_model_is_too_much_for_a_boards_condition() -> None:
    """And is ranked, with all that is known of it, once somebody has mended the condition."""
    strict = Board(name="sizes", entity="family", where="parse_path(repo_id)[2]::INT > 0")
    numbers = [model("alpha-lab/7", 9), model("beta-ai/70", 5)]
    new = model("beta-ai/new", 20, created_at=moment(0, 18))
    with warehouse() as db, hub() as local:
        look(db, local, 0, numbers, boards=(*BOARDS, strict))
        with pytest.raises(QueryRefusedError, match=r"board sizes: where: .*Could not convert string 'new'"):
            look(db, local, 1, [*numbers, new], boards=(*BOARDS, strict))
        assert db.rows("SELECT day, verdict, models FROM snapshots ORDER BY day") == [
            (day(0), "complete", 2), (day(1), "complete", 3),
        ]  # fmt: skip
        assert db.value("SELECT family FROM models WHERE repo_id = 'beta-ai/new'") == "Beta"
        assert db.value("SELECT max(day) FROM standings") == day(0)
        assert judge(db, 1).fired == ("Beta takes the lead from Alpha on families",)
        assert leader(db) == "Beta"


def test_a_second_look_on_a_day_is_kept_and_speaks_for_it() -> None:
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(90, 50))
        look(db, local, 0, listed(40, 50), hour=15)
        assert db.value("SELECT count(*) FROM snapshots") == 2
        assert db.value("SELECT count(DISTINCT snapshot_id) FROM observations") == 2
        assert db.value("SELECT count(DISTINCT day) FROM standings") == 1
        assert leader(db) == "Beta"


def test_a_partial_second_look_does_not_take_the_place_of_a_complete_one() -> None:
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(90, 50))
        local.faults.append(at("/api/models", maintenance, author="alpha-lab"))
        second = look(db, local, 0, listed(90, 950), hour=15).snapshot
        assert second.verdict == "partial"
        assert second.verdict_reason.startswith("alpha-lab: ")
        assert second.models == 2
        assert leader(db) == "Alpha"


def test_a_late_day_takes_its_place_between_the_others() -> None:
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(90, 50))
        look(db, local, 2, listed(90, 150))
        summary = look(db, local, 1, listed(90, 95))
        assert summary.ranked.boards["families"] == day(1)
        ranks = db.rows(
            "SELECT day, rank, previous_rank FROM standings WHERE board = 'families' AND entity = 'Beta' ORDER BY day"
        )
        assert ranks == [(day(0), 2, None), (day(1), 1, 2), (day(2), 1, 1)]
        assert db.rows("SELECT day FROM flips WHERE board = 'families'") == [(day(1),)]


@pytest.mark.parametrize("fault", [CutShort, maintenance], ids=["cut short", "maintenance page"])
def test_one_broken_listing_makes_the_look_partial_and_keeps_the_others(fault: Callable[[], Response]) -> None:
    with warehouse() as db, hub(listed(90, 50)) as local:
        local.faults.append(at("/api/models", fault, author="beta-ai"))
        snapshot = look(db, local, 0).snapshot
        assert snapshot.verdict == "partial"
        assert "beta-ai" in snapshot.verdict_reason
        assert db.rows("SELECT repo_id FROM observations ORDER BY 1") == [("alpha-lab/alpha-1",), ("gamma/gamma-1",)]
        assert db.value("SELECT count(*) FROM standings") == 0
        assert db.rows("SELECT publisher FROM listings WHERE problem IS NOT NULL") == [("beta-ai",)]


def test_an_unreachable_hub_leaves_a_failed_snapshot_and_nothing_else() -> None:
    with hub() as local:
        gone = HubSettings(endpoint=local.endpoint, attempts=1, timeout_seconds=5)
    with warehouse() as db:
        snapshot = collect.run(db, gone, REGISTRY, BOARDS, token=None, now=moment(1), clock=time.monotonic).snapshot
        assert (snapshot.verdict, snapshot.models) == ("failed", 0)
        assert f"{gone.endpoint} cannot be read" in snapshot.verdict_reason
        assert db.value("SELECT count(*) FROM snapshots") == 1
        for relation in ("observations", "models", "standings", "flips"):
            assert db.rows(f"FROM {relation}") == []


def test_a_failed_look_changes_nothing_that_was_known_before() -> None:
    with warehouse() as db, hub(listed(90, 50)) as local:
        look(db, local, 0)
        tables = ("observations", "models", "model_versions", "standings", "flips", "boards", "shares", "families")
        before = {table: db.rows(f"FROM {table} ORDER BY ALL") for table in tables}
        local.faults.append(at("/api", maintenance))
        assert look(db, local, 1).snapshot.verdict == "failed"
        assert {table: db.rows(f"FROM {table} ORDER BY ALL") for table in tables} == before


def test_a_look_that_cannot_be_judged_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with warehouse() as db, hub(listed(90, 50)) as local:
        monkeypatch.setattr(history, "before", broken)
        with pytest.raises(ZeroDivisionError):
            look(db, local, 0)
        assert [db.rows(f"FROM {table}") for table in ("snapshots", "observations", "models")] == [[], [], []]
        monkeypatch.undo()
        assert look(db, local, 0).snapshot.verdict == "complete"


def test_a_publisher_that_lists_nothing_any_more_is_not_believed() -> None:
    with warehouse() as db, hub(listed(90, 50)) as local:
        look(db, local, 0)
        local.faults.append(at("/api/organizations/gamma", maintenance))
        snapshot = look(db, local, 1, listed(90, 50)[:2]).snapshot
        assert snapshot.verdict == "partial"
        assert snapshot.verdict_reason.startswith("gamma: ")


def test_a_publisher_the_hub_does_not_know_is_a_note() -> None:
    def unknown() -> Response:
        return JSONResponse({"error": "This organization does not exist"}, status_code=404)

    with warehouse() as db, hub() as local:
        local.faults.append(at("/api/organizations/gamma", unknown))
        snapshot = look(db, local, 0, listed(90, 50)[:2]).snapshot
        assert snapshot.verdict == "complete"
        assert "unknown to the Hub: gamma" in snapshot.verdict_reason


def test_a_model_that_moved_between_two_publishers_counts_once() -> None:
    with warehouse() as db, hub() as local:
        moved = model("gamma/moved", 7, hub_id="m")
        look(db, local, 0, [model("alpha-lab/moved", 7, hub_id="m"), *listed(90, 50)])
        look(db, local, 1, [moved, *listed(90, 50)])
        assert db.value("SELECT count(*) FROM models WHERE hub_id = 'm'") == 1
        assert db.rows("SELECT repo_id, family FROM models WHERE hub_id = 'm'") == [("gamma/moved", "Gamma")]


def test_a_day_is_a_utc_day() -> None:
    late = datetime(2026, 5, 2, 6, 30, tzinfo=timezone(timedelta(hours=9)))
    with warehouse() as db, hub(listed(9, 5)) as local:
        settings = HubSettings(endpoint=local.endpoint, quota_share=1)
        summary = collect.run(db, settings, REGISTRY, BOARDS, token=None, now=late, clock=time.monotonic)
        assert summary.snapshot.day == day(0)
        assert str(summary.snapshot.snapshot_id).startswith("20260501213000")


def test_progress_is_told_of_every_listing() -> None:
    seen: list[Listing] = []
    with warehouse() as db, hub(listed(9, 5)) as local:
        collect.run(
            db, HubSettings(endpoint=local.endpoint, quota_share=1), REGISTRY, BOARDS, token=None, now=moment(0),
            clock=time.monotonic, progress=seen.append,
        )  # fmt: skip
    assert {listing.publisher for listing in seen} == set(REGISTRY.publishers)


def test_a_look_that_is_stopped_leaves_no_snapshot() -> None:
    stop = threading.Event()
    with warehouse() as db, hub(listed(9, 5)) as local:
        local.faults.append(at("/api/models", Silence, author="gamma"))
        timer = threading.Timer(0.3, stop.set)
        timer.start()
        began = time.monotonic()
        with pytest.raises(WalkCancelled):
            collect.run(
                db, HubSettings(endpoint=local.endpoint, quota_share=1, timeout_seconds=60), REGISTRY, BOARDS,
                token=None, now=moment(0), clock=time.monotonic, stop=stop,
            )  # fmt: skip
        assert time.monotonic() - began < 30
        timer.join()
        assert db.value("SELECT count(*) FROM snapshots") == 0


def test_a_token_no_header_can_carry_is_said_before_anything_is_written() -> None:
    with warehouse() as db, hub() as local, pytest.raises(HubError, match="token"):
        collect.run(
            db, HubSettings(endpoint=local.endpoint), REGISTRY, BOARDS, token="no token\n", now=moment(0),
            clock=time.monotonic,
        )  # fmt: skip


def test_a_change_of_the_registry_ranks_every_day_anew() -> None:
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(90, 50))
        look(db, local, 1, listed(90, 50))
        families = [family.model_copy(update={"exclude": ("beta-1",)}) for family in REGISTRY.families]
        narrowed = type(REGISTRY)(families)
        summary = collect.run(
            db, HubSettings(endpoint=local.endpoint, quota_share=1), narrowed, BOARDS, token=None, now=moment(2),
            clock=time.monotonic,
        )  # fmt: skip
        assert summary.ranked.boards["families"] == day(0)
        assert db.value("SELECT count(*) FROM standings WHERE board = 'families' AND entity = 'Beta'") == 0


def test_a_board_that_is_no_longer_configured_is_forgotten() -> None:
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(90, 50))
        look(db, local, 1, listed(90, 150))
        judge(db, 1)
        settings = HubSettings(endpoint=local.endpoint, quota_share=1)
        collect.run(db, settings, REGISTRY, BOARDS[:1], token=None, now=moment(2), clock=time.monotonic)
        for relation in ("boards", "standings", "flips"):
            assert db.rows(f"SELECT DISTINCT board FROM {relation}") == [("families",)]


def test_an_exception_while_writing_leaves_no_half_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    with warehouse() as db, hub(listed(90, 50)) as local:
        tables = [row[0] for row in db.rows("SELECT table_name FROM duckdb_tables()")]
        before = {table: db.rows(f"FROM {table}") for table in tables}
        execute = Database.execute

        def fail(self: Database, sql: str, parameters: object = None) -> None:
            if "INSERT INTO family_standings" in sql:
                raise KeyboardInterrupt
            execute(self, sql, parameters)  # type: ignore[arg-type]

        monkeypatch.setattr(Database, "execute", fail)
        with pytest.raises(KeyboardInterrupt):
            look(db, local, 0)
        monkeypatch.undo()
        assert {table: db.rows(f"FROM {table}") for table in tables} == before
        assert look(db, local, 0).snapshot.verdict == "complete"
