"""docs/backtests.md is what the bundled data says; and what the command line makes of a backtest."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest
from make_backtests import LLAMA, PAGE, THOUGHT, all_flips, months, page, pairs_told
from spine import hub, moment
from test_demo import Demo, demo

from alerts.rules import Rule
from jobs import backtest
from monitor import check, config
from monitor.cli import app as cli
from warehouse.records import Standing

__all__ = ["demo"]  # a fixture, shared with the demo's own tests


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], demo: Demo) -> Callable[..., Done]:
    def command(*arguments: object) -> Done:
        capsys.readouterr()
        file = demo.folder / config.DEFAULT_NAME
        return Done(cli.run(["--config", str(file), *map(str, arguments)]), *capsys.readouterr())

    return command


# The page


def test_the_page_is_what_the_bundled_data_says(demo: Demo) -> None:
    """`python -m tests.make_backtests` writes it anew."""
    assert PAGE.read_text("utf-8") == page(demo.folder / "adoption.duckdb")


def test_without_a_margin_the_engine_finds_the_flips_that_were_counted_before() -> None:
    found = {name: all_flips(months(), confirm, margin) for name, (confirm, margin, _) in THOUGHT.items()}
    assert list(found.values()) == [55, 45, 24, 45, 34]
    assert [thought for _, _, thought in THOUGHT.values()] == [55, 45, 24, 44, 35]


def test_with_a_margin_of_the_smaller_value_it_is_what_was_counted_before() -> None:
    assert [all_flips(months(), confirm, 0.1, of_smaller=True) for confirm in (1, 2)] == [44, 35]


@pytest.mark.parametrize(("confirm", "margin"), [(1, 0.0), (2, 0.0), (3, 0.0), (1, 0.1), (2, 0.1)])
def test_what_the_engine_tells_is_what_the_loop_counts_but_for_one_contest(confirm: int, margin: float) -> None:
    told = pairs_told(months(), confirm, margin)
    contested = {one.rule for one in told if one.event == "CONTESTED"}
    assert len(contested) == 1
    calm = [one for one in told if one.rule not in contested]
    (pair,) = contested
    names = set(pair.split("."))
    others = [
        Standing(day.board, day.day, day.snapshot_id, {n: v for n, v in day.values.items() if n in names})
        for day in months()
    ]
    assert len(calm) == all_flips(months(), confirm, margin) - all_flips(others, confirm, margin)


def test_qwen_and_llama_change_places_three_times_unless_one_asks_for_three_months() -> None:
    for confirm, margin, _ in THOUGHT.values():
        mine = [one for one in pairs_told(months(), confirm, margin) if one.rule == "Qwen.meta-llama"]
        assert len(mine) == (1 if confirm == 3 else 3)
    assert (mine[-1].entity, mine[-1].rival) == ("Qwen", "meta-llama")


# What a backtest counts


def days(*values: tuple[float, float]) -> list[Standing]:
    return [Standing("b", date(2026, 1, 1 + n), n, {"A": a, "B": b}) for n, (a, b) in enumerate(values)]


RULE = Rule(name="r", board="b", confirm=2, margin=0.05)


def test_the_delay_is_from_the_first_lead_however_small() -> None:
    (told,) = backtest.run(days((10, 9), (10, 10.1), (10, 11), (10, 11), (10, 12)), [RULE])
    assert (told.first_lead, told.day, told.confirmed_day) == (date(2026, 1, 2), date(2026, 1, 3), date(2026, 1, 4))
    assert told.delay_days == 2
    assert told.lost_after_days is None


def test_a_lead_that_is_lost_is_counted_by_when() -> None:
    history = days((10, 9), (10, 11), (10, 11), (10, 11), (10, 9), (10, 9))
    told = backtest.run(history, [RULE])
    assert [(one.entity, one.lost_after_days) for one in told] == [("B", 2), ("A", None)]
    assert backtest.measure(told, 2, 0.05)[2:5] == (2, 1, 1)


def test_of_the_top_it_counts_how_long_somebody_stays_in_it_or_out_of_it() -> None:
    """C takes the place of B, who was always ahead of D; D is third when that is confirmed."""
    values = [(9, 5, 4), (8, 9, 4), (4, 9, 5), (4, 9, 5), (9, 8, 5)]
    history = [
        Standing("b", date(2026, 1, 1 + n), n, {"A": 10, "B": b, "C": c, "D": d}) for n, (b, c, d) in enumerate(values)
    ]
    for when, entity in (("enters_top", "C"), ("leaves_top", "B")):
        rule = Rule(name="r", board="b", when=when, top=2, confirm=2, margin=0)
        (told, *_) = backtest.run(history, [rule])
        assert (told.entity, told.first_lead, told.confirmed_day) == (entity, date(2026, 1, 2), date(2026, 1, 3))
        assert (told.delay_days, told.lost_after_days) == (1, 2)


def test_of_a_milestone_it_counts_from_the_day_on_which_it_was_passed() -> None:
    rule = Rule(name="r", board="b", when="milestone", at=(10,), confirm=2, margin=0.05)
    history = days(*((value, 1) for value in (9, 10.1, 11, 11, 12, 9)))
    (told,) = backtest.run(history, [rule])
    assert (told.first_lead, told.day, told.delay_days) == (date(2026, 1, 2), date(2026, 1, 3), 2)
    assert told.lost_after_days == 2


def test_of_who_comes_near_it_counts_how_long_it_stays_so() -> None:
    rule = Rule(name="r", board="b", when="approaches", within=0.2, confirm=2, margin=0)
    (told, *_) = backtest.run(days(*((10, value) for value in (5, 8, 9, 9, 7, 9))), [rule])
    assert (told.entity, told.rival, told.first_lead, told.delay_days) == ("B", "A", date(2026, 1, 2), 1)
    assert (told.lost_after_days, told.led_after_days) == (2, None)


def test_of_who_comes_near_it_counts_when_it_led() -> None:
    rule = Rule(name="r", board="b", when="approaches", within=0.2, confirm=1, margin=0)
    (told,) = backtest.run(days(*((10, value) for value in (5, 9, 10, 9, 11))), [rule])
    assert (told.confirmed_day, told.led_after_days) == (date(2026, 1, 2), 3), "a tie is no lead"


def test_of_who_comes_near_days_without_who_leads_count_for_nothing() -> None:
    rule = Rule(name="r", board="b", when="approaches", within=0.2, confirm=1, margin=0)
    history = days(*((10, value) for value in (5, 5, 9, 9, 9, 5)))
    for number in (1, 3):
        del history[number].values["A"]
    (told,) = backtest.run(history, [rule])
    assert (told.first_lead, told.delay_days) == (date(2026, 1, 3), 0), "it was not near on the day before"
    assert (told.led_after_days, told.lost_after_days) == (None, 3), "nor did it lead on the one after"


def test_what_is_held_and_what_takes_it_back_are_not_sent() -> None:
    history = days((10, 9), (10, 11), (10, 11), (10, 9), (10, 9), (10, 11), (10, 11))
    told = backtest.run(history, [RULE], lambda _: [False, True, True])
    assert [(one.entity, one.held) for one in told] == [("B", True), ("A", True), ("B", False)]
    assert backtest.measure(told, 2, 0.05).alerts == 1


def test_a_sweep_tries_every_pair_and_says_less_the_more_it_asks_for() -> None:
    outcomes = list(
        backtest.sweep(months(), RULE.model_copy(update={"board": "monthly"}), confirms=(1, 3), margins=(0.0, 0.1))
    )
    assert [(one.confirm, one.margin) for one in outcomes] == [(1, 0.0), (1, 0.1), (3, 0.0), (3, 0.1)]
    assert outcomes[0].alerts >= outcomes[2].alerts


# On the command line


def test_a_backtest_of_one_rule_is_drawn_with_the_days_on_which_it_told(run: Callable[..., Done]) -> None:
    done = run("backtest", "--rule", "monthly-lead")
    assert done.code == 0
    assert "2025-06-30" in done.out
    assert "told 2025-06-30" in done.out
    assert "Qwen" in done.out
    assert "⣀" in done.out


def test_a_backtest_for_programs_is_rows_alone(run: Callable[..., Done]) -> None:
    done = run("backtest", "--rule", "monthly-lead", "--format", "json")
    (row,) = json.loads(done.out)
    assert (row["entity"], row["first_lead"], row["confirmed_day"]) == ("Qwen", "2025-04-30", "2025-06-30")


def test_a_backtest_of_who_comes_near_says_when_it_led(run: Callable[..., Done]) -> None:
    rows = json.loads(run("backtest", "--format", "json").out)
    assert [row["led_after_days"] for row in rows if row["rule"] == "closing-in"] == [30]
    assert {row["led_after_days"] for row in rows if row["rule"] != "closing-in"} == {None}
    assert "led after days" in run("backtest", "--rule", "closing-in").out
    assert "led after days" not in run("backtest", "--rule", "monthly-lead").out


def test_a_backtest_can_be_drawn_into_a_file(run: Callable[..., Done], tmp_path: Path) -> None:
    done = run("backtest", "--rule", LLAMA.name, "--chart", tmp_path / "race.png")
    assert done.code == 0
    assert (tmp_path / "race.png").read_bytes().startswith(b"\x89PNG")
    assert "race.png written" in done.err


def test_a_chart_that_cannot_be_written_is_one_line(run: Callable[..., Done], tmp_path: Path) -> None:
    done = run("backtest", "--rule", "monthly-lead", "--chart", tmp_path / "nowhere" / "race.png")
    assert done.code == 2
    assert "cannot be written" in done.err


def test_a_rule_that_would_have_said_nothing_is_not_drawn(run: Callable[..., Done]) -> None:
    done = run("backtest", "--rule", "country-lead")
    assert done.out == "the rules would have said nothing\n"


def test_a_sweep_is_a_grid_for_people_and_rows_for_programs(run: Callable[..., Done]) -> None:
    grid = run("backtest", "--sweep", "--rule", "monthly-lead").out.splitlines()
    assert "monthly-lead on monthly; now confirm = 3, margin = 1.0%" in grid
    by_confirm = {line.split()[0]: line for line in grid if line.strip()[:1].isdigit()}
    assert "3, 1 lost, 0 d" in by_confirm["1"]
    assert by_confirm["3"].split()[1:] == ["1,", "61", "d"] * 5
    rows = json.loads(run("backtest", "--sweep", "--rule", "monthly-lead", "--format", "json").out)
    assert {"rule": "monthly-lead", "confirm": 1, "margin": 0.01, "reverted_90": 1}.items() <= rows[1].items()


def test_a_sweep_of_a_rule_that_would_have_said_nothing_says_so(run: Callable[..., Done]) -> None:
    assert "country-lead: nothing, whatever its confirm and margin" in run("backtest", "--sweep").out


# What check says of rules


def test_check_says_when_each_rule_would_last_have_told_something(demo: Demo) -> None:
    settings = config.load(demo.folder / config.DEFAULT_NAME, {})
    said = "\n".join(check.problems(settings, now=moment(400)).lines)
    assert (
        "rule passes-llama: tells console, outbox when a pair with meta-llama among the first ten changes order on"
        " board publishers, once it has held for 3 complete days in a row by at least 1.0%; over 21 stored days it"
        " would have told 3 times, last on 2026-08-21: nvidia passes meta-llama on publishers"
    ) in said
    assert "it would have told once, last on 2025-06-30: Qwen takes the lead from meta-llama on monthly" in said
    assert "it would have told once, last on 2025-03-31: Qwen comes within 10% of meta-llama on monthly" in said
    assert "rule country-lead: " in said
    assert "over 21 stored days it would have told nothing" in said


def test_check_says_nothing_of_the_past_before_the_first_collection(tmp_path: Path) -> None:
    from spine import configure

    with hub() as local:
        said = check.problems(config.load(configure(tmp_path, local.endpoint), {}), now=moment(0)).lines
    assert any(line.startswith("rule who-leads: tells outbox when the lead changes") for line in said)
    assert not any("would have" in line for line in said)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"when": "enters_top", "top": 5}, "when anybody enters the first 5"),
        ({"when": "leaves_top", "top": 5, "between": ("Qwen",)}, "when Qwen leaves the first 5"),
        ({"when": "approaches"}, "when one of the first ten comes within 10% of who leads"),
        ({"when": "approaches", "within": 0.07, "between": ("Qwen",)}, "when Qwen comes within 7% of who leads"),
        ({"when": "milestone", "at": (1e9,), "between": ("Qwen",)}, "when Qwen reaches 1.0B"),
        ({"when": "milestone", "at": (1e6,)}, "when one of the first ten reaches 1.0M"),
        ({"when": "overtake"}, "when any pair of the first ten changes order"),
        ({"when": "source_trouble", "after_days": 2}, "when board b had no complete snapshot for 2 days"),
    ],
)
def test_every_kind_of_rule_is_said_in_words(keys: dict[str, object], words: str) -> None:
    rule = Rule.model_validate({"name": "r", "board": "b"} | keys)
    assert words in check.in_words(rule)
