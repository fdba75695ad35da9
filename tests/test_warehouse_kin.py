"""Attributing only what can have changed says what attributing everything says, whatever happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest
from examples import examples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from spine import REGISTRY, day, head, moment, warehouse

from warehouse.attribution import lineage
from warehouse.db import Database
from warehouse.queries import sql
from warehouse.records import HubModel, Listing, Parent
from warehouse.registry import Family, Registry
from warehouse.snapshots import adopt, store

TABLES = (
    "models", "shares", "model_versions", "model_names", "recent_observations", "snapshots", "listings", "families",
    "former_publishers", "attribution",
)  # fmt: skip

OTHER = Registry([*REGISTRY.families[:2], Family(name="Delta", country="DE", publishers=("me", "gone"))])


class Change(NamedTuple):
    """What becomes of one model."""

    hub_id: str
    name: str | None
    """None: it is listed no more; empty: it keeps the one it has."""
    parents: tuple[Parent, ...] | None
    """None: it keeps those it has."""

    def of(self, before: Change | None) -> Change:
        """This, where it was `before`."""
        name = self.name if self.name != "" else before and before.name
        parents = before and before.parents if self.parents is None else self.parents
        return Change(self.hub_id, name, parents or ())


class Step(NamedTuple):
    """Something is seen."""

    changes: tuple[Change, ...]
    ago: int
    """How many days before the last it was; 0: a new day."""
    nameless: bool
    """Whether its source knows models by their names only."""
    moved: tuple[str, str] | None
    """A publisher, and whose all its models are from now on."""
    registry: Registry
    attributed: bool
    """Whether all is attributed then, or not before more was seen."""


PUBLISHERS = ("alpha-lab", "beta-ai", "me", "you", "Me")
NAMES = st.builds("{}/{}".format, st.sampled_from(PUBLISHERS), st.sampled_from(["a", "b", "c", "B"]))
ODD = st.sampled_from(["me/\u03a3\u03a3", "me/\u03c3\u03c2", "me/k", "me/\u212a", "me/\u0130", "me/i"])
LOST = st.sampled_from(
    ["gone/x", "Gone/X", "GONE/x ", "\tgone/x", "\u00a0gone/X", "beta-ai/lost", "Beta-AI/Lost", "/x", ""]
)


def some(*names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(range(9)).flatmap(lambda n: names[min(n // 4, len(names) - 1)])


PARENTS = st.lists(
    st.builds(Parent, st.sampled_from([None, "finetune", "adapter", "merge"]), some(NAMES, LOST, ODD)), max_size=3
)
CHANGES = st.builds(
    Change,
    st.sampled_from([f"{number:x}" for number in range(10)]),
    st.one_of(st.none(), st.just(""), some(NAMES, NAMES, ODD)),
    st.one_of(st.none(), PARENTS.map(tuple)),
)
STEPS = st.builds(
    Step,
    st.lists(CHANGES, min_size=1, max_size=4).map(tuple),
    st.sampled_from([0, 0, 0, 1, 3]),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([None] * 4 + [("me", "you"), ("beta-ai", "beta-2"), ("you", "alpha-lab")]),
    st.sampled_from([REGISTRY] * 5 + [OTHER]),
    st.sampled_from([True, True, False]),
)
HISTORIES = st.tuples(
    st.lists(CHANGES, min_size=5, max_size=10).map(
        lambda changes: Step(tuple(changes), 0, False, None, REGISTRY, True)
    ),
    st.lists(STEPS, min_size=2, max_size=6),
).map(lambda both: [both[0], *both[1]])


@pytest.fixture(scope="module")
def shared() -> Iterator[Database]:
    with warehouse() as db:
        yield db


def seen(known: dict[str, Change], step: Step) -> list[HubModel]:
    """The models as a source shows them; what is `known` moves on with new days only."""
    now = known | {change.hub_id: change.of(known.get(change.hub_id)) for change in step.changes}
    if step.moved:
        old, new = step.moved
        now = {hub: c._replace(name=c.name and c.name.replace(f"{old}/", f"{new}/")) for hub, c in now.items()}
    if not step.ago and not step.nameless:
        known.clear()
        known.update(now)
    listed = [_shown(change, step.nameless) for change in now.values() if change.name]
    return list({model.hub_id: model for model in listed}.values())


def _shown(change: Change, nameless: bool) -> HubModel:
    name = str(change.name)
    hub_id = f"name:{name.lower()}" if nameless else change.hub_id
    return HubModel(hub_id, name, name.partition("/")[0], 1, None, None, parents=change.parents or ())


def keep(db: Database, number: int, step: Step, models: list[HubModel], snapshot_id: int) -> None:
    """Write a look as collect and backfill do."""
    frame = store.model_frame(models)
    adopt.adopt(db, frame)
    at = number - step.ago
    publishers = {*PUBLISHERS, "beta-2"} if not step.ago and not step.nameless else set()
    listings = [Listing(name, (), 0) for name in sorted(publishers)]
    look = head(snapshot_id, models=len(models), day=day(at), taken_at=moment(at))
    store.write_snapshot(db, look, frame, listings=listings)
    if step.ago:
        db.execute(sql("drop_unchanged_versions"), {"snapshot_id": snapshot_id})


def said(db: Database) -> Mapping[str, list[tuple[Any, ...]]]:
    """All that attribution says."""
    return {
        "models": db.rows(
            "SELECT hub_id, repo_id, family, relation, root_repo_id, own, depth FROM models ORDER BY ALL"
        ),
        "shares": db.rows("FROM shares ORDER BY ALL"),
    }


def live(db: Database, history: list[Step]) -> None:
    """Live through a history, and compare whenever all is attributed."""
    for table in TABLES:
        db.execute(f"DELETE FROM {table}")
    known: dict[str, Change] = {}
    for number, step in enumerate(history):
        with db.transaction():
            # Older looks have lower ids, as of their days.
            keep(db, number, step, seen(known, step), (number - step.ago + 10) * 100 + number)
        if step.attributed or step is history[-1]:
            with db.transaction():
                store.attribute(db, step.registry, small=0, most=1)
            found = said(db)
            with db.transaction():
                db.execute("DELETE FROM attribution")
                store.attribute(db, step.registry)
            assert found == said(db), number


def is_now(hub_id: str, name: str | None = "", *parents: str) -> Change:
    return Change(hub_id, name, tuple(Parent("finetune", parent) for parent in parents))


def looks(*changes: Change | tuple[Change, int] | tuple[Change, int, bool]) -> list[Step]:
    """One model changes after the other: on a new day, or as it is shown of so many days ago, or by name only."""
    steps = [(change, 0, False) if isinstance(change, Change) else (*change, False)[:3] for change in changes]
    return [Step((change,), ago, nameless, None, REGISTRY, True) for change, ago, nameless in steps]


MOVED = [Step((is_now("a", "alpha-lab/a"), is_now("b", "me/b", "alpha-lab/a")), 0, False, None, REGISTRY, True)]
MOVED += [Step((is_now("c", "me/c", name),), 0, False, ("alpha-lab", "new"), REGISTRY, True) for name in ("new/x", "")]


@settings(
    max_examples=examples(300, usual=3),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(HISTORIES)
@example(looks(is_now("a", "me/a"), is_now("a", "me/b"), is_now("c", "me/c", "me/a")))
@example(looks(is_now("a", "alpha-lab/a"), is_now("c", "me/c", "me/a"), (is_now("a", "me/a"), 2)))
@example(
    looks(is_now("a", "me/a"), is_now("b", "me/b", "me/a"), is_now("c", "me/c", "me/b"), is_now("a", "", "beta-ai/x"))
)
@example(
    looks(
        is_now("a", "alpha-lab/a"), is_now("c", "me/c", "alpha-lab/a"), is_now("a", "you/a"), is_now("b", "alpha-lab/a")
    )
)
@example(looks(is_now("a", "me/a"), is_now("a", "me/b"), is_now("c", "me/c", "me/a"), is_now("a", "", "beta-ai/x")))
@example(
    looks(is_now("b", "me/b", "gone/x"), is_now("c", "me/c", "Gone/X"), is_now("c", "", "\tGONE/x"), is_now("c", None))
)
@example(
    looks(
        is_now("b", "me/b", "gone/x"),
        is_now("c", "me/c", "Gone/X"),
        is_now("c", "", "you/a"),
        is_now("d", "me/d", "gone/x"),
    )
)
@example(
    looks(
        is_now("a", "me/\u03c3\u03c2"), is_now("b", "me/b", "me/\u03a3\u03a3"), is_now("c", "me/c", "me/b"), is_now("b")
    )
)
@example(looks(is_now("b", "me/b", "me/\u03c3\u03c2"), is_now("a", "me/\u03a3\u03a3"), is_now("c", "me/c", "me/b")))
@example(looks(is_now("b", "me/b", "gone/\u0130"), is_now("c", "me/c", "gone/i"), is_now("c", "", "gone/I")))
@example(
    looks(is_now("c", "me/c", "me/a"), (is_now("a", "me/a"), 1, True), is_now("a", "me/a"), is_now("c", "me/c", "me/a"))
)
@example(looks((is_now("a", "me/a"), 0, True), is_now("a", "me/b"), is_now("c", "me/c", "me/a"), is_now("a", "me/a")))
@example(
    looks(is_now("a", "me/a"), is_now("a", "me/b", "me/p"), is_now("c", "me/c", "me/a"), is_now("p", "me/p", "gone/x"))
)
@example(looks(is_now("a", "alpha-lab/a"), is_now("b", "me/b"), is_now("b", "you/b"), is_now("a", "me/b")))
@example(looks(is_now("b", "me/b", "gone/x"), is_now("c", "me/c", "Gone/X"), is_now("c", "me/c")))
@example(looks(is_now("c", "me/c", "me/a"), is_now("b", "me/b", "me/c"), is_now("a", "me/a"), is_now("a", None)))
@example(looks(is_now("a", "me/a", "GONE/x"), is_now("b", "me/b", "\u00a0gone/X"), is_now("c", "me/c", "\u00a0gone/X")))
@example(MOVED)
def test_what_is_attributed_anew_is_what_would_be_of_everything(shared: Database, history: list[Step]) -> None:
    live(shared, history)


def test_what_stands_is_read_again_by_another_definition_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with warehouse() as db, db.transaction():
        store.write_snapshot(db, head(1, models=1), store.model_frame([_shown(Change("a", "alpha-lab/a", ()), False)]))
        store.attribute(db, REGISTRY)
        db.execute("UPDATE models SET family = 'as it was read once'")
        store.attribute(db, REGISTRY)
        assert db.value("SELECT family FROM models") == "as it was read once"
        monkeypatch.setattr(lineage, "VERSION", lineage.VERSION + 1)
        store.attribute(db, REGISTRY)
        assert db.value("SELECT family FROM models") == "Alpha"


def test_a_publisher_that_no_family_knows_is_renamed_without_reading_all_again(monkeypatch: pytest.MonkeyPatch) -> None:
    everything: list[int] = []
    read_all = store._attribute_all
    monkeypatch.setattr(
        store, "_attribute_all", lambda *given, **more: everything.append(1) or read_all(*given, **more)
    )
    tune = is_now("b", "me/b", "alpha-lab/a")
    first = Step((is_now("a", "alpha-lab/a"), tune, is_now("c", "beta-ai/c")), 0, False, None, REGISTRY, True)
    unknown, known = (first._replace(changes=(tune,), moved=moved) for moved in (("me", "you"), ("beta-ai", "beta-2")))
    with warehouse() as db:
        seen_before: dict[str, Change] = {}
        for number, step in enumerate([first, unknown._replace(changes=()), known._replace(changes=())]):
            with db.transaction():
                keep(db, number, step, seen(seen_before, step), number + 1)
                store.attribute(db, REGISTRY, small=0, most=1)
            assert len(everything) == (2 if step.moved == known.moved else 1), step.moved
        assert db.rows("SELECT repo_id, family FROM models ORDER BY hub_id") == [
            ("alpha-lab/a", "Alpha"), ("you/b", "Alpha"), ("beta-2/c", "Beta"),
        ]  # fmt: skip
