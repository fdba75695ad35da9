"""A look that a wrong clock has dated, from the day on which the clock is right again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from spine import day, head, hub, listed, model, moment, warehouse
from test_flow import World

from jobs import aside
from monitor import check
from monitor.cli import app as cli
from monitor.web import races
from monitor.web.published import Published
from monitor.web.site import Site
from monitor.wiring import open_app
from warehouse.db import Database
from warehouse.errors import NotKnownError
from warehouse.published.reading import Reading
from warehouse.snapshots import store

NEXT_YEAR = 365


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good days, one that a clock took for one of next year, and a good one; Beta led only by the wrong clock.

    To be copied: to live through them takes longer than most tests here.
    """
    folder = tmp_path_factory.mktemp("lived")
    with hub() as local:
        world = World(folder, local)
        world.on(0, listed(200, 100))
        world.on(1, listed(201, 101))
        world.on(NEXT_YEAR, listed(100, 300))
        world.on(2, listed(202, 102))
    return folder


@pytest.fixture
def world(tmp_path: Path, lived: Path) -> Iterator[World]:
    """The world after these days."""
    shutil.copytree(lived, tmp_path, dirs_exist_ok=True)
    with hub(listed(202, 102)) as local:
        world = World(tmp_path, local)
        world.now = moment(2)
        yield world


def ask(world: World, query: str) -> list[tuple[object, ...]]:
    with Database.open_published(world.settings.warehouse.publish) as db:
        return db.rows(query)


def wrong_id(world: World) -> int:
    return int(str(ask(world, "SELECT max(snapshot_id) FROM snapshots")[0][0]))


def set_aside(world: World, snapshot_id: int) -> None:
    with open_app(world.settings, now=lambda: world.now) as app:
        app.set_aside(snapshot_id, "the clock was wrong")


def command(world: World, *more: object) -> int:
    return cli.run(["--config", str(world.settings.source), "set-aside", *map(str, more)])


def test_health_and_check_name_it_and_how_it_is_mended(world: World) -> None:
    site = Site(Published(world.settings.warehouse.publish), lambda: world.now)
    (note,) = site.health().notes
    assert f"`leadchange set-aside {wrong_id(world)}`" in note
    assert site.health().ok
    found = check.problems(world.settings, now=world.now)
    assert note in found.problems
    assert check.problems(world.settings, now=world.now + timedelta(days=NEXT_YEAR)).problems == []


def test_set_aside_it_is_no_boards_last_day_and_what_was_told_of_it_is_taken_back(world: World) -> None:
    assert ask(world, "SELECT max(day) FROM standings") == [(day(NEXT_YEAR),)]
    set_aside(world, wrong_id(world))
    assert ask(world, "SELECT max(day) FROM standings") == [(day(2),)]
    assert ask(world, "SELECT count(*) FROM flips") == [(0,)]
    ((verdict, reason),) = ask(world, "SELECT verdict, verdict_reason FROM snapshots ORDER BY snapshot_id DESC LIMIT 1")
    assert verdict == "suspect"
    assert str(reason).startswith("set aside: the clock was wrong (it was complete: 3 models of 3 publishers")
    site = Site(Published(world.settings.warehouse.publish), lambda: world.now)
    assert site.health().notes == ()
    assert races.of(site, site.leaders()[0], "race").unjudged == []
    world.on(3, listed(203, 103))
    assert ask(world, "SELECT kind, state FROM alerts WHERE state <> 'pending' ORDER BY kind") == [
        ("correction", "firing"),
        ("lead_change", "reverted"),
    ]
    assert ask(world, "SELECT why FROM alerts WHERE kind = 'correction'") == [
        ("its snapshot was set aside (the clock was wrong)",)
    ]


def test_set_aside_models_are_renamed_and_gone_again_when_the_hub_says_so(world: World) -> None:
    set_aside(world, wrong_id(world))
    renamed = model("alpha-lab/alpha-one", 203, hub_id=listed(1, 1)[0].hub_id)
    world.on(3, [renamed, listed(1, 103)[1]])
    assert ask(
        world, "SELECT repo_id, former_names, last_seen FROM models WHERE publisher <> 'beta-ai' ORDER BY 1"
    ) == [
        ("alpha-lab/alpha-one", ["alpha-lab/alpha-1"], day(3)),
        ("gamma/gamma-1", None, day(2)),
    ]


def test_what_was_first_seen_by_a_wrong_clock_is_not_of_next_year(world: World) -> None:
    world.on(NEXT_YEAR + 1, [*listed(100, 300), model("gamma/gamma-2", 5)])
    wrong = wrong_id(world)
    world.now -= timedelta(days=NEXT_YEAR - 2)
    set_aside(world, wrong)
    world.on(4, [*listed(204, 104), model("gamma/gamma-2", 6)])
    seen = ask(world, "SELECT first_seen, last_seen FROM models WHERE repo_id = 'gamma/gamma-2'")
    assert seen == [(day(3), day(4))]


@pytest.mark.parametrize(
    ("which", "says"),
    [
        (lambda wrong: wrong + 1, "no snapshot has the id '{id}'; did you mean '{wrong}'?"),
        (lambda wrong: wrong, "snapshot {id} is suspect: nothing is judged by it as it is"),
    ],
)
def test_what_cannot_be_set_aside_is_one_line(
    world: World, capsys: pytest.CaptureFixture[str], which: Callable[[int], int], says: str
) -> None:
    wrong = wrong_id(world)
    set_aside(world, wrong)
    assert command(world, which(wrong)) == 2
    assert says.format(id=which(wrong), wrong=wrong) in capsys.readouterr().err


def test_a_reason_that_says_nothing_is_refused(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It stands with the snapshot for good."""
    assert command(world, wrong_id(world), "--reason", " ") == 2
    assert "--reason that says something" in capsys.readouterr().err
    assert ask(world, "FROM snapshots WHERE verdict_reason LIKE 'set aside:%'") == []


def test_of_many_snapshots_the_last_are_named() -> None:
    with warehouse() as db:
        for number in range(25):
            store.write_head(db, head(store.next_snapshot_id(db, moment(number)), number))
        newest = f"{moment(24):%Y%m%d}"
        with pytest.raises(NotKnownError, match=f"no snapshot has the id '7'; known: .*{newest}") as refused:
            aside.run(db, 7, "", now=moment(25))
    assert f"{moment(0):%Y%m%d}" not in str(refused.value)


def test_any_look_that_one_knows_better_of_is_set_aside_for_a_reason(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with Database.open_published(world.settings.warehouse.publish) as db:
        today = Reading(db).snapshots()[2]["snapshot_id"]
    assert command(world, today, "--reason", "a test Hub") == 0
    assert capsys.readouterr().err == f"snapshot {today} of {day(2)} is set aside\n"
    ((reason,),) = ask(world, f"SELECT verdict_reason FROM snapshots WHERE snapshot_id = {today}")
    assert str(reason).startswith("set aside: a test Hub (it was complete: ")
