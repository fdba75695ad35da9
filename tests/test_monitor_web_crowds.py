"""Many visitors at once, and visitors who are still there when the daemon ends."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import httpx
import polars as pl
import pytest
from fastapi import FastAPI
from past import listed
from spine import head, model, moment, warehouse
from web_world import World, now, published

from jobs import prune
from monitor.config import Settings, load
from monitor.health import judge
from monitor.web import formats
from monitor.web import published as readings
from monitor.web.app import create_app
from monitor.web.published import AT_ONCE, DOWNLOADS, Published
from monitor.web.serve import STOP_SECONDS, serving
from warehouse.db import Database
from warehouse.errors import WarehouseError
from warehouse.published.browsing import Browsing
from warehouse.published.publish import publish
from warehouse.published.reading import Rows
from warehouse.snapshots import store

COUNTERS = ("downloads_30d", "downloads_all_time", "likes")

HALF_THE_HUB = 200_000
"""Models of one family: as many as descend from the largest, of a census."""

TOO_MUCH = "SELECT count(DISTINCT 'number ' || i) FROM range(5_000_000) AS numbers(i)"
TOO_LONG = "SELECT count(*) FROM range(1_000_000) AS a, range(10_000_000) AS b WHERE hash(a.range, b.range) = 1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "leadchange.toml"
    file.write_text("[web]\nport = 0\n")
    return load(file, {})


def asking(monkeypatch: pytest.MonkeyPatch, query: str) -> threading.Event:
    """Have `/flips` ask this query; set once it does."""
    begun = threading.Event()

    def newest_flips(browsing: Browsing, *_: object, **__: object) -> Rows:
        begun.set()
        return browsing.db.records(query)

    monkeypatch.setattr(Browsing, "newest_flips", newest_flips)
    return begun


def test_a_family_of_which_half_the_hub_descends_fits_into_the_memory_of_pages(tmp_path: Path) -> None:
    models = pl.concat([pl.DataFrame(schema=store.MODEL_SCHEMA), listed(0, HALF_THE_HUB)], how="diagonal_relaxed")
    with warehouse() as db:
        store.write_snapshot(db, head(20260101100000000, models=models.height), models)
        db.execute("UPDATE models SET family = 'Alpha', relation = 'finetune'")
        prune.run(db, now=moment(2))
        _add_a_year(db)
        publish(db, tmp_path / "adoption.duckdb")

    with Published(tmp_path / "adoption.duckdb").browsing() as browsing:
        first, *others = browsing.family_models("Alpha")
        assert first["downloads_30d"] == 1330
        assert len(others) == 99
        assert [row["models"] for row in browsing.family_relations("Alpha")] == [HALF_THE_HUB]
        assert sum(row["models"] for row in browsing.family_publishers("Alpha")) == HALF_THE_HUB


def test_a_renamed_model_is_one_of_its_family_and_has_its_last_count(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.look(1, [model("alpha-lab/old", 10, hub_id="a")])
    world.look(2, [model("alpha-lab/new", 12, hub_id="a")])
    world.rank()
    browsing = Browsing(world.db)

    (shown,) = browsing.family_models("Alpha")
    assert (shown["repo_id"], shown["downloads_30d"]) == ("alpha-lab/new", 12)
    for (row,) in (browsing.family_relations("Alpha"), browsing.family_publishers("Alpha")):
        assert (row["models"], row["downloads_30d"]) == (1, 12)


def _add_a_year(db: Database) -> None:
    """Have the one run that is there span a month, and as many before it as make a year."""
    month = ", ".join(f"{name} = list_resize({name}, 31, {name}[1])" for name in COUNTERS)
    db.execute(f"UPDATE observation_runs SET {month}")
    for table, columns in (
        ("observation_runs", "1 + n AS run"),
        ("run_days", "1 + n AS run, snapshot_id - n AS snapshot_id"),
    ):
        db.execute(
            f"INSERT INTO {table} SELECT old.* REPLACE ({columns}) FROM {table} AS old, range(1, 12) AS months(n)"
        )


def test_of_a_crowd_a_few_ask_at_a_time_on_connections_that_no_thread_keeps() -> None:
    reading = Published(published())
    inside: list[int] = []
    connections: set[int] = set()
    most = 0

    def visit() -> None:
        nonlocal most
        with reading.browsing() as browsing:
            inside.append(1)
            most = max(most, len(inside))
            connections.add(id(browsing))
            assert reading.once("leaders", Browsing.leaders)
            with reading.browsing() as same:
                assert same is browsing
            time.sleep(0.02)
            inside.pop()

    visitors = [threading.Thread(target=visit) for _ in range(12)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()

    assert most <= AT_ONCE
    assert len(connections) <= AT_ONCE


def test_who_waits_in_vain_is_told_to_come_again_and_health_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "PATIENCE", 0.05)
    reading = Published(published())
    leave = threading.Event()
    arrived = threading.Barrier(AT_ONCE + 1)

    def stay() -> None:
        with reading.browsing():
            arrived.wait()
            leave.wait()

    visitors = [threading.Thread(target=stay) for _ in range(AT_ONCE)]
    for visitor in visitors:
        visitor.start()
    arrived.wait()
    try:
        with pytest.raises(WarehouseError, match="try again"), reading.browsing():
            pass
        assert judge(reading.facts(now())).last_complete is not None
        with reading.browsing(waits=False) as browsing:
            assert browsing.leaders()
    finally:
        leave.set()


def test_a_page_for_which_there_is_no_memory_now_is_503_not_a_mistake_of_the_visitor(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    asking(monkeypatch, TOO_MUCH)
    with serving(settings, Published(published()), now=now) as address:
        page = httpx.get(f"{address}flips", timeout=60)
        assert page.status_code == 503
        assert "try again" in page.text
        assert httpx.get(f"{address}api/flips", timeout=60).status_code == 503
        assert httpx.get(f"{address}healthz").status_code == 200


def test_of_whole_relations_a_few_are_read_at_a_time_and_pages_do_not_wait_for_them(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(readings, "DOWNLOAD_PATIENCE", 0.05)
    reading = Published(published())
    with serving(settings, reading, now=now) as address, ExitStack() as others:
        for _ in range(DOWNLOADS):
            others.enter_context(reading.connection())
        for form in ("json", "csv", "parquet"):
            refused = httpx.get(f"{address}api/tables/families?format={form}")
            assert refused.status_code == 503
            assert "try again" in refused.json()["problem"]
        assert httpx.get(f"{address}board/families").status_code == 200
        others.close()
        for form in ("json", "csv", "parquet") * DOWNLOADS:
            assert httpx.get(f"{address}api/tables/families?format={form}").status_code == 200


def test_a_reader_who_hangs_up_gives_its_turn_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, not when Python happens to tidy up: until then everybody else would be refused."""
    monkeypatch.setattr(readings, "DOWNLOAD_PATIENCE", 0.05)
    app = create_app(Published(published()), now=now)
    gc.disable()
    try:
        for form in ("json", "csv", "parquet"):
            for _ in range(DOWNLOADS + 1):
                assert hang_up_on(app, "/api/tables/families", f"format={form}") == 200
    finally:
        gc.enable()


