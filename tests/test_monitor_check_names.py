"""What `check` says about names, on worlds in which publishers are renamed, merged and deleted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import spine

from alerts.rules import Rule
from jobs import detect
from monitor import check, check_names, config
from monitor.wiring import open_app
from warehouse.ranking.boards import Board
from warehouse.records import HubModel

PAIR = """
[[rule]]
name = "pair"
board = "publishers"
when = "overtake"
between = ["{}", "{}"]
channels = ["outbox"]
"""


def settings(folder: Path, one: str, other: str) -> config.Settings:
    return config.load(spine.configure(folder, "http://127.0.0.1:9", more=PAIR.format(one, other)), {})


def moved(models: Sequence[HubModel], old: str, new: str) -> list[HubModel]:
    return [
        m._replace(publisher=new, repo_id=f"{new}/{m.repo_id.partition('/')[2]}") if m.publisher == old else m
        for m in models
    ]


def said(folder: Path, *days: Sequence[HubModel], between: tuple[str, str] = ("alpha-lab", "gamma")) -> list[str]:
    """What is said after these days were collected."""
    with spine.warehouse() as db, spine.hub() as hub:
        for number, models in enumerate(days):
            if any(model.publisher == "alpha-next" for model in models):
                hub.moved["alpha-lab"] = "alpha-next"  # as the Hub answers for a former name
            spine.look(db, hub, number, models, boards=spine.BOARDS)
        chosen = settings(folder, *between)
        return [*check_names.of_rules(db, chosen), *check_names.moved(db, chosen)]


BEFORE = spine.listed(30, 20, 10)


def test_nothing_is_said_where_everybody_is_who_he_was(tmp_path: Path) -> None:
    assert said(tmp_path, BEFORE, BEFORE) == []


def test_a_renamed_publisher_that_a_rule_names_is_said_to_be_another_now(tmp_path: Path) -> None:
    assert said(tmp_path, BEFORE, moved(BEFORE, "alpha-lab", "alpha-next")) == [
        "rule pair: alpha-lab is alpha-next now",
        "publisher alpha-lab: called alpha-next since 2026-05-02, and keeps its history and its place",
    ]


def test_a_merged_publisher_is_said_to_have_ended_on_a_day(tmp_path: Path) -> None:
    assert said(tmp_path, BEFORE, moved(BEFORE, "alpha-lab", "beta-ai")) == [
        "rule pair: alpha-lab is beta-ai now",
        (
            "publisher alpha-lab: merged into beta-ai, its place ended on 2026-05-02; its models count for beta-ai, "
            "with their history"
        ),
    ]


def test_a_pair_that_is_one_now_is_said_to_have_nothing_to_tell(tmp_path: Path) -> None:
    days = (BEFORE, moved(BEFORE, "alpha-lab", "beta-ai"))

    assert said(tmp_path, *days, between=("alpha-lab", "beta-ai"))[1] == (
        "rule pair: alpha-lab and beta-ai are one now: it has nothing to tell"
    )


def test_a_deleted_publisher_is_said_to_have_left_on_a_day(tmp_path: Path) -> None:
    assert said(tmp_path, BEFORE, BEFORE[1:]) == ["rule pair: alpha-lab left the Hub on 2026-05-02"]


def test_a_name_that_nobody_has_is_said_and_one_in_another_case_is_understood(tmp_path: Path) -> None:
    assert said(tmp_path, BEFORE, between=("Alpha-Lab", "delta")) == [
        "rule pair: no publisher called 'delta' was ever seen",
        "rule pair: Alpha-Lab is alpha-lab now",
    ]


def test_a_family_that_is_not_in_the_registry_is_a_problem_before_anything_is_collected(tmp_path: Path) -> None:
    more = PAIR.format("Alfa", "gamma").replace('"publishers"', '"families"')
    chosen = config.load(spine.configure(tmp_path, "http://127.0.0.1:9", more=more), {})

    assert list(check_names.unknown_families(chosen)) == [
        "rule pair: no family is called 'Alfa'; did you mean 'Alpha'?"
    ]


def test_a_country_is_called_by_its_name_or_its_code(tmp_path: Path) -> None:
    countries = Board(name="countries", entity="country")
    rule = Rule(name="race", board="countries", when="overtake", between=("china", "the United States"), confirm=1)
    more = '[[rule]]\nname = "race"\nboard = "countries"\nwhen = "overtake"\nbetween = ["China", "Untied States"]\n'
    chosen = config.load(spine.configure(tmp_path, "http://127.0.0.1:9", more=more), {})
    with spine.warehouse() as db, spine.hub() as hub:
        for number, models in enumerate((spine.listed(30, 20), spine.listed(30, 40))):
            spine.look(db, hub, number, models, boards=[countries])
        (alert,) = detect.run(db, [countries], [rule], spine.REGISTRY, now=spine.moment(1)).fired
        said = list(check_names.of_rules(db, chosen))
    assert alert == "China passes the United States on countries"
    assert said == []
    assert list(check_names.unknown_families(chosen)) == [
        "rule race: no country is called 'Untied States'; did you mean 'United States'?"
    ]


def test_a_publisher_that_several_things_speak_for_is_proposed_once_with_all_of_them(tmp_path: Path) -> None:
    with spine.hub(BEFORE) as hub:
        chosen = config.load(spine.configure(tmp_path, hub.endpoint), {})
        with open_app(chosen, now=lambda: spine.moment(0)) as app:
            app.collect()
        hub.show(moved(BEFORE, "alpha-lab", "alpha-next"))
        hub.moved["alpha-lab"] = "alpha-next"
        with open_app(chosen, now=lambda: spine.moment(1)) as app:
            app.collect()
        lines = check.problems(chosen, now=spine.moment(1)).lines
    (proposed,) = [line for line in lines if line.startswith("registry: is alpha-next a publisher of Alpha?")]
    assert "1 of its models were alpha-lab's; the Hub says that alpha-lab is called so now" in proposed
