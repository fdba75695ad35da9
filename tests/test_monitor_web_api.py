"""The JSON API holds what its OpenAPI description says, whatever is asked of it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from spine import hub_id, model
from test_monitor_web import served
from web_world import World, hostile, now, one_look, published

from monitor.web.app import create_app
from monitor.web.published import Published
from warehouse.published.publish import RELATIONS
from warehouse.ranking.boards import Board, Entity
from warehouse.registry import Family, Registry

TABLES = [
    "/api/boards",
    "/api/boards/families/standing",
    "/api/boards/families/values",
    "/api/families/Alpha",
    "/api/families/Alpha/models",
    "/api/flips",
    "/api/alerts",
    "/api/deliveries",
    "/api/snapshots",
]


@pytest.fixture(scope="module")
def site() -> Iterator[httpx.Client]:
    with served(published()) as client:
        yield client


def description() -> Any:  # noqa: ANN401 schemathesis names no type for it
    import schemathesis  # half a second, and whoever collects the tests imports this file

    app = create_app(Published(published()), now=now)
    # The cache and the guard are no part of the description.
    app.user_middleware.clear()
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def test_the_api_does_what_its_description_says(tmp_path: Path) -> None:
    """Some cases for every path: answers are of the described status, type and shape, and nothing is a server error."""
    tried = [cases_of(found.ok()) for found in description().get_all_operations()]

    assert len(tried) == 14
    assert sum(tried) > 60


def cases_of(operation: Any) -> int:  # noqa: ANN401 see above
    """Try an operation; how often it was tried."""
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    tried = 0
    sql = operation.path == "/api/sql"
    # No schema describes what is SQL.
    excluded = [positive_data_acceptance] if sql else []

    @settings(
        max_examples=3 if sql else 10,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:  # noqa: ANN401 see above
        nonlocal tried
        tried += 1
        case.call_and_validate(excluded_checks=excluded)

    check()
    return tried


def test_every_table_comes_as_csv_json_and_parquet(site: httpx.Client) -> None:
    for path in TABLES:
        rows = site.get(path).json()
        frame = pl.read_parquet(io.BytesIO(site.get(path, params={"format": "parquet"}).content))
        csv = site.get(path, params={"format": "csv"})
        assert frame.height == len(rows) > 0, path
        assert frame.columns == list(rows[0]), path
        assert csv.text.splitlines()[0].split(",") == list(rows[0]), path
        assert csv.headers["content-disposition"].startswith("attachment")


def test_every_relation_comes_whole_in_every_form(site: httpx.Client) -> None:
    known = [row["relation"] for row in site.get("/api/tables").json()]
    assert set(known) == set(RELATIONS)
    for name in known:
        path = f"/api/tables/{name}"
        rows = site.get(path).json()
        frame = pl.read_parquet(io.BytesIO(site.get(path, params={"format": "parquet"}).content))
        csv = site.get(path, params={"format": "csv"}).text
        assert frame.height == len(rows), name
        assert len(pl.read_csv(io.StringIO(csv), infer_schema=False)) == len(rows), name


def test_a_relation_that_is_none_of_ours_is_not_there(site: httpx.Client) -> None:
    for name in ("schema_migrations", "sqlite_master", "duckdb_settings()", "flips; DROP TABLE flips"):
        assert site.get(f"/api/tables/{name}").status_code == 404


def test_a_spreadsheet_runs_no_formula_of_a_name(tmp_path: Path) -> None:
    with served(hostile(World(tmp_path)).publish()) as client:
        for path in ("/api/tables/families", "/api/families/Alpha", "/api/boards/families/standing"):
            text = client.get(path, params={"format": "csv"}).text
            assert not [cell for line in text.splitlines() for cell in line.split(",") if cell.strip('"')[:1] == "="]


def test_a_family_with_a_slash_in_its_name_is_found(tmp_path: Path) -> None:
    world = one_look(World(tmp_path, registry=Registry([Family(name="A/B", country="US", publishers=("alpha-lab",))])))
    with served(world.publish()) as client:
        assert client.get("/family/A%2FB").status_code == 200
        assert [row["family"] for row in client.get("/api/families/A%2FB").json()] == ["A/B"]
        assert [row["repo_id"] for row in client.get("/api/families/A%2FB/models").json()] == [
            "alpha-lab/alpha-1", "alpha-lab/alpha-1-gguf",
        ]  # fmt: skip


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A family that was called otherwise, a publisher that renamed itself, and one of whom nothing is seen."""
    families = [
        Family(name="Alpha", country="US", publishers=("alpha-lab",), formerly=("Aleph",)),
        Family(name="Beta", country="CN", publishers=("beta-ai", "beta-org")),
        Family(name="Delta", country="DE", publishers=("delta",)),
    ]
    boards = [Board(name=name, entity=kind) for name, kind in KINDS.items()]
    world = World(tmp_path_factory.mktemp("moved"), boards, Registry(families))
    for number, (publisher, beta) in enumerate([("beta-ai", 30), ("beta-ai", 36), ("beta-org", 41), ("beta-org", 44)]):
        beta_1 = model(f"{publisher}/beta-1", beta, hub_id=hub_id("beta-ai/beta-1"))
        world.look(number, [model("alpha-lab/alpha-1", 40), beta_1])
    world.rank()
    with served(world.publish()) as client:
        yield client


