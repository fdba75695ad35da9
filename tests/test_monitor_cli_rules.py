"""`leadchange test-rules` as people use it: what passes, what fails, and what is wrong with a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.cli import app as cli

Run = Callable[[str | bytes], tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Test the rules of a file with this content."""

    def command(content: str | bytes) -> tuple[int, str, str]:
        file = tmp_path / "mine.yaml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        capsys.readouterr()
        return cli.run(["test-rules", str(file)]), *capsys.readouterr()

    return command


HEAD = """
rules: [{name: r, board: b, confirm: 1}]
tests:
"""
PASSES = HEAD + " - {name: told, board: b, series: {A: 2 2, B: 1 3}, expect: [{at: 1, rule: r, to: B, from: A}]}\n"


def test_what_is_expected_and_comes_passes_and_what_does_not_come_fails(run: Run) -> None:
    assert run(PASSES) == (0, "ok   mine.yaml: told\n", "1 passed, 0 failed\n")
    code, out, err = run(PASSES.replace("at: 1", "at: 0"))
    assert (code, err) == (1, "0 passed, 1 failed\n")
    assert out.splitlines() == [
        "FAIL mine.yaml: told", "       - 2026-01-01 r FLIP B from A", "       + 2026-01-02 r FLIP B from A",
    ]  # fmt: skip


def test_the_example_of_the_documentation_passes(run: Run) -> None:
    page = (Path(__file__).parent.parent / "docs" / "rules.md").read_text("utf-8")
    code, out, _ = run(page.split("```yaml\n")[1].split("```")[0])
    assert (code, out.count("ok ")) == (0, 2), out


def test_a_name_is_a_name_also_where_yaml_takes_it_for_no_or_for_a_number(run: Run) -> None:
    """NO is Norway on a board of countries."""
    text = HEAD + " - {name: told, board: b, series: {1: 2 2, NO: 1 3}, expect: [{at: 1, rule: r, to: NO, from: 1}]}\n"
    assert run(text) == (0, "ok   mine.yaml: told\n", "1 passed, 0 failed\n")


def test_a_file_that_is_wrong_does_not_keep_the_others_from_being_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.yaml").write_text("tests: 5")
    (tmp_path / "mine.yaml").write_text(PASSES)
    files = [str(tmp_path / name) for name in ("bad.yaml", "mine.yaml", "none.yaml")]
    assert cli.run(["test-rules", *files]) == 2
    out, err = capsys.readouterr()
    assert out == "ok   mine.yaml: told\n"
    assert [line.split(":")[0] for line in err.splitlines()] == ["1 passed, 0 failed", "bad.yaml", files[2]]


WRONG: dict[str, tuple[str | bytes, str]] = {
    "bytes": (b"\xff\xfe", "no text: "),
    "nothing": ("", "mine.yaml: no rule tests: it has `rules` or `config`, and `tests`"),
    "no YAML": ("tests: [", "mine.yaml: no valid YAML: "),
    "twice": (PASSES.replace("rules: [", "rules: [{name: r, board: b}, "), "mine.yaml: rule 'r' is written twice"),
    "nobody's board": (
        PASSES.replace("board: b, series", "board: c, series"),
        "mine.yaml: told: no rule watches a board called 'c'; known: b",
    ),
    "garbage": (PASSES.replace("2 2", "2 x"), "mine.yaml: told: series A: cannot read 'x'; write "),
    "no event": (PASSES.replace("to: B", "to: B, event: flip"), "mine.yaml: tests.0.expect.0.event: input should be "),
    "misspelt": (
        PASSES.replace("to: B", "to: B, evnt: FLIP"),
        "tests.0.expect.0.evnt: unknown key; did you mean 'event'?",
    ),
    "no list": ("tests: 5", "mine.yaml: tests: write a list: "),
    "no moment": (PASSES.replace("at: 1, ", ""), "mine.yaml: tests.0.expect.0: give either `at` "),
    "far away": (PASSES.replace("at: 1", "at: 99999999"), "mine.yaml: tests.0.expect.0.at: input should be less "),
    "the end of time": (PASSES.replace("board: b, s", "board: b, start: 9999-12-31, s"), "mine.yaml: tests.0.start: "),
    "too long": (PASSES.replace("1 3", "1x99999 3"), "mine.yaml: told: 100,001 days are too many; at most 100,000"),
}


@pytest.mark.parametrize(("content", "begins"), WRONG.values(), ids=WRONG)
def test_a_file_that_is_wrong_is_one_line_that_says_where(run: Run, content: str | bytes, begins: str) -> None:
    code, out, err = run(content)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert begins in line


def test_milestones_that_differ_by_little_are_two_and_each_is_as_it_is_written(run: Run) -> None:
    rules = "rules: [{name: m, board: b, when: milestone, at: [12345678, 12345679], margin: 0, confirm: 1}]\n"
    days = "tests:\n - {name: both, board: b, series: {A: 12345677 12345678 12345679}, expect: %s}\n"
    expected = "[{at: 1, rule: m, to: A, from: 12345678}, {at: 2, rule: m, to: A, from: 12345679}]"
    assert run(rules + days % expected)[:2] == (0, "ok   mine.yaml: both\n")


@pytest.mark.parametrize("written", ["1000000", "1e6", "1.0e+6", "1_000_000", "'1e6'"])
def test_the_number_of_a_milestone_may_be_written_in_every_way(run: Run, written: str) -> None:
    rules = "rules: [{name: m, board: b, when: milestone, at: [1000000], margin: 0, confirm: 1}]\n"
    day = f"{{name: one, board: b, series: {{A: 1 1e6}}, expect: [{{at: 1, rule: m, to: A, from: {written}}}]}}"
    assert run(f"{rules}tests: [{day}]\n") == (0, "ok   mine.yaml: one\n", "1 passed, 0 failed\n")
