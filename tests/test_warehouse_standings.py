from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from small_hub import REGISTRY, START, day, look, model, moment, series, standing
from spine import warehouse

from jobs import prune, rank
from warehouse.changes import panel
from warehouse.db import Database
from warehouse.ranking import movement, places, standings
from warehouse.ranking.boards import Board
from warehouse.ranking.made import days_of
from warehouse.ranking.moves import NOBODY
from warehouse.records import HubModel, Snapshot
from warehouse.registry import Family, Registry
from warehouse.snapshots import store

OWN = Board(name="own", entity="family")
LINEAGE = Board(name="lineage", entity="family", scope="lineage")
NATIONS = Board(name="nations", entity="country", scope="lineage")
WEEK = Board(name="week", entity="family", measure="downloads_7d")
CHILDREN = Board(name="children", entity="family", measure="derivatives")

FANS = Registry([*REGISTRY.families, Family(name="None", country="XX", publishers=("fan",), include=("none-*",))])
"""A registry that polls a publisher of derivatives too."""

WORLD = [
    model("alpha/base", 100),
    model("beta/base", 50),
    model("gamma/base", 10),
    model("fan/alpha-tune", 7, parents=["alpha/base"]),
    model("fan/two", 9, parents=["alpha/base", "beta/base"]),
    model("fan/half-known", 4, parents=["gamma/base", "who/knows"]),
    model("fan/nobodys", 1000),
]


@pytest.fixture
def db() -> Iterator[Database]:
    with warehouse() as database:
        yield database


# Scopes


def test_own_counts_what_the_families_publish_themselves(db: Database) -> None:
    look(db, 0, WORLD, OWN)

    assert standing(db, "own", 0) == {"Alpha": 100, "Beta": 50, "Gamma": 10}


def test_lineage_divides_a_merge_and_leaves_out_what_is_nobodys(db: Database) -> None:
    look(db, 0, WORLD, LINEAGE)

    assert standing(db, "lineage", 0) == {"Alpha": 111.5, "Beta": 54.5, "Gamma": 12}


def test_countries_are_divided_by_their_families(db: Database) -> None:
    look(db, 0, WORLD, NATIONS)

    assert standing(db, "nations", 0) == {"US": 111.5, "CN": 66.5}


def test_shares_are_of_what_is_ranked(db: Database) -> None:
    look(db, 0, WORLD, LINEAGE)
    shares = dict(db.rows("SELECT entity, share FROM standings"))

    assert shares["Alpha"] == pytest.approx(111.5 / 178)
    assert sum(shares.values()) == pytest.approx(1)


names = st.sampled_from([f"{who}/{n}" for who in ("alpha", "beta", "gamma", "fan") for n in range(4)])


@settings(max_examples=examples(15), deadline=None)
@given(st.dictionaries(names, st.tuples(st.integers(0, 10**9), st.lists(names, max_size=4)), min_size=1))
def test_families_and_the_unattributed_sum_to_the_total_exactly(world: dict[str, tuple[int, list[str]]]) -> None:
    models = [model(name, count, parents=parents) for name, (count, parents) in world.items()]
    with warehouse() as database:
        look(database, 0, models, LINEAGE, NATIONS)
        nobodys = database.value(
            "SELECT coalesce(sum(downloads_30d * share), 0) FROM observations JOIN shares USING (hub_id) "
            "WHERE family IS NULL"
        )
        for board in ("lineage", "nations"):
            ranked = sum(map(Fraction, standing(database, board, 0).values()))
            assert ranked + Fraction(nobodys) == sum(count for count, _ in world.values())


def test_curated_counts_own_repositories_of_the_list_and_no_others(db: Database) -> None:
    qwen = Registry([Family(name="Qwen", country="CN", publishers=("Qwen",))])
    listed, unlisted = model("Qwen/Qwen2.5-7B-Instruct", 5), model("Qwen/Something-New", 70)
    renamed = model("Qwen/Qwen3-8B", 300, hub_id="r")
    board = Board(name="curated", entity="family", scope="curated")
    look(db, 0, [listed, unlisted, renamed], board, registry=qwen)
    assert standing(db, "curated", 0) == {"Qwen": 305}

    look(db, 1, [listed, unlisted, model("Qwen/Qwen3-8B-Renamed", 300, hub_id="r")], board, registry=qwen)
    assert standing(db, "curated", 1) == {"Qwen": 305}, "the list has it by the name it had then"


