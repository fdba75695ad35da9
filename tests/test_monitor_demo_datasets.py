"""The local Hub's datasets, asked over a real socket as the real ones are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date

import httpx
import polars as pl
import pytest
from past import START, datasets, days, listed, uploads

from monitor.demo import dataset_files
from monitor.demo.dataset_files import HUB_STATS, WEEKLY
from monitor.demo.datasets import LocalDatasets


@pytest.fixture(scope="module")
def local() -> Iterator[LocalDatasets]:
    with datasets(days(9, start=date(2025, 6, 25))) as running:
        yield running


def get(local: LocalDatasets, path: str, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(local.endpoint + path, headers=sent, follow_redirects=True)


def test_commits_come_newest_first_page_by_page(local: LocalDatasets) -> None:
    first = get(local, f"/api/datasets/{HUB_STATS}/commits/main?p=0&limit=20")
    assert first.headers["x-total-count"] == "27"
    assert len(first.json()) == 20
    assert first.json()[0]["title"] == "Upload spaces.parquet with huggingface_hub"
    rest = httpx.get(first.links["next"]["url"])
    assert len(rest.json()) == 7
    assert "next" not in rest.links
    dates = [row["date"] for row in [*first.json(), *rest.json()]]
    assert dates == sorted(dates, reverse=True)
    assert len(get(local, f"/api/datasets/{HUB_STATS}/commits/main").json()) == 27


def test_an_unknown_dataset_is_refused_as_the_hub_does(local: LocalDatasets) -> None:
    answer = get(local, "/api/datasets/no/body/commits/main")
    assert (answer.status_code, answer.headers["x-error-code"]) == (401, "RepoNotFound")
    assert get(local, f"/datasets/{HUB_STATS}/resolve/main/no.parquet").status_code == 404


def test_a_folder_lists_its_files_with_their_last_commits(local: LocalDatasets) -> None:
    rows = get(local, f"/api/datasets/{WEEKLY}/tree/main/models?recursive=true&expand=true").json()
    assert [row["path"] for row in rows] == ["models/2025-06-25/models.parquet", "models/2025-07-02/models.parquet"]
    assert rows[0]["lastCommit"]["id"] == local.repositories[WEEKLY][0].sha
    assert rows[0]["size"] == len(local.repositories[WEEKLY][0].files[rows[0]["path"]] or b"")


def test_a_file_is_read_by_range_behind_a_redirect(local: LocalDatasets) -> None:
    revision = uploads(local)[0]
    content = revision.files["models.parquet"]
    assert content is not None
    path = f"/datasets/{HUB_STATS}/resolve/{revision.sha}/models.parquet"
    assert httpx.get(local.endpoint + path).status_code == 302
    part = get(local, path, range="bytes=100-199")
    assert (part.status_code, part.content) == (206, content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(content)}"
    assert get(local, path, range="bytes=-8").content == content[-8:]
    assert get(local, path, range=f"bytes={len(content)}-").status_code == 416
    assert get(local, path).content == content
    same, other = part.headers["etag"], '"other"'
    assert get(local, path, range="bytes=0-9", if_range=same).status_code == 206
    assert get(local, path, range="bytes=0-9", if_range=other).status_code == 200


def test_what_was_served_is_counted(local: LocalDatasets) -> None:
    before = local.bytes_served
    get(local, f"/datasets/{HUB_STATS}/resolve/{uploads(local)[0].sha}/models.parquet", range="bytes=0-99")
    assert local.bytes_served - before == 100
    assert [each.status for each in local.served[-2:]] == [302, 206]


def test_a_file_can_be_damaged_and_gone() -> None:
    with datasets(days(1)) as local:
        (revision,) = uploads(local)
        path = f"/datasets/{HUB_STATS}/resolve/{revision.sha}/models.parquet"
        local.damage(revision, "models.parquet", lambda content: content[:10])
        assert len(get(local, path).content) == 10
        local.damage(revision, "models.parquet", lambda _: None)
        assert get(local, path).status_code == 404


@pytest.mark.parametrize(
    ("day", "there", "not_there"),
    [
        (date(2025, 2, 26), {"gated", "private", "sha"}, {"downloadsAllTime", "baseModels"}),
        (date(2025, 2, 27), {"gated", "downloadsAllTime"}, {"baseModels"}),
        (date(2025, 7, 1), {"downloadsAllTime", "baseModels"}, {"gated", "private", "sha"}),
    ],
)
def test_columns_of_hub_stats_come_and_go(day: date, there: set[str], not_there: set[str]) -> None:
    columns = set(dataset_files.hub_table(day, listed(0)).columns)
    assert there <= columns
    assert not not_there & columns
    assert {"id", "author", "downloads", "likes", "createdAt", "tags", "cardData", "siblings"} <= columns


def test_model_pulse_writes_a_zero_where_nothing_was_known() -> None:
    (revision,) = dataset_files.model_pulse(days(6))
    assert set(revision.files) == {"series/2025-02.parquet", "series/2025-03.parquet", "models.parquet"}
    series = pl.read_parquet(io.BytesIO(revision.files["series/2025-02.parquet"] or b""))
    assert series.columns == ["id", "day", "dl30", "dl_all", "likes"]
    known = series.group_by("day").agg(pl.col("dl_all").min()).sort("day")["dl_all"].to_list()
    assert [value > 0 for value in known] == [False, False, False, True, True]


def test_generated_days_have_the_columns_of_the_files() -> None:
    (day, frame), *rest = dataset_files.generated(500, 2, start=START)
    assert (day, len(rest)) == (START, 1)
    table = dataset_files.hub_table(day, frame)
    assert table.height == frame.height
    assert table["tags"].list.len().max() == 3
