"""Far-away tables by range: what is read, what it costs, and everything that a server may do instead of answering."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from past import START, datasets, days, listed, settings, uploads
from starlette.requests import Request
from starlette.responses import Response

from jobs import hub
from jobs.history.datasets import address, commits, folder, open_table
from jobs.history.local_copy import local_copy
from jobs.history.ranges import DamagedError, MissingError, Range, Reader, coalesced
from jobs.history.sources import HUB_TABLE, OWN_TABLE, PULSE_SERIES
from jobs.history.tables import Table
from jobs.hub import HubError, TokenRefusedError, UnreadableError
from jobs.hub_rows import read_row
from jobs.waiting import StoppedError
from monitor.demo import dataset_files, faults
from monitor.demo.dataset_files import HUB_STATS, MODEL_PULSE, WEEKLY, parquet
from monitor.demo.datasets import LocalDatasets
from warehouse.records import HubModel, Parent
from warehouse.snapshots.store import MODEL_SCHEMA

TOKEN = "hf_secretsecretsecret"


@pytest.fixture
def local() -> Iterator[LocalDatasets]:
    with datasets(days(2)) as running:
        yield running


def where(local: LocalDatasets, number: int = 0) -> str:
    return address(HUB_STATS, uploads(local)[number].sha, "models.parquet")


def reader(local: LocalDatasets, token: str | None = None, **more: Any) -> Reader:  # noqa: ANN401
    """Waiting takes no time, and is all the time there is, unless another clock is given."""
    naps: list[float] = more.pop("naps", [])
    clock = more.pop("clock", lambda: sum(naps))
    return Reader(settings(local, **more), token, hub.read_quota, sleep=naps.append, clock=clock)


def read(local: LocalDatasets, path: str = "", token: str | None = None, **more: Any) -> pl.DataFrame:  # noqa: ANN401
    """The models of a table that is read by range."""
    with reader(local, token, **more) as asking, local_copy(Path()) as copy:
        remote = open_table(asking, path or where(local), HUB_TABLE, copy)
        remote.fetch(remote.table.row_groups())
        rows = remote.table.rows()
    assert (rows.rejected, rows.problem) == (0, None)
    return rows.models


def answering(status: int, times: int | None = 1, path: str = "/resolve/", **headers: str) -> Callable[[Request], Any]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return faults.at(path, lambda: Response(status_code=status, headers=sent), times=times)


def partial(response: Response) -> Response:
    response.status_code = 206
    return response


# Lists


def test_commits_come_from_every_page_oldest_first() -> None:
    with LocalDatasets({HUB_STATS: dataset_files.hub_stats([(START, listed(0, 4))]) * 400}) as local:
        found = commits(settings(local), HUB_STATS, token=None)
        assert len(found) == 1200
        assert local.requests == 2
        assert found[0].at.tzinfo is UTC
        assert [one.at for one in found] == sorted(one.at for one in found)
        assert found[-1].title == "Upload spaces.parquet with huggingface_hub"


def test_a_folder_is_its_files_with_their_commits(local: LocalDatasets) -> None:
    entries = folder(settings(local), MODEL_PULSE, "series", token=None)
    assert [entry.path for entry in entries] == ["series/2025-02.parquet"]
    assert entries[0].sha == local.repositories[MODEL_PULSE][0].sha
    assert entries[0].at == local.repositories[MODEL_PULSE][0].at


def test_a_dataset_that_is_not_there_is_one_line(local: LocalDatasets) -> None:
    with pytest.raises(HubError, match="has no dataset no/body"):
        commits(settings(local), "no/body", token=None)
    local.faults.append(answering(500, None, "/commits/"))
    with pytest.raises(HubError, match=r"cannot be read: answered 500 \(2 attempts\)"):
        commits(settings(local), HUB_STATS, token=None)


# Parts of files


def test_a_table_is_read_by_range_for_what_its_columns_cost(local: LocalDatasets) -> None:
    with reader(local) as asking, local_copy(Path()) as copy:
        remote = open_table(asking, where(local), HUB_TABLE, copy)
        footer = local.bytes_served
        groups = remote.table.row_groups()
        needed = sum(part.length for part in remote.table.ranges(groups))
        assert "publisher" not in remote.table.columns  # names begin with it, and a footer says who is where
        remote.fetch(groups)
        whole = len(uploads(local)[0].files["models.parquet"] or b"")
        assert needed <= local.bytes_served - footer <= 1.15 * needed
        assert local.bytes_served < whole / 2
        assert remote.tally.bytes == local.bytes_served
        assert remote.tally.requests == len(local.served)
        assert {each.status for each in local.served} == {302, 206}
        models = remote.table.rows().models
    assert models["repo_id"].to_list() == listed(0)["repo_id"].to_list()
    assert models["downloads_30d"].to_list() == listed(0)["downloads_30d"].to_list()


def test_the_token_stays_at_home() -> None:
    with datasets(days(1), storage_host="localhost", token=TOKEN) as local:
        read(local, token=TOKEN)
        shown = {(each.host, each.authorization) for each in local.served}
    assert shown == {("127.0.0.1", f"Bearer {TOKEN}"), ("localhost", None)}


def test_the_storage_is_asked_for_once_and_again_when_it_forgets(local: LocalDatasets) -> None:
    read(local)
    assert [each.status for each in local.served].count(302) == 1
    local.served.clear()
    parts = 0

    def forget(request: Request) -> Response | None:
        nonlocal parts
        parts += "/storage/" in request.url.path
        return Response(status_code=403) if parts == 3 and "/storage/" in request.url.path else None

    local.faults.append(forget)
    assert read(local).height == 200
    assert [each.status for each in local.served].count(302) == 2


def test_a_limit_is_waited_for_as_long_as_it_asks(local: LocalDatasets) -> None:
    naps: list[float] = []
    local.faults.append(answering(429, retry_after="7"))
    with pytest.raises(UnreadableError, match="answered 429"):
        read(local, attempts=1, naps=naps)
    read(local, naps=naps)
    assert not any(nap > 6 for nap in naps)  # another reader knows nothing of it
    local.faults.append(answering(429, retry_after="7"))
    read(local, naps=naps)
    assert any(6 < nap <= 8 for nap in naps)


def test_a_wait_that_is_too_long_ends_everything(local: LocalDatasets) -> None:
    local.faults.append(answering(429, retry_after="86400"))
    with pytest.raises(HubError, match=r"rate limit asks to wait 86\d{3} s") as caught:
        read(local, naps=[])
    assert not isinstance(caught.value, UnreadableError)


def test_no_more_than_a_share_of_the_quota_is_used() -> None:
    naps: list[float] = []
    with datasets(days(1), quota=8, window_seconds=60) as local, pytest.raises(HubError, match="rate limit"):
        read(local, naps=naps, quota_share=0.5, max_wait_seconds=30)
    assert len(local.served) <= 5


@pytest.mark.parametrize("answer", [500, 503, 408])
def test_what_passes_is_asked_again(local: LocalDatasets, answer: int) -> None:
    local.faults.append(answering(answer, path="/storage/"))
    assert read(local).height == 200


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (lambda: Response(status_code=500), r"answered 500 \(2 attempts\)"),
        (lambda: partial(faults.CutShort()), "attempts"),
        (faults.Silence, "no answer within"),
        (lambda: Response(b"x" * 8, 206), "without a usable Content-Range"),
        (lambda: Response(status_code=302, headers={"location": "ftp://elsewhere"}), "redirects to ftp:"),
        (lambda: Response(status_code=302, headers={"location": "/storage/round"}), "there|redirects|have"),
        (lambda: Response(status_code=418), "answered 418"),
    ],
)
def test_what_does_not_come_is_given_up(local: LocalDatasets, fault: Callable[[], Response], says: str) -> None:
    local.faults.append(faults.at("/resolve/", fault))
    with pytest.raises(UnreadableError, match=says):
        read(local, timeout_seconds=0.3)


def test_a_slow_drip_is_not_waited_for(local: LocalDatasets) -> None:
    local.faults.append(faults.at("/storage/", lambda: partial(faults.drip(0.02))))
    began = time.monotonic()
    with pytest.raises(UnreadableError, match="only"):
        read(local, timeout_seconds=0.2, clock=time.monotonic)
    assert time.monotonic() - began < 30


def test_a_file_that_changes_in_between_is_noticed(local: LocalDatasets) -> None:
    revision = uploads(local)[0]
    other = uploads(local)[1].files["models.parquet"] or b""
    with reader(local) as asking, local_copy(Path()) as copy:
        remote = open_table(asking, where(local), HUB_TABLE, copy)
        local.damage(revision, "models.parquet", lambda _: other)
        with pytest.raises(UnreadableError, match="it changed while it was read"):
            remote.fetch(remote.table.row_groups())


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (lambda content: content[: len(content) // 2], "no Parquet file"),
        (lambda content: content[:4] + b"\xff\xff\xff\x7fPAR1", "cut short"),
        (lambda _: b"", "empty"),
        (lambda _: b"<!doctype html><h1>We'll be back soon</h1>", "no Parquet file"),
        (lambda content: content[:-300] + bytes(292) + content[-8:], "no readable Parquet file"),
        (lambda _: parquet(pl.DataFrame({"x": [1], "y": [2]})), "it has no column id or modelId; it has x, y"),
        (lambda _: parquet(pl.DataFrame({"id": ["a/b"]})), "no column of counts"),
        (lambda _: parquet(pl.DataFrame({"id": ["a/b"], "likes": ["many"]})), "its column likes holds no counts"),
        (lambda _: parquet(pl.DataFrame({"id": [1], "likes": [1]})), "its column id holds no names"),
    ],
)
def test_what_is_no_table_of_models_is_called_so(
    local: LocalDatasets, how: Callable[[bytes], bytes], says: str
) -> None:
    local.damage(uploads(local)[0], "models.parquet", how)
    with pytest.raises(DamagedError, match=says):
        read(local)


def test_what_is_not_there_is_missing_and_a_wrong_token_is_not(local: LocalDatasets) -> None:
    with pytest.raises(MissingError, match="404"):
        read(local, address(HUB_STATS, "main", "no.parquet"))
    local.faults.append(answering(401, None))
    with pytest.raises(TokenRefusedError):
        read(local, token=TOKEN)


def test_a_server_without_ranges_is_not_read_whole(local: LocalDatasets) -> None:
    local.faults.append(faults.at("/storage/", lambda: Response(b"x" * 1000)))
    with pytest.raises(DamagedError, match="gives no parts of files"):
        read(local)


def test_reading_stops_when_told_to(local: LocalDatasets) -> None:
    local.faults.append(answering(503, None, retry_after="100"))
    with Reader(settings(local), None, hub.read_quota) as asking, local_copy(Path()) as copy:
        threading.Timer(0.1, asking.stop.set).start()
        with pytest.raises(StoppedError):
            open_table(asking, where(local), HUB_TABLE, copy)


RANGES = st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 400)), min_size=1, max_size=40)


@given(RANGES, st.floats(0, 0.5))
def test_coalesced_ranges_hold_everything_and_waste_little(drawn: list[tuple[int, int]], waste: float) -> None:
    ranges = [Range(start, start + length) for start, length in drawn]
    found = coalesced(ranges, waste)
    wanted = {byte for part in ranges for byte in range(*part)}
    read = {byte for part in found for byte in range(*part)}
    assert wanted <= read
    assert len(read) <= (1 + waste) * len(wanted)
    assert sum(part.length for part in found) == len(read)
    assert len(found) <= len(ranges)


# Tables


def table(frame: pl.DataFrame, layout: Any = HUB_TABLE, **more: int) -> Table:  # noqa: ANN401
    return Table(io.BytesIO(parquet(frame, **more)), layout)


TAGS = [
    [],
    ["transformers", "license:mit", "license:other"],
    ["base_model:Qwen/Base", "base_model:quantized:Qwen/Base", "license:"],
    ["base_model:finetune:a/b", "base_model:c/d", "base_model:adapter:a/b"],
    ["base_model:unknown:e/f", "base_model:", "base_model:merge:g/h"],
]


def test_tags_mean_what_they_mean_one_by_one() -> None:
    """The vectorised reading and that of a live listing agree."""
    frame = pl.DataFrame({"id": [f"a/m{number}" for number in range(len(TAGS))], "downloads": 1, "tags": TAGS})
    models = table(frame, rows_a_group=2).rows().models
    for row, tags in zip(models.iter_rows(named=True), TAGS, strict=True):
        live = read_row({"_id": "0", "id": row["repo_id"], "tags": tags})
        assert isinstance(live, HubModel)
        assert row["license"] == live.license
        assert tuple(Parent(**parent) for parent in row["parents"] or ()) == live.parents


def test_parents_come_from_the_hubs_own_column_where_there_are_no_tags() -> None:
    frame = dataset_files.hub_table(date(2025, 8, 1), listed(0, 20))
    with_tags = table(frame)
    without = table(frame.drop("tags"))
    assert "base_models" not in with_tags.columns
    assert without.rows().models["parents"].to_list() == with_tags.rows().models["parents"].to_list()
    assert without.rows().models["parents"].null_count() < 20


def test_columns_of_many_kinds_become_ours() -> None:
    moment = datetime(2025, 1, 2, 3, 4, 5, 678000, UTC)
    frame = pl.DataFrame(
        {
            "_id": ["1", "", "3"],
            "id": pl.Series(["a/x", "a/y", "b/z"], dtype=pl.Categorical),
            "downloads": [1.0, float("nan"), 3.0],
            "likes": pl.Series([1, None, 3], dtype=pl.Int32),
            "createdAt": ["2025-01-02T03:04:05.678Z", None, "2025-01-02T03:04:05.678Z"],
            "gated": ["False", "auto", "manual"],
            "safetensors": [{"total": 5}, {"total": 0}, None],
            "gguf": [{"total": 7}, {"total": 7}, None],
            "pipeline_tag": ["", None, "text-generation"],
        }
    )
    models = table(frame).rows().models
    assert dict(models.schema) == {name: pl.DataFrame(schema=MODEL_SCHEMA).schema[name] for name in MODEL_SCHEMA}
    assert models["hub_id"].to_list() == ["1", None, "3"]
    assert models["publisher"].to_list() == ["a", "a", "b"]
    assert models["downloads_30d"].to_list() == [1, None, 3]
    assert models["downloads_all_time"].to_list() == [None, None, None]
    assert models["created_at"].to_list() == [moment, None, moment]
    assert models["gated"].to_list() == ["no", "auto", "manual"]
    assert models["parameters"].to_list() == [5, 7, None]
    assert models["pipeline_tag"].to_list() == [None, None, "text-generation"]
    assert table(frame.with_columns(createdAt=pl.lit(moment))).rows().models["created_at"][0] == moment.replace(
        tzinfo=UTC
    )


def test_rows_that_cannot_be_true_are_set_aside() -> None:
    frame = pl.DataFrame(
        {"id": ["a/x", "a/x", "gpt2", None, "a/b/c", "a/neg", "a/huge"], "downloads": [1, 2, 3, 4, 5, -1, 10**13]}
    )
    rows = table(frame).rows()
    assert rows.models.select("repo_id", "downloads_30d").rows() == [("a/x", 1)]
    assert rows.rejected == 6


def test_row_groups_are_skipped_where_statistics_tell() -> None:
    frame = dataset_files.hub_table(START, listed(0)).sort("id")
    by_author, by_id = table(frame, rows_a_group=20), table(frame.drop("author"), rows_a_group=20)
    mixed = table(frame.sort("likes"), rows_a_group=20)
    assert len(by_author.row_groups(["GAMMA", "gamma"])) == len(by_id.row_groups(["gamma"])) == 3
    assert len(mixed.row_groups(["gamma"])) == 10
    for one in (by_author, by_id, mixed):
        assert one.rows(publishers=["Gamma"]).models.height == 50
    assert by_author.row_groups(["zebra"]) == []


def test_days_of_a_table_are_found_and_separated() -> None:
    frames = [
        listed(number, 50).select(id="repo_id", day=pl.lit(day), dl30="downloads_30d")
        for number, (day, _) in enumerate(days(4))
    ]
    frame = pl.concat(frames)
    months = table(frame, PULSE_SERIES, rows_a_group=50)
    assert months.days == [day for day, _ in days(4)]
    assert months.row_groups(days=[START]) == [0]
    assert months.rows(day=START).models["downloads_30d"].to_list() == listed(0, 50)["downloads_30d"].to_list()
    texts = table(frame.with_columns(pl.col("day").cast(pl.String)), OWN_TABLE)
    assert texts.days == months.days
    assert texts.rows(day=START).models.height == 50


def test_a_damaged_row_group_leaves_the_others() -> None:
    content = bytearray(parquet(dataset_files.hub_table(START, listed(0)), rows_a_group=50))
    whole = Table(io.BytesIO(bytes(content)), HUB_TABLE)
    part = whole.ranges([1])[0]
    content[part.start + 30 : part.end] = bytes(part.length - 30)
    rows = Table(io.BytesIO(bytes(content)), HUB_TABLE).rows()
    assert rows.models.height == 150
    assert rows.problem is not None
    assert rows.problem.startswith("1 of 4 row groups cannot be read, first number 1: ")


def test_weekly_entries_name_their_days(local: LocalDatasets) -> None:
    assert [entry.path for entry in folder(settings(local), WEEKLY, "models", token=None)] == [
        f"models/{START}/models.parquet"
    ]