# Measures


def test_a_week_is_ranked_from_the_first_day_on_which_it_is_covered(db: Database) -> None:
    for number in range(9):
        look(db, number, [model("alpha/a", 1000 + 10 * number), model("beta/b", 20 * number)], OWN, WEEK)

    assert [standing(db, "week", number) for number in (6, 7, 8)] == [
        {},
        {"Beta": 140, "Alpha": 70},
        {"Beta": 140, "Alpha": 70},
    ]


def test_a_suspect_or_partial_day_is_no_end_of_a_span(db: Database) -> None:
    for number in range(9):
        broken = number == 1
        models = [model("alpha/a", 5 if broken else 1000 + 10 * number)]
        look(db, number, models, WEEK, verdict="suspect" if broken else "complete")

    assert standing(db, "week", 8) == {"Alpha": 70}, "the level on day 1 lies between those of days 0 and 2"


def test_growth_is_measured_of_those_alone_who_count(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    measured, asked = movement.measured, set[Any]()

    @contextmanager
    def watched(*given: Any, **more: Any) -> Iterator[str]:  # noqa: ANN401
        with measured(*given, **more) as counts:
            asked.update(db.rows(f"SELECT hub_id FROM ({counts})"))
            yield counts

    monkeypatch.setattr(movement, "measured", watched)
    for number in range(8):
        look(db, number, [model("alpha/a", 10 * number), model("fan/b", 5 * number)], WEEK)

    assert standing(db, "week", 7) == {"Alpha": 70}
    assert asked == {("id:alpha/a",)}


def test_a_list_that_grew_adds_nothing_to_a_week(db: Database) -> None:
    for number in range(9):
        models = [model("alpha/a", 10 * number)]
        if number == 8:
            models += [model(f"alpha/found-{n}", 10**6) for n in range(5)]
        look(db, number, models, WEEK)

    assert standing(db, "week", 8) == {"Alpha": 70}


def test_a_model_created_within_the_week_counts_from_nothing(db: Database) -> None:
    for number in range(9):
        models = [model("alpha/a", 10 * number)]
        if number >= 5:
            models.append(model("alpha/new", 100 * (number - 4), created=5))
        look(db, number, models, WEEK)

    assert standing(db, "week", 8) == {"Alpha": 470}


def test_derivatives_are_models_of_others_known_by_the_day_and_not_deleted(db: Database) -> None:
    recent = Board(name="recent", entity="family", measure="derivatives_28d")
    roots = Board(name="roots", entity="model", measure="derivatives")
    own_tune = model("alpha/tune", 3, parents=["alpha/base"])
    look(db, 0, [*WORLD, own_tune], CHILDREN, recent, roots, registry=FANS)
    more = [*WORLD, own_tune, model("fan/later", 1, created=0, parents=["fan/alpha-tune"])]
    look(db, 1, more, CHILDREN, recent, roots, registry=FANS)
    look(db, 2, [m for m in more if m.repo_id != "fan/alpha-tune"], CHILDREN, recent, roots, registry=FANS)

    days = [standing(db, "children", number) for number in range(3)]
    assert [children["Alpha"] for children in days] == [2, 3, 2]
    assert days[0]["Gamma"] == 1
    assert standing(db, "recent", 1) == {"Alpha": 1}
    assert standing(db, "roots", 1)["alpha/base"] == 3


def test_a_derivative_that_a_look_did_not_show_counts_until_it_is_known_to_be_gone(db: Database) -> None:
    look(db, 0, WORLD, CHILDREN)
    look(db, 1, [one for one in WORLD if one.publisher != "fan"], CHILDREN)

    assert standing(db, "children", 1) == standing(db, "children", 0) == {"Alpha": 2, "Gamma": 1}


def test_a_deleted_model_leaves_with_a_date_and_comes_back_without(db: Database) -> None:
    def gone() -> object:
        return db.value("SELECT gone_on FROM models WHERE repo_id = 'alpha/b'")

    both = [model("alpha/a", 1), model("alpha/b", 1)]
    look(db, 0, both)
    look(db, 1, both[:1], verdict="partial")
    assert gone() is None, "a look that is not complete says nothing about who is gone"
    look(db, 2, both[:1])
    assert gone() == day(2)
    look(db, 4, both)
    assert gone() is None


def table(db: Database, number: int, models: list[HubModel], *boards: Board, source: str = "hub-stats") -> None:
    """A day of a table that shows everything."""
    with db.transaction():
        snapshot_id = store.next_snapshot_id(db, moment(number, 4))
        head = Snapshot(snapshot_id, source, moment(number, 4), day(number), "complete", "", len(models))
        store.write_snapshot(db, head, store.model_frame(models), revision="a test")
        rank.run(db, boards, FANS, seen=True)


def test_history_that_comes_late_dates_no_end_later_than_the_first_look_without_a_model(db: Database) -> None:
    def gone() -> dict[str, object]:
        return dict(db.rows("SELECT repo_id, gone_on FROM models WHERE gone_on IS NOT NULL"))

    stays, deleted, unknown = (model(f"alpha/{name}", 1) for name in "abc")
    look(db, 0, [stays, deleted])
    look(db, 7, [stays])
    look(db, 14, [stays])
    table(db, 5, [stays, deleted, unknown])
    assert gone() == {"alpha/b": day(7), "alpha/c": day(7)}
    table(db, 9, [stays, unknown])
    assert gone() == {"alpha/b": day(7), "alpha/c": day(14)}, "who was there after all is gone with the next look"
    look(db, 21, [stays, deleted])
    assert gone() == {"alpha/c": day(14)}

    somebodys = model("somebody/d", 1)
    table(db, 16, [stays], source="census")
    table(db, 15, [stays, somebodys, model("somebody/new", 1, created=15)])
    assert gone() == {"alpha/c": day(14), "somebody/d": day(16)}, "a census is late with what was created just now"


def test_derivatives_that_were_there_after_all_count_on_the_days_that_stand(db: Database) -> None:
    roots = Board(name="roots", entity="model", measure="derivatives")
    tune, late = WORLD[3], model("fan/late", 3, parents=["beta/base"], created=1)
    everything = [one for one in WORLD if one is not tune]
    for number, models in enumerate((WORLD, everything, everything, WORLD)):
        look(db, number, models, CHILDREN, roots, registry=FANS)
    assert standing(db, "children", 1) == standing(db, "children", 3) == {"Alpha": 2, "Gamma": 1}, "it was back"

    look(db, 4, [*WORLD, late], CHILDREN, roots, registry=FANS)
    assert standing(db, "roots", 2) == {"alpha/base": 2, "gamma/base": 1}
    table(db, 2, [late], CHILDREN, roots)
    assert standing(db, "roots", 2) == {"alpha/base": 2, "beta/base": 1, "gamma/base": 1}, "it was seen earlier"
    assert standing(db, "children", 2) == {"Alpha": 2, "Beta": 1, "Gamma": 1}


def test_counts_that_are_not_known_leave_an_entity_without_a_value(db: Database) -> None:
    look(db, 0, [model("alpha/a", None), model("beta/b", 0)], OWN)

    assert standing(db, "own", 0) == {"Beta": 0}


# Kept up to date


def everything(db: Database) -> list[tuple[object, ...]]:
    return db.rows(
        "SELECT board, day, snapshot_id, rank, entity, value, share, previous_rank FROM standings ORDER BY ALL"
    )


def rank_anew(db: Database, *boards: Board) -> None:
    with db.transaction():
        for table in (*places.TABLES, "ranked_models", "rankings", "boards", "flips"):
            db.execute(f"DELETE FROM {table}")
        rank.run(db, boards, REGISTRY)


def test_ranking_day_by_day_gives_what_ranking_anew_gives(db: Database) -> None:
    boards = (OWN, LINEAGE, NATIONS, WEEK, CHILDREN, Board(name="models", entity="model"))
    for number in range(12):
        models = [
            model("alpha/a", 1000 + 7 * number - (300 if number in (5, 6) else 0)),
            model("beta/b", 900 + 20 * number),
            model("fan/c", 5 * number, parents=["alpha/a", "beta/b"]),
        ]
        look(db, number, models[: 3 if number > 3 else 2], *boards)
    before = everything(db)
    rank_anew(db, *boards)

    assert everything(db) == before


@pytest.mark.parametrize("windows", [(1,), (2,), (1, 3), rank.WINDOWS])
def test_flips_found_day_by_day_in_the_last_days_are_those_of_all_days(
    db: Database, monkeypatch: pytest.MonkeyPatch, windows: tuple[int, ...]
) -> None:
    monkeypatch.setattr(rank, "WINDOWS", windows)
    counts = [
        (9, 5, 1),
        (9, 9, 1),
        (8, 9, 2),
        (8, 8, 2),
        (8, 8, 8),
        (9, 8, 9),
        (9, 8, 8),
        (7, 8, 8),
        (7, 9, 8),
        (9, 7, 8),
    ]
    for number, (alpha, beta, gamma) in enumerate(counts):
        look(db, number, [model("alpha/a", alpha), model("beta/b", beta), model("gamma/c", gamma)], OWN)
    found = db.rows("FROM flips ORDER BY ALL")
    monkeypatch.setattr(panel, "FEW", 2)
    monkeypatch.setattr(panel, "COUNTS_AT_ONCE", 0)
    rank_anew(db, OWN)

    assert db.rows("FROM flips ORDER BY ALL") == found
    assert len(found) > 5


def test_days_on_which_nobody_has_a_count_change_no_order(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank, "WINDOWS", (1,))
    for number, (alpha, beta) in enumerate([(9, 5), (None, None), (None, None), (4, 5)]):
        look(db, number, [model("alpha/a", alpha), model("beta/b", beta)], OWN)

    assert db.rows("SELECT kind, entity, rival, day FROM flips") == [("lead_change", "Beta", "Alpha", day(3))]


def test_nothing_new_means_nothing_to_do(db: Database) -> None:
    look(db, 0, WORLD, OWN, WEEK, LINEAGE)
    with db.transaction():
        assert rank.run(db, [OWN, WEEK, LINEAGE], REGISTRY).boards == {}


def test_a_day_that_arrives_late_changes_the_weeks_after_it(db: Database) -> None:
    for number in (0, 2, 8, 9):
        look(db, number, [model("alpha/a", 10 * number)], WEEK)
    assert standing(db, "week", 8) == {"Alpha": 70}
    look(db, 1, [model("alpha/a", 5)], WEEK)

    assert standing(db, "week", 8) == {"Alpha": 75}


def test_a_model_that_moves_takes_its_history_along(db: Database) -> None:
    publishers = Board(name="publishers", entity="publisher")
    stays, moves = model("alpha/a", 10), model("alpha/b", 5, hub_id="b")
    look(db, 0, [stays, moves, model("beta/c", 6)], publishers, OWN)
    look(db, 1, [stays, model("beta/b", 5, hub_id="b"), model("beta/c", 6)], publishers, OWN)

    assert standing(db, "publishers", 0) == standing(db, "publishers", 1) == {"beta": 11, "alpha": 10}
    assert standing(db, "own", 0) == {"Beta": 11, "Alpha": 10}
    assert db.rows("SELECT * FROM flips") == [], "nobody passed anybody between the two days"


def test_a_parent_that_becomes_known_changes_the_history_of_its_children(db: Database) -> None:
    orphan = model("fan/tune", 8, parents=["fan/middle"])
    look(db, 0, [model("alpha/a", 1), orphan], LINEAGE)
    assert standing(db, "lineage", 0) == {"Alpha": 1}
    look(db, 1, [model("alpha/a", 1), orphan, model("fan/middle", 0, parents=["alpha/a"])], LINEAGE)

    assert standing(db, "lineage", 0) == {"Alpha": 9}


def test_a_description_that_changed_moves_a_model_into_the_history_of_its_condition(db: Database) -> None:
    board = Board(name="mit", entity="family", where="license = 'mit'")
    look(db, 0, [model("alpha/a", 3, license="other")], board)
    look(db, 1, [model("alpha/a", 3, license="mit")], board)

    assert standing(db, "mit", 0) == {"Alpha": 3}


MODELS = Board(name="models", entity="model")


def test_of_many_places_the_first_are_kept_and_all_who_share_the_last(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "KEPT", 2)
    counts = {"alpha/a": 50, "alpha/b": 30, "beta/a": 30, "beta/b": 20, "gamma/a": 10}
    look(db, 0, [model(name, count) for name, count in counts.items()], MODELS)

    kept = db.rows("SELECT entity, rank, share FROM standings ORDER BY rank, entity")
    assert [row[:2] for row in kept] == [("alpha/a", 1), ("alpha/b", 2), ("beta/a", 2)]
    assert kept[0][2] == pytest.approx(50 / 140), "shares are of the whole"


def test_who_comes_from_below_the_places_that_are_kept_had_no_rank(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "KEPT", 2)
    for number, last in enumerate((1, 100)):
        look(db, number, [model("alpha/a", 50), model("alpha/b", 30), model("beta/a", last)], MODELS)

    ranks = "SELECT entity, rank, previous_rank FROM standings WHERE day = $day ORDER BY rank"
    assert db.rows(ranks, {"day": day(1)}) == [("beta/a", 1, None), ("alpha/a", 2, 1)]


def test_who_is_gone_stands_on_the_days_that_saw_him(db: Database) -> None:
    for number, seen in enumerate((["alpha/one", "beta/one"], ["beta/one"], ["beta/one", "gamma/one"])):
        look(db, number, [model(name, 10 + number) for name in seen], OWN)
    look(db, 3, [model("beta/one", 13)], OWN)
    with db.transaction():
        db.execute("DELETE FROM boards")
        rank.run(db, [OWN], REGISTRY)

    assert [standing(db, OWN.name, number) for number in range(4)] == [
        {"Alpha": 10, "Beta": 10}, {"Beta": 11}, {"Beta": 12, "Gamma": 12}, {"Beta": 13},
    ]  # fmt: skip


def test_days_are_ranked_a_few_at_a_time_to_the_same_end(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    boards = [MODELS, Board(name="publishers", entity="publisher"), OWN, WEEK]
    for number in range(11):
        look(db, number, [model("alpha/a", 50 - number), model("beta/a", 46 + number), model("gamma/a", 48)], *boards)
    before = everything(db)
    for few in ("_AT_ONCE", "_MONTH_AT_ONCE", "_MEASURED_AT_ONCE"):
        monkeypatch.setattr(standings, few, 6)
    rank_anew(db, *boards)

    assert everything(db) == before


def test_who_is_renamed_far_below_has_no_day_ranked_again(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "KEPT", 1)
    first, low = model("alpha/a", 50), model("alpha/low", 3, hub_id="low")
    look(db, 0, [first, low], MODELS)
    look(db, 1, [first, model("alpha/other", 3, hub_id="low")], MODELS)
    with db.transaction():
        assert rank.run(db, [MODELS], REGISTRY).boards == {}
    look(db, 2, [model("alpha/b", 50, hub_id="id:alpha/a"), low], MODELS)

    assert standing(db, "models", 0) == {"alpha/b": 50}, "who stands on the board takes its history along"


def test_on_a_board_of_millions_a_renamed_model_is_renamed_in_place(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "KEPT", 30)
    crowd = [model(f"alpha/{n}", 1000 - n) for n in range(40)]
    for number in range(3):
        look(db, number, crowd, MODELS)
    renamed = [*crowd[:25], model("alpha/new", 975, hub_id="id:alpha/25"), *crowd[26:]]
    with db.transaction():
        store.write_snapshot(db, Snapshot(1, "notes", moment(3), day(3), "partial", "", 40), store.model_frame(renamed))
        assert rank.run(db, [MODELS], REGISTRY).boards == {}

    said = [list(standing(db, "models", number)) for number in range(3)]
    assert said == [[one.repo_id for one in renamed[:30]]] * 3
    before = everything(db)
    rank_anew(db, MODELS)
    assert everything(db) == before


def test_a_renamed_leader_has_its_flips_told_by_its_name_of_now_and_no_day_ranked_again(db: Database) -> None:
    for number, count in enumerate((10, 60, 70)):
        look(db, number, [model("alpha/a", count, hub_id="a"), model("beta/b", 50, hub_id="b")], MODELS)
    signs = "SELECT day, checksum FROM rankings ORDER BY day"
    before = db.rows(signs)
    with db.transaction():
        renamed = [model("alpha/new", 70, hub_id="a"), model("beta/b", 50, hub_id="b")]
        store.write_snapshot(db, Snapshot(1, "notes", moment(3), day(3), "partial", "", 2), store.model_frame(renamed))
        assert rank.run(db, [MODELS], REGISTRY).boards == {"models": day(0)}

    assert db.rows(signs) == before, "so that no day is published again either"
    assert db.rows("SELECT entity, rival, day FROM flips") == [("alpha/new", "beta/b", day(1))]
    assert standing(db, "models", 0) == {"beta/b": 50, "alpha/new": 10}


def test_who_moves_far_below_the_top_of_a_deep_board_leaves_the_days_that_are_over_as_they_were(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishers = Board(name="publishers", entity="publisher")
    monkeypatch.setattr(places, "KEPT", 3)
    monkeypatch.setattr(places, "FOLLOWED", 1)
    big, low = model("alpha/a", 50, hub_id="big"), model("beta/b", 5, hub_id="low")
    crowd = [model("gamma/c", 3), model("gamma/d", 4)]
    look(db, 0, [big, low, *crowd], publishers)
    look(db, 1, [big, model("gamma/b", 5, hub_id="low"), *crowd], publishers)
    assert standing(db, "publishers", 0) == {"alpha": 50, "gamma": 7, "beta": 5}
    assert standing(db, "publishers", 1) == {"alpha": 50, "gamma": 12}
    look(db, 2, [model("delta/a", 50, hub_id="big"), model("gamma/b", 5, hub_id="low"), *crowd], publishers)

    assert standing(db, "publishers", 0) == {"delta": 50, "gamma": 7, "beta": 5}, "who is large takes its history along"
    assert standing(db, "publishers", 1) == standing(db, "publishers", 2) == {"delta": 50, "gamma": 12}
    assert db.rows("FROM flips") == []


COUNTS = st.lists(st.integers(1, 60), min_size=6, max_size=6)


@settings(max_examples=examples(40, usual=4), deadline=None)
@given(
    st.lists(COUNTS, min_size=2, max_size=4),
    st.dictionaries(st.integers(0, 5), st.sampled_from(["p0", "p1", "q", "r"]), min_size=1),
    st.booleans(),
)
def test_who_moves_near_the_top_of_a_deep_board_has_on_all_days_what_ranking_anew_gives(
    days: list[list[int]], moves: dict[int, str], packed: bool
) -> None:
    publishers = Board(name="publishers", entity="publisher")
    homes = [f"p{number % 4}" for number in range(6)]
    with warehouse() as db, pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "KEPT", 3)
        patch.setattr(standings, "_SHIFTED_AT_ONCE", 6)

        def show(number: int, counts: list[int]) -> None:
            listed = [model(f"{homes[n]}/{n}", count, hub_id=str(n)) for n, count in enumerate(counts)]
            look(db, number, listed, publishers)

        for number, counts in enumerate(days):
            show(number, counts)
        if packed:
            prune.run(db, now=moment(40), keep_daily_days=120)
        least = min(standing(db, "publishers", len(days) - 1).values())
        large = {number: to for number, to in moves.items() if days[-1][number] >= least}
        homes = [large.get(number, home) for number, home in enumerate(homes)]
        show(len(days), days[-1])
        said = "SELECT day, rank, entity, value, round(share, 12) FROM standings ORDER BY ALL"
        found = db.rows(said)
        floors = {day: min(row[3] for row in found if row[0] == day) for day, *_ in found}
        flips = db.rows("FROM flips ORDER BY ALL")
        with db.transaction():
            db.execute("DELETE FROM flips")
            rank._find_flips(db, publishers, day(0), [], rank._As(day(0), NOBODY))

        assert db.rows("FROM flips ORDER BY ALL") == flips
        rank_anew(db, publishers)

        assert found == [row for row in db.rows(said) if row[3] >= floors[row[0]]]


def test_a_large_model_that_a_deep_board_did_not_ask_for_is_there_on_all_days_once_it_does(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(name="mit", entity="model", where="license = 'mit'")
    monkeypatch.setattr(places, "KEPT", 2)
    monkeypatch.setattr(places, "FOLLOWED", 2)
    rest = [model(f"alpha/{count}", count, license="mit") for count in (50, 40, 30)]
    for number, terms in enumerate(("other", "mit")):
        look(db, number, [*rest, model("beta/big", 90, license=terms)], board)

    assert [standing(db, "mit", number) for number in (0, 1)] == [{"beta/big": 90, "alpha/50": 50}] * 2
    assert db.rows("FROM flips") == [], "it had led before, but was not counted"


def test_a_publisher_near_the_top_of_a_deep_board_has_its_present_name_on_all_days(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishers = Board(name="publishers", entity="publisher")
    monkeypatch.setattr(places, "KEPT", 3)
    monkeypatch.setattr(places, "FOLLOWED", 2)
    others = [model("beta/a", 50), *(model(f"gamma/{n}", 1) for n in range(3))]
    small = [model(f"alpha/{number}", 9, hub_id=f"small {number}") for number in range(4)]
    look(db, 0, [*small, *others], publishers)
    look(db, 1, [*(model(f"delta/{n}", 9, hub_id=f"small {n}") for n in range(4)), *others], publishers)

    assert [standing(db, "publishers", n) for n in (0, 1)] == [{"beta": 50, "delta": 36, "gamma": 3}] * 2


def test_a_board_that_is_gone_leaves_nothing(db: Database) -> None:
    look(db, 0, WORLD, OWN)
    with db.transaction():
        rank.run(db, [], REGISTRY)

    assert [db.value(f"SELECT count(*) FROM {table}") for table in ("standings", "rankings", "boards")] == [0, 0, 0]


def test_a_series_is_ranked_as_imported_and_a_second_import_replaces_a_day(db: Database) -> None:
    board = Board(name="s", entity="publisher", measure="series:it's")
    series(db, "it's", [(START, "a", 1.0), (START, "b", 2.0)], board)
    series(db, "it's", [(START, "a", 3.0), (START, "b", 2.0)], board)

    assert standing(db, "s", 0) == {"a": 3, "b": 2}


def test_our_own_look_goes_before_an_imported_one_of_the_same_day(db: Database) -> None:
    own = look(db, 0, WORLD, OWN)
    later = Snapshot(own + 5, "archive", moment(0, 23), day(0), "complete", "", 1)
    archived: list[HubModel] = [model("alpha/base", 1)]
    with db.transaction():
        store.write_snapshot(db, later, store.model_frame(archived))
        rank.run(db, [OWN], REGISTRY)

    assert days_of(db, OWN) == {day(0): own}


def test_three_hundred_thousand_models_are_ranked_exactly(db: Database) -> None:
    """A tenth of the Hub. The whole of it is measured in the benchmark."""
    size = 300_000
    ids = pl.int_range(size, eager=True).cast(pl.String)
    own = ids.rank("ordinal") <= 1000
    frame = pl.DataFrame({"hub_id": ids, "repo_id": "x/" + ids, "count": pl.int_range(size, eager=True), "own": own})
    with db.view_of("made", frame):
        db.execute("INSERT INTO model_names SELECT count, hub_id, repo_id FROM made")
        for number in range(2):
            db.execute(
                "INSERT INTO snapshots SELECT $n, 'hub', $at, $day, 'complete', '', 0, 0, 0, NULL, NULL",
                {"n": number, "at": moment(8 * number), "day": day(8 * number)},
            )
            db.execute(
                "INSERT INTO recent_observations SELECT $n, $day, count, count, count, 1 FROM made",
                {"n": number, "day": day(8 * number)},
            )
        db.execute(
            "INSERT INTO models (hub_id, repo_id, publisher, family, first_seen, last_seen, own) "
            "SELECT hub_id, repo_id, 'x', 'Alpha', DATE '2026-01-01', DATE '2026-01-09', own FROM made"
        )
        db.execute("INSERT INTO shares SELECT hub_id, 'Alpha', 1.0 FROM made")
    with db.transaction():
        store.write_registry(db, REGISTRY)
        for board in (OWN, LINEAGE, WEEK):
            standings.refresh(db, board, "f")
    assert standing(db, "lineage", 8) == {"Alpha": size * (size - 1) / 2}