KINDS: dict[str, Entity] = {"families": "family", "publishers": "publisher", "countries": "country"}


@pytest.mark.parametrize(
    ("board", "asked", "called"),
    [
        ("families", "ALPHA", "Alpha"), ("families", "aleph", "Alpha"), ("publishers", "Alpha-Lab", "alpha-lab"),
        ("publishers", "beta-ai", "beta-org"), ("countries", "china", "CN"), ("countries", "the United States", "US"),
    ],
)  # fmt: skip
def test_an_entity_is_found_in_any_case_by_a_former_name_and_a_country_by_its_name(
    moved: httpx.Client, board: str, asked: str, called: str
) -> None:
    for path in (f"/api/boards/{board}/values", f"/api/boards/{board}/forecast", f"/api/flips?board={board}"):
        found = [moved.get(path, params={"entity": name}) for name in (asked, called)]
        assert [answer.status_code for answer in found] == [200, 200], path
        assert found[0].json() == found[1].json()
    assert {row["entity"] for row in moved.get(f"/api/boards/{board}/values?entity={asked}").json()} == {called}
    assert moved.get("/api/flips", params={"entity": asked}).json() != []


@pytest.mark.parametrize(
    "path",
    [
        "/api/flips?entity=Alpho", "/api/flips?board=families&entity=Alpho", "/api/boards/families/values?entity=Alpho",
        "/api/boards/families/values?entity=Beta&entity=Alpho", "/api/boards/families/forecast?entity=Alpho",
    ],
)  # fmt: skip
def test_an_entity_that_nobody_knows_is_404_with_the_nearest_name(moved: httpx.Client, path: str) -> None:
    answer = moved.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"problem": "no entity is called 'Alpho'; did you mean 'Alpha'?"}


def test_a_board_or_family_that_nobody_knows_is_404_with_the_nearest_name(moved: httpx.Client) -> None:
    for path in ("/api/flips?board=familes", "/api/boards/familes/values", "/api/boards/familes/forecast"):
        answer = moved.get(path)
        assert (answer.status_code, answer.json()["problem"]) == (
            404, "no board is called 'familes'; did you mean 'families'?",
        )  # fmt: skip
    assert moved.get("/api/families/Bets").json()["problem"] == "no family is called 'Bets'; did you mean 'Beta'?"


def test_an_entity_that_is_known_and_has_nothing_there_has_no_rows(moved: httpx.Client) -> None:
    for path in (
        "/api/flips?entity=beta&since=2026-06-01",
        "/api/flips?entity=Delta",
        "/api/flips?board=publishers&entity=DELTA",
        "/api/boards/publishers/values?entity=delta",
        "/api/boards/families/forecast?entity=Delta",
    ):
        answer = moved.get(path)
        assert (answer.status_code, answer.json()) == (200, []), path
    everything = moved.get("/api/flips").json()
    assert moved.get("/api/flips?entity=&board=").json() == everything != []


def test_snapshot_ids_are_whole_numbers(site: httpx.Client) -> None:
    rows = json.loads(site.get("/api/boards/families/standing").text)

    assert {row["snapshot_id"] for row in rows} == {20260505100000000}


def test_one_flip_comes_with_a_sentence_and_a_citation(site: httpx.Client) -> None:
    flip_id = site.get("/api/flips").json()[0]["flip_id"]
    flip = site.get(f"/api/flips/{flip_id}").json()

    assert flip["statement"].startswith("On 4 May 2026, Beta took the lead")
    assert flip["citation"].endswith(f"/flips/{flip_id}")
