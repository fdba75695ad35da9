from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import small_hub
import spine
from small_hub import REGISTRY, look, model, standing
from spine import FAMILIES, PUBLISHERS, warehouse

from alerts.rules import Rule
from jobs import detect
from monitor.demo.hub import LocalHub
from warehouse.attribution import identity, renames
from warehouse.db import Database
from warehouse.ranking.boards import Board
from warehouse.records import HubModel
from warehouse.registry import Family, Registry


@pytest.fixture
def db() -> Iterator[Database]:
    with warehouse() as database:
        yield database


def renamed_publishers(db: Database) -> dict[str, str]:
    return {move.former: move.present for move in renames.moved_publishers(db) if not move.merged}


def renamed(models: Sequence[HubModel], old: str, new: str) -> list[HubModel]:
    """The same models, under another publisher."""

    return [
        m._replace(publisher=new, repo_id=m.repo_id.replace(f"{old}/", f"{new}/", 1)) if m.publisher == old else m
        for m in models
    ]


# Who was renamed


BOTH = [model("alpha/a", 10), model("alpha/b", 10), model("beta/c", 5)]


def test_a_publisher_all_of_whose_models_are_under_another_name_was_renamed(db: Database) -> None:
    look(db, 0, BOTH)
    look(db, 1, renamed(BOTH, "alpha", "alpha-next"))

    assert renamed_publishers(db) == {"alpha": "alpha-next"}


def test_after_two_renames_both_former_names_lead_to_the_present_one(db: Database) -> None:
    for number, name in enumerate(("alpha", "alpha-next", "alpha-last")):
        look(db, number, renamed(BOTH, "alpha", name))

    assert renamed_publishers(db) == {"alpha": "alpha-last", "alpha-next": "alpha-last"}


def test_a_model_that_moves_alone_renames_nobody(db: Database) -> None:
    look(db, 0, BOTH)
    look(db, 1, [*renamed(BOTH[:1], "alpha", "beta"), *BOTH[1:]])

    assert renamed_publishers(db) == {}
    assert identity.renamed_repositories(db) == {"alpha/a": "beta/a"}


def test_a_publisher_that_is_merged_into_another_is_not_renamed_and_its_place_ends_with_a_date(db: Database) -> None:
    look(db, 0, BOTH)
    look(db, 1, renamed(BOTH, "alpha", "beta"))

    assert renamed_publishers(db) == {}
    assert renames.moved_publishers(db) == [("alpha", "beta", small_hub.day(1), True)]


def test_a_merger_over_several_days_ends_with_the_last_model_that_came(db: Database) -> None:
    look(db, 0, BOTH)
    look(db, 1, [*renamed(BOTH[:1], "alpha", "beta"), *BOTH[1:]])
    assert renames.moved_publishers(db) == []
    look(db, 3, renamed(BOTH, "alpha", "beta"))

    assert renames.moved_publishers(db) == [("alpha", "beta", small_hub.day(3), True)]


def test_who_was_merged_into_one_that_is_renamed_later_is_the_same_one_and_no_former_name_of_it(db: Database) -> None:
    look(db, 0, BOTH)
    look(db, 1, renamed(BOTH, "alpha", "beta"))
    look(db, 2, [*renamed(renamed(BOTH, "alpha", "beta"), "beta", "beta-next"), model("beta-next/new", 3)], FAMILIES)

    assert [(m.former, m.present, m.merged) for m in renames.moved_publishers(db)] == [
        ("alpha", "beta-next", True),
        ("beta", "beta-next", False),
    ]
    assert standing(db, "families", 2) == {"Beta": 28}, "what it publishes later is not Alpha's"


def test_of_two_that_become_one_new_publisher_the_larger_was_renamed(db: Database) -> None:
    look(db, 0, BOTH)
    look(db, 1, renamed(renamed(BOTH, "alpha", "omega"), "beta", "omega"))

    assert [(m.former, m.merged) for m in renames.moved_publishers(db)] == [("alpha", False), ("beta", True)]


def test_who_takes_its_old_name_again_was_never_another(db: Database) -> None:
    for number, name in enumerate(("alpha", "alpha-next", "alpha")):
        look(db, number, renamed(BOTH, "alpha", name))

    assert [(m.former, m.present) for m in renames.moved_publishers(db)] == [("alpha-next", "alpha")]


