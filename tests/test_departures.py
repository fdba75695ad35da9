"""Who has left the Hub, on each day by what was known on it."""

from __future__ import annotations

from collections.abc import Mapping

from small_hub import day, look, model, moment
from spine import warehouse

from jobs import rank
from warehouse.changes import departures
from warehouse.db import Database
from warehouse.ranking.boards import Board
from warehouse.records import Snapshot
from warehouse.registry import Family, Registry
from warehouse.snapshots import store
from warehouse.snapshots.census import Census

BOARD = Board(name="publishers", entity="publisher")

LABS = Registry([Family(name=name.upper(), vendor=name, country="US", publishers=(name,)) for name in "ab"])

B = {"b/model": 1}


def shown(db: Database, number: int, models: Mapping[str, int | None], *, short: str = "", hour: int = 10) -> int:
    """Keep a look at these models; the listings of those `short` broke off."""
    counted = [model(name, count) for name, count in models.items()]
    return look(db, number, counted, BOARD, registry=LABS, short=short, hour=hour)


def left(db: Database) -> dict[int, set[str]]:
    """Day by its number -> who had left, of the days on which anybody had."""
    ranked = db.rows("SELECT day, snapshot_id FROM rankings ORDER BY day")
    found = departures.on_days(db, "publishers", ["a", "b"], dict(ranked))
    return {(on - day(0)).days: who for on, who in sorted(found.items())}


def test_who_is_deleted_has_left_from_the_first_complete_look_on() -> None:
    with warehouse() as db:
        shown(db, 0, B | {"a/model": 1})
        shown(db, 1, B, short="a")
        shown(db, 2, B)
        shown(db, 3, B, short="a")
        assert left(db) == {2: {"a"}, 3: {"a"}}


def test_who_comes_back_had_left_in_between() -> None:
    with warehouse() as db:
        for number, models in enumerate([B | {"a/model": 1}, B, B, B | {"a/model": 1}, B, B | {"a/model": 1}]):
            shown(db, number, models)
        assert left(db) == {1: {"a"}, 2: {"a"}, 4: {"a"}}


def test_who_is_listed_without_a_count_has_not_left() -> None:
    with warehouse() as db:
        for number, count in enumerate([1, None, 1]):
            shown(db, number, B | {"a/model": count})
        assert left(db) == {}


def test_a_model_that_comes_later_keeps_nobody_on_the_hub_before() -> None:
    with warehouse() as db:
        for number, models in enumerate([B | {"a/model": 1}, B, B | {"a/next": 1}, B]):
            shown(db, number, models)
        assert left(db) == {1: {"a"}, 3: {"a"}}


def test_what_a_later_look_at_the_same_day_shows_was_not_known_by_the_one_that_is_ranked() -> None:
    with warehouse() as db:
        shown(db, 0, B | {"a/model": 1})
        shown(db, 1, B)
        look(db, 1, [model("a/model", 1)], BOARD, registry=LABS, hour=15, verdict="partial")
        assert left(db) == {1: {"a"}}


def test_a_look_that_comes_late_dates_who_was_deleted() -> None:
    with warehouse() as db:
        shown(db, 0, B | {"a/model": 1})
        shown(db, 2, B)
        shown(db, 1, B)
        assert db.rows("SELECT gone_on FROM models WHERE publisher = 'a'") == [(day(1),)]
        assert left(db) == {1: {"a"}, 2: {"a"}}


def test_of_a_day_whose_counts_were_given_up_it_is_not_known_who_came_back_later() -> None:
    with warehouse() as db:
        shown(db, 0, B | {"a/model": 1})
        given_up = shown(db, 1, B)
        shown(db, 2, B | {"a/model": 1})
        assert left(db) == {1: {"a"}}
        db.execute("INSERT INTO thinned VALUES ($snapshot, now())", {"snapshot": given_up})
        assert left(db) == {}


def count_all(db: Database, number: int, models: Mapping[str, int]) -> None:
    """Keep a census that shows these models."""
    counted = [model(name, count) for name, count in models.items()]
    with db.transaction():
        snapshot_id = store.next_snapshot_id(db, moment(number))
        head = Snapshot(snapshot_id, "census", moment(number), day(number), "complete", "", len(counted))
        store.write_snapshot(db, head, store.model_frame(counted))
        Census(db).note_gone(day(number))
        rank.run(db, [BOARD], LABS, seen=True)


def test_a_census_shows_who_has_left_as_well_and_when_if_it_comes_late() -> None:
    with warehouse() as db:
        count_all(db, 0, B | {"a/model": 1})
        count_all(db, 2, B)
        count_all(db, 1, B)
        assert left(db) == {1: {"a"}, 2: {"a"}}
        count_all(db, 3, B | {"a/model": 1})
        assert left(db) == {1: {"a"}, 2: {"a"}}
