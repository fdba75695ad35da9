"""Facts in: what is not known stays unknown, nothing is changed afterwards, and a model stays itself when renamed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from spine import REGISTRY, day, head, listed, model, moment, warehouse

from warehouse.db import Database
from warehouse.records import HubModel, Listing, Parent, Rejected
from warehouse.registry import Family, Registry
from warehouse.snapshots import store


def write(db: Database, number: int, models: list[HubModel], *, hour: int = 10, source: str = "hub") -> int:
    """A snapshot of a day by its number, as collect writes one; its id."""
    at = moment(number, hour)
    with db.transaction():
        snapshot_id = store.next_snapshot_id(db, at)
        snapshot = head(snapshot_id, number, models=len(models), taken_at=at, source=source)
        store.write_snapshot(db, snapshot, store.model_frame(models))
        store.attribute(db, REGISTRY)
    return snapshot_id


# Ids


def test_an_id_sorts_by_time_and_no_two_are_the_same() -> None:
    with warehouse() as db:
        ids = [write(db, number, listed(2, 1), hour=hour) for number, hour in [(0, 9), (0, 10), (0, 10), (1, 9)]]
    assert ids == [20260501090000000, 20260501100000000, 20260501100000001, 20260502090000000]


def test_an_id_is_utc_whatever_zone_its_moment_is_told_in() -> None:
    tokyo = timezone(timedelta(hours=9))
    with warehouse() as db:
        assert store.next_snapshot_id(db, datetime(2026, 5, 2, 1, 0, tzinfo=tokyo)) == 20260501160000000


@settings(deadline=None, max_examples=examples(20))
@given(st.lists(st.integers(0, 5), max_size=12))
def test_ids_are_unique_whatever_seconds_they_fall_into(seconds: list[int]) -> None:
    with warehouse() as db:
        ids = []
        for second in seconds:
            ids.append(store.next_snapshot_id(db, moment(0) + timedelta(seconds=second)))
            store.write_snapshot(db, head(ids[-1]), store.model_frame([]))
        assert len(set(ids)) == len(ids)
        assert [db.value("SELECT count(*) FROM snapshots")] == [len(ids)]


# Observations


def test_what_the_hub_did_not_say_is_null_and_never_0() -> None:
    with warehouse() as db:
        write(db, 0, [model("alpha-lab/unknown", None, likes=None), model("alpha-lab/zero", 0, likes=0)])
        seen = db.rows("SELECT repo_id, downloads_30d, downloads_all_time, likes FROM observations ORDER BY repo_id")
    assert seen == [("alpha-lab/unknown", None, None, None), ("alpha-lab/zero", 0, None, 0)]


def test_every_field_of_a_model_arrives_as_it_was() -> None:
    full = model(
        "beta-ai/full",
        2**40,
        downloads_all_time=2**50,
        likes=7,
        parameters=7_000_000_000,
        pipeline_tag="text-generation",
        library="transformers",
        license="apache-2.0",
        gated="manual",
        disabled=False,
        parents=(Parent("finetune", "alpha-lab/base"), Parent(None, "gamma/other")),
    )
    with warehouse() as db:
        write(db, 0, [full])
        row = db.records("FROM models")[0]
        counts = db.rows("SELECT downloads_30d, downloads_all_time, likes, day FROM observations")
    described = {name: row[name] for name in ("hub_id", "repo_id", "publisher", "created_at", "parameters", "license")}
    assert described == {name: getattr(full, name) for name in described}
    assert (row["gated"], row["disabled"], row["library"]) == ("manual", False, "transformers")
    assert row["parents"] == [
        {"relation": "finetune", "repo_id": "alpha-lab/base"},
        {"relation": None, "repo_id": "gamma/other"},
    ]
    assert counts == [(2**40, 2**50, 7, day(0))]


def test_a_second_look_on_a_day_is_kept_beside_the_first() -> None:
    with warehouse() as db:
        first, second = write(db, 0, listed(2, 1)), write(db, 0, listed(3, 1), hour=15)
        counts = dict(db.rows("SELECT snapshot_id, downloads_30d FROM observations WHERE repo_id LIKE 'alpha%'"))
        assert counts == {first: 2, second: 3}
        assert db.value("SELECT count(*) FROM snapshots WHERE day = $day", {"day": day(0)}) == 2


def test_a_failed_look_leaves_its_head_and_the_models_as_they_were() -> None:
    with warehouse() as db:
        write(db, 0, listed(2, 1))
        before = db.rows("FROM models ORDER BY hub_id")
        failed = head(1, 1, verdict="failed", verdict_reason="nobody answered")
        store.write_snapshot(db, failed, store.model_frame([]), revision="http://hub", measured={"tried": 3})
        assert db.rows("FROM models ORDER BY hub_id") == before
        assert db.rows("SELECT verdict, revision, measured FROM snapshots WHERE snapshot_id = 1") == [
            ("failed", "http://hub", '{"tried": 3}')
        ]


def test_how_complete_each_listing_was_is_kept() -> None:
    listings = [
        Listing("alpha-lab", tuple(listed(2, 1)[:1]), 1),
        Listing("a-user", (), None, rejected=(Rejected(None, "no _id"),)),
        Listing("beta-ai", (), 5, problem="listed 0 of 5"),
    ]
    with warehouse() as db:
        store.write_snapshot(db, head(1), store.model_frame(listed(2, 1)), listings=listings)
        kept = db.rows("SELECT publisher, listed, num_models, rejected, problem FROM listings ORDER BY publisher")
    assert kept == [("a-user", 0, None, 1, None), ("alpha-lab", 1, 1, 0, None), ("beta-ai", 0, 5, 0, "listed 0 of 5")]


# Models


def test_a_renamed_model_stays_itself_and_its_old_name_is_remembered() -> None:
    old = model("alpha-lab/alpha-1", 5, hub_id="the-same")
    new = model("alpha-labs-new-home/alpha-1", 6, hub_id="the-same")
    with warehouse() as db:
        write(db, 0, [old])
        write(db, 1, [new])
        assert db.rows("SELECT hub_id, repo_id, publisher, first_seen, last_seen FROM models") == [
            ("the-same", new.repo_id, "alpha-labs-new-home", day(0), day(1))
        ]
        assert db.rows("SELECT repo_id FROM observations ORDER BY day") == [(old.repo_id,), (new.repo_id,)]
        assert db.rows("SELECT repo_id FROM model_versions ORDER BY snapshot_id") == [(old.repo_id,), (new.repo_id,)]


def test_a_child_that_names_its_base_by_a_former_name_still_finds_it() -> None:
    base = model("alpha-lab/alpha-1", 5, hub_id="the-base")
    child = model("stranger/tuned", 1, parents=(Parent("finetune", "alpha-lab/alpha-1"),))
    with warehouse() as db:
        write(db, 0, [base, child])
        write(db, 1, [base._replace(repo_id="alpha-lab/alpha-1-renamed"), child])
        assert db.rows("SELECT root_repo_id, relation FROM models WHERE repo_id = 'stranger/tuned'") == [
            ("alpha-lab/alpha-1-renamed", "finetune")
        ]


def test_a_description_is_written_only_when_it_changed() -> None:
    plain = model("alpha-lab/alpha-1", 5)
    with warehouse() as db:
        write(db, 0, [plain])
        write(db, 1, [plain._replace(downloads_30d=9)])
        write(db, 2, [plain._replace(gated="manual")])
        write(db, 3, [plain._replace(gated="manual")])
        write(db, 4, [plain._replace(gated="manual", parents=(Parent("merge", "x/y"),))])
        versions = db.rows("SELECT gated, len(parents) FROM model_versions ORDER BY snapshot_id")
    assert versions == [(None, None), ("manual", None), ("manual", 1)]


def test_a_description_is_compared_in_full_when_its_number_says_that_it_may_be_another() -> None:
    plain = model("alpha-lab/alpha-1", 5, parents=(Parent("merge", "x/y"),))
    with warehouse() as db:
        write(db, 0, [plain])
        known = db.rows("FROM models")
        db.execute("UPDATE models SET digest = 7")  # as if another DuckDB had another hash
        write(db, 0, [plain], hour=15)
        assert db.rows("FROM models") == known
        assert db.value("SELECT count(*) FROM model_versions") == 1


def test_a_model_that_is_gone_keeps_its_place_and_the_day_it_was_seen_last() -> None:
    with warehouse() as db:
        write(db, 0, listed(2, 1))
        write(db, 1, listed(2, 1)[:2])
        seen = dict(db.rows("SELECT repo_id, last_seen FROM models"))
    assert seen == {"alpha-lab/alpha-1": day(1), "beta-ai/beta-1": day(1), "gamma/gamma-1": day(0)}


def test_a_model_that_comes_back_after_months_is_who_it_was() -> None:
    gone, stays, *_ = listed(1, 1)
    with warehouse() as db:
        write(db, 0, [gone, stays])
        for number in (60, 90):
            write(db, number, [stays])
        back = write(db, 91, [gone._replace(downloads_30d=6), stays])
        assert db.rows(
            "SELECT first_seen, last_seen, family, relation FROM models WHERE hub_id = $it", {"it": gone.hub_id}
        ) == [(day(0), day(91), "Alpha", "own")]
        counted = "SELECT downloads_30d FROM observations WHERE snapshot_id = $back AND hub_id = $it"
        assert db.rows(counted, {"back": back, "it": gone.hub_id}) == [(6,)]
        assert db.value("SELECT count(*) FROM model_versions") == 2, "nothing new was said of it"


def test_after_months_without_a_look_who_is_as_ever_is_seen_beside_who_is_new() -> None:
    known, new, *_ = listed(1, 1)
    with warehouse() as db:
        write(db, 0, [known])
        write(db, 90, [known, new])
        assert db.rows("SELECT first_seen, last_seen FROM models ORDER BY first_seen") == [
            (day(0), day(90)),
            (day(90), day(90)),
        ]


def test_an_older_backfill_fills_in_but_does_not_overwrite_what_is_newer() -> None:
    now = model("alpha-lab/new-name", 5, hub_id="m", license="mit", created_at=None)
    then = model("alpha-lab/old-name", 2, hub_id="m", license="gpl")
    with warehouse() as db:
        write(db, 9, [now])
        write(db, 3, [then], source="an-archive")
        assert db.rows("SELECT repo_id, license, created_at, first_seen, last_seen FROM models") == [
            ("alpha-lab/new-name", "mit", then.created_at, day(3), day(9))
        ]
        write(db, 10, [now._replace(repo_id="alpha-lab/newest")])
        assert db.value("SELECT repo_id FROM models") == "alpha-lab/newest"


def test_family_and_publisher_follow_the_registry_and_a_derivative_its_root() -> None:
    models = [*listed(3, 2), model("stranger/tuned", 1, parents=(Parent("finetune", "beta-ai/beta-1"),))]
    with warehouse() as db:
        write(db, 0, models)
        found = db.rows("SELECT repo_id, family, own, relation FROM models ORDER BY repo_id")
    assert found == [
        ("alpha-lab/alpha-1", "Alpha", True, "own"),
        ("beta-ai/beta-1", "Beta", True, "own"),
        ("gamma/gamma-1", "Gamma", True, "own"),
        ("stranger/tuned", "Beta", False, "finetune"),
    ]


def test_shares_follow_what_a_card_declares_and_all_others_stay() -> None:
    families, merge = listed(2, 1), model("you/merge", 1)
    both = merge._replace(parents=(Parent("merge", "alpha-lab/alpha-1"), Parent("merge", "beta-ai/beta-1")))
    every = "SELECT repo_id, s.family, s.share FROM shares AS s JOIN models USING (hub_id) ORDER BY ALL"
    with warehouse() as db:
        write(db, 0, [*families, merge])
        whole = db.rows(every)
        write(db, 1, [*families, both])
        divided = db.rows(every)
        write(db, 2, [*families, merge])
        assert db.rows(every) == whole
    assert divided == [*whole[:3], ("you/merge", "Alpha", 0.5), ("you/merge", "Beta", 0.5)]
    assert whole[3:] == [("you/merge", None, 1.0)]


def test_the_registry_is_mirrored_and_says_whether_it_changed() -> None:
    with warehouse() as db:
        assert store.write_registry(db, REGISTRY)
        assert not store.write_registry(db, REGISTRY)
        wider = Registry([*REGISTRY.families, Family(name="Delta", country="DE", publishers=("delta", "delta-old"))])
        assert store.write_registry(db, wider)
        publishers, vendor = db.rows("SELECT publishers, vendor FROM families WHERE family = 'Delta'")[0]
        assert publishers == ["delta", "delta-old"]
        assert vendor is None, "not stated, so not known"
        assert store.write_registry(db, REGISTRY)
        assert db.value("SELECT count(*) FROM families") == 3


# Series


def series(**values: dict[str, float]) -> pl.DataFrame:
    """Days d1, d2, ... each with the totals of its entities."""
    rows = [
        {"day": date(2026, 1, int(name[1:])), "entity": entity, "value": float(value)}
        for name, totals in values.items()
        for entity, value in totals.items()
    ]
    return pl.DataFrame(rows, schema={"day": pl.Date, "entity": pl.String, "value": pl.Float64})


STANDING = """
SELECT v.day, v.entity, v.value FROM series_values AS v
JOIN (SELECT day, max(snapshot_id) AS snapshot_id FROM snapshots GROUP BY day) USING (day, snapshot_id)
ORDER BY v.day, v.entity
"""


def test_a_series_imported_twice_is_written_once() -> None:
    values = series(d1={"A": 1, "B": 2}, d2={"A": 3, "B": 2.5})
    with warehouse() as db:
        assert store.write_series(db, "totals", values, revision="a.csv") == 2
        assert store.write_series(db, "totals", values.reverse(), revision="a.csv") == 0
        assert db.value("SELECT count(*) FROM snapshots") == 2
        assert db.rows("SELECT DISTINCT source, verdict, revision, taken_at::DATE = day FROM snapshots") == [
            ("series:totals", "complete", "a.csv", True)
        ]


@pytest.mark.parametrize(
    "corrected",
    [{"A": 1, "B": 9}, {"A": 1}, {"A": 1, "B": 2, "C": 3}, {"A": 1, "Z": 2}],
    ids=["value", "entity gone", "entity new", "entity renamed"],
)
def test_only_days_that_changed_are_written_again_and_the_old_import_is_kept(corrected: dict[str, float]) -> None:
    with warehouse() as db:
        store.write_series(db, "totals", series(d1={"A": 1, "B": 2}, d2={"A": 3}), revision="a.csv")
        assert store.write_series(db, "totals", series(d1=corrected, d2={"A": 3}), revision="b.csv") == 1
        standing = [(entity, value) for day_, entity, value in db.rows(STANDING) if day_ == date(2026, 1, 1)]
        assert standing == sorted(corrected.items())
        assert db.value("SELECT count(*) FROM snapshots") == 3
        assert db.value("SELECT value FROM series_values WHERE entity = 'B' ORDER BY snapshot_id LIMIT 1") == 2


def test_a_series_spells_everybody_in_one_way() -> None:
    with warehouse() as db:
        mixed = series(d1={"alpha-lab": 1, "BETA": 2}, d2={"Alpha-Lab": 3, "Beta": 2})
        assert store.write_series(db, "totals", mixed, revision="a.csv") == 2
        assert store.write_series(db, "totals", mixed, revision="a.csv") == 0
        assert (
            store.write_series(db, "totals", series(d2={"ALPHA-LAB": 4}, d3={"beta": 5, "New": 1}), revision="b") == 2
        )
        assert [row[1:] for row in db.rows(STANDING)] == [
            ("Alpha-Lab", 1), ("Beta", 2), ("Alpha-Lab", 4), ("Beta", 5), ("New", 1),
        ]  # fmt: skip


def test_days_that_an_import_does_not_name_are_left_alone() -> None:
    with warehouse() as db:
        store.write_series(db, "totals", series(d1={"A": 1}, d2={"A": 2}), revision="a.csv")
        assert store.write_series(db, "totals", series(d3={"A": 3}), revision="b.csv") == 1
        assert [row[2] for row in db.rows(STANDING)] == [1, 2, 3]


def test_two_series_do_not_know_each_other() -> None:
    with warehouse() as db:
        store.write_series(db, "one", series(d1={"A": 1}), revision="a.csv")
        assert store.write_series(db, "two", series(d1={"A": 1}), revision="a.csv") == 1
        assert db.rows("SELECT series, value FROM series_values ORDER BY series") == [("one", 1), ("two", 1)]
        assert db.value("SELECT count(DISTINCT snapshot_id) FROM snapshots") == 2


def test_the_moment_of_an_imported_day_is_its_utc_midnight() -> None:
    with warehouse() as db:
        store.write_series(db, "totals", series(d1={"A": 1}), revision="a.csv")
        assert db.value("SELECT taken_at FROM snapshots") == datetime(2026, 1, 1, tzinfo=UTC)


# Any sequence of looks, in any order of their days

name = st.sampled_from(["alpha-lab/a", "alpha-lab/b", "gamma/c"])
a_look = st.tuples(
    st.sampled_from([0, 1, 2, 29, 30, 31, 70]),
    st.dictionaries(
        st.sampled_from(["m1", "m2", "m3"]), st.tuples(name, st.sampled_from(["mit", None]), st.booleans()), min_size=1
    ),
)
Known = dict[str, Any]


def merged(known: Known | None, number: int, seen: HubModel) -> Known:
    """What is known of a model after a look: as the newest look showed it, its gaps filled from older ones."""
    if known is None:
        known = {"first": number, "last": number, "created": None, "former": set(), "name": seen.repo_id}
    newer = known["last"] <= number
    now = seen.repo_id if newer else known["name"]
    return {
        "name": now,
        "license": seen.license if newer else known["license"],
        "created": (seen.created_at or known["created"]) if newer else (known["created"] or seen.created_at),
        "former": (known["former"] | {known["name"], seen.repo_id}) - {now},
        "first": min(known["first"], number),
        "last": max(known["last"], number),
    }


@settings(deadline=None, max_examples=examples(15))
@given(st.lists(a_look, min_size=1, max_size=8))
def test_what_is_known_of_a_model_follows_from_all_looks_at_it(looks: list[tuple[int, Any]]) -> None:
    expected: dict[str, Known] = {}
    counted = []
    with warehouse() as db:
        for number, shown in looks:
            models = [
                model(repo_id, place, hub_id=hub_id, license=license_, created_at=moment(0) if dated else None)
                for place, (hub_id, (repo_id, license_, dated)) in enumerate(shown.items())
            ]
            snapshot_id = write(db, number, models)
            for seen in models:
                expected[seen.hub_id] = merged(expected.get(seen.hub_id), number, seen)
                counted.append((snapshot_id, seen.hub_id, seen.repo_id, seen.downloads_30d))
        observed = db.rows("SELECT snapshot_id, hub_id, repo_id, downloads_30d FROM observations ORDER BY ALL")
        rows = db.records("SELECT *, coalesce(former_names, []) AS former FROM models")
    found = {
        row["hub_id"]: {
            "name": row["repo_id"], "license": row["license"], "created": row["created_at"],
            "former": set(row["former"]),
            "first": (row["first_seen"] - day(0)).days, "last": (row["last_seen"] - day(0)).days,
        }
        for row in rows
    }  # fmt: skip
    assert observed == sorted(counted)
    assert found == expected