def test_a_publisher_whose_models_went_everywhere_became_nobody(db: Database) -> None:
    look(db, 0, BOTH)
    look(db, 1, [*renamed(BOTH[:1], "alpha", "beta"), *renamed(BOTH[1:2], "alpha", "gamma"), BOTH[2]])

    assert renames.moved_publishers(db) == []


def test_a_name_that_somebody_else_takes_is_no_former_one_any_more(db: Database) -> None:
    look(db, 0, BOTH)
    look(db, 1, renamed(BOTH, "alpha", "alpha-next"))
    look(db, 2, [*renamed(BOTH, "alpha", "alpha-next"), model("alpha/squatted", 1, hub_id="other")])

    assert renames.moved_publishers(db) == []


def test_models_deleted_before_do_not_hold_the_former_name(db: Database) -> None:
    look(db, 0, [*BOTH, *(model(f"alpha/old-{n}", 1) for n in range(9))])
    look(db, 1, BOTH)
    look(db, 2, renamed(BOTH, "alpha", "alpha-next"))

    assert renamed_publishers(db) == {"alpha": "alpha-next"}


def test_a_name_that_somebody_has_now_is_not_led_on(db: Database) -> None:
    look(db, 0, [model("alpha/a", 1, hub_id="x")])
    look(db, 1, [model("alpha/b", 1, hub_id="x"), model("alpha/a", 1, hub_id="y")])

    assert identity.renamed_repositories(db) == {}


# What follows


def test_a_renamed_publisher_keeps_its_history_its_family_and_its_place(db: Database) -> None:
    boards = (PUBLISHERS, FAMILIES)
    look(db, 0, BOTH, *boards)
    look(db, 1, renamed(BOTH, "alpha", "alpha-next"), *boards)

    assert standing(db, "publishers", 0) == standing(db, "publishers", 1) == {"alpha-next": 20, "beta": 5}
    assert standing(db, "families", 0) == standing(db, "families", 1) == {"Alpha": 20, "Beta": 5}
    assert db.rows("SELECT * FROM flips") == []


def test_what_a_renamed_publisher_publishes_later_is_its_familys_too(db: Database) -> None:
    look(db, 0, BOTH, FAMILIES)
    after = renamed(BOTH, "alpha", "alpha-next")
    look(db, 1, [*after, model("alpha-next/new", 7)], FAMILIES)

    assert standing(db, "families", 1) == {"Alpha": 27, "Beta": 5}


def lived(alpha: Sequence[str]) -> list[list[tuple[Any, ...]]]:
    """Standings, flips and families after days on which Alpha's publisher is called so, and deletes a large model."""
    boards = (
        FAMILIES,
        PUBLISHERS,
        Board(name="derived", entity="family", measure="derivatives"),
        Board(name="roots", entity="publisher", measure="derivatives"),
    )
    base, small = model("alpha/base", 30), model("alpha/small", 10, parents=["alpha/base"])
    others = [model("beta/c", 20), model("someone/d", 1, parents=["alpha/base"])]
    days = [[base, *others], [base, small, *others], [small, *others], [small, *others]]
    with warehouse() as db:
        for number, (name, shown) in enumerate(zip(alpha, days, strict=True)):
            look(db, number, renamed(shown, "alpha", name), *boards)
        found = [
            db.rows("SELECT board, day, rank, entity, value, share, previous_rank FROM standings ORDER BY ALL"),
            db.rows("SELECT board, kind, entity, rival, day, panel_holds FROM flips ORDER BY ALL"),
            db.rows("SELECT hub_id, family, relation, own, first_seen, last_seen, gone_on FROM models ORDER BY ALL"),
        ]
        assert {row[0] for row in found[0]} == {board.name for board in boards}
        return [[tuple("alpha" if cell == alpha[-1] else cell for cell in row) for row in rows] for rows in found]


def test_what_a_publisher_deleted_before_it_was_renamed_goes_with_it_on_all_days() -> None:
    assert lived(["alpha", "alpha", "alpha", "alpha-next"]) == lived(["alpha"] * 4)


