"""Backfill: what history leaves behind, whatever its files are like, and how it joins what is known."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pyarrow.parquet as pq
import pytest
from past import (
    PUBLISHERS,
    START,
    TODAY,
    datasets,
    days,
    facts,
    fill,
    listed,
    repositories,
    settings,
    uploads,
    verdicts,
)
from spine import BOARDS, FAMILIES, REGISTRY, day, head, hub, look, model, warehouse
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jobs import backfill, rank
from jobs.backfill import gaps
from jobs.history import backfill_plan, own_files, sources
from jobs.history.own_text import HistoryError
from jobs.hub import HubSettings
from monitor.demo import dataset_files, faults
from monitor.demo.dataset_files import HUB_STATS, MODEL_PULSE, WEEKLY, parquet
from monitor.demo.datasets import LocalDatasets, Revision
from warehouse.db import Database
from warehouse.errors import NotKnownError
from warehouse.published.reading import Reading
from warehouse.snapshots import store


@pytest.fixture
def db() -> Iterator[Database]:
    with warehouse() as opened:
        yield opened


@pytest.fixture
def local() -> Iterator[LocalDatasets]:
    with datasets(days(5)) as running:
        yield running


# Datasets


def test_every_day_becomes_a_snapshot_with_its_source_revision_and_verdict(db: Database, local: LocalDatasets) -> None:
    report = fill(db, local)
    heads = db.rows(
        "SELECT day, source, verdict, models, taken_at, revision, verdict_reason FROM snapshots ORDER BY day"
    )
    assert [head[:4] for head in heads] == [(day, "hub-stats", "complete", 200) for day, _ in days(5)]
    revisions = [f"{HUB_STATS}@{one.sha}:models.parquet" for one in uploads(local)]
    assert [head[5] for head in heads] == revisions
    assert [head[4] for head in heads] == [one.at for one in uploads(local)]
    assert "200 of 200 models of 2025-02-24 seen again" in heads[1][6]
    assert (report.covered, report.gaps, report.verdicts) == ([day for day, _ in days(5)], [], {"complete": 5})
    assert (report.unread, report.problem) == ([], None)


def test_history_does_not_hide_that_the_families_are_not_seen(db: Database, local: LocalDatasets) -> None:
    fill(db, local)
    assert Reading(db).own_looks() == []


def test_counts_are_those_of_the_day_and_null_before_they_were_recorded(db: Database, local: LocalDatasets) -> None:
    fill(db, local)
    for number, (shown, frame) in enumerate(days(5)):
        found = db.frame("FROM observations WHERE day = $day ORDER BY repo_id", {"day": shown})
        wanted = frame.sort("repo_id")
        assert found["downloads_30d"].to_list() == wanted["downloads_30d"].to_list()
        assert found["likes"].to_list() == wanted["likes"].to_list()
        known = wanted["downloads_all_time"].to_list() if number >= 3 else [None] * 200
        assert found["downloads_all_time"].to_list() == known


def test_history_is_ranked_attributed_and_its_flips_found_once(
    db: Database, local: LocalDatasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    run = rank.run
    monkeypatch.setattr(rank, "run", lambda *args, **more: calls.append(1) or run(*args, **more))
    report = fill(db, local, boards=BOARDS)
    assert len(calls) == 1
    assert db.value("SELECT count(DISTINCT day) FROM standings WHERE board = 'families'") == 5
    assert {
        (flip["board"], flip["entity"], flip["rival"]) for flip in report.flips if flip["kind"] == "lead_change"
    } == {
        ("families", "Beta", "Alpha"),
        ("publishers", "beta-ai", "alpha-lab"),
    }
    described = (
        "SELECT family, relation, license, pipeline_tag, library, gated, parameters FROM models WHERE repo_id = $id"
    )
    assert db.rows(described, {"id": "alpha-lab/model-0"})[0][0] == "Alpha"
    assert db.value("SELECT count(*) FROM models WHERE relation = 'quantized' AND depth = 1") == 15
    assert db.value("SELECT count(*) FROM models WHERE license = 'apache-2.0' AND library = 'transformers'") == 200


def test_a_second_run_reads_and_changes_nothing(db: Database, local: LocalDatasets) -> None:
    fill(db, local)
    before, served = facts(db), local.bytes_served
    report = fill(db, local)
    assert facts(db) == before
    assert (local.bytes_served, report.written, len(report.covered)) == (served, [], 5)
    local.repositories[HUB_STATS] += dataset_files.hub_stats([(START + timedelta(days=5), listed(5))])
    assert [snapshot.day for snapshot in fill(db, local).written] == [START + timedelta(days=5)]


def test_it_reads_what_the_columns_used_take_and_little_more(db: Database) -> None:
    with LocalDatasets({HUB_STATS: dataset_files.hub_stats(days(3, models=6000), rows_a_group=2000)}) as local:
        report = fill(db, local)
        whole = sum(len(one.files["models.parquet"] or b"") for one in uploads(local))
        probed = local.bytes_served - report.bytes  # the footers that the estimate rests on
    assert report.needed < report.bytes <= 1.15 * report.needed
    assert report.bytes < 0.5 * whole
    assert probed < 0.1 * report.bytes


def test_the_plan_says_what_is_coming(db: Database, local: LocalDatasets) -> None:
    plan = backfill_plan.plan(db, sources.find("hub-stats"), _settings(local), REGISTRY, token=None, today=TODAY)
    report = fill(db, local)
    assert plan.days == report.covered
    assert plan.bytes is not None
    assert abs(plan.bytes - report.needed) < 0.1 * report.needed
    assert plan.rows == 1000
    assert plan.requests >= report.requests - 10
    assert plan.seconds > 0


def test_the_plan_of_months_counts_how_their_days_are_found_and_what_describes_models(db: Database) -> None:
    """Of a month with many row groups the days are read first, in a request each."""
    past = dataset_files.model_pulse(days(8, models=2000), rows_a_group=1000)
    with LocalDatasets({MODEL_PULSE: past}) as local:
        plan = backfill_plan.plan(db, sources.find("model-pulse"), _settings(local), REGISTRY, token=None, today=TODAY)
        probed = local.requests, local.bytes_served
        fill(db, local, "model-pulse")  # which makes the plan once more
        requests, served = local.requests - 2 * probed[0], local.bytes_served - 2 * probed[1]
    assert plan.bytes is not None
    assert abs(plan.bytes - served) < 0.15 * served
    assert abs(plan.requests - requests) <= 4


def test_the_last_upload_of_a_day_speaks_for_it(db: Database) -> None:
    early, late = dataset_files.hub_stats([(START, listed(0))]), dataset_files.hub_stats([(START, listed(3))], hour=20)
    gone = Revision(
        "Delete models.parquet with huggingface_hub", late[1].at + timedelta(hours=1), {"models.parquet": None}
    )
    with LocalDatasets({HUB_STATS: [*early, *late, gone]}) as local:
        (snapshot,) = fill(db, local).written
    assert snapshot.taken_at == late[1].at
    assert db.value("SELECT sum(downloads_30d) FROM observations") == listed(3)["downloads_30d"].sum()


def test_days_can_be_chosen(db: Database, local: LocalDatasets) -> None:
    assert len(fill(db, local, until=START + timedelta(days=1)).written) == 2
    report = fill(db, local, since=START + timedelta(days=4))
    assert [snapshot.day for snapshot in report.written] == [START + timedelta(days=4)]
    assert report.covered == [START + timedelta(days=4)]
    assert fill(db, local, until=START - timedelta(days=1)).covered == []


def replaced(table: pl.DataFrame) -> Callable[[bytes], bytes]:
    return lambda _: parquet(table, rows_a_group=80)


def half_zeroed(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:4] + bytes(half) + content[4 + half :]


NEGATIVE = listed(2).with_columns(downloads_30d=-5)


def doubled(content: bytes) -> bytes:
    """The same with its column of counts twice."""
    table = pq.read_table(io.BytesIO(content))
    written = io.BytesIO()
    pq.write_table(table.append_column("downloads", table["downloads"]), written)
    return written.getvalue()


BROKEN: list[tuple[Callable[[bytes], bytes | None], str, str]] = [
    (lambda _: None, "failed", "it is not there (404)"),
    (lambda content: content[: len(content) // 2], "failed", "it is no Parquet file"),
    (replaced(pl.DataFrame({"x": [1]})), "failed", "it has no column id or modelId; it has x"),
    (doubled, "failed", "it has the column downloads more than once"),
    (half_zeroed, "partial", "row groups cannot be read"),
    (replaced(dataset_files.hub_table(START, listed(2, 90))), "partial", "lost: 110 of 200 models"),
    (replaced(dataset_files.hub_table(START, NEGATIVE)), "failed", "could not be believed"),
    (replaced(dataset_files.hub_table(START, listed(1))), "suspect", "repeat"),
]


@pytest.mark.parametrize(("how", "verdict", "says"), BROKEN)
def test_a_broken_day_has_its_verdict_and_the_run_goes_on(
    db: Database, local: LocalDatasets, how: Callable[[bytes], bytes | None], verdict: str, says: str
) -> None:
    local.damage(uploads(local)[2], "models.parquet", how)
    fill(db, local)
    assert verdicts(db) == ["complete", "complete", verdict, "complete", "complete"]
    assert says in db.rows("SELECT verdict_reason FROM snapshots ORDER BY day")[2][0]
    assert db.value("SELECT count(DISTINCT day) FROM standings") == 4
    before, served = facts(db), local.bytes_served
    assert fill(db, local).written == []
    assert facts(db) == before
    assert local.bytes_served == served


def test_days_that_cannot_be_are_not_asked_for(db: Database, local: LocalDatasets) -> None:
    report = fill(db, local, today=START + timedelta(days=2))
    assert report.covered == [day for day, _ in days(3)]
    with datasets(days(2, start=date(1999, 12, 31))) as old:
        assert fill(db, old, name="old").covered == [date(2000, 1, 1)]


@pytest.mark.parametrize(
    "row",
    [
        {"title": "Upload models.parquet", "date": "2025-02-26T00:00:00Z"},
        {"id": 7, "title": "Upload models.parquet", "date": "2025-02-26T00:00:00Z"},
        {"id": "a", "title": "Upload models.parquet", "date": "0001-01-01T00:00:00+14:00"},
        {"id": "a", "title": "Upload models.parquet", "date": {}},
        "no object",
    ],
)
def test_a_commit_that_is_none_is_passed_over(db: Database, local: LocalDatasets, row: object) -> None:
    with one_row_more(local, f"/api/datasets/{HUB_STATS}/commits/main", row):
        assert fill(db, local).verdicts == {"complete": 5}


@pytest.mark.parametrize(
    "row",
    [
        {"type": "file", "path": "series/0000-02.parquet", "size": 7},
        {"type": "file", "path": "series/README.md", "size": "many"},
        {"type": "file"},
        None,
    ],
)
def test_a_file_of_a_listing_that_is_none_is_passed_over(db: Database, local: LocalDatasets, row: object) -> None:
    with one_row_more(local, f"/api/datasets/{MODEL_PULSE}/tree/main/series", row):
        assert fill(db, local, "model-pulse").verdicts == {"complete": 5}


@contextmanager
def one_row_more(local: LocalDatasets, path: str, row: object) -> Iterator[None]:
    """A listing with something odd at its beginning."""
    rows = httpx.get(f"{local.endpoint}{path}", params={"expand": "true", "limit": 1000}).json()
    asked = []

    def odd(request: Request) -> Response | None:
        if request.url.path != path:
            return None
        asked.append(request.url.path)
        return JSONResponse([row, *rows])

    local.faults.append(odd)
    yield
    assert asked


def test_descriptions_that_cannot_be_read_now_end_the_run(db: Database, local: LocalDatasets) -> None:
    def down(request: Request) -> Response | None:
        is_description = request.url.path.endswith("/resolve/main/models.parquet")
        return Response(status_code=503) if is_description else None

    local.faults.append(down)
    report = fill(db, local, "model-pulse")
    assert report.written == []
    assert "models.parquet: " in str(report.problem)
    local.faults.clear()
    assert fill(db, local, "model-pulse").verdicts == {"complete": 5}
    assert db.value("SELECT count(*) FROM models WHERE created_at IS NULL") == 0


def test_descriptions_that_are_not_there_are_said(db: Database, local: LocalDatasets) -> None:
    newest = next(one for one in reversed(local.repositories[MODEL_PULSE]) if "models.parquet" in one.files)
    local.damage(newest, "models.parquet", lambda _: None)
    report = fill(db, local, "model-pulse")
    assert report.verdicts == {"complete": 5}
    assert len(report.unread) == 1
    assert "the models come without what it says of them" in report.unread[0]


def test_a_file_that_cannot_be_read_now_is_read_another_time(db: Database, local: LocalDatasets) -> None:
    sha = uploads(local)[1].sha
    local.faults.append(faults.at(sha, lambda: Response(status_code=500)))
    report = fill(db, local)
    assert [snapshot.day.day for snapshot in report.written] == [24, 26, 27, 28]
    assert len(report.unread) == 1
    assert "answered 500" in report.unread[0]
    assert report.gaps == [(START + timedelta(days=1), START + timedelta(days=1))]
    local.faults.clear()
    report = fill(db, local)
    assert ([snapshot.day.day for snapshot in report.written], report.unread, report.gaps) == ([25], [], [])


def test_a_hub_that_is_down_ends_the_run_and_the_next_goes_on(db: Database) -> None:
    with datasets(days(6)) as local, warehouse() as whole:
        late = {one.sha for one in uploads(local)[2:]}
        local.faults.append(
            lambda request: Response(status_code=502) if any(sha in request.url.path for sha in late) else None
        )
        report = fill(db, local)
        assert report.problem is not None
        assert "3 files in a row could not be read" in report.problem
        assert len(report.written) == 2
        assert len({each.path for each in local.served if "resolve" in each.path}) == 2
        local.faults.clear()
        assert len(fill(db, local).written) == 4
        fill(whole, local)
        assert facts(db) == facts(whole)


def test_an_interruption_anywhere_loses_one_day_at_most(db: Database, local: LocalDatasets) -> None:
    class Interruption(BaseException):
        pass

    def interrupt(_: object) -> None:
        raise Interruption

    threads = threading.active_count()
    plan = backfill_plan.plan(db, sources.find("hub-stats"), _settings(local), REGISTRY, token=None, today=TODAY)
    with pytest.raises(Interruption):
        backfill.run(
            db, plan, _settings(local), REGISTRY, [FAMILIES], token=None, clock=lambda: 0.0, progress=interrupt
        )
    assert verdicts(db) == ["complete"]
    assert threading.active_count() == threads
    fill(db, local)
    with warehouse() as whole:
        fill(whole, local)
        assert facts(db) == facts(whole)


def test_only_the_families_can_be_imported(db: Database, local: LocalDatasets) -> None:
    report = fill(db, local, families_only=True)
    assert report.verdicts == {"complete": 5}
    assert set(db.rows("SELECT DISTINCT publisher FROM models")) == {(name,) for name in PUBLISHERS[:3]}
    assert db.value("SELECT revision FROM snapshots LIMIT 1").endswith(":models.parquet (families only)")
    with pytest.raises(backfill_plan.MixtureError, match="add --families-only, or keep this apart"):
        fill(db, local)
    assert fill(db, local, name="everything").verdicts == {"complete": 5}
    with pytest.raises(backfill_plan.MixtureError, match="leave --families-only out"):
        fill(db, local, name="everything", families_only=True)


def test_of_sorted_files_only_the_row_groups_of_the_families_are_read(db: Database) -> None:
    past = [(day, frame.sort("publisher", "repo_id")) for day, frame in days(2, models=400)]
    with LocalDatasets({HUB_STATS: dataset_files.hub_stats(past, rows_a_group=20)}) as local:
        few = fill(db, local, families_only=True)
        every = fill(db, local, name="all")
    assert few.needed < 0.8 * every.needed
    assert db.value("SELECT max(models) FROM snapshots WHERE source = 'hub-stats'") == 300


def test_model_pulse_is_a_day_at_a_time_out_of_a_month(db: Database) -> None:
    with datasets(days(6)) as local:
        report = fill(db, local, "model-pulse")
        assert report.verdicts == {"complete": 6}
        known = db.rows("SELECT day, count(downloads_all_time) FROM observations GROUP BY day ORDER BY day")
        assert [count for _, count in known] == [0, 0, 0, 200, 200, 200]
        sha = local.repositories[MODEL_PULSE][0].sha
        assert db.value("SELECT min(revision) FROM snapshots") == f"{MODEL_PULSE}@{sha}:series/2025-02.parquet"
        assert (
            db.value("SELECT count(*) FROM models WHERE pipeline_tag = 'text-generation' AND created_at IS NOT NULL")
            == 200
        )
        assert report.bytes <= 1.15 * report.needed + 4000  # two footers of 7 columns
        before = facts(db)
        again = fill(db, local, "model-pulse")
        assert (facts(db), again.written) == (before, [])
        assert again.bytes < 0.5 * report.bytes


def test_a_month_goes_on_where_it_was_interrupted(db: Database) -> None:
    with datasets(days(6)) as local, warehouse() as whole:
        fill(db, local, "model-pulse", until=START + timedelta(days=2))
        assert len(fill(db, local, "model-pulse").written) == 3
        fill(whole, local, "model-pulse")
        assert facts(db) == facts(whole)


def test_a_damaged_month_is_one_failed_snapshot(db: Database) -> None:
    with datasets(days(6)) as local:
        local.damage(local.repositories[MODEL_PULSE][0], "series/2025-02.parquet", lambda content: content[:-9])
        fill(db, local, "model-pulse")
        assert db.rows("SELECT day FROM snapshots WHERE verdict = 'failed'") == [(date(2025, 2, 1),)]
        assert verdicts(db, "model-pulse") == ["failed", "complete"]
        before = facts(db)
        fill(db, local, "model-pulse")
        assert facts(db) == before


def test_a_day_whose_rows_are_gone_from_the_storage_is_failed_once(db: Database) -> None:
    with LocalDatasets({HUB_STATS: dataset_files.hub_stats(days(2, models=6000), rows_a_group=2000)}) as local:
        rows = f"/storage/{HUB_STATS}/{uploads(local)[0].sha}/"

        def gone(request: Request) -> Response | None:
            is_row = rows in request.url.path and request.headers["range"].startswith("bytes=4-")
            return Response(status_code=404) if is_row else None

        local.faults.append(gone)
        report = fill(db, local)
        assert [(one.day, one.verdict) for one in report.written] == [
            (START, "failed"),
            (START + timedelta(1), "complete"),
        ]


def test_a_storage_that_is_not_at_one_with_itself_is_asked_another_time(db: Database) -> None:
    with LocalDatasets({HUB_STATS: dataset_files.hub_stats(days(2, models=6000), rows_a_group=2000)}) as local:
        first = f"/storage/{HUB_STATS}/{uploads(local)[0].sha}/"

        def another(request: Request) -> Response | None:
            is_later = first in request.url.path and "if-range" in request.headers
            return Response(b"another") if is_later else None

        local.faults.append(another)
        report = fill(db, local)
        assert [one.verdict for one in report.written] == ["complete"]
        assert "it changed while it was read" in report.unread[0]
        local.faults.clear()
        assert [(one.day, one.verdict) for one in fill(db, local).written] == [(START, "complete")]


def test_weeks_have_no_gaps_between_them(db: Database) -> None:
    with datasets(days(15)) as local:
        report = fill(db, local, "weekly")
        assert [snapshot.day for snapshot in report.written] == [START, START + timedelta(7), START + timedelta(14)]
        assert report.gaps == []
        assert f"{WEEKLY}@" in db.value("SELECT revision FROM snapshots LIMIT 1")
        assert fill(db, local, "weekly").written == []


def test_gaps_are_what_is_missing_between_days() -> None:
    some = [date(2026, 4, day) for day in (1, 2, 5, 6, 8)]
    assert gaps(some, 1) == [(date(2026, 4, 3), date(2026, 4, 4)), (date(2026, 4, 7), date(2026, 4, 7))]
    assert gaps(some, 7) == gaps([], 1) == gaps(some[:1], 1) == []


def test_an_unknown_source_is_not_guessed() -> None:
    with pytest.raises(NotKnownError, match="did you mean 'hub-stats'"):
        sources.find("hubstats")


# Identity


def ids(db: Database, repo_id: str) -> list[tuple[Any, ...]]:
    return db.rows("SELECT DISTINCT hub_id FROM observations WHERE repo_id = $id ORDER BY ALL", {"id": repo_id})


@contextmanager
def hub_stats(*past: tuple[int, list[dict[str, Any]]]) -> Iterator[LocalDatasets]:
    """hub-stats over some days by number, of a few models each."""
    frames = []
    for number, rows in past:
        usual = {"downloads": 1000 + number, "likes": 1}
        frames.append((START + timedelta(days=number), pl.DataFrame([usual | row for row in rows])))
    revisions = [
        Revision(
            "Upload models.parquet with huggingface_hub",
            datetime(day.year, day.month, day.day, 4, tzinfo=UTC),
            {"models.parquet": parquet(frame)},
        )
        for day, frame in frames
    ]
    with LocalDatasets({HUB_STATS: revisions}) as local:
        yield local


BORN = datetime(2024, 5, 6, 7, 8, 9, 123000, UTC)


def see(db: Database, number: int, *models: Any) -> Any:  # noqa: ANN401
    """A look at a live Hub, by the days of `spine` (2026-05-01 and after)."""
    with hub() as live:
        return look(db, live, number, list(models))


def test_a_name_that_is_known_is_the_model_of_that_name(db: Database) -> None:
    see(db, 0, model("alpha-lab/a", hub_id="65a", created_at=BORN))
    with hub_stats((0, [{"id": "Alpha-Lab/A"}, {"id": "gamma/unknown"}])) as local:
        report = fill(db, local)
    assert ids(db, "Alpha-Lab/A") == [("65a",)]
    assert ids(db, "gamma/unknown") == [("name:gamma/unknown",)]
    assert "; 1 of 2 models joined by name" in report.written[0].verdict_reason
    assert db.rows("SELECT repo_id, first_seen FROM models WHERE hub_id = '65a'") == [("alpha-lab/a", START)]


def test_a_former_name_is_the_model_that_had_it_then(db: Database) -> None:
    see(db, 0, model("alpha-lab/a", hub_id="65a", created_at=BORN))
    see(
        db,
        1,
        model("alpha-lab/b", hub_id="65a", created_at=BORN),
        model("alpha-lab/a", hub_id="65b", created_at=datetime(2026, 5, 2, tzinfo=UTC)),
    )
    with hub_stats((0, [{"id": "alpha-lab/a"}])) as local:
        fill(db, local)
    assert db.rows("SELECT hub_id FROM observations WHERE day = $day", {"day": START}) == [("65a",)]


def test_dates_that_contradict_keep_models_apart(db: Database) -> None:
    see(
        db,
        0,
        model("alpha-lab/a", hub_id="65a", created_at=BORN),
        model("gamma/late", hub_id="65c", created_at=datetime(2026, 4, 1, tzinfo=UTC)),
    )
    with hub_stats(
        (
            0,
            [
                {"id": "alpha-lab/a", "createdAt": BORN.replace(year=2023, tzinfo=None)},
                {"id": "gamma/late", "createdAt": None},
            ],
        )
    ) as local:
        fill(db, local)
    assert db.rows("SELECT hub_id FROM observations WHERE day = $day ORDER BY 1", {"day": START}) == [
        ("name:alpha-lab/a",), ("name:gamma/late",),
    ]  # fmt: skip


def test_a_source_with_ids_needs_no_names_and_lends_them_to_others(db: Database) -> None:
    with hub_stats((0, [{"id": "a/x"}]), (1, [{"id": "a/x", "_id": "65a"}]), (2, [{"id": "a/x"}])) as local:
        fill(db, local)
    assert db.rows("SELECT hub_id FROM observations ORDER BY day") == [("65a",)] * 3
    assert db.rows("SELECT hub_id, first_seen, last_seen FROM models") == [("65a", START, START + timedelta(days=2))]


def test_a_renamed_publisher_is_recognised_by_the_second_its_models_were_created(db: Database) -> None:
    born = {"createdAt": BORN.replace(tzinfo=None)}
    old = {"createdAt": datetime(2022, 3, 2, 23, 29, 4)}  # noqa: DTZ001  (all that was there before has this moment)
    with hub_stats(
        (0, [{"id": "thudm/m", **born}, {"id": "thudm/other", **born}, {"id": "x/old", **old}]),
        (1, [{"id": "zai-org/m", **born}, {"id": "zai-org/new", **born}, {"id": "y/old", **old}]),
    ) as local:
        fill(db, local)
    assert ids(db, "zai-org/m") == [("name:thudm/m",)]
    assert ids(db, "zai-org/new") == [("name:zai-org/new",)]
    assert ids(db, "y/old") == [("name:y/old",)]
    see(db, 0, model("zai-org/m", hub_id="65z", created_at=BORN, publisher="alpha-lab"))
    assert ids(db, "thudm/m") == ids(db, "zai-org/m") == [("65z",)]


def test_history_is_adopted_when_a_look_shows_its_id(db: Database) -> None:
    with hub_stats(
        (0, [{"id": "alpha-lab/a"}, {"id": "gamma/b"}]), (1, [{"id": "alpha-lab/a"}, {"id": "gamma/b"}])
    ) as local:
        fill(db, local)
    summary = see(db, 0, model("alpha-lab/a", hub_id="65a", created_at=BORN), model("gamma/c", hub_id="65c"))
    assert summary.snapshot.verdict_reason.endswith("; 1 model joined by name to their history")
    assert ids(db, "alpha-lab/a") == [("65a",)]
    assert ids(db, "gamma/b") == [("name:gamma/b",)]
    assert db.rows("SELECT first_seen, last_seen FROM models WHERE hub_id = '65a'") == [(START, date(2026, 5, 1))]
    assert db.value("SELECT count(*) FROM model_versions WHERE hub_id = 'name:alpha-lab/a'") == 0
    assert db.value("SELECT count(*) FROM models") == 3
    again = see(db, 1, model("alpha-lab/a", hub_id="65a", created_at=BORN), model("gamma/c", hub_id="65c"))
    assert "joined" not in again.snapshot.verdict_reason


def test_history_with_ids_leaves_a_model_the_name_of_its_newest_day(db: Database, tmp_path: Path) -> None:
    names = ["alpha-lab/old"] * 3 + ["alpha-lab/new"] * 2
    with hub_stats(*((number, [{"id": name}]) for number, name in enumerate(names))) as local:
        fill(db, local)
    rows = [(START + timedelta(days=number), name, "65a", 1000) for number, name in enumerate(names[:4])]
    table = pl.DataFrame(rows, schema=["day", "repo_id", "hub_id", "downloads"], orient="row")
    table.write_parquet(tmp_path / "mine.parquet")
    with own(tmp_path / "mine.parquet") as parts:
        keep(db, parts)
    assert db.rows("SELECT hub_id, repo_id, former_names, first_seen, last_seen FROM models") == [
        ("65a", "alpha-lab/new", ["alpha-lab/old"], START, START + timedelta(days=4))
    ]


def test_a_model_known_twice_under_one_name_is_counted_once_in_later_looks(db: Database) -> None:
    known = model("alpha-lab/a", hub_id="65a", created_at=BORN)
    see(db, 0, known)
    with db.transaction():
        strange = known._replace(hub_id="name:alpha-lab/a", created_at=None)
        store.write_snapshot(db, head(7, -30, source="archive"), store.model_frame([strange]))
    see(db, 1, known)
    see(db, 2, known._replace(license="mit"))
    counted = db.rows("SELECT day, hub_id, repo_id FROM observations ORDER BY day")
    assert counted == [(day(number), "65a", "alpha-lab/a") for number in (-30, 0, 1, 2)]


def test_history_from_before_a_model_was_created_is_not_its_own(db: Database) -> None:
    with hub_stats((0, [{"id": "alpha-lab/a"}])) as local:
        fill(db, local)
    see(db, 0, model("alpha-lab/a", hub_id="65a", created_at=datetime(2026, 1, 1, tzinfo=UTC)))
    assert ids(db, "alpha-lab/a") == [("65a",), ("name:alpha-lab/a",)]


def test_what_a_source_does_not_say_stays_as_it_is_known(db: Database) -> None:
    known = model(
        "alpha-lab/a", hub_id="65a", created_at=BORN, gated="manual", disabled=False, parameters=7, license="mit"
    )
    see(db, 0, known)
    described = db.rows("SELECT created_at, gated, disabled, parameters, license, repo_id FROM models")
    newest = date(2026, 5, 9)
    with hub_stats(((newest - START).days, [{"id": "alpha-lab/a"}]), (0, [{"id": "alpha-lab/a"}])) as local:
        fill(db, local)
    assert db.rows("SELECT created_at, gated, disabled, parameters, license, repo_id FROM models") == described
    assert db.value("SELECT last_seen FROM models") == newest


def test_descriptions_are_kept_when_they_change_and_not_every_day(db: Database) -> None:
    past = [
        (n, [{"id": "a/x", "pipeline_tag": "text-generation" if n < 4 else "image-text-to-text"}]) for n in range(7)
    ]
    with hub_stats(*past) as local:
        fill(db, local, since=START + timedelta(days=3))
        fill(db, local)
    assert db.rows("SELECT pipeline_tag FROM model_versions ORDER BY snapshot_id") == [
        ("text-generation",), ("text-generation",), ("image-text-to-text",),
    ]  # fmt: skip


# Files of one's own


@contextmanager
def own(
    *files: Path, csv: bool = False, day: date | None = None, columns: dict[str, str] | None = None
) -> Iterator[list[sources.Part]]:
    folder = files[0].parent
    with own_files.opened(files, csv=csv, columns=columns or {}, day=day, today=TODAY, folder=folder) as parts:
        yield parts


def keep(db: Database, parts: list[sources.Part], name: str = "mine", **more: Any) -> backfill.Report:  # noqa: ANN401
    plan = backfill_plan.plan_files(db, name, parts, REGISTRY, **more)
    return backfill.run(db, plan, _settings(), REGISTRY, [FAMILIES], token=None, clock=lambda: 0.0)


def _settings(local: LocalDatasets | None = None) -> Any:  # noqa: ANN401

    return settings(local) if local else HubSettings()


def history(count: int = 3, **renamed: str) -> pl.DataFrame:
    frames = [
        frame.select("repo_id", "downloads_30d", "likes", day=pl.lit(day)) for day, frame in days(count, models=40)
    ]
    return pl.concat(frames).rename(renamed)


@pytest.mark.parametrize("csv", [False, True])
def test_files_of_ones_own_are_read_by_their_own_columns(db: Database, tmp_path: Path, csv: bool) -> None:
    file = tmp_path / "mine"
    table = history(repo_id="model", downloads_30d="n", day="when").with_columns(pl.col("n").cast(pl.Float64))
    table.write_csv(file) if csv else table.write_parquet(file)
    with own(file, csv=csv, columns={"repo_id": "model", "downloads_30d": "n", "day": "when"}) as parts:
        report = keep(db, parts)
        assert report.verdicts == {"complete": 3}
        assert keep(db, parts).written == []
    assert db.value("SELECT sum(downloads_30d) FROM observations") == history()["downloads_30d"].sum()
    assert db.value("SELECT count(likes) FROM observations") == 120
    assert db.value("SELECT revision FROM snapshots LIMIT 1").startswith("mine sha256:")
    assert set(db.rows("SELECT DISTINCT source FROM snapshots")) == {("mine",)}


@pytest.mark.parametrize("csv", [False, True])
def test_one_column_may_be_asked_for_as_two_counts(db: Database, tmp_path: Path, csv: bool) -> None:
    """Of a file with likes alone, say, to look at them as a board of downloads does."""
    file = tmp_path / "mine"
    table = history().drop("downloads_30d")
    table.write_csv(file) if csv else table.write_parquet(file)
    with own(file, csv=csv, columns={"downloads_30d": "likes"}) as parts:
        keep(db, parts)
    assert db.value("SELECT count(*) FROM observations WHERE downloads_30d = likes") == 120


@pytest.mark.parametrize("between", [",", ";", "\t", "|"])
def test_a_csv_file_says_by_its_header_what_separates_its_columns(db: Database, tmp_path: Path, between: str) -> None:
    file = tmp_path / "mine.csv"
    history().rename({"likes": "likes, of all days, as counted"}).write_csv(
        file, separator=between, include_bom=True, line_terminator="\r\n", quote_style="non_numeric"
    )
    with own(file, csv=True, columns={"likes": "likes, of all days, as counted"}) as parts:
        assert keep(db, parts).verdicts == {"complete": 3}
    assert db.rows("SELECT sum(downloads_30d), sum(likes) FROM observations") == [
        (history()["downloads_30d"].sum(), history()["likes"].sum())
    ]


def test_a_day_may_be_in_several_files_and_a_file_may_be_a_day(db: Database, tmp_path: Path) -> None:
    one, two, dated = tmp_path / "one.parquet", tmp_path / "two.parquet", tmp_path / "m-2025-03-01.parquet"
    table = history()
    table[:70].write_parquet(one)
    table[60:].write_parquet(two)
    table[:40].drop("day").write_parquet(dated)
    with own(one, two, dated) as parts:
        report = keep(db, parts)
        assert [snapshot.models for snapshot in report.written] == [40, 40, 40, 40]
        assert report.written[-1].day == date(2025, 3, 1)
    with own(dated, day=START) as parts:
        assert [snapshot.day for snapshot in keep(db, parts, "named").written] == [START]


@pytest.mark.parametrize(
    ("text", "columns", "says"),
    [
        ("x,y\n1,2\n", {}, "repo_id or id or model_id or modelId; it has x, y; name it with --id-column"),
        ("repo_id,day\na/b,2025-01-01\n", {}, "it has no column of counts.*name it with --downloads-column"),
        ("repo_id,day,downloads\na/b,2025-01-01,7\n", {"likes": "hearts"}, "it has no column hearts"),
        ("repo_id,downloads\na/b,7\n", {}, "name it with --day-column, or the day with --day"),
        ("repo_id,downloads\na/b,7\n", {"day": "when"}, "it has no column when"),
        ("repo_id,day,downloads\na/b,2025-01-01,7\na/b,2025-01-02,many\n", {}, "line 3: .*downloads 'many'"),
        ("repo_id,day,downloads\na/b,yesterday,7\n", {}, "line 2: .*day 'yesterday'"),
        ("repo_id,day,downloads\na/b,2025-01-02 or so,7\n", {}, "line 2: .*day '2025-01-02 or so'"),
        ("repo_id,day,downloads\na/b,2025-01-01,7\na/b,2026-11-02,7\n", {}, "line 3: .*2000-01-01 to 2026-11-01"),
        ("repo_id,day,downloads\na/b,0001-01-01,7\n", {}, "line 2: .*day '0001-01-01'"),
        ("repo_id,day,downloads\na/b,2025-01-01,-5\n", {}, "line 2: .*downloads '-5'"),
        ("repo_id,day,downloads\na/b,2025-01-01,1.7\n", {}, "line 2: .*downloads '1.7'"),
        ("repo_id,day,downloads\na/b,2025-01-01,1e300\n", {}, "line 2: .*downloads '1e300'"),
        ("repo_id,day,downloads\na/b,2025-01-01,nan\n", {}, "line 2: .*downloads 'nan'"),
        ("repo\x1b,day,downl\x07\n1,2,3\n", {}, r"it has 'repo\\x1b', day, 'downl\\x07'"),
        ("repo_id,day,downloads\n", {}, "no rows"),
        ("", {}, "no readable CSV"),
        ('repo_id,day,downloads\n"a/b', {}, "no readable CSV|line 2|no rows"),
    ],
)
def test_a_file_with_something_else_in_it_is_one_line(
    tmp_path: Path, text: str, columns: dict[str, str], says: str
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(text)
    with pytest.raises(HistoryError, match=says) as caught, own(file, csv=True, columns=columns):
        pass
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_parquet_or_not_there_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.parquet"
    with pytest.raises(HistoryError, match="cannot be read: No such file"), own(file):
        pass
    file.write_bytes(b"PAR1 not really")
    with pytest.raises(HistoryError, match="no readable Parquet file"), own(file):
        pass
    history().with_columns(downloads_30d=pl.lit("many"), likes=pl.lit("few")).write_parquet(file)
    with pytest.raises(HistoryError, match="row 1: downloads_30d 'many' is no whole number"), own(file):
        pass
    history().with_columns(downloads_30d=pl.lit(value=True)).write_parquet(file)
    with pytest.raises(HistoryError, match="its column downloads_30d holds no counts but bool"), own(file):
        pass


ONE: dict[str, Any] = {"repo_id": ["alpha-lab/a"], "downloads_30d": [7]}


@pytest.mark.parametrize(
    ("day", "says"),
    [
        ([20250101, 20251301], r"row 2: day '20251301' is no day \(YYYYMMDD\) from 2000"),
        ([1735689600], "row 1: day '1735689600' is no day"),
        (["2025-01-01", None], "its column day holds what is no day"),
        (["01.02.2025"], "'01.02.2025' may be DD.MM.YYYY or MM.DD.YYYY, .*: say --day-order"),
        (["31.01.2025", None], "row 2: day None is no day"),
        ([True], "its column day holds no days but bool"),
        ([[date(2025, 1, 1)]], "its column day holds no days but "),
        ([date(9999, 12, 31)], "it has the day 9999-12-31; days from 2000-01-01 to 2026-11-01 are taken"),
        ([date(1, 1, 1)], "it has the day 0001-01-01"),
        (["soon"], "row 1: day 'soon' is no day"),
    ],
)
def test_a_parquet_file_of_other_days_is_one_line(tmp_path: Path, day: list[object], says: str) -> None:
    file = tmp_path / "mine.parquet"
    pl.DataFrame({"day": day}).with_columns(repo_id=pl.lit("alpha-lab/a"), likes=1).write_parquet(file)
    with pytest.raises(HistoryError, match=says), own(file):
        pass


@pytest.mark.parametrize("csv", [False, True])
@pytest.mark.parametrize("days_as", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y%m%d"])
@pytest.mark.parametrize("counts_as", ["1,234,567", "1234567.0", pl.Decimal(20, 2), pl.Float64, pl.Categorical])
def test_what_means_one_thing_is_read_whatever_it_is_written_as(
    db: Database,
    tmp_path: Path,
    csv: bool,
    days_as: str,
    counts_as: Any,  # noqa: ANN401
) -> None:
    table = history().with_columns(pl.col("downloads_30d") + 1_000_000, pl.col("day").dt.to_string(days_as))
    file = tmp_path / "mine"
    if isinstance(counts_as, str):
        form = "{:,}" if "," in counts_as else "{}.0"
        texts = [form.format(count) for count in table["downloads_30d"]]
        table = table.with_columns(downloads_30d=pl.Series(texts))
    else:
        text = pl.col("downloads_30d").cast(pl.String) if counts_as == pl.Categorical else pl.col("downloads_30d")
        table = table.with_columns(text.cast(counts_as))
    table.write_csv(file) if csv else table.write_parquet(file)
    with own(file, csv=csv) as parts:
        assert keep(db, parts).verdicts == {"complete": 3}
    found = db.rows("SELECT day, repo_id, downloads_30d, likes FROM observations ORDER BY ALL")
    assert (
        found
        == history()
        .with_columns(pl.col("downloads_30d") + 1_000_000)
        .select("day", "repo_id", "downloads_30d", "likes")
        .sort("day", "repo_id")
        .rows()
    )


def test_what_a_parquet_file_says_beside_text_is_kept(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "mine.parquet"
    described = pl.DataFrame(
        {"repo_id": ["alpha-lab/a"], "day": [20250301], "likes": ["7"], "tags": [["license:mit"]],
         "safetensors": [{"total": 9}]}
    )  # fmt: skip
    described.write_parquet(file)
    with own(file) as parts:
        keep(db, parts)
    assert db.rows("SELECT license, parameters FROM models") == [("mit", 9)]
    assert db.rows("SELECT day, likes FROM observations") == [(date(2025, 3, 1), 7)]


@pytest.mark.parametrize("csv", [False, True])
@pytest.mark.parametrize("days_as", ["%Y-%m-%d", "%d/%m/%Y"])
def test_a_column_for_each_day_is_refused_with_how_to_turn_it_round(
    db: Database, tmp_path: Path, csv: bool, days_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("it's wide")
    table = (
        history()
        .select("day", "downloads_30d", "repo_id", kind=pl.lit("text"))
        .with_columns(pl.col("day").dt.to_string(days_as))
    )
    wide = table.pivot("day", index=["repo_id", "kind"], values="downloads_30d")
    wide.write_csv(file) if csv else wide.write_parquet(file)
    with pytest.raises(HistoryError, match="it has a column for each of 3 days") as refused, own(file, csv=csv):
        pass
    _, _, turn = str(refused.value).partition("In DuckDB: ")
    assert "\n" not in turn
    with Database.in_memory() as elsewhere:
        elsewhere.execute(turn)
    with own(Path("long.csv"), csv=True) as parts:
        assert keep(db, parts).verdicts == {"complete": 3}
    assert db.value("SELECT sum(downloads_30d) FROM observations") == history()["downloads_30d"].sum()


def test_a_day_is_not_named_for_a_file_that_names_its_days(tmp_path: Path) -> None:
    file = tmp_path / "mine.parquet"
    history().write_parquet(file)
    with pytest.raises(HistoryError, match="it has a column of days: leave --day out"), own(file, day=START):
        pass
    dated = tmp_path / "2026-11-02.parquet"
    history().drop("day").write_parquet(dated)
    with pytest.raises(HistoryError, match="it has the day 2026-11-02"), own(dated):
        pass


MOMENTS = {
    "2025-01-02T23:30:00-05:00": 3, "2025-01-03T01:00:00+05:30": 2, "2025-01-02 23:59:59.999": 2, "2025-01-05": 5,
    "2025-01-07T00:00:00Z": 7, "2025-01-08 10:00 UTC": 8,
}  # fmt: skip


@pytest.mark.parametrize("csv", [False, True])
def test_a_moment_is_of_its_day_in_utc(db: Database, tmp_path: Path, csv: bool) -> None:
    file = tmp_path / "mine"
    table = pl.DataFrame({"repo_id": [f"a/{n}" for n in range(6)], "likes": range(6), "day": list(MOMENTS)})
    table.write_csv(file) if csv else table.write_parquet(file, row_group_size=2, statistics=True)
    with own(file, csv=csv) as parts:
        keep(db, parts)
    seen = {name: day.day for name, day in db.rows("SELECT repo_id, day FROM observations")}
    assert seen == {f"a/{number}": day for number, day in enumerate(MOMENTS.values())}


def test_a_name_with_a_wildcard_is_one_file(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "d[1].csv"
    file.write_text("day,repo_id,downloads\n2025-02-02,a/x,111\n")
    (tmp_path / "d1.csv").write_text("day,repo_id,downloads\n2025-02-05,a/y,999\n")
    with own(file, csv=True) as parts:
        keep(db, parts)
    assert db.rows("SELECT repo_id, downloads_30d FROM observations") == [("a/x", 111)]


def test_a_day_without_a_model_does_not_keep_the_days_after_it_away(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("day,repo_id,downloads\n2025-01-01,foo/bar,1\n2025-01-02,alpha-lab/a,2\n2025-01-03,alpha-lab/a,3\n")
    with own(file, csv=True) as parts:
        keep(db, parts, families_only=True, until=date(2025, 1, 1))
        report = keep(db, parts, families_only=True)
        assert [(one.day.day, one.verdict) for one in report.written] == [(2, "complete"), (3, "complete")]


@pytest.mark.parametrize("count", [2.0**63, float("inf"), 1.5, -1.0])
def test_a_count_that_is_none_is_set_aside_and_said(db: Database, tmp_path: Path, count: float) -> None:
    file = tmp_path / "mine.parquet"
    table = history(1).with_columns(pl.col("downloads_30d").cast(pl.Float64))
    table[0, "downloads_30d"] = count
    table.write_parquet(file)
    with own(file) as parts:
        (snapshot,) = keep(db, parts).written
    assert (snapshot.verdict, snapshot.models) == ("partial", 39)
    assert snapshot.verdict_reason == "1 of 40 rows could not be believed"


def test_two_looks_at_a_day_in_one_file_are_said_to_be_of_the_same_models(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "mine.parquet"
    pl.concat([history(1), history(1)]).write_parquet(file)
    with own(file) as parts:
        (snapshot,) = keep(db, parts).written
    assert snapshot.verdict_reason == "40 of 80 rows could not be believed or are of the same model"


def test_rows_of_the_same_model_are_not_taken_for_a_whole_day(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "mine.parquet"
    history(1).with_columns(hub_id=pl.lit("65a")).write_parquet(file)
    with own(file) as parts:
        (snapshot,) = keep(db, parts).written
    assert (snapshot.verdict, snapshot.models) == ("partial", 1)
    assert "39 of 40 rows could not be believed or are of the same model" in snapshot.verdict_reason


def test_what_others_hold_only_now_and_then_is_null(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("id,date,downloads,hub_id\na/x,2025-01-01,5,65a\na/y,2025-01-01,,65b\na/z,2025-01-01, 7 ,\n")
    with own(file, csv=True) as parts:
        keep(db, parts)
    assert db.rows("SELECT hub_id, downloads_30d FROM observations ORDER BY repo_id") == [
        ("65a", 5), ("65b", None), ("name:a/z", 7),
    ]  # fmt: skip


@pytest.mark.parametrize("around", ["{}, {}", "['{}', '{}']", '["{}", "{}"]', "[{}, {}]", "{},{}"])
def test_tags_are_read_from_a_cell_however_lists_are_written_there(db: Database, tmp_path: Path, around: str) -> None:
    file = tmp_path / "mine.csv"
    rows = {"a/base": "", "b/small": around.format("license:mit", "base_model:quantized:a/base")}
    table = pl.DataFrame({"id": list(rows), "date": "2025-01-01", "downloads": 5, "tags": list(rows.values())})
    table.write_csv(file)
    with own(file, csv=True) as parts:
        keep(db, parts)
    assert db.rows("SELECT repo_id, license, relation, root_repo_id FROM models ORDER BY repo_id") == [
        ("a/base", None, "own", "a/base"), ("b/small", "mit", "quantized", "a/base"),
    ]  # fmt: skip


def test_families_only_holds_for_files_too(db: Database, tmp_path: Path) -> None:
    file = tmp_path / "mine.parquet"
    history().write_parquet(file)
    with own(file) as parts:
        assert [snapshot.models for snapshot in keep(db, parts, families_only=True).written] == [30, 30, 30]


def test_three_histories_agree_where_they_say_the_same(db: Database) -> None:
    """The same days from two datasets are the same models with the same counts."""
    with LocalDatasets(repositories(days(4))) as local:
        fill(db, local)
        fill(db, local, "model-pulse")
    differ = """
        SELECT count(*) FROM (
            SELECT day, hub_id, downloads_30d, downloads_all_time, likes
            FROM observations JOIN snapshots USING (snapshot_id, day)
            WHERE source = 'hub-stats'
            EXCEPT
            SELECT day, hub_id, downloads_30d, downloads_all_time, likes
            FROM observations JOIN snapshots USING (snapshot_id, day)
            WHERE source = 'model-pulse')"""
    assert db.value(differ) == 0
    assert db.value("SELECT count(*) FROM models") == 200


def test_what_piles_up_is_packed_meanwhile_and_answers_the_same(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with datasets(days(7)) as local:
        fill(db, local)
        with warehouse() as other:
            monkeypatch.setattr(backfill, "PILE", 500)
            fill(other, local)
            assert other.value("SELECT count(DISTINCT snapshot_id) FROM recent_observations") < 4
            assert facts(other) == facts(db)
