"""What a message says, to whom it may concern, whatever the names are."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from alert_samples import HOSTILE, USUAL, alert, sent
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import forms, message
from alerts.channels import slackwire

KINDS = (
    "lead_change", "overtake", "approaches", "enters_top", "leaves_top", "milestone", "source_trouble", "contested",
    "settled", "correction", "revert", "mass_change", "something_new",
)  # fmt: skip
NAMES = st.one_of(st.text(max_size=300), st.sampled_from(HOSTILE), st.text(alphabet="<>&*_~`@!:/|\"' \n\u202ea🤗"))
TAGS = {"html", "head", "meta", "title", "style", "body", "div", "h1", "h2", "p", "table", "tr", "td"}
NOW = datetime(2026, 8, 21, 10, 40, tzinfo=UTC)


def parts(made: message.Message) -> list[str]:
    return [made.text, made.html, json.dumps(made.blocks, ensure_ascii=False)]


def test_a_message_says_who_whom_where_when_how_much_why_and_how_well_known() -> None:
    for form in parts(sent()):
        for said in (
            "Qwen takes the lead from Llama on families",
            "counting what their own publishers publish",
            "1.8% (32.6M vs 32.0M)",
            "2026-08-19",
            "2026-08-21, after 3 complete days in a row",
            "Qwen3-8B +1.2M; 3 new models +0.4M",
            "4,211 models, none missing",
            "who-leads",
            "123",
            "https://monitor.example/flips/7",
            "9f3ac2d1e07b",
        ):
            assert said in form


def test_what_is_not_known_leaves_no_empty_line() -> None:
    made = message.compose(alert(why="", quality="", definition=""))
    for form in parts(made):
        assert "Why" not in form
        assert "Data" not in form
        assert "More" not in form


@pytest.mark.parametrize(
    ("kind", "rival", "said"),
    [
        ("lead_change", "meta-llama", "google takes the lead from meta-llama on publishers"),
        ("lead_change", "", "google takes the lead on publishers"),
        ("overtake", "meta-llama", "google passes meta-llama on publishers"),
        ("approaches", "xai", "google comes close to xai on publishers"),
        ("approaches", "", "google comes close to the leader on publishers"),
        ("enters_top", "", "google enters the top of publishers"),
        ("enters_top", "xai", "google enters the top of publishers, ahead of xai"),
        ("leaves_top", "xai", "google leaves the top of publishers, behind xai"),
        ("milestone", "", "google reaches a milestone on publishers"),
        ("source_trouble", "", "Trouble reading google: publishers is on hold"),
        ("contested", "xai", "publishers is contested: several lead changes"),
        ("settled", "xai", "publishers has settled: google leads after several lead changes"),
        ("correction", "xai", "Correction: what was said about google and xai on publishers"),
        ("correction", "", "Correction: what was said about google on publishers"),
        ("revert", "xai", "Reverted: google is ahead of xai again on publishers"),
        ("mass_change", "", "Mass change: google from one snapshot are held"),
        ("something_new", "", "google: something_new on publishers"),
    ],
)
def test_every_kind_has_its_headline(kind: str, rival: str, said: str) -> None:
    assert message.title(kind, "google", rival, "publishers") == said


@pytest.mark.parametrize(
    ("kind", "number", "said"),
    [
        ("approaches", 0.1, "google comes within 10% of xai on publishers"),
        ("approaches", 0.025, "google comes within 2.5% of xai on publishers"),
        ("enters_top", 10, "google enters the top 10 of publishers, ahead of xai"),
        ("leaves_top", 10, "google leaves the top 10 of publishers, behind xai"),
        ("milestone", 1e9, "google reaches 1B on publishers"),
        ("milestone", 1.25e9, "google reaches 1.25B on publishers"),
        ("milestone", 500, "google reaches 500 on publishers"),
        ("contested", 5, "publishers is contested: 5 lead changes"),
        ("settled", 1, "publishers has settled: google leads after 1 lead change"),
        ("mass_change", 5000, "Mass change: 5,000 alerts from one snapshot are held"),
    ],
)
def test_a_headline_says_how_many(kind: str, number: float, said: str) -> None:
    assert message.title(kind, "google", "xai", "publishers", number=number) == said


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_whole_message(kind: str) -> None:
    made = sent(kind=kind, title="", rival_value=0.0)
    assert made.title == message.title(kind, "Qwen", "Llama", "families")
    assert all(made.title in form for form in parts(made))
    assert made.problems == ()


def test_a_contest_tells_how_often_and_what_happens_now() -> None:
    made = sent(kind="contested", changes=7, title="families is contested: several lead changes")
    assert made.title == "families is contested: 7 lead changes"
    assert "Qwen and Llama keep passing each other: 7 lead changes so far" in made.text
    assert "not told, until one of them stays ahead" in made.text
    settled = sent(kind="settled", changes=9, title="")
    assert settled.title == "families has settled: Qwen leads after 9 lead changes"
    assert "every lead change is told again" in settled.text


def test_a_contest_of_two_is_not_taken_for_one_about_the_lead() -> None:
    made = sent(kind="contested", pair=True, changes=6, title="")
    assert made.title == "Qwen and Llama keep passing each other on families: 6 changes"
    settled = sent(kind="settled", pair=True, changes=6, title="")
    assert settled.title == "Qwen stays ahead of Llama on families after 6 changes"
    assert "lead" not in (made.text + settled.text).replace("who-leads", "")


def test_a_contest_that_is_settled_when_it_is_told_is_not_taken_back() -> None:
    made = sent(kind="contested", state="reverted", changes=6, title="")
    assert made.title == "families is contested: 6 lead changes"
    assert "no longer holds" not in made.text


@pytest.mark.parametrize("kind", ["contested", "settled"])
def test_a_contest_claims_no_days_in_a_row(kind: str) -> None:
    assert "in a row" not in sent(kind=kind, changes=6, title="").text


def test_a_correction_says_what_was_wrong_and_why() -> None:
    made = sent(kind="correction", title="", why="later data no longer bears it out.", thread_of="abc")
    assert made.title == "Correction: what was said about Qwen and Llama on families"
    expected = "What was said about Qwen and Llama on families turned out wrong: later data no longer bears it out."
    assert expected in made.text
    assert "Why" not in made.text
    assert "As told    ahead by 1.8% (32.6M vs 32.0M)" in made.text


def test_a_flip_that_takes_another_back_says_so_whatever_it_was_stored_as() -> None:
    made = sent(entity="Llama", rival="Qwen", thread_of="abc", title="Llama takes the lead from Qwen on families")
    assert made.title == "Reverted: Llama is ahead of Qwen again on families"
    assert "The lead of Qwen did not last" in made.text


def test_a_mass_change_says_how_to_release_what_it_holds() -> None:
    made = sent(kind="mass_change", entity="41 alerts", rival="", changes=41, title="", why="41 on families")
    assert made.title == "Mass change: 41 alerts from one snapshot are held"
    assert 'release with "leadchange alerts release"' in made.text
    assert re.search(r"Alerts:? +41 on families", made.text)
    assert "Value" not in made.text


def test_trouble_says_for_how_long_and_why() -> None:
    made = sent(kind="source_trouble", entity="source", rival="", value=4.0, why="HTTP 503", title="", snapshot_id=0)
    assert made.title == "Trouble reading the source: families is on hold"
    assert "No complete snapshot for 4 days: HTTP 503. No lead change is reported on families until" in made.text
    assert "Snapshot" not in made.text


def test_trouble_that_is_over_when_it_is_told_is_no_lead_that_was_lost() -> None:
    """Who is cut off reaches neither the Hub nor the channel, and comes back to both at once."""
    made = sent(kind="source_trouble", entity="source", rival="", value=4.0, state="reverted", title="", snapshot_id=0)
    assert made.title == "Over: Trouble reading the source: families is on hold"
    assert "A complete snapshot has come since: lead changes are reported again." in made.text
    assert "ahead" not in made.text
    assert "Reverted" not in made.html


@pytest.mark.parametrize("kind", ["milestone", "leaves_top", "enters_top"])
def test_what_is_no_race_is_taken_back_without_saying_who_is_ahead(kind: str) -> None:
    made = sent(kind=kind, state="reverted", rival="1e+09" if kind == "milestone" else "Llama", rival_value=1e9)
    assert made.title.startswith("Reverted: ")
    assert "This no longer holds." in made.text


def test_who_left_is_behind_whoever_came_in() -> None:
    made = sent(kind="leaves_top", value=90.0, rival_value=100.0, margin=0.1, title="")
    assert "Behind by  10.0% (90 vs 100)" in made.text


def test_a_milestone_says_which() -> None:
    assert sent(kind="milestone", rival_value=1e9, value=1.02e9, title="").title == "Qwen reaches 1B on families"


def test_folded_alerts_are_one_message_with_a_line_each() -> None:
    inner = alert(alert_id="inner0000001", board="models", entity="Qwen3-8B", rival="Llama-3.1-8B", title="")
    made = message.compose(alert(board="countries", entity="CN", rival="US", title=""), also=[inner])
    assert made.title == "CN takes the lead from US on countries"
    assert made.alert_id == USUAL.alert_id
    for form in parts(made):
        assert "Within it" in form
        assert "Qwen3-8B takes the lead from Llama-3.1-8B on models" in form
        assert "inner0000001" in form
    assert [one["alert_id"] for one in made.data["also"]] == ["inner0000001"]


def test_what_a_message_continues_is_kept() -> None:
    assert message.compose(USUAL, reply_to="<a@b>").reply_to == "<a@b>"


def test_data_is_for_programs() -> None:
    data = json.loads(json.dumps(sent(margin=float("nan")).data, allow_nan=False))
    assert data["day"] == "2026-08-19"
    assert data["value"] == 32_640_000
    assert data["margin"] is None
    assert "history" not in data


def test_a_reverted_alert_says_so_first() -> None:
    made = sent(state="reverted")
    assert made.title.startswith("Reverted: Qwen takes the lead")
    assert "Llama is ahead of Qwen again" in made.text


def test_an_alert_that_is_not_confirmed_says_so() -> None:
    assert re.search(r"Confirmed +not yet", sent(confirmed_day=None).text)
    assert sent(confirmed_day=None).day == date(2026, 8, 19)


@given(entity=NAMES, rival=NAMES, other=NAMES, kind=st.sampled_from(KINDS))
@settings(max_examples=examples(150), deadline=None)
def test_no_name_can_do_harm(entity: str, rival: str, other: str, kind: str) -> None:
    hostile = alert(
        entity=entity, rival=rival, kind=kind, board=other, rule=other, why=other, quality=other, definition=other,
        title="", alert_id=other or "x",
    )  # fmt: skip
    for made in (
        message.compose(hostile),
        message.summary([hostile] * 3),
        message.summary([hostile], occasion="silence"),
        message.compose(hostile, also=[hostile] * 12),
        message.compose(replace(hostile, title=other)),
    ):
        assert not {unicodedata.category(c) for c in made.title} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert len(made.title) <= message.TITLE_LIMIT
        assert_within_slacks_limits(slackwire.payload(made))
        assert_nothing_fires(slackwire.payload(made))
        assert_nothing_fires(slackwire.plain_payload(made))
        assert tags(made.html) <= TAGS
        made.text.encode()


def assert_within_slacks_limits(payload: dict[str, Any]) -> None:
    assert len(payload["text"]) <= 3000
    assert 0 < len(payload["blocks"]) <= 50
    for block in payload["blocks"]:
        limit = {"header": 150, "section": 3000}.get(block["type"], 3000)
        assert 0 < len(block.get("text", {"text": "-"})["text"]) <= limit
        assert len(block.get("fields", [])) <= 10
        assert all(0 < len(field["text"]) <= 2000 for field in block.get("fields", []))
        assert len(block.get("elements", [])) <= 10


def assert_nothing_fires(payload: dict[str, Any]) -> None:
    raw = json.dumps(payload, ensure_ascii=False)
    assert not re.search(r"<[!@#]|@(here|channel|everyone)|://|`|~", raw)
    # The only bold words are our own labels.
    assert set(re.findall(r"\*([^*]*)\*", raw)) <= {
        "Ahead by", "Behind by", "Value", "Since", "Confirmed", "Why", "Data", "Rule", "Snapshot", "Within it",
        "Newest first", "As told", "Alerts",
    }  # fmt: skip
    assert payload["unfurl_links"] is payload["unfurl_media"] is False
    assert "link_names" not in payload


def tags(html: str) -> set[str]:
    found: set[str] = set()

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert {name for name, _ in attrs} <= {
                "lang", "charset", "name", "content", "style", "role", "cellpadding", "cellspacing", "class", "width",
            }  # fmt: skip
            found.add(tag)

    parser = Tags()
    parser.feed(html)
    parser.close()
    return found


def test_the_longest_names_leave_both_rivals_in_the_headline() -> None:
    long = message.title("lead_change", "a" * 96, "b" * 96, "c" * 96)
    assert "aaa…" in long
    assert "bbb…" in long


def test_html_fetches_nothing_from_anywhere() -> None:
    html = sent(picture=b"png").html
    assert re.findall(r'src="([^"]*)"', html) == [f"cid:{message.CHART_CID}"]
    assert "url(" not in html
    assert "src=" not in sent().html


@pytest.mark.parametrize("link", ["javascript:alert(1)", "file:///etc/passwd", "//x", "https://x/" + "a" * 5000, None])
def test_what_is_no_web_address_is_not_linked(link: str | None) -> None:
    made = message.compose(USUAL, link=link)
    assert "href" not in made.html
    assert "open in leadchange" not in json.dumps(made.blocks)


def test_a_link_cannot_end_early() -> None:
    made = message.compose(USUAL, link="https://x.example/board/a|b>*c*\"'?q=1&r=2")
    assert (
        "<https://x.example/board/a%7Cb%3E*c*%22&#39;?q=1&amp;r=2|open in leadchange>"
        in made.blocks[-1]["elements"][0]["text"]
    )


def test_a_test_message_is_unmistakable_and_new_each_time() -> None:
    made = message.test_message("research-slack", NOW)
    assert made.title.startswith("TEST")
    assert "research-slack" in made.title
    assert "No lead has changed" in made.text
    assert made.alert_id != message.test_message("research-slack", NOW + timedelta(seconds=1)).alert_id


def test_a_summary_lists_the_newest_first_and_counts_the_rest() -> None:
    alerts = [alert(alert_id=f"{n:032x}", confirmed_day=date(2026, 8, 1) + timedelta(days=n)) for n in range(14)]
    made = message.summary(alerts)
    assert made.title == "14 alerts, 2026-08-01 to 2026-08-14"
    assert "+4 more" in made.text
    assert re.findall(r"^  (2026-08-\d\d)", made.text, re.MULTILINE) == [f"2026-08-{n:02}" for n in range(14, 4, -1)]
    assert made.alert_id == message.summary(list(reversed(alerts))).alert_id


def test_a_summary_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        message.summary([])


def test_the_same_alert_gives_the_same_message() -> None:
    assert sent() == sent()
    assert sent(alert_id="another").thread == sent().thread


def test_a_silence_that_ended_tells_what_it_kept_quiet() -> None:
    made = message.summary([USUAL], occasion="silence", now=NOW)
    assert made.title == "Changed while silenced: 1 alert, 2026-08-21"
    assert "Qwen takes the lead from Llama on families" in made.text
    assert made.alert_id != message.summary([USUAL]).alert_id


@pytest.mark.parametrize("template", ["{{ nobody }}", "{% if %}", "{{ 1 // 0 }}", "{{ ''.__class__.__mro__ }}"])
def test_a_broken_template_still_tells_and_is_reported(
    monkeypatch: pytest.MonkeyPatch, template: str, caplog: pytest.LogCaptureFixture
) -> None:
    import jinja2

    both = {"alert.html.j2": template, "alert.txt.j2": template}
    monkeypatch.setattr(forms._templates(), "loader", jinja2.DictLoader(both))
    monkeypatch.setattr(forms._templates(), "cache", None)
    made = sent(entity="<b>", title="")
    assert made.text.startswith("<b> takes the lead from Llama on families\n\n")
    assert "Ahead by: 1.8%" in made.text
    assert "9f3ac2d1e07b" in made.text
    assert made.html.startswith("<pre>&lt;b&gt; takes the lead")
    assert [problem.split(" is broken")[0] for problem in made.problems] == [
        "the template alert.txt.j2",
        "the template alert.html.j2",
    ]
    assert "alert.html.j2 is broken" in caplog.text