def test_an_alert_about_what_was_deleted_since_stands_when_its_publisher_is_renamed(db: Database) -> None:
    rule = Rule(name="who-leads", board="publishers", confirm=1, channels=("desk",))
    days = [
        [model("alpha/base", 10), model("alpha/small", 10), model("beta/c", 15)],
        [model("alpha/base", 10), model("alpha/small", 10), model("beta/c", 30)],
        [model("alpha/base", 30), model("alpha/small", 10), model("beta/c", 30)],
        [model("alpha/small", 50), model("beta/c", 30)],
    ]
    for number, models in enumerate([*days, renamed(days[-1], "alpha", "alpha-next")]):
        look(db, number, models, PUBLISHERS)
        detect.run(db, [PUBLISHERS], [rule], REGISTRY, now=small_hub.moment(number, 11))
    assert db.rows("SELECT kind, entity, rival, state, day FROM alerts ORDER BY day") == [
        ("lead_change", "beta", "alpha-next", "reverted", small_hub.day(1)),  # for the lead went back
        ("lead_change", "alpha-next", "beta", "firing", small_hub.day(2)),
    ]


@pytest.mark.parametrize("last", ["alpha-last", "alpha-lab"])
def test_what_was_deleted_between_two_renames_stays_its_familys(db: Database, last: str) -> None:
    gone, kept = (spine.model("alpha-lab/a", 10), spine.model("alpha-lab/b", 10))
    beta = spine.model("beta-ai/c", 5)
    with spine.hub() as local:
        spine.look(db, local, 0, [gone, kept, beta])
        local.moved["alpha-lab"] = "alpha-next"
        spine.look(db, local, 1, renamed([gone, kept, beta], "alpha-lab", "alpha-next"))
        spine.look(db, local, 2, renamed([kept, beta], "alpha-lab", "alpha-next"))
        local.moved = {"alpha-lab": last} if last != "alpha-lab" else {}
        spine.look(db, local, 3, renamed([kept, beta], "alpha-lab", last))

    values = db.rows("SELECT value FROM standings WHERE entity = 'Alpha' ORDER BY day")
    assert [value for (value,) in values] == [20, 20, 10, 10]
    assert db.value("SELECT repo_id FROM models WHERE gone_on IS NOT NULL") == "alpha-next/a"


def test_what_is_deleted_on_the_day_of_a_second_rename_does_not_hold_the_name_in_between(db: Database) -> None:
    models = [spine.model("alpha-lab/a", 10), spine.model("alpha-lab/b", 10)]
    with spine.hub() as local:
        spine.look(db, local, 0, models)
        for number, name in ((1, "alpha-next"), (2, "alpha-last")):
            local.moved["alpha-lab"] = name
            spine.look(db, local, number, renamed(models[: 3 - number], "alpha-lab", name))

    assert db.rows("SELECT repo_id, family, gone_on FROM models ORDER BY repo_id") == [
        ("alpha-last/a", "Alpha", None),
        ("alpha-next/b", "Alpha", spine.day(2)),
    ]


def test_a_registry_that_knows_the_new_name_decides_by_it(db: Database) -> None:
    registry = Registry(
        [
            Family(name="Alpha", country="US", publishers=("alpha",)),
            Family(name="Next", country="US", publishers=("alpha-next",), include=("a",)),
        ]
    )
    look(db, 0, BOTH, FAMILIES, registry=registry)
    look(db, 1, renamed(BOTH, "alpha", "alpha-next"), FAMILIES, registry=registry)

    assert standing(db, "families", 1) == {"Next": 10}


# The slots of a rule


def slot(incumbent: str, challenger: str | None = None) -> dict[str, object]:
    return {"incumbent": incumbent, "challenger": challenger, "since": "2026-01-01" if challenger else None, "days": 1}


def test_slots_are_renamed_with_their_keys_and_pairs_stay_in_order() -> None:
    slots = {"lead": slot("b", "z"), "b\nz": slot("z", "b"), "c\nd": slot("c")}

    assert identity.renamed_slots(slots, {"b": "zz"}) == {
        "lead": slot("zz", "z"),
        "c\nd": slot("c"),
        "z\nzz": slot("z", "zz"),
    }


def test_slots_of_lines_and_numbers_are_renamed_and_a_number_stays_before_its_entity() -> None:
    slots = {"b": slot("b"), "80\nb": slot("80"), "5e+08\n01-ai": slot("5e+08"), "\nleader": slot("b")}

    assert identity.renamed_slots(slots, {"b": "01-b", "leader": "follower"}) == {
        "01-b": slot("01-b"),
        "80\n01-b": slot("80"),
        "5e+08\n01-ai": slot("5e+08"),
        "\nleader": slot("01-b"),
    }


