"""kill -9 anywhere: no half snapshot, nothing lost, and the next run goes on as if nothing had been."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from killed import settings_of
from spine import configure, hub, listed, moment

from monitor.demo.hub import LocalHub
from monitor.wiring import App, open_app
from warehouse.db import Database

ROOT = Path(__file__).parent.parent


@pytest.fixture
def local() -> Iterator[LocalHub]:
    with hub(listed(90, 50)) as running:
        yield running


def world(folder: Path, local: LocalHub, *verbs: str) -> Path:
    """A world after one day, on the second of which Beta leads and these verbs were done."""
    folder.mkdir()
    configure(folder, local.endpoint)
    settings = settings_of(folder)
    with open_app(settings, now=lambda: moment(0)) as app:
        app.collect()
        app.detect()
    local.show(listed(90, 150))
    with open_app(settings, now=lambda: moment(1)) as app:
        for verb in verbs:
            getattr(app, verb)()
    return folder


def killed(folder: Path, verb: str) -> list[Path]:
    """The folders of runs of a verb, each killed at another moment."""
    command = [sys.executable, "tests/killed.py", str(folder), verb, "1"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["statements"].count("COMMIT") >= 1
    return [Path(path) for path in found["runs"]]


def again(folder: Path, *verbs: str, late: timedelta = timedelta()) -> None:
    """The next run."""

    def now() -> object:
        return moment(1, 12) + late

    with open_app(settings_of(folder), now=now) as app:  # type: ignore[arg-type]
        assert isinstance(app, App)
        for verb in verbs:
            getattr(app, verb)()


def warehouse_is_whole(folder: Path) -> int:
    """What holds at any moment; how many snapshots there are."""
    with Database.open(folder / "warehouse.duckdb") as db:
        heads = db.rows(
            "SELECT snapshot_id, models, day FROM snapshots WHERE verdict = 'complete' ORDER BY snapshot_id"
        )
        counts = dict(db.rows("SELECT snapshot_id, count(*) FROM observations GROUP BY snapshot_id"))
        listings = dict(db.rows("SELECT snapshot_id, count(*) FROM listings GROUP BY snapshot_id"))
        assert counts == {snapshot_id: models for snapshot_id, models, _ in heads}
        assert set(listings.values()) == {3}
        assert listings.keys() == counts.keys()
        ranked = {row[0] for row in db.rows("SELECT DISTINCT day FROM standings")}
        assert ranked == {day for _, _, day in heads}
        assert db.value("SELECT count(*) FROM models") == 3
        assert db.value("SELECT count(*) FROM alerts WHERE state = 'firing'") == db.value(
            "SELECT count(DISTINCT alert_id) FROM deliveries"
        )
        return len(heads)


def published_is_whole(folder: Path) -> None:
    with Database.open_published(folder / "adoption.duckdb") as published:
        heads = published.value("SELECT count(*) FROM snapshots")
        assert published.value("SELECT count(*) FROM observations") == 3 * heads
        assert published.value("SELECT count(DISTINCT day) FROM standings") >= 1


def test_a_killed_collect_leaves_no_half_snapshot(tmp_path: Path, local: LocalHub) -> None:
    runs = killed(world(tmp_path / "world", local), "collect")
    assert len(runs) >= 6
    seen = set()
    for folder in runs:
        seen.add(warehouse_is_whole(folder))
        published_is_whole(folder)
        again(folder, "collect", "detect")
        warehouse_is_whole(folder)
        published_is_whole(folder)
        with Database.open_published(folder / "adoption.duckdb") as published:
            assert published.rows("SELECT entity, state FROM alerts") == [("Beta", "firing")]
        assert [path.name for path in folder.glob(".*.draft*")] == []
    # Some runs died before the snapshot was committed, and some after.
    assert seen == {1, 2}


def test_a_killed_detect_loses_nothing_and_says_nothing_twice(tmp_path: Path, local: LocalHub) -> None:
    runs = killed(world(tmp_path / "world", local, "collect"), "detect")
    seen = set()
    for folder in runs:
        assert warehouse_is_whole(folder) == 2
        with Database.open(folder / "warehouse.duckdb") as db:
            seen.add(db.value("SELECT count(*) FROM alerts"))
        again(folder, "detect")
        with Database.open(folder / "warehouse.duckdb") as db:
            assert db.rows("SELECT state FROM alerts") == [("firing",)]
            assert db.rows("SELECT status, attempts FROM deliveries") == [("pending", 0)]
    assert seen == {0, 1}


def test_a_killed_deliver_delivers_all_the_same(tmp_path: Path, local: LocalHub) -> None:
    runs = killed(world(tmp_path / "world", local, "collect", "detect"), "deliver")
    seen = set()
    for folder in runs:
        with Database.open(folder / "warehouse.duckdb") as db:
            ((status, attempts),) = db.rows("SELECT status, attempts FROM deliveries")
        seen.add(status)
        mails = list((folder / "outbox").glob("*.eml"))
        # Sent is said only of what has left, and nothing leaves before it is written down that it will.
        assert len(mails) == 1 or status != "sent"
        assert not mails or status != "pending"
        again(folder, "deliver", late=timedelta(minutes=1))
        with Database.open(folder / "warehouse.duckdb") as db:
            ((after, tries),) = db.rows("SELECT status, attempts FROM deliveries")
        assert after == "sent"
        assert tries == attempts + (status != "sent")
        assert len(list((folder / "outbox").glob("*.eml"))) == 1
    assert seen == {"pending", "sending", "sent"}
