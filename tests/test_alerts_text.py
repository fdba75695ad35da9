"""Text that means harm comes out harmless, and stays readable."""

from __future__ import annotations

import unicodedata

import pytest
from alert_samples import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from alerts import text

ANYTHING = st.one_of(st.text(), st.sampled_from(HOSTILE), st.text(alphabet="<>&*_~`@!:/ |\n\u202eaé🤗"))


@given(ANYTHING, st.integers(1, 300))
def test_plain_is_one_visible_line_within_its_limit(raw: str, limit: int) -> None:
    line = text.plain(raw, limit)
    assert len(line) <= limit
    assert line == line.strip()
    assert not {unicodedata.category(c) for c in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    line.encode()
    assert not set(line) & set("\ufffe\uffff"), "an Atom feed with one of these cannot be read"


@given(ANYTHING)
def test_plain_changes_nothing_the_second_time(raw: str) -> None:
    assert text.plain(text.plain(raw)) == text.plain(raw)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Qwen/Qwen3-8B_x", "Qwen/Qwen3-8B_x"),
        ("a\r\nb\tc", "a b c"),
        ("a\u202eb\u200bc\ufeff", "abc"),
        ("a\ufffeb\uffffc", "abc"),
        ("通义千问", "通义千问"),
        ("abcdef", "abc…"),
        ("🤗🤗🤗🤗🤗", "🤗🤗🤗…"),
    ],
)
def test_plain_keeps_what_people_read(raw: str, shown: str) -> None:
    assert text.plain(raw, 4 if shown.endswith("…") else 99) == shown


@given(ANYTHING, st.integers(10, 3000))
def test_nothing_fires_in_slack(raw: str, limit: int) -> None:
    for escaped in (text.slack_mrkdwn(raw, limit), text.slack_plain(raw, limit)):
        assert len(escaped) <= limit
        assert not set(escaped) & set("<>*~`@\n")
        assert "://" not in escaped
        assert not escaped.startswith("&gt;")


@given(ANYTHING, st.integers(10, 60))
def test_no_entity_of_slack_is_cut_in_two(raw: str, limit: int) -> None:
    rest = text.slack_mrkdwn(raw, limit)
    for entity in ("&amp;", "&lt;", "&gt;"):
        rest = rest.replace(entity, "")
    assert "&" not in rest


def test_real_repository_names_reach_slack_unchanged() -> None:
    for name in ("Qwen/Qwen2.5_VL-7B", "zai-org/GLM-4.5", "openai/gpt-oss-120b", "01-ai/Yi_34B_200K", "10:30 UTC"):
        assert text.slack_mrkdwn(name, 200) == text.slack_plain(name, 200) == name


def test_an_underscore_at_the_edge_of_a_word_is_no_emphasis() -> None:
    assert "_" not in text.slack_mrkdwn("_it_ a_ _b", 100)


def test_an_emoji_by_name_stays_a_name() -> None:
    assert ":skull:" not in text.slack_mrkdwn("who :skull: there", 100)


@given(ANYTHING)
def test_no_escape_sequence_reaches_a_terminal(raw: str) -> None:
    shown = text.terminal(raw)
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert not {unicodedata.category(c) for c in shown.replace("\n", "")} & {"Cc", "Cf", "Cs"}


def test_a_terminal_keeps_lines_and_columns_and_gets_only_what_it_can_write() -> None:
    assert text.terminal("a\n  b    c — ü", "ascii") == "a\n  b    c ? ?"


def test_html_is_escaped_for_content_and_attributes() -> None:
    assert text.html("<b a='1' b=\"2\">&") == "&lt;b a=&#39;1&#39; b=&#34;2&#34;&gt;&amp;"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (0.32, "0.32"),
        (1000, "1.0k"),
        (999_949, "999.9k"),
        (999_950, "1.0M"),
        (32_640_000, "32.6M"),
        (1_250_000_000, "1.2B"),
        (7.1e15, "7,100.0T"),
        (-32_640_000, "-32.6M"),
        (float("nan"), "unknown"),
        (float("inf"), "unknown"),
    ],
)
def test_counts_are_for_people(value: float, shown: str) -> None:
    assert text.humanise(value) == shown


def test_two_close_counts_get_the_digits_that_tell_them_apart() -> None:
    assert text.versus(32_640_000, 32_041_000) == "32.6M vs 32.0M"
    assert text.versus(32_640_000, 32_610_000) == "32.64M vs 32.61M"
    assert text.versus(259_179_439, 259_179_400) == "259,179,439 vs 259,179,400"
    assert text.versus(0.121, 0.122) == "0.121 vs 0.122"
    assert text.versus(5, 5) == "5 vs 5"
    assert text.versus(259_179_439, 259_179_439) == "259.2M vs 259.2M"


def test_a_percentage_shows_even_a_tiny_lead() -> None:
    assert [text.percent(share) for share in (0.0184, 0.00042, 1.5e-7, 0, float("nan"))] == [
        "1.8%",
        "0.042%",
        "under 0.001%",
        "0.0%",
        "unknown",
    ]
