"""Tables on terminals: what a narrow one has no room for is said in fewer columns, and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.output import Format, print_answer, print_rows

_STYLES = re.compile(r"\x1b\[[0-9;]*m")

STANDS = "stands: it holds on the models seen at both ends"
GROWTH = "list growth: it exists only because more repositories were listed"
FLIPS = [
    {
        "flip_id": f"{number:010}",
        "day": "2026-08-04",
        "board": "publishers",
        "kind": "lead_change",
        "entity": entity,
        "rival": rival,
        "value": 41_400_000.0,
        "rival_value": 34_000_000.0,
        "margin": 0.179,
        "verdict": verdict,
    }
    for number, (entity, rival, verdict) in enumerate(
        [("nvidia", "deepseek-ai", STANDS), ("nvidia", "openai", GROWTH), ("openai", "meta-llama", STANDS)]
    )
]
DATED = [
    {
        "measure": "series:publisher-monthly",
        "scope": scope,
        "first_led": "2024-09-30 .. 2024-10-31",
        "verdict": "estimated",
        "leads_for_good": "from the first day, 2026-02-26",
        "good_verdict": None,
        "changes": 3,
        "seen": "27 days, 2024-07-31 to 2026-09-30",
    }
    for scope in ("own", "lineage", None)
]
MUTED = [
    {
        "silence_id": "afc01a01",
        "rule": rule,
        "board": "countries",
        "entity": "China",
        "starts_at": datetime(2026, 11, 27, 16, 23, tzinfo=UTC),
        "ends_at": datetime(2026, 11, 28, 16, 23, tzinfo=UTC),
        "author": "the desk",
        "reason": "we are moving house and nobody reads",
        "afterwards": True,
    }
    for rule in ("", "lead")
]
TOLD = [
    {
        "rule": "passes-llama",
        "event": "FLIP",
        "entity": "deepseek-ai",
        "rival": "meta-llama",
        "first_lead": "2026-06-23",
        "confirmed_day": "2026-07-09",
        "delay_days": 16,
        "margin": 0.124,
        "held": False,
        "lost_after_days": None,
        "led_after_days": None,
    }
]


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401 a function
    """What a terminal so many columns wide shows of some rows."""

    def shown(width: int, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", str(width))
        print_rows(rows, columns or list(rows[0]), Format.table)
        return _STYLES.sub("", capsys.readouterr().out)

    return shown


def _widest(shown: str) -> int:
    return max(map(len, shown.splitlines()))


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("rows", [FLIPS, DATED, TOLD, MUTED], ids=["flips", "when", "backtest", "silences"])
def test_a_table_fits_the_terminal(on_a_terminal: Any, rows: list[dict[str, Any]], width: int) -> None:  # noqa: ANN401
    shown = on_a_terminal(width, rows)
    assert _widest(shown) <= width
    words = set(shown.split())
    for row in rows:
        for name in ("flip_id", "day", "board", "kind", "entity", "rival", "rule", "first_lead", "confirmed_day"):
            assert not row.get(name) or str(row[name]) in words, name


def test_a_table_that_has_room_is_as_it_always_was(on_a_terminal: Any) -> None:  # noqa: ANN401 a function
    head, first, *_ = on_a_terminal(200, FLIPS).splitlines()
    assert head.split("  ")[0] == "flip id"
    assert "rival value" in head
    assert first.endswith(STANDS)


def test_what_verdicts_mean_is_said_once_where_there_is_no_room_to_say_it_in_every_row(on_a_terminal: Any) -> None:  # noqa: ANN401
    shown = on_a_terminal(110, FLIPS)
    assert shown.count(STANDS) == shown.count(GROWTH) == 1
    assert shown.endswith(f"\n\n{STANDS}\n{GROWTH}\n")
    assert shown.splitlines()[2].endswith("17.9%  stands")


def test_who_passed_whom_stands_one_beneath_the_other_as_their_counts_do(on_a_terminal: Any) -> None:  # noqa: ANN401
    lines = [line.split() for line in on_a_terminal(80, FLIPS).splitlines()]
    assert ["board", "entity", "value"] in lines
    assert ["0000000000", "2026-08-04", "publishers", "nvidia", "41.4M", "17.9%", "stands"] in lines
    assert ["lead_change", "deepseek-ai", "34.0M"] in lines


def test_a_column_in_which_nothing_is_known_goes_first(on_a_terminal: Any) -> None:  # noqa: ANN401 a function
    assert "lost after" in on_a_terminal(200, TOLD)
    narrow = on_a_terminal(100, TOLD)
    assert "lost" not in narrow
    assert "delay" in narrow


def test_a_long_name_is_broken_behind_its_marks_and_its_rival_stands_beside_its_own_count(on_a_terminal: Any) -> None:  # noqa: ANN401
    longer = {"entity": "nvidia/Qwen3.6-35B-A3B-NVFP4", "rival": "google/gemma-4-26B-A4B-it", "verdict": STANDS}
    shown = on_a_terminal(80, [row | longer for row in FLIPS])
    assert _widest(shown) <= 80
    (first,) = {line for line in shown.splitlines() if line.startswith("0000000000")}
    (second,) = {line for line in shown.splitlines() if "google/" in line and "34.0M" in line}
    assert [word for word in first.split() if word in ("nvidia/", "41.4M")] == ["nvidia/", "41.4M"]
    assert shown.splitlines().index(second) > shown.splitlines().index(first) + 1


def test_where_nothing_helps_rows_are_whole(on_a_terminal: Any) -> None:  # noqa: ANN401 a function
    lines = on_a_terminal(40, FLIPS).splitlines()
    assert len(lines) == 1 + len(FLIPS)
    assert all(row["verdict"] in line for row, line in zip(FLIPS, lines[1:], strict=True))


def test_who_asks_in_sql_gets_the_columns_asked_for(
    on_a_terminal: Any,  # noqa: ANN401 a function
    capsys: pytest.CaptureFixture[str],
) -> None:
    on_a_terminal(60, TOLD)
    print_answer(list(TOLD[0]), TOLD, Format.table)
    head, row = _STYLES.sub("", capsys.readouterr().out).splitlines()
    assert head.split() == list(TOLD[0])
    assert row.split()[-2:] == ["NULL", "NULL"]


def test_a_table_that_nobody_looks_at_is_as_wide_as_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(FLIPS, list(FLIPS[0]), Format.table)
    assert all(line.endswith(("verdict", STANDS, GROWTH)) for line in capsys.readouterr().out.splitlines())
