"""What hands the data on: the prompt, the report, the export, the notebook, and docs/sql.md."""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest
from spine import model
from test_demo import Demo, demo  # noqa: F401 the demo runs once for all who ask
from web_world import HOSTILE, World, hostile, now, published

from monitor import export, report
from monitor.cli import app as cli
from monitor.cli import prompt
from monitor.output import Format
from monitor.web import questions, sqldocs
from warehouse.db import Database
from warehouse.errors import LeadchangeError, WarehouseError
from warehouse.published.browsing import Browsing
from warehouse.published.publish import RELATIONS
from warehouse.ranking.boards import Board

ROOT = Path(__file__).parent.parent


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A configuration file beside a published file."""
    shutil.copy(published(), tmp_path)
    file = tmp_path / "leadchange.toml"
    file.write_text('[warehouse]\npath = "warehouse.duckdb"\npublish = "adoption.duckdb"\n')
    return file


# The report


def test_the_report_stands_alone(tmp_path: Path) -> None:
    text = report.page(published(), now())

    assert "Beta leads families with 52 downloads in 30 days, first since 4 May 2026." in text
    assert "<script" not in text
    assert 'href="/' not in text
    assert "Beta takes the lead from Alpha on families" in text


def test_the_report_shows_names_from_outside_as_text(tmp_path: Path) -> None:
    text = report.page(hostile(World(tmp_path)).publish(), now())

    assert HOSTILE not in text
    assert "<img src=x" not in text


@pytest.mark.parametrize(
    ("tied", "shown", "said"), [(1, 10, ""), (3, 12, ""), (11, 20, ""), (12, 10, "and 11 more with as many")]
)
def test_who_shares_the_tenth_place_is_in_the_report_or_counted(
    tmp_path: Path, tied: int, shown: int, said: str
) -> None:
    world = World(tmp_path, [Board(name="models", entity="model")])
    counts = [*range(100, 91, -1), *[50] * tied, 3]
    world.look(0, [model(f"alpha-lab/m{number:02}", count) for number, count in enumerate(counts)])
    world.rank()
    text = report.page(world.publish(), now())
    assert len(re.findall(r'<th scope="row"><bdi>alpha-lab/', text)) == shown
    assert re.findall(r"and \d+ more with as many", text) == [said] * bool(said)


def test_a_report_without_data_says_so(tmp_path: Path) -> None:
    assert "Nothing has been collected yet" in report.page(World(tmp_path).publish(), now())
    with pytest.raises(WarehouseError, match="does not exist yet"):
        report.page(tmp_path / "nothing.duckdb", now())
    with pytest.raises(LeadchangeError, match="cannot write"):
        report.write(tmp_path / "adoption.duckdb", tmp_path / "adoption.duckdb" / "x" / "report.html", now())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_report_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, elsewhere = tmp_path / "link.html", tmp_path / "report.html"
    out.symlink_to(elsewhere)
    report.write(published(), out, now())
    before = elsewhere.read_text("utf-8")

    with monkeypatch.context() as full:
        full.setattr(report, "page", lambda *_: "x" * 100)
        full.setattr(Path, "write_text", _half_of_it)
        with pytest.raises(LeadchangeError, match=r"cannot write .*link\.html: No space left"):
            report.write(published(), out, now())
    assert (elsewhere.read_text("utf-8"), out.is_symlink()) == (before, True)
    assert {path.name for path in tmp_path.iterdir()} == {"link.html", "report.html"}

    with pytest.raises(LeadchangeError, match="cannot write /dev/full: No space left"):
        report.write(published(), Path("/dev/full"), now())


def _half_of_it(path: Path, text: str, *_: str) -> int:
    """A disk that is full half-way."""
    path.write_bytes(text[: len(text) // 2].encode())
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_command_writes_the_report(configured: Path, tmp_path: Path) -> None:
    assert cli.run(["report", "--out", str(tmp_path / "out" / "r.html"), "--config", str(configured)]) == 0
    assert (tmp_path / "out" / "r.html").read_text("utf-8").startswith("<!doctype html>")


# The export


def test_every_relation_is_exported_as_it_is(
    configured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "parquet"
    assert cli.run(["export", str(folder), "--config", str(configured)]) == 0

    assert {file.name for file in folder.iterdir()} == {f"{name}.parquet" for name in RELATIONS}
    assert "standings" in capsys.readouterr().out
    with duckdb.connect() as db:
        db.execute(f"ATTACH '{configured.parent / 'adoption.duckdb'}' AS published (READ_ONLY)")
        for name in RELATIONS:
            there, here = f"published.{name}", f"'{folder / name}.parquet'"
            assert (
                db.execute(
                    f"(FROM {there} EXCEPT ALL FROM {here}) UNION ALL (FROM {here} EXCEPT ALL FROM {there})"
                ).fetchall()
                == []
            )


def test_an_export_that_cannot_be_written_says_so(configured: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LeadchangeError, match="cannot write"):
        export.run(configured.parent / "adoption.duckdb", tmp_path / "file" / "folder")


# The prompt


def test_queries_end_with_a_semicolon_and_commands_with_their_line() -> None:
    typed = ["select 1", "  , 2;", "", ".tables", "select 3;", "select 4"]

    assert list(prompt.queries(typed)) == ["select 1\n  , 2;", ".tables", "select 3;", "select 4"]
    assert list(prompt.queries(["select 1;", ".quit", "select 2;"])) == ["select 1;"]


def test_queries_from_a_pipe_are_answered_until_one_is_refused(
    configured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(".tables\nSELECT 1 AS one;\nDROP TABLE flips;\nSELECT 2 AS two;"))

    assert cli.run(["sql", "--format", "csv", "--config", str(configured)]) == 2
    told = capsys.readouterr()
    assert "standings\n" in told.out
    assert "one\n1\n" in told.out
    assert "two" not in told.out
    assert "DROP is refused" in told.err


def test_several_queries_on_a_line_are_answered_one_after_the_other(
    configured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 1 AS one; SELECT ';' AS mark;;\nSELECT 3 AS three"))

    assert cli.run(["sql", "--format", "csv", "--config", str(configured)]) == 0
    assert capsys.readouterr().out == "one\n1\nmark\n;\nthree\n3\n"


def test_the_prompt_goes_on_after_a_refusal_and_ends_with_the_input(
    configured: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter(["select nope;", ".help", "select 7 as seven;"])

    def answer(_prompt: str) -> str:
        for line in typed:
            return line
        raise EOFError

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with Database.open_published(configured.parent / "adoption.duckdb") as db:
        assert prompt.run(Browsing(db), Format.csv) == 0
    told = capsys.readouterr()
    assert "seven\n7\n" in told.out
    assert "nope" in told.err


def test_tab_completes_the_names_of_relations() -> None:
    import readline

    prompt.complete_with(["standings", "snapshots"])
    complete = readline.get_completer()
    assert complete is not None
    assert [complete("sta", number) for number in range(2)] == ["standings", None]
    assert complete("sel", 0) == "SELECT"


@pytest.mark.parametrize(
    ("says", "taken"), [("v1.5.2 (Variegata)", True), ("v1.2.0", False), ("v2.0.1", True), ("?", False)]
)
def test_the_duckdb_program_is_taken_where_it_can_open_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, taken: bool
) -> None:
    program = tmp_path / "duckdb"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    assert prompt.duckdb_program() == (str(program) if taken else None)


# Questions and documents


def test_there_are_twelve_worked_questions_or_more() -> None:
    asked = questions.worked()

    assert len(asked) >= 12
    assert {question.sentence[-1] for question in asked} == {"?"}
    assert len({question.sentence for question in asked}) == len(asked)


def test_every_worked_question_has_an_answer(demo: Demo) -> None:  # noqa: F811 the fixture
    with Database.open_published(demo.folder / "adoption.duckdb") as db:
        for question in questions.worked():
            db.refuse_writing(question.query)
            columns, rows = db.ask(question.query)
            assert rows, question.name
            assert len(set(columns)) == len(columns), question.name


@pytest.mark.parametrize("name", ["sizes", "top_models"])
def test_a_question_about_downloads_asks_one_complete_look_however_many_a_day_has(tmp_path: Path, name: str) -> None:
    world = World(tmp_path)
    world.look(1, [model("alpha-lab/a1", 10)])
    world.look(1, [model("alpha-lab/a1", 12)])
    world.look(2, [model("alpha-lab/a1", 99)], verdict="partial")
    world.rank()
    question = next(one for one in questions.worked() if one.name == name)

    assert [row["downloads_30d"] for row in world.db.records(question.query)] == [12]


def test_the_sql_page_is_as_the_program_would_write_it(demo: Demo) -> None:  # noqa: F811 the fixture
    written = sqldocs.TARGET.read_text("utf-8")

    assert written == sqldocs.page(demo.folder / "adoption.duckdb"), (
        "the demo or a comment has changed: run `make docs`"
    )


def test_the_notebook_runs(demo: Demo) -> None:  # noqa: F811 the fixture
    script = ROOT / "docs" / "examples" / "adoption.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(demo.folder / "adoption.duckdb")],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "Qwen" in done.stdout
    assert pl.__version__
