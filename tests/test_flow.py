"""From the Hub to the desk, through the configuration and the wiring that the program itself uses."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from spine import configure, day, hub, listed, moment

from alerts.rules import Rule
from monitor import config
from monitor.demo.hub import LocalHub
from monitor.wiring import App, open_app
from warehouse.db import Database
from warehouse.records import HubModel
from warehouse.snapshots.verdict import Verdict


class World:
    """The program over some days, opened anew for each, as a daily run of it would be."""

    def __init__(self, folder: Path, local: LocalHub, confirm: int = 1) -> None:
        settings = config.load(configure(folder, local.endpoint, confirm=confirm), {})
        self.every = settings.boards
        self.settings = replace(settings, boards=settings.boards[:1])
        self.outbox = folder / "outbox"
        self.hub = local
        self.now: datetime = moment(0)

    def on(self, number: int, models: list[HubModel] | None = None, *, hour: int = 10, told: bool = True) -> Verdict:
        """Collect, detect and deliver (unless `told` is False) on a day by its number."""
        self.now = moment(number, hour)
        if models is not None:
            self.hub.show(models)
        with open_app(self.settings, now=lambda: self.now) as app:
            verdict = app.collect().snapshot.verdict
            app.detect()
            if told:
                app.deliver()
        return verdict

    def late(self, number: int, models: list[HubModel]) -> None:
        """A day that is collected after later ones, from a source that says which day it shows."""
        self.hub.show(models)
        with open_app(self.settings, now=lambda: self.now) as app:
            app.collect(day=day(number))
            app.detect()
            app.deliver()

    @property
    def mails(self) -> list[str]:
        """Subjects of what was sent, by the day it tells of."""
        files = sorted(self.outbox.glob("*.eml")) if self.outbox.exists() else []
        return [str(message_from_bytes(file.read_bytes(), policy=default)["Subject"]) for file in files]

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """What everybody can see."""
        with Database.open_published(self.settings.warehouse.publish) as published:
            return published.rows(question)


@pytest.fixture
def world(tmp_path: Path) -> Any:  # noqa: ANN401 a generator fixture
    with hub() as local:
        yield World(tmp_path, local)


NEWS = "Beta takes the lead from Alpha on families"


def test_two_days_are_one_message_and_a_third_run_is_none(world: World) -> None:
    assert world.on(0, listed(90, 50)) == "complete"
    assert world.mails == []
    world.on(1, listed(90, 150))
    assert world.mails == [NEWS]
    written = {file: file.stat().st_mtime_ns for file in world.outbox.iterdir()}
    world.on(2, listed(90, 151))
    world.on(2, hour=15)
    assert {file: file.stat().st_mtime_ns for file in world.outbox.iterdir()} == written
    assert world.ask("SELECT status, attempts FROM deliveries") == [("sent", 1)]


def test_what_is_published_follows_every_step(world: World) -> None:
    world.settings = replace(world.settings, boards=world.every)
    world.on(0, listed(90, 50))
    world.on(1, listed(90, 150))
    ranks = world.ask("SELECT entity, rank, previous_rank FROM standings WHERE board = 'families' ORDER BY day, rank")
    assert ranks[3:] == [("Beta", 1, 2), ("Alpha", 2, 1), ("Gamma", 3, 3)]
    ((alert_id, state),) = world.ask("SELECT alert_id, state FROM alerts")
    assert state == "firing"
    payload = json.loads((world.outbox / f"2026-05-02-{alert_id}.slack.json").read_text())
    assert payload["text"].startswith(NEWS)


def test_who_comes_near_is_no_news_of_the_day_on_which_it_was_ahead(world: World) -> None:
    near = Rule(name="near", board="families", when="approaches", confirm=1, channels=("outbox",))
    web = world.settings.web.model_copy(update={"public_url": "https://adoption.example"})
    world.settings = replace(world.settings, rules=(near,), web=web)
    for number, (alpha, beta) in enumerate(((90, 50), (90, 150), (300, 150), (160, 150))):
        world.on(number, listed(alpha, beta))
    assert world.mails == ["Beta comes within 10% of Alpha on families"]
    (file,) = world.outbox.glob("*.slack.json")
    said = file.read_text("utf-8")
    assert "https://adoption.example/board/families" in said
    assert "/flips/" not in said
    assert "stands: it holds on the models seen at both ends" in said
    assert "from 2026-05-01 to" not in said


def test_who_leaves_the_top_is_not_told_with_the_flip_by_which_it_came_there(world: World) -> None:
    leaves = Rule(name="leaves", board="families", when="leaves_top", top=1, confirm=1, channels=("outbox",))
    web = world.settings.web.model_copy(update={"public_url": "https://adoption.example"})
    world.settings = replace(world.settings, rules=(leaves,), web=web)
    for number, (alpha, beta) in enumerate(((90, 50), (90, 150), (300, 150))):
        world.on(number, listed(alpha, beta))
    assert "Beta leaves the top 1 of families, behind Alpha" in world.mails
    (file,) = (one for one in world.outbox.glob("*.slack.json") if "Beta leaves" in one.read_text("utf-8"))
    said = file.read_text("utf-8")
    assert "https://adoption.example/board/families" in said
    assert "/flips/" not in said


def test_three_days_are_asked_for_and_told_on_the_third(tmp_path: Path) -> None:
    with hub() as local:
        world = World(tmp_path, local, confirm=3)
        for number, beta in enumerate((50, 150, 151)):
            world.on(number, listed(90, beta))
        assert world.mails == []
        world.on(3, listed(90, 152))
        assert world.mails == [NEWS]


def test_a_second_look_on_a_day_speaks_for_it(world: World) -> None:
    world.on(0, listed(90, 50))
    world.on(1, listed(90, 70))
    world.on(1, listed(90, 150), hour=15)
    assert world.mails == [NEWS]
    assert world.ask("SELECT count(*) FROM snapshots WHERE day = '2026-05-02'") == [(2,)]


def test_a_late_day_completes_what_was_missing(tmp_path: Path) -> None:
    with hub() as local:
        world = World(tmp_path, local, confirm=3)
        for number, beta in ((0, 50), (1, 150), (3, 152)):
            world.on(number, listed(90, beta))
        assert world.mails == []
        world.late(2, listed(90, 151))
        assert world.mails == [NEWS]


def test_a_corrected_day_withdraws_an_alert_nobody_was_told_of(world: World) -> None:
    world.on(0, listed(90, 50))
    world.on(1, listed(90, 150), told=False)
    assert world.ask("SELECT state FROM alerts") == [("firing",)]
    world.on(1, listed(90, 70), hour=15)
    assert world.mails == []
    assert world.ask("FROM alerts") == []
    assert world.ask("FROM deliveries") == []


def test_the_way_back_is_told_too_and_under_another_id(world: World) -> None:
    for number, beta in enumerate((50, 150, 40)):
        world.on(number, listed(90, beta))
    assert len(world.mails) == 2
    assert world.mails[0] == NEWS
    assert "Alpha" in world.mails[1]
    assert len(set(world.ask("SELECT alert_id FROM deliveries"))) == 2


def test_a_hub_that_is_down_for_a_day_changes_nothing(world: World) -> None:
    from monitor.demo.faults import at, maintenance

    world.on(0, listed(90, 50))
    fault = at("/api", maintenance)
    world.hub.faults.append(fault)
    assert world.on(1) == "failed"
    world.hub.faults.remove(fault)
    world.on(2, listed(90, 150))
    assert world.mails == [NEWS]
    assert world.ask("SELECT verdict FROM snapshots ORDER BY snapshot_id") == [
        ("complete",),
        ("failed",),
        ("complete",),
    ]


def test_an_application_is_closed_when_its_block_ends(world: World) -> None:
    world.on(0, listed(90, 50))
    with open_app(world.settings) as app:
        assert isinstance(app, App)
    with open_app(world.settings) as again:
        assert again.db.value("SELECT count(*) FROM snapshots") == 1
