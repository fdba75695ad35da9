"""A census of everything on the Hub by its own listing: interrupted anywhere it goes on with the next page."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest
from spine import BOARDS, REGISTRY, hub, listed, model, moment, warehouse
from starlette.requests import Request
from starlette.responses import Response

from jobs import census, collect, everything
from jobs.hub import HubError, HubSettings, WalkCancelled
from monitor.demo.hub import LocalHub
from monitor.health import Facts, Look, judge
from warehouse.db import Database
from warehouse.errors import QueryRefusedError
from warehouse.published.reading import Reading
from warehouse.ranking.boards import Board
from warehouse.records import HubModel, Parent
from warehouse.snapshots.census import Census

LINEAGE = Board(name="lineage", entity="family", scope="lineage")


def everybody(derived: int = 60) -> list[HubModel]:
    """The families' own models, and what others made of them."""
    own = listed(90, 50)
    parent = (Parent("finetune", "beta-ai/beta-1"),)
    return own + [model(f"tuner-{n}/model-{n}", 10 + n, parents=parent) for n in range(derived)]


@pytest.fixture
def local() -> Iterator[LocalHub]:
    with hub(everybody()) as running:
        yield running


@pytest.fixture
def db() -> Iterator[Database]:
    with warehouse() as opened:
        yield opened


def count(
    db: Database, local: LocalHub, number: int, *, hour: int = 11, stop: threading.Event | None = None, **more: float
) -> collect.Summary:
    """A census with ten models on a page."""
    usual = {"quota_share": 1.0, "attempts": 1, "timeout_seconds": 10, "page_size": 10}
    settings = HubSettings.model_validate({"endpoint": local.endpoint, **usual, **more})
    reader = census.Reader(settings, None, time.monotonic, stop)
    summary = census.run(db, reader, REGISTRY, (*BOARDS, LINEAGE), now=moment(number, hour))
    assert summary is not None
    return summary


def pages_asked(local: LocalHub) -> list[str]:
    """The cursors of all pages asked for, as they come."""
    asked: list[str] = []

    def note(request: Request) -> Response | None:
        if request.url.path == "/api/models":
            asked.append(request.query_params.get("cursor", ""))
        return None

    local.faults.append(note)
    return asked


def test_a_census_is_one_snapshot_of_everything(db: Database, local: LocalHub) -> None:
    summary = count(db, local, 0)
    assert (summary.snapshot.source, summary.snapshot.verdict, summary.snapshot.models) == ("census", "complete", 63)
    assert summary.snapshot.requests == 7
    assert db.value("SELECT count(*) FROM observations") == 63
    assert db.value("SELECT count(*) FROM census_rows") == 0
    assert Census(db).progress() is None
    values = dict(db.rows("SELECT entity, value FROM standings WHERE board = 'lineage'"))
    assert values == {"Alpha": 90, "Beta": 50 + sum(10 + n for n in range(60)), "Gamma": 10}


def test_a_census_does_not_hide_that_the_families_are_not_seen(db: Database, local: LocalHub) -> None:
    count(db, local, 0)
    looks = [Look(*look) for look in Reading(db).own_looks()]
    assert [look.source for look in looks] == ["census"]
    assert judge(Facts(moment(0), looks)).reasons == ("no complete snapshot yet",)


def test_an_interrupted_census_goes_on_with_the_page_that_comes_next(db: Database, local: LocalHub) -> None:
    asked = pages_asked(local)
    breaking = [5]

    def fail(request: Request) -> Response | None:
        breaking[0] -= request.url.path == "/api/models"
        return Response(status_code=502) if breaking[0] == 0 else None

    local.faults.append(fail)
    with pytest.raises(HubError, match="answered 502"):
        count(db, local, 0)
    progress = Census(db).progress()
    assert progress is not None
    assert (progress.pages, progress.requests, progress.read_to_its_end) == (4, 4, False)
    assert db.value("SELECT count(*) FROM snapshots") == 0
    summary = count(db, local, 0, hour=12)
    assert summary.snapshot.taken_at == moment(0, 11)
    assert summary.snapshot.models == 63
    assert summary.snapshot.requests == 4 + 3
    assert len(asked) == 8
    assert len(set(asked)) == 7  # the page that failed was asked for twice, no other


def test_a_census_that_is_told_to_stop_keeps_what_it_has(db: Database, local: LocalHub) -> None:
    stop = threading.Event()

    def cut(request: Request) -> Response | None:
        if request.query_params.get("cursor"):
            stop.set()
            time.sleep(0.3)
        return None

    local.faults.append(cut)
    with pytest.raises(WalkCancelled):
        count(db, local, 0, stop=stop)
    progress = Census(db).progress()
    assert progress is not None
    assert progress.pages == 1
    local.faults.clear()
    assert count(db, local, 0, hour=12).snapshot.models == 63