def test_a_pair_of_one_with_itself_is_dropped_and_a_challenge_of_itself_is_over() -> None:
    slots = {"lead": slot("b", "c"), "b\nc": slot("b")}
    calm = {"incumbent": "c", "challenger": None, "since": None, "days": 0}

    assert identity.renamed_slots(slots, {"b": "c"}) == {"lead": calm}


def test_a_slot_that_stands_under_the_new_name_stays() -> None:
    slots = {"b\nz": slot("b"), "c\nz": slot("z")}

    assert identity.renamed_slots(slots, {"b": "c"}) == {"c\nz": slot("z")}


# The names that rules know


def named(db: Database, entity: str, *names: str, registry: Registry = REGISTRY) -> dict[str, str]:
    return identity.present_names(db, registry, entity, names)


def test_a_former_name_of_a_publisher_is_its_name_now_whether_renamed_or_merged(db: Database) -> None:
    look(db, 0, [*BOTH, model("gamma/g", 1)])
    look(db, 1, renamed(renamed([*BOTH, model("gamma/g", 1)], "alpha", "alpha-next"), "gamma", "beta"))

    assert named(db, "publisher", "alpha", "GAMMA", "beta", "nobody") == {
        "alpha": "alpha-next",
        "GAMMA": "beta",
        "beta": "beta",
    }


def test_who_is_called_so_now_goes_before_who_was(db: Database) -> None:
    look(db, 0, [model("alpha/a", 1, hub_id="x"), model("beta/b", 1)])
    look(db, 1, [model("alpha/b", 1, hub_id="x"), model("alpha/a", 1, hub_id="y"), model("beta/b", 1)])

    assert named(db, "model", "alpha/a", "ALPHA/B") == {"alpha/a": "alpha/a", "ALPHA/B": "alpha/b"}


def test_a_moved_model_is_found_by_its_former_name(db: Database) -> None:
    look(db, 0, BOTH)
    look(db, 1, [*renamed(BOTH[:1], "alpha", "beta"), *BOTH[1:]])

    assert named(db, "model", "alpha/a", "Alpha/B") == {"alpha/a": "beta/a", "Alpha/B": "alpha/b"}


def test_a_family_is_found_by_the_name_it_had_in_an_earlier_registry(db: Database) -> None:
    registry = Registry([Family(name="GLM", country="CN", publishers=("zai-org",), formerly=("ChatGLM",))])

    assert named(db, "family", "chatglm", "glm", "Alpha", registry=registry) == {"chatglm": "GLM", "glm": "GLM"}
    assert named(db, "country", "cn", registry=registry) == {"cn": "CN"}


def test_what_a_family_was_called_changes_no_standing() -> None:
    plain = Family(name="GLM", country="CN", publishers=("zai-org",))

    assert Registry([plain]).fingerprint() == Registry([plain.model_copy(update={"formerly": ("X",)})]).fingerprint()


# From the Hub to the alert


RULES = (
    Rule(name="lead", board="publishers", confirm=2, channels=("desk",)),
    Rule(name="pairs", board="publishers", when="overtake", between=(), confirm=2, channels=("desk",)),
)


def judged(db: Database, hub: LocalHub, number: int, models: list[HubModel], *rules: Rule) -> tuple[str, ...]:
    spine.look(db, hub, number, models, boards=[PUBLISHERS])
    return spine.judge(db, number, *(rules or RULES), boards=[PUBLISHERS]).fired


def test_a_publisher_that_the_hub_renames_makes_no_news() -> None:
    """Collected over a socket twice: the old name answers for the new one, which the registry does not know."""
    before = spine.listed(30, 20)
    after = renamed(before, "alpha-lab", "alpha-next")
    with spine.warehouse() as db, spine.hub(before) as hub:
        fired = [judged(db, hub, 0, before)]
        hub.moved["alpha-lab"] = "alpha-next"
        fired += [judged(db, hub, number, after) for number in range(1, 4)]

        assert fired == [()] * 4
        assert db.rows("SELECT * FROM flips") == []
        assert db.rows("SELECT DISTINCT entity FROM standings WHERE board = 'publishers' AND rank = 1") == [
            ("alpha-next",)
        ]
        states = [json.loads(row[0]) for row in db.rows("SELECT state FROM rule_states WHERE rule = 'lead'")]
        assert {state["lead"]["incumbent"] for state in states} == {"alpha-next"}
        assert identity.proposals(db, spine.REGISTRY)[0][:2] == ("alpha-next", "Alpha")


