"""What past days gain and lose by models that count for others now is what ranking them all again says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest
from examples import THOROUGH, examples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from small_hub import REGISTRY, day, look, model, moment, standing
from spine import warehouse

from jobs import prune, rank
from warehouse.attribution import changed
from warehouse.changes import panel
from warehouse.db import Database
from warehouse.ranking import moves, standings
from warehouse.ranking.boards import Board
from warehouse.ranking.made import Made
from warehouse.ranking.places import TABLES
from warehouse.records import HubModel
from warehouse.snapshots import store

OWN = Board(name="own", entity="family")
LINEAGE = Board(name="lineage", entity="family", scope="lineage")
TEXT = Board(name="text", entity="family", scope="lineage", where="pipeline_tag = 'text-generation'")
WEEK = Board(name="week", entity="country", scope="lineage", measure="downloads_7d")
PUBLISHERS = Board(name="publishers", entity="publisher", measure="likes")
CHILDREN = Board(name="children", entity="family", measure="derivatives")
BOARDS = (OWN, LINEAGE, TEXT, WEEK, PUBLISHERS, CHILDREN) if THOROUGH else (LINEAGE, TEXT, WEEK, PUBLISHERS)

KEPT = (
    "models", "shares", "model_versions", "model_names", "recent_observations", "observation_runs", "run_days",
    "snapshots", "listings", "families", "former_publishers", "attribution", "changed_models", "boards", "rankings",
    *TABLES, "ranked_models", "followed_models", "flips", "flip_panels",
)  # fmt: skip

BASES = ("alpha/base", "beta/base", "gamma/base")


class Shown(NamedTuple):
    """What a look shows of a model."""

    name: str
    count: int | None
    parents: tuple[str, ...]
    tag: str

    def listed(self, hub_id: str) -> HubModel:
        return model(self.name, self.count, hub_id=hub_id, parents=self.parents, pipeline_tag=self.tag)


SHOWN = st.builds(
    Shown,
    st.sampled_from([f"{who}/{n}" for who in ("alpha", "beta", "fan", "fan") for n in range(3)]),
    st.sampled_from([None, 0, 0, 5, 40, 41, 2**40]),
    st.lists(st.sampled_from([*BASES, "alpha/0", "beta/1", "fan/2", "who/knows"]), max_size=2).map(tuple),
    st.sampled_from(["text-generation", "text-to-image"]),
)
"""Whatever a card can say."""

LOOKS = st.lists(
    st.tuples(st.dictionaries(st.sampled_from("abcdef"), SHOWN, max_size=4), st.sampled_from([3, 3, 3, 0])),
    min_size=3,
    max_size=6,
)
"""Of each look what is otherwise than at the one before, and how many days after it it was."""


def noted(patch: pytest.MonkeyPatch) -> None:
    """As in a large warehouse: what models were is noted, and only those affected are attributed again."""
    patch.setattr(changed, "LARGE", 0)
    patch.setattr(store, "attribute", partial(store.attribute, small=0, most=1))


def found(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    tables = (*TABLES, "rankings", "flips", "flip_panels")
    return {table: db.rows(f"FROM {table} ORDER BY ALL") for table in tables}


def anew(db: Database, *boards: Board) -> dict[str, list[tuple[Any, ...]]]:
    """All of it once more, with nothing known."""
    with db.transaction():
        for table in ("boards", "flips", "flip_panels"):
            db.execute(f"DELETE FROM {table}")
        rank.run(db, boards, REGISTRY)
    return found(db)


@pytest.fixture(scope="module")
def shared() -> Iterator[Database]:
    with warehouse() as db:
        yield db


@pytest.fixture
def db(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    noted(monkeypatch)
    with warehouse() as database:
        yield database


def looks(*changes: dict[str, Shown]) -> list[tuple[dict[str, Shown], int]]:
    """One look every third day."""
    return [(changed, 3) for changed in changes]


A, B = Shown("alpha/0", 40, (), "text-generation"), Shown("fan/1", 41, ("alpha/0",), "text-generation")
HALF = B._replace(parents=("alpha/base", "who/knows"))
"""Half of it is nobody's: when it and A are taken for each other, each has the other's share of Alpha."""


@settings(
    max_examples=examples(200, usual=2),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(LOOKS, st.booleans())
@example(looks({"a": A, "b": B}, {}, {"b": B._replace(parents=("beta/base",))}), True)
@example(looks({"a": A, "b": B}, {}, {"b": B._replace(parents=("alpha/0", "beta/base"))}), False)
@example(looks({"b": B._replace(count=0)}, {}, {"b": B._replace(parents=("gamma/base",))}), False)
@example(
    looks({"a": A, "b": B, "c": B._replace(name="fan/2", parents=("fan/1",))}, {"b": B._replace(parents=BASES)}, {}),
    False,
)
@example(looks({"b": B}, {"b": B._replace(tag="text-to-image")}, {"b": B._replace(name="beta/1")}), False)
@example([({"a": A, "b": B}, 3), ({"b": B._replace(count=9)}, 3), ({"b": B._replace(parents=BASES)}, 0)], False)
@example(looks({"a": A, "b": HALF}, {"a": HALF._replace(count=40), "b": A._replace(count=41)}), False)
def test_days_that_are_over_have_what_ranking_them_again_gives(
    shared: Database, history: list[tuple[dict[str, Shown], int]], packed: bool
) -> None:
    for table in KEPT:
        shared.execute(f"DELETE FROM {table}")
    here: dict[str, Shown] = {}
    number = 0
    with pytest.MonkeyPatch.context() as patch:
        noted(patch)
        for hour, (changes, later) in enumerate(history):
            here |= changes
            number += later
            look(shared, number, [own.listed(hub_id) for hub_id, own in here.items()], *BOARDS, hour=hour)
            if packed:
                prune.run(shared, now=moment(number + 60), keep_daily_days=120)
            said = found(shared)
            assert shared.rows("FROM changed_models") == []
        assert said == anew(shared, *BOARDS)


def ranked_days(patch: pytest.MonkeyPatch) -> list[int]:
    """How many days are ranked from all counts, each time that some are."""
    asked: list[int] = []
    rank_days = standings._rank

    def counted(db: Database, board: Board, made: Made, wanted: list[Any]) -> None:
        asked.append(len(wanted))
        rank_days(db, board, made, wanted)

    patch.setattr(standings, "_rank", counted)
    return asked


WORLD = [model("alpha/base", 100), model("beta/base", 90), model("gamma/base", 10)]


def tune(*parents: str, count: int | None = 15, **more: Any) -> HubModel:  # noqa: ANN401
    return model("fan/tune", count, parents=parents, **more)


def test_a_card_that_names_another_parent_moves_the_past_of_its_model_and_nothing_is_added_up_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        look(db, number, [*WORLD, tune("beta/base")], LINEAGE)
    assert standing(db, "lineage", 1) == {"Beta": 105, "Alpha": 100, "Gamma": 10}
    asked = ranked_days(monkeypatch)
    look(db, 3, [*WORLD, tune("gamma/base", "alpha/base")], LINEAGE)

    assert standing(db, "lineage", 0) == standing(db, "lineage", 3) == {"Alpha": 107.5, "Beta": 90, "Gamma": 17.5}
    assert asked == [1], "the new day alone"


def test_so_does_another_parent_of_its_parent_and_what_a_board_asks_for(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = {"pipeline_tag": "text-generation"}
    named = [*(one._replace(**written) for one in WORLD), model("fan/child", 7, parents=["fan/tune"], **written)]
    for number in range(2):
        look(db, number, [*named, tune("beta/base")], LINEAGE, TEXT)
    asked = ranked_days(monkeypatch)
    look(db, 2, [*named, tune("alpha/base", **written)], LINEAGE, TEXT)
    monkeypatch.setattr(store, "attribute", store.attribute.func)  # type: ignore[attr-defined]  # all are read
    look(db, 3, [*named, tune("gamma/base", **written)], LINEAGE, TEXT)

    assert standing(db, "lineage", 0) == {"Alpha": 100, "Beta": 90, "Gamma": 32}
    assert standing(db, "text", 0) == {"Alpha": 100, "Beta": 90, "Gamma": 32}
    assert asked == [1, 1, 1, 1]


def test_a_rank_that_changed_is_the_previous_one_on_the_next_day(db: Database) -> None:
    look(db, 0, [*WORLD, tune("beta/base")], LINEAGE)
    look(db, 1, [*WORLD, tune("beta/base", count=None)], LINEAGE)
    look(db, 2, [*WORLD, tune("gamma/base", count=None)], LINEAGE)

    assert [*standing(db, "lineage", 0)] == ["Alpha", "Beta", "Gamma"]
    ranks = "SELECT entity, previous_rank FROM standings WHERE day = $day ORDER BY rank"
    assert db.rows(ranks, {"day": day(1)}) == [("Alpha", 1), ("Beta", 2), ("Gamma", 3)]


def test_days_on_which_a_model_had_no_count_are_left_as_they_are(db: Database) -> None:
    for number in range(4):
        look(db, number, [*WORLD, *([tune("beta/base")] if number > 1 else [])], LINEAGE)
    db.execute("UPDATE rankings SET checksum = 0")
    look(db, 4, [*WORLD, tune("alpha/base")], LINEAGE)

    assert db.rows("SELECT day FROM rankings WHERE checksum = 0 ORDER BY day") == [(day(0),), (day(1),)]
    assert standing(db, "lineage", 1) == {"Alpha": 100, "Beta": 90, "Gamma": 10}


def test_who_loses_the_last_counted_model_leaves_the_days_that_are_over(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(db, 0, [WORLD[0], tune("beta/lost")], LINEAGE)
    assert standing(db, "lineage", 0) == {"Alpha": 100, "Beta": 15}
    asked = ranked_days(monkeypatch)
    look(db, 1, [WORLD[0], tune("alpha/base")], LINEAGE)

    assert standing(db, "lineage", 0) == standing(db, "lineage", 1) == {"Alpha": 115}
    assert asked == [2], "by what is gained and lost it cannot be told whether anything is left"


def test_what_was_not_noted_has_all_days_ranked_again(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    look(db, 0, [*WORLD, tune("beta/base"), model("fan/two", 1, parents=["beta/base"])], LINEAGE)
    asked = ranked_days(monkeypatch)
    with db.transaction():
        db.execute("UPDATE shares SET family = 'Gamma' WHERE hub_id = 'id:fan/two'")
    look(db, 1, [*WORLD, tune("alpha/base"), model("fan/two", 1, parents=["beta/base"])], LINEAGE)

    assert standing(db, "lineage", 0) == {"Alpha": 115, "Beta": 90, "Gamma": 11}
    assert asked == [2]


def test_when_many_move_all_days_are_ranked_again(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        look(db, number, [*WORLD, tune("beta/base"), model("fan/two", 1, parents=["beta/base"])], LINEAGE)
    monkeypatch.setattr(moves, "MANY", 5)
    asked = ranked_days(monkeypatch)
    look(db, 3, [*WORLD, tune("alpha/base"), model("fan/two", 1, parents=["alpha/base"])], LINEAGE)

    assert standing(db, "lineage", 0) == standing(db, "lineage", 3) == {"Alpha": 116, "Beta": 90, "Gamma": 10}
    assert asked == [4], "of two models on three days it is not held what they had"


def test_a_flip_is_judged_again_on_what_moved_alone(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    grown = model("beta/grown", 30)
    look(db, 0, [*WORLD, tune("alpha/base", count=5)], LINEAGE)
    look(db, 1, [*WORLD, tune("alpha/base"), grown], LINEAGE)
    assert db.rows("SELECT entity, value, panel_holds FROM flips") == [("Beta", 120, False)]
    asked: list[int] = []
    panels = panel.panels
    monkeypatch.setattr(panel, "panels", lambda db, board, some: asked.append(len(some)) or panels(db, board, some))
    look(db, 2, [*WORLD, tune("alpha/base"), grown, model("fan/new", 1, parents=["beta/base"])], LINEAGE)
    look(db, 3, [*WORLD, tune("beta/base"), grown, model("fan/new", 1, parents=["beta/base"])], LINEAGE)

    assert db.rows("SELECT entity, value, rival_value, panel_holds FROM flips") == [("Beta", 135, 100, True)]
    assert sum(asked) == 0


def test_a_flip_of_a_day_that_was_looked_at_again_is_judged_on_everything(db: Database) -> None:
    grown = model("beta/grown", 30)
    look(db, 0, [*WORLD, tune("alpha/base", count=5)], LINEAGE)
    look(db, 1, [*WORLD, tune("alpha/base", count=5), grown], LINEAGE)
    assert db.rows("SELECT entity, value, panel_holds FROM flips") == [("Beta", 120, False)]
    look(db, 1, [WORLD[0], WORLD[1]._replace(downloads_30d=200), tune("beta/base", count=5), grown], LINEAGE, hour=12)

    assert db.rows("SELECT entity, value, panel_holds FROM flips") == [("Beta", 235, True)]


def test_a_small_warehouse_notes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    monkeypatch.setattr(changed, "note", lambda db, changing: noted.append(changing))
    with warehouse() as db:
        look(db, 0, [*WORLD, tune("beta/base")], LINEAGE)
        look(db, 1, [*WORLD, tune("alpha/base")], LINEAGE)

    assert noted == []
