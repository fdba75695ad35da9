"""The digest: who stands where, what moved, what is contested, where the data had trouble."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from alert_samples import HOSTILE, USUAL, alert

from alerts.channels import slackwire
from alerts.digest import BOARDS, BoardWeek, digest, places
from alerts.message import TITLE_LIMIT, Message
from warehouse.records import Standing

NOW = datetime(2026, 8, 21, 10, 40, tzinfo=UTC)
TODAY, BEFORE = NOW.date(), NOW.date() - timedelta(days=7)


def standing(board: str = "families", day: date = TODAY, **values: float) -> Standing:
    return Standing(board, day, 123, values)


WEEK = BoardWeek(
    now=standing(Qwen=32.6e6, Llama=32e6, DeepSeek=12e6, Gemma=9e6, Mistral=8e6, GLM=1e6),
    before=standing(day=BEFORE, Llama=32.1e6, Qwen=31e6, DeepSeek=12e6, Mistral=9e6),
    definition="Families by downloads.",
)


def usual() -> Message:
    return digest(
        [WEEK],
        [USUAL, alert(alert_id="other", kind="overtake", title="", confirmed_day=date(2026, 8, 18))],
        [alert(kind="contested", board="models", changes=7, title="")],
        [(date(2026, 8, 17), "partial: google listed 812 of 1,140")],
        NOW,
        link="https://monitor.example/",
    )


def test_a_digest_has_standings_movements_contests_and_trouble_in_every_form() -> None:
    made = usual()
    assert made.title == "Week to 2026-08-21: 1 lead change, 1 other alert"
    for form in (made.text, made.html, json.dumps(made.blocks, ensure_ascii=False)):
        for said in (
            "Qwen leads families.",
            "What happened",
            "Qwen takes the lead from Llama on families",
            "Qwen passes Llama on families",
            "families, 2026-08-21",
            "32.6M",
            "+5.2%",
            "down 1",
            "Families by downloads.",
            "models is contested: 7 lead changes",
            "google listed 812 of 1,140",
            "https://monitor.example/",
        ):
            assert said in form


def test_columns_line_up_and_only_the_first_places_are_shown() -> None:
    lines = usual().text.splitlines()
    start = lines.index("families, 2026-08-21")
    assert lines[start + 1 : start + 7] == [
        "  1.  Qwen      32.6M   +5.2%  up 1",
        "  2.  Llama     32.0M   -0.3%  down 1",
        "  3.  DeepSeek  12.0M   +0.0%",
        "  4.  Gemma      9.0M          new",
        "  5.  Mistral    8.0M  -11.1%  down 1",
        "  Families by downloads.",
    ]


def test_what_is_not_known_of_the_past_is_not_made_up() -> None:
    place = places(replace(WEEK, before=None))[0]
    assert (place.change, place.rank_before) == (None, None)
    text = digest([replace(WEEK, before=None)], [], [], [], NOW).text
    assert "%" not in text
    assert "new" not in text
    assert places(BoardWeek(standing(a=1.0), standing(a=0.0)))[0].change is None


def test_who_has_as_much_shares_a_rank_as_on_the_board() -> None:
    found = places(BoardWeek(standing(a=9.0, b=7.0, c=7.0, d=1.0), standing(a=9.0, b=9.0, c=2.0)))
    assert [(place.entity, place.rank, place.rank_before) for place in found] == [
        ("a", 1, 1),
        ("b", 2, 1),
        ("c", 2, 3),
        ("d", 4, None),
    ]


def test_a_quiet_week_says_so() -> None:
    made = digest([WEEK], [], [], [], NOW)
    assert made.title == "Week to 2026-08-21: no lead changed"
    assert "Nothing to report" in made.text


def test_a_week_in_which_nothing_could_be_ranked_is_not_called_quiet() -> None:
    made = digest([], [], [], [], NOW)
    assert made.title == "Week to 2026-08-21: no board was ranked"
    assert "No board was ranked in these days" in made.text
    assert "Contested" not in made.text
    assert "trouble" not in made.text


def test_a_lead_change_that_was_taken_back_is_not_counted_as_one() -> None:
    assert digest([WEEK], [alert(state="reverted")], [], [], NOW).title.endswith("no lead changed, 1 other alert")


def test_another_period_is_named() -> None:
    assert digest([], [], [], [], NOW, days=30).title.startswith("30 days to 2026-08-21")
    assert digest([], [], [], [], NOW, days=1).title.startswith("1 day to 2026-08-21")


def test_a_digest_is_the_same_all_day_and_another_by_another_name() -> None:
    assert digest([], [], [], [], NOW).alert_id == digest([WEEK], [], [], [], NOW + timedelta(hours=2)).alert_id
    assert digest([], [], [], [], NOW).alert_id != digest([], [], [], [], NOW, name="other").alert_id
    assert digest([], [], [], [], NOW).alert_id != digest([], [], [], [], NOW + timedelta(days=1)).alert_id


def test_a_digest_that_is_sent_a_day_late_is_of_its_own_days_and_of_the_moment_it_is_composed() -> None:
    late = NOW + timedelta(days=1)
    made = digest([], [], [], [], late, day=TODAY)
    assert (made.at, made.day, made.data["since"]) == (late, TODAY, str(BEFORE))
    assert (made.title, made.alert_id) == (digest([], [], [], [], NOW).title, digest([], [], [], [], NOW).alert_id)


def test_too_much_is_counted_not_shown() -> None:
    many = [BoardWeek(standing(f"board{n}", a=1.0)) for n in range(60)]
    made = digest(many, [alert(alert_id=str(n)) for n in range(50)], [], [(TODAY, "why")] * 30, NOW)
    assert f"+{60 - BOARDS} more" in made.text
    assert "+40 more" in made.text
    assert "+20 more" in made.text
    assert len(made.blocks) <= 50


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_can_do_harm(name: str) -> None:
    week = BoardWeek(Standing(name, TODAY, 1, {name: 1.0, "a": 2.0}), Standing(name, BEFORE, 1, {"a": 1.0}), name)
    hostile = alert(entity=name, rival=name, board=name, why=name, title="", kind="contested")
    made = digest([week] * 3, [hostile] * 3, [hostile], [(TODAY, name)], NOW, name=name)
    assert len(made.title) <= TITLE_LIMIT
    raw = json.dumps(slackwire.payload(made), ensure_ascii=False)
    assert not {"<!", "<@", "<http", "@here", "`"} & {raw[n : n + k] for n in range(len(raw)) for k in (1, 2, 5)}
    assert all(len(block.get("text", {"text": ""})["text"]) <= 3000 for block in made.blocks)
    assert "<script>" not in made.html
    json.dumps(made.data, allow_nan=False).encode()
    made.text.encode()


def test_data_is_for_programs() -> None:
    data = json.loads(json.dumps(usual().data))
    assert data["kind"] == "digest"
    assert data["boards"][0]["places"][0] == {
        "rank": 1, "entity": "Qwen", "value": 32.6e6, "change": pytest.approx(0.0516, abs=1e-3), "rank_before": 2,
    }  # fmt: skip
    assert data["trouble"] == [{"day": "2026-08-17", "reason": "partial: google listed 812 of 1,140"}]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"A": 2, "B": 1}, "A leads totals."),
        ({"B": 2, "A": 2, "C": 1}, "A and B together lead totals."),
        ({"C": 2, "B": 2, "A": 2}, "A and B and others together lead totals."),
    ],
)
def test_of_equals_a_digest_takes_nobody_for_the_leader(values: dict[str, float], said: str) -> None:
    week = BoardWeek(Standing("totals", date(2026, 8, 21), 1, values))
    made = digest([week], [], [], [], datetime(2026, 8, 21, tzinfo=UTC))
    assert said in made.text