def test_what_was_read_but_not_written_is_not_read_again(
    db: Database, local: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(census, "_keep", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            count(db, local, 0)
    asked = pages_asked(local)
    assert count(db, local, 0, hour=12).snapshot.models == 63
    assert asked == []


def test_a_listing_that_makes_room_for_others_reads_no_page_twice(db: Database, local: LocalHub) -> None:
    asked = pages_asked(local)
    local.latency_seconds = 0.15
    settings = HubSettings(endpoint=local.endpoint, quota_share=1, attempts=1, timeout_seconds=10, page_size=10)
    reader = census.Reader(settings, None, time.monotonic, pause=0.5)
    goes = 0
    while db.value("SELECT count(*) FROM snapshots") == 0:
        goes += 1
        with contextlib.suppress(WalkCancelled):
            census.run(db, reader, REGISTRY, BOARDS, now=moment(0))
    assert goes > 1
    assert len(asked) - len(set(asked)) < goes  # at most the page that each go was interrupted in
    assert db.rows("SELECT verdict, models FROM snapshots") == [("complete", 63)]


def test_a_census_of_yesterday_is_begun_anew(db: Database, local: LocalHub) -> None:
    local.faults.append(lambda request: Response(status_code=502) if "cursor" in request.query_params else None)
    with pytest.raises(HubError):
        count(db, local, 0)
    local.faults.clear()
    summary = count(db, local, 1)
    assert (summary.snapshot.taken_at, summary.snapshot.requests) == (moment(1, 11), 7)


def test_a_census_stays_within_its_share_of_the_quota(db: Database) -> None:
    window = 1.0
    with LocalHub(quota=8, window_seconds=window) as local:
        local.show(everybody(150))
        times: list[float] = []
        local.faults.append(lambda _: times.append(time.monotonic()))
        summary = count(db, local, 0, quota_share=0.5)
    assert summary.snapshot.models == 153
    busiest = max(sum(0 <= other - one < window for other in times) for one in times)
    assert busiest <= 5  # half of eight, and one that told of a new window


def test_pages_that_do_not_end_are_given_up(db: Database, local: LocalHub) -> None:
    link = f'<{local.endpoint}/api/models?cursor=x>; rel="next"'
    local.faults.append(lambda _: Response("[]", headers={"link": link}))
    with pytest.raises(HubError, match="do not end"):
        count(db, local, 0)


def test_a_census_is_kept_when_a_model_is_too_much_for_a_boards_condition(db: Database, local: LocalHub) -> None:
    settings = HubSettings(endpoint=local.endpoint, quota_share=1, attempts=1, timeout_seconds=10)
    strict = Board(name="strict", entity="family", where="repo_id::INT > 3")
    with pytest.raises(QueryRefusedError, match="board strict: where: "):
        census.run(db, census.Reader(settings, None, time.monotonic), REGISTRY, (*BOARDS, strict), now=moment(0))
    assert db.rows("SELECT verdict, models FROM snapshots") == [("complete", 63)]
    assert db.value("SELECT count(*) FROM models WHERE family = 'Beta'") == 61
    assert db.value("SELECT count(*) FROM standings") == 0


def test_models_that_a_complete_census_no_longer_shows_are_gone(db: Database, local: LocalHub) -> None:
    count(db, local, 0)
    local.show(everybody(59))
    assert count(db, local, 1).snapshot.verdict == "complete"
    assert db.rows("SELECT repo_id, gone_on FROM models WHERE gone_on IS NOT NULL") == [
        ("tuner-59/model-59", moment(1).date())
    ]


def test_many_rows_that_cannot_be_believed_make_it_partial(db: Database, local: LocalHub) -> None:
    local.show([*everybody(), *(model(f"liar/model-{n}", 10**15) for n in range(5))])
    summary = count(db, local, 0)
    assert summary.snapshot.verdict == "partial"
    assert "5 rows could not be believed" in summary.snapshot.verdict_reason
    assert db.value("SELECT count(*) FROM standings") == 0


def test_a_model_that_is_listed_twice_counts_once(
    db: Database, local: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = everything._page

    def twice(rows: list[object], *rest: object) -> everything.Page:
        return page([*rows, rows[0]], *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(everything, "_page", twice)
    assert count(db, local, 0).snapshot.models == 63


def test_a_census_begun_at_another_hub_is_begun_anew(db: Database, local: LocalHub) -> None:
    local.faults.append(lambda request: Response(status_code=502) if "cursor" in request.query_params else None)
    with pytest.raises(HubError):
        count(db, local, 0)
    with hub(everybody(2)) as other:
        assert count(db, other, 0, hour=12).snapshot.models == 5