def test_a_lead_change_begun_under_the_old_name_is_told_once_under_the_new_one() -> None:
    before, overtaken = spine.listed(30, 20), spine.listed(30, 40)
    after = renamed(overtaken, "beta-ai", "beta-next")
    with spine.warehouse() as db, spine.hub(before) as hub:
        fired = [judged(db, hub, 0, before), judged(db, hub, 1, overtaken)]
        hub.moved["beta-ai"] = "beta-next"
        fired += [judged(db, hub, number, after) for number in range(2, 4)]

        titles = [title for titles in fired for title in titles]
        assert [title for title in titles if "lead" in title] == [
            "beta-next takes the lead from alpha-lab on publishers"
        ]
        assert set(db.rows("SELECT entity, rival FROM alerts WHERE state = 'firing'")) == {("beta-next", "alpha-lab")}


@pytest.mark.parametrize(
    ("when", "slot"),
    [
        ({"when": "approaches"}, "01-b"),
        ({"when": "enters_top", "top": 2}, "01-b"),
        ({"when": "milestone", "at": (80,)}, "80\n01-b"),
    ],
)
def test_who_came_in_or_reached_a_number_is_known_by_its_new_name_and_told_no_more(
    db: Database, when: dict[str, Any], slot: str
) -> None:
    rule = Rule(name="r", board="publishers", confirm=1, margin=0, **when)
    labs = Registry([Family(name=n.upper(), vendor=n, country="US", publishers=(n,)) for n in ("a", "b", "01-b", "c")])
    for number in range(5):
        b = model(f"{'b' if number < 3 else '01-b'}/m", 95 if number else 60, hub_id="id:b")
        look(db, number, [model("a/m", 100), b, model("c/m", 70)], PUBLISHERS, registry=labs)
        detect.run(db, [PUBLISHERS], [rule], labs, now=small_hub.moment(number, 12))

    assert db.rows("SELECT entity, slot, state FROM alerts") == [("01-b", slot, "firing")]


def test_an_alert_told_under_the_old_name_follows_to_the_new_one() -> None:
    before, overtaken = spine.listed(30, 20), spine.listed(30, 40)
    with spine.warehouse() as db, spine.hub(before) as hub:
        fired = [judged(db, hub, 0, before)] + [judged(db, hub, number, overtaken) for number in (1, 2)]
        hub.moved["beta-ai"] = "beta-next"
        fired += [judged(db, hub, number, renamed(overtaken, "beta-ai", "beta-next")) for number in (3, 4)]

        assert [bool(titles) for titles in fired] == [False, False, True, False, False]
        assert set(db.rows("SELECT entity, rival FROM alerts WHERE state = 'firing'")) == {("beta-next", "alpha-lab")}
        assert db.rows("SELECT DISTINCT state FROM alerts") == [("firing",)]


NAMED = Rule(
    name="named", board="publishers", when="overtake", between=("beta-ai", "gamma"), confirm=2, channels=("desk",)
)


def watched(db: Database, rule: str) -> dict[str, str]:
    """Slot -> who holds it, after the last day judged."""
    last = db.value("SELECT arg_max(state, day) FROM rule_states WHERE rule = $rule", {"rule": rule})
    return {key: slot["incumbent"] for key, slot in json.loads(last).items()}


def test_a_rule_that_names_a_publisher_goes_on_under_its_new_name() -> None:
    before = spine.listed(30, 20, 10)
    with spine.warehouse() as db, spine.hub(before) as hub:
        fired = []
        for number in range(5):
            models = spine.listed(30, 20, 25 if number >= 2 else 10)
            if number >= 1:
                hub.moved["beta-ai"], models = "beta-next", renamed(models, "beta-ai", "beta-next")
            fired += judged(db, hub, number, models, NAMED)

        assert fired == ["gamma passes beta-next on publishers"]