def test_a_reader_who_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Otherwise as many as may download at a time could keep everybody else from it for good."""
    monkeypatch.setattr(formats, "STALLED", 0.3)
    monkeypatch.setattr(readings, "DOWNLOAD_PATIENCE", 5)
    big = b"x" * (1 << 20)

    def endless(*_: object) -> Generator[bytes, None, None]:
        with reading.connection():
            while True:
                yield big

    monkeypatch.setattr(formats, "_json_stream", endless)
    reading = Published(published())
    with serving(settings, reading, now=now) as address, ExitStack() as stalled:
        for _ in range(DOWNLOADS):
            answer = stalled.enter_context(httpx.stream("GET", f"{address}api/tables/families", timeout=60))
            assert answer.status_code == 200
        assert httpx.get(f"{address}api/tables/families?format=csv", timeout=60).status_code == 200


def hang_up_on(app: FastAPI, path: str, query: str) -> int:
    """Ask, and be gone before the first byte; the status that would have been read."""
    said: list[int] = []
    left = asyncio.Event()

    async def receive() -> dict[str, object]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, object]) -> None:
        if message["type"] == "http.response.start":
            said.append(cast("int", message["status"]))
            left.set()
            # As a server does whose peer reads no more.
            await asyncio.sleep(0.01)

    scope = {
        "type": "http", "asgi": {"spec_version": "2.3"}, "method": "GET", "path": path, "query_string": query.encode(),
        "headers": [(b"host", b"localhost")],
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return said[0]


def test_a_relation_for_which_there_is_no_memory_now_is_503_and_no_broken_file(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    def batches(*_: object, **__: object) -> None:
        raise WarehouseError("busy: try again")

    monkeypatch.setattr(Database, "batches", batches)
    with serving(settings, Published(published()), now=now) as address:
        for form in ("json", "csv", "parquet"):
            assert httpx.get(f"{address}api/tables/families?format={form}").status_code == 503


def test_what_a_visitor_still_asks_when_the_daemon_ends_is_broken_off(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    begun = asking(monkeypatch, TOO_LONG)
    reading = Published(published())
    with serving(settings, reading, now=now) as address:
        visitor = threading.Thread(target=_visit, args=(f"{address}flips",))
        visitor.start()
        assert begun.wait(10)
        (dashboard,) = [thread for thread in threading.enumerate() if thread.name == "dashboard"]
        began = time.monotonic()

    assert time.monotonic() - began < STOP_SECONDS + 1
    assert not dashboard.is_alive()
    assert reading.leave(0), "a query goes on in a thread that nobody waits for"
    with pytest.raises(WarehouseError, match="stopping"), reading.browsing():
        pass
    visitor.join(10)


def _visit(address: str) -> None:
    try:
        httpx.get(address, timeout=60)
    except httpx.HTTPError:
        return