def test_a_publisher_merged_into_another_leaves_no_slot_waiting_for_it() -> None:
    """Gamma passes what Beta and Alpha are together: a rule that knew Alpha by name tells it."""
    rules = (*RULES, NAMED.model_copy(update={"between": ("alpha-lab", "gamma")}))
    with spine.warehouse() as db, spine.hub() as hub:
        fired = []
        for number in range(6):
            models = spine.listed(30, 20, 60 if number >= 4 else 10)
            models = renamed(models, "alpha-lab", "beta-ai") if number >= 2 else models
            fired.append(judged(db, hub, number, models, *rules))

        assert fired[:5] == [()] * 5, "a merger is no event of the market"
        assert set(fired[5]) >= {"gamma passes beta-ai on publishers"}
        assert watched(db, "named") == watched(db, "pairs") == {"beta-ai\ngamma": "gamma"}
        assert watched(db, "lead") == {"lead": "gamma"}


def test_a_pair_that_has_become_one_is_watched_no_longer() -> None:
    with spine.warehouse() as db, spine.hub() as hub:
        for number in range(3):
            models = spine.listed(30, 20, 10)
            models = renamed(models, "alpha-lab", "beta-ai") if number >= 1 else models
            judged(db, hub, number, models, NAMED.model_copy(update={"between": ("alpha-lab", "beta-ai")}))

        assert watched(db, "named") == {}


# Who has left


def test_a_leader_that_is_deleted_loses_the_lead_and_that_is_told_with_the_reason() -> None:
    with spine.warehouse() as db, spine.hub() as hub:
        fired = []
        for number in range(4):
            models = spine.listed(30, 20, 10)
            fired.append(judged(db, hub, number, models[1:] if number else models))

        assert fired == [(), (), ("beta-ai takes the lead from alpha-lab on publishers",), ()]
        assert db.rows(
            "SELECT entity, rival, rival_value, verdict, panel_holds FROM flips WHERE board = 'publishers'"
        ) == [("beta-ai", "alpha-lab", 0, "left: every model of the one that led was deleted", True)]
        assert watched(db, "lead") == {"lead": "beta-ai"}


def test_a_leader_of_whom_one_model_is_left_unseen_has_not_left() -> None:
    """Its listing is as long as the Hub says, but one of its models shows no count."""
    with spine.warehouse() as db, spine.hub() as hub:
        for number in range(4):
            uncounted = spine.model("alpha-lab/alpha-1", None)
            models = spine.listed(30, 20, 10)
            assert judged(db, hub, number, [uncounted, *models[1:]] if number else models) == ()

        assert db.rows("SELECT * FROM flips WHERE kind = 'lead_change'") == []


def test_whoever_comes_back_was_not_gone() -> None:
    with spine.warehouse() as db, spine.hub() as hub:
        for number in range(4):
            models = spine.listed(30, 20, 10)
            assert judged(db, hub, number, models[1:] if number == 1 else models) == ()

        assert watched(db, "lead") == {"lead": "alpha-lab"}


def test_who_leaves_the_hub_leaves_the_top() -> None:
    top = Rule(name="top", board="publishers", when="leaves_top", top=1, confirm=2, channels=("desk",))
    with spine.warehouse() as db, spine.hub() as hub:
        fired = []
        for number in range(4):
            models = spine.listed(30, 20, 10)
            fired.append(judged(db, hub, number, models[1:] if number else models, top))

        assert [len(titles) for titles in fired] == [0, 0, 1, 0]
        assert "alpha-lab" in fired[2][0]


# Who may belong to a family


def test_a_new_home_of_a_known_vendor_is_proposed_and_not_counted(db: Database) -> None:
    fans = Registry([*REGISTRY.families, Family(name="Alphabet", country="US", publishers=("alphabet-soup",))])
    models = [model("alpha/a", 1), model("fan/x", 5, parents=["alphabet-labs/y"]), model("alphabet/z", 9)]
    look(db, 0, models, FAMILIES, registry=fans)

    assert [(p.publisher, p.family) for p in identity.proposals(db, fans)] == [
        ("alphabet", "Alphabet"),
        ("alphabet-labs", "Alphabet"),
    ]
    assert standing(db, "families", 0) == {"Alpha": 1}


def test_where_models_have_moved_to_is_proposed_first(db: Database) -> None:
    look(db, 0, BOTH)
    look(db, 1, renamed(BOTH, "alpha", "omega"))

    assert identity.proposals(db, REGISTRY)[0] == ("omega", "Alpha", "2 of its models were alpha's")
    assert small_hub.flips(db, "families") == []
