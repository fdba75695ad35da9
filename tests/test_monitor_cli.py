"""The command line as a user runs it: what goes to stdout, what to stderr, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from examples import THOROUGH
from spine import configure, held_elsewhere, hub, listed, model
from web_world import World

from alerts.names import COUNTRIES
from monitor.cli import app as cli
from monitor.demo import story
from monitor.demo.faults import Silence, at, maintenance
from monitor.demo.hub import LocalHub
from monitor.output import Format, print_rows
from warehouse.db import Database
from warehouse.records import Parent

ROOT = Path(__file__).parent.parent


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration and no token of this machine, and nothing written outside."""
    for name in ("HF_ENDPOINT", "LEADCHANGE_CONFIG", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The program within this process."""

    def command(*arguments: object) -> Done:
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return command


def outside(*arguments: object, **environment: str) -> Done:
    """The program in a process of its own."""
    return in_a_shell(shlex.join(program(*arguments)), **environment)


def in_a_shell(command: str, **environment: str) -> Done:
    """A line of a shell."""
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def program(*arguments: object) -> list[str]:
    code = "import sys; from monitor.cli.app import main; sys.argv[0] = 'leadchange'; main()"
    return [sys.executable, "-W", "error", "-c", code, *(str(argument) for argument in arguments)]


def one_line(done: Done, code: int, *words: str) -> str:
    """The one line on stderr with which a command ended."""
    assert done.code == code, done.err
    assert done.out == ""
    (line,) = done.err.splitlines()
    for word in words:
        assert word in line
    return line


@pytest.fixture
def local() -> Iterator[LocalHub]:
    with hub(listed(90, 50)) as running:
        yield running


@pytest.fixture
def file(tmp_path: Path, local: LocalHub) -> Path:
    """A configuration that nothing was collected with yet."""
    return configure(tmp_path, local.endpoint)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a world in which Beta took the lead and everybody was told. For reading only."""
    folder = tmp_path_factory.mktemp("told")
    with hub(listed(90, 50)) as local:
        file = configure(folder, local.endpoint)
        assert cli.run(["collect", "--config", str(file), "--day", "2026-05-01"]) == 0
        local.show(listed(90, 150))
        for verb in (["collect", "--day", "2026-05-02"], ["detect"], ["deliver"]):
            assert cli.run([*verb, "--config", str(file)]) == 0
    return file


# A day of the program


def test_collect_detect_and_deliver_tell_a_lead_change(run: Run, file: Path, local: LocalHub) -> None:
    first = run("collect", "--config", file, "--day", "2026-05-01", "--format", "json")
    assert (first.code, first.err) == (0, "")
    (row,) = json.loads(first.out)
    assert (row["day"], row["verdict"], row["models"], row["requests"]) == ("2026-05-01", "complete", 3, 6)
    assert run("detect", "--config", file).err == "1 day judged, 0 alerts queued, 0 pending\n"
    local.show(listed(90, 150))
    run("collect", "--config", file, "--day", "2026-05-02")
    detected = run("detect", "--config", file)
    assert detected == Done(
        0, "Beta takes the lead from Alpha on families\n", "1 day judged, 1 alert queued, 0 pending\n"
    )
    delivered = run("deliver", "--config", file)
    assert delivered == Done(0, "", "1 sent, 0 failed, 0 refused for good, 0 waiting\n")
    assert len(list((file.parent / "outbox").glob("*.eml"))) == 1
    assert run("detect", "--config", file).out == ""
    assert run("deliver", "--config", file).err.startswith("0 sent")


def test_a_snapshot_is_of_today_in_utc(run: Run, file: Path) -> None:
    before = time.gmtime()
    (row,) = json.loads(run("collect", "--config", file, "--format", "json").out)
    assert row["day"] in {time.strftime("%Y-%m-%d", moment) for moment in (before, time.gmtime())}


# What it prints


ROWS: list[tuple[str, list[str], list[str]]] = [
    ("board", ["board", "families"], ["rank", "entity", "value", "share", "previous_rank"]),
    ("the first board", ["board"], ["rank", "entity", "value"]),
    ("flips", ["flips"], ["flip_id", "day", "entity", "rival", "margin", "verdict", "panel_holds"]),
    ("alerts", ["alerts"], ["alert_id", "rule", "state", "day", "confirmed_day", "title"]),
    ("deliveries", ["deliveries"], ["alert_id", "channel", "status", "attempts", "last_error", "sent_at"]),
    ("sql", ["sql", "SELECT day, models FROM snapshots ORDER BY day"], ["day", "models"]),
]


@pytest.mark.parametrize(("command", "columns"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_rows_come_as_a_table_as_json_and_as_csv(run: Run, told: Path, command: list[str], columns: list[str]) -> None:
    table = run(*command, "--config", told)
    as_json = run(*command, "--config", told, "--format", "json")
    as_csv = run(*command, "--config", told, "--format", "csv")
    assert {done.code for done in (table, as_json, as_csv)} == {0}
    assert {done.err for done in (table, as_json, as_csv)} == {""}
    rows = json.loads(as_json.out)
    assert rows
    assert set(columns) <= rows[0].keys()
    sheet = list(csv.DictReader(io.StringIO(as_csv.out)))
    assert [list(row) for row in sheet] == [list(row) for row in rows]
    assert len(table.out.splitlines()) >= 1 + len(rows)
    assert "\x1b" not in table.out


def test_a_board_shows_the_day_the_definition_and_how_ranks_moved(run: Run, told: Path) -> None:
    lines = run("board", "families", "--config", told).out.splitlines()
    assert lines[0].startswith("families on 2026-05-02: Families ranked by downloads of the last 30 days")
    assert lines[2].split()[:4] == ["1", "+1", "Beta", "150"]
    assert lines[3].split()[:4] == ["2", "-1", "Alpha", "90"]
    assert lines[4].split()[:4] == ["3", "=", "Gamma", "10"]


def test_csv_says_true_and_false_as_duckdb_and_the_tables_of_the_dashboard_do(run: Run, told: Path) -> None:
    done = run("sql", "SELECT true AS a, NULL::BOOLEAN AS b, false AS c", "--config", told, "--format", "csv")
    assert done.out == "a,b,c\ntrue,,false\n"


def test_csv_says_how_ranks_moved_as_the_table_does(run: Run, told: Path) -> None:
    sheet = csv.DictReader(io.StringIO(run("board", "families", "--config", told, "--format", "csv").out))
    assert [row["change"] for row in sheet] == ["+1", "-1", "="]


def test_countries_have_their_names_for_people_and_their_codes_for_programs(run: Run, told: Path) -> None:
    for asked in (("board", "countries"), ("flips", "--board", "countries"), ("forecast", "countries", "--least", "0")):
        table = run(*asked, "--config", told).out
        rows = json.loads(run(*asked, "--config", told, "--format", "json").out)
        sheet = list(csv.DictReader(io.StringIO(run(*asked, "--config", told, "--format", "csv").out)))
        assert {row["entity"] for row in rows} == {row["entity"] for row in sheet} <= {"CN", "FR", "US"}
        for row in rows:
            assert COUNTRIES[row["entity"]] in table
            assert not re.search(rf"\b{row['entity']}\b", table)


def test_a_milestone_reads_as_people_write_it_and_for_programs_as_ever(run: Run, tmp_path: Path) -> None:
    mark = "[[rule]]\nname = 'mark'\nboard = 'publishers'\nwhen = 'milestone'\nat = [1e6]\nconfirm = 1\n"
    with hub(listed(900_000, 50)) as local:
        file = configure(tmp_path, local.endpoint, more=mark)
        run("collect", "--config", file, "--day", "2026-05-01")
        local.show(listed(1_200_000, 50))
        run("collect", "--config", file, "--day", "2026-05-02")
    (row,) = json.loads(run("backtest", "--rule", "mark", "--config", file, "--format", "json").out)
    assert (row["entity"], row["rival"]) == ("alpha-lab", "1e+06")
    table = run("backtest", "--rule", "mark", "--config", file).out
    assert table.splitlines()[1].split()[:4] == ["mark", "FLIP", "alpha-lab", "1M"]
    assert "mark: alpha-lab and 1M on publishers" in table
    assert "1.2M" in table
    assert "900.0k" in table


def test_a_small_share_is_not_shown_as_none(capsys: pytest.CaptureFixture[str]) -> None:
    shares = [0.0, None, 0.00048, 0.000002, 0.558]
    print_rows([{"share": share, "margin": share} for share in shares], ["share", "margin"], Format.table)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [line[: len(line) // 2] for line in lines] == [
        ["0.0%"], ["-"], ["0.048%"], ["under", "0.001%"], ["55.8%"],
    ]  # fmt: skip


def test_a_large_number_with_a_fraction_keeps_its_digits(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"change": value} for value in (1234567.25, -4321.5, 166.5, 70.0)], ["change"], Format.table)
    assert capsys.readouterr().out.split() == ["change", "1,234,567.2", "-4,321.5", "166.5", "70"]


def test_on_the_first_day_of_a_board_nobody_is_called_new(run: Run, told: Path) -> None:
    asked = ("board", "families", "--at", "2026-05-01", "--config", told)
    assert [line.split()[1] for line in run(*asked).out.splitlines()[2:]] == ["-", "-", "-"]
    assert {row["change"] for row in json.loads(run(*asked, "--format", "json").out)} == {None}


def test_a_rule_about_the_source_is_not_said_to_have_said_nothing(run: Run, told: Path, tmp_path: Path) -> None:
    other = tmp_path / "leadchange.toml"
    rule = '[[rule]]\nname = "trouble"\nboard = "families"\nwhen = "source_trouble"\n'
    other.write_text(f'[warehouse]\npublish = "{told.parent / "adoption.duckdb"}"\n{rule}')
    done = run("backtest", "--rule", "trouble", "--config", other)
    one_line(done, 2, "rule trouble watches the source, whose past is not kept")


def test_a_picture_that_is_asked_for_and_not_drawn_is_said_so(run: Run, told: Path, tmp_path: Path) -> None:
    picture = tmp_path / "race.png"
    asked = ("backtest", "--chart", picture, "--config", told)
    one_line(run(*asked, "--sweep"), 2, "--chart: it does not go with --sweep")
    done = run(*asked, "--since", "2026-05-02", "--format", "csv")
    assert (done.code, len(done.out.splitlines())) == (0, 1)
    assert done.err == f"{picture} is not written: nothing would have been told that could be drawn\n"
    assert not picture.exists()


def test_a_board_is_defined_as_it_was_ranked_whatever_is_configured_by_now(
    run: Run, told: Path, tmp_path: Path
) -> None:
    other = tmp_path / "leadchange.toml"
    likes = '[[board]]\nname = "families"\nentity = "family"\nmeasure = "likes"\n'
    other.write_text(f'[warehouse]\npublish = "{told.parent / "adoption.duckdb"}"\n{likes}')
    done = run("board", "--config", other)
    assert done.out.startswith("families on 2026-05-02: Families ranked by downloads of the last 30 days")
    assert done.err == "the configuration defines families otherwise by now; `leadchange detect` ranks it so\n"


def test_a_board_that_was_not_ranked_yet_says_who_ranks_it(run: Run, told: Path, tmp_path: Path) -> None:
    other = tmp_path / "leadchange.toml"
    new = '[[board]]\nname = "new"\nentity = "country"\nmeasure = "likes"\n'
    other.write_text(f'[warehouse]\npublish = "{told.parent / "adoption.duckdb"}"\n{new}')
    assert run("board", "new", "--config", other).out == "new was not ranked yet: `leadchange detect` does that\n"


def test_a_board_that_nothing_can_stand_on_says_so_after_it_was_ranked(run: Run, told: Path) -> None:
    told.write_text(f'{told.read_text()}\n[[board]]\nname = "derived"\nentity = "family"\nmeasure = "derivatives"\n')
    assert run("detect", "--config", told).code == 0
    said = "nobody stands on derived: when it was ranked for 2026-05-02, no count was known of what it ranks\n"
    assert run("board", "derived", "--config", told).out == said


def test_a_board_of_a_series_that_was_not_imported_says_how_it_is(run: Run, told: Path, tmp_path: Path) -> None:
    other = tmp_path / "leadchange.toml"
    board = '[[board]]\nname = "totals"\nentity = "publisher"\nmeasure = "series:mine"\n'
    other.write_text(f'[warehouse]\npublish = "{told.parent / "adoption.duckdb"}"\n{board}')
    assert "`leadchange backfill series FILE.csv --name mine`" in run("board", "totals", "--config", other).out


def test_a_board_on_an_earlier_day_and_its_first_places(run: Run, told: Path) -> None:
    done = run("board", "families", "--at", "2026-05-01", "--top", "2", "--config", told, "--format", "json")
    rows = json.loads(done.out)
    places = [(row["entity"], row["value"], row["previous_rank"]) for row in rows]
    assert places == [
        ("Alpha", 90, None),
        ("Beta", 50, None),
    ]


def test_a_board_asked_for_before_its_first_day_says_which_days_it_has(run: Run, told: Path) -> None:
    done = run("board", "families", "--at", "2026-01-01", "--config", told)
    assert done.out == "families has no standing on 2026-01-01 nor before; its days are 2026-05-01 to 2026-05-02\n"


def test_a_board_of_one_day_says_which_it_is(run: Run, file: Path) -> None:
    for command in (["collect", "--day", "2026-05-01"], ["detect"]):
        run(*command, "--config", file)
    done = run("board", "families", "--at", "2026-01-01", "--config", file)
    assert done.out == "families has no standing on 2026-01-01 nor before; its only day is 2026-05-01\n"


def test_flips_of_a_board_since_a_day(run: Run, told: Path) -> None:
    def flips(*more: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(run("flips", *more, "--config", told, "--format", "json").out)
        return found

    assert [(flip["entity"], flip["rival"]) for flip in flips("--board", "families")] == [("Beta", "Alpha")]
    assert len(flips()) > 1
    assert flips("--since", "2026-05-03") == []


def test_nothing_to_show_is_said_in_words_and_as_nothing_in_data(run: Run, told: Path) -> None:
    assert run("flips", "--since", "2027-01-01", "--config", told).out == "no flips found\n"
    assert json.loads(run("flips", "--since", "2027-01-01", "--config", told, "--format", "json").out) == []
    assert len(run("flips", "--since", "2027-01-01", "--config", told, "--format", "csv").out.splitlines()) == 1


def test_a_table_in_a_pipe_has_no_spaces_at_the_ends_of_its_lines(run: Run, told: Path) -> None:
    for command in (["board", "families"], ["flips"], ["alerts"], ["sql", "FROM flips"]):
        lines = run(*command, "--config", told).out.splitlines()
        assert lines == [line.rstrip() for line in lines]


def test_a_day_that_is_none_is_told_how_days_are_written(run: Run, told: Path) -> None:
    one_line(run("flips", "--since", "01.03.2026", "--config", told), 2, "'01.03.2026' does not match", "YYYY-MM-DD")


HEADERS: list[tuple[str, ...]] = [
    ("board", "families"), ("flips",), ("alerts",), ("deliveries",), ("backtest",),
]  # fmt: skip


@pytest.mark.parametrize("command", HEADERS, ids=[" ".join(words) for words in HEADERS])
def test_csv_has_the_same_header_with_and_without_rows(
    run: Run, told: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    World(tmp_path).publish()
    other = tmp_path / "leadchange.toml"
    other.write_text('[warehouse]\npublish = "adoption.duckdb"\n')

    filled = run(*command, "--format", "csv", "--config", told)
    nothing = run(*command, "--format", "csv", "--config", other)

    assert (filled.code, nothing.code) == (0, 0)
    assert len(filled.out.splitlines()) > 1
    assert nothing.out == filled.out.splitlines()[0] + "\n"


def test_sql_keeps_columns_of_the_same_name_and_its_json_is_json(
    run: Run, told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT 1 AS a, 2 AS a, 'nan'::DOUBLE AS b, '-inf'::DOUBLE AS c, 1.50 AS d, 3 AS a_2"
    asked = run("sql", query, "--format", "json", "--config", told)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{query};"))
    piped = run("sql", "--format", "json", "--config", told)

    def never(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    expected = [{"a": 1, "a_3": 2, "b": None, "c": None, "d": 1.5, "a_2": 3}]
    assert json.loads(asked.out, parse_constant=never) == expected
    assert json.loads(piped.out, parse_constant=never) == expected
    assert run("sql", query, "--format", "csv", "--config", told).out == "a,a_3,b,c,d,a_2\n1,2,,,1.5,3\n"
    assert run("sql", query, "--config", told).out.splitlines()[1].split() == ["1", "2", "nan", "-inf", "1.50", "3"]


@pytest.mark.parametrize("width", [40, 80, 100, 150])
@pytest.mark.parametrize("command", ["flips", "deliveries", "alerts"])
def test_a_terminal_of_any_width_shows_ids_and_days_in_one_piece(
    run: Run, told: Path, monkeypatch: pytest.MonkeyPatch, command: str, width: int
) -> None:
    rows = json.loads(run(command, "--config", told, "--format", "json").out)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run(command, "--config", told).out
    for row in rows:
        for name, value in row.items():
            if name == "entity" and "/" not in value:
                assert COUNTRIES.get(value, value) in shown
            if name in ("flip_id", "alert_id", "day", "board", "state", "channel"):
                assert re.search(rf"(?<!\S){re.escape(str(value))}(?!\S)", shown) or name not in shown, name
    assert ("sent at (UTC)" in shown) == (command == "deliveries")


def test_only_sentences_are_wrapped_and_at_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    sentence = "it exists only because more repositories were listed than the day before"
    rows = [{"flip_id": "25ffbb5f1d", "day": "2026-03-01", "verdict": sentence}]
    print_rows(rows, ["flip_id", "day", "verdict"], Format.table)
    _, first, *more = capsys.readouterr().out.splitlines()
    assert first.startswith("25ffbb5f1d  2026-03-01  it exists only because")
    assert more
    assert " ".join(" ".join([first[24:], *more]).split()) == sentence


def test_progress_bars_show_on_a_terminal_only(run: Run, file: Path) -> None:
    done = run("collect", "--config", file)
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out


def test_a_reader_that_has_seen_enough_is_no_error(told: Path) -> None:
    for form in ("table", "csv", "json") if THOROUGH else ("table", "csv"):
        command = program("sql", "FROM range(20000)", "--config", told, "--format", form)
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == ""
            assert process.wait(60) == 0


def test_a_reader_that_is_gone_before_a_table_comes_is_no_error(told: Path) -> None:
    for command in ("board", "alerts"):
        line = shlex.join(program(command, "--config", told))
        assert in_a_shell(f"exec 3>&1; {{ {line}; echo $? >&3; }} | true") == Done(0, "0\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file on a full disk is Linux's")
@pytest.mark.parametrize("form", ["table", "json"])
def test_what_cannot_be_written_is_one_line(told: Path, form: str) -> None:
    command = shlex.join(program("flips", "--config", told, "--format", form))
    assert in_a_shell(f"{command} > /dev/full") == Done(
        2, "", "what was asked for cannot be written: No space left on device\n"
    )
    assert in_a_shell(f"{command} >&-") == Done(0, "", "")


def test_what_is_printed_is_utf_8_whatever_the_locale(told: Path) -> None:
    done = outside("board", "families", "--config", told, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert (done.code, done.err) == (0, "")
    assert "▁█" in done.out


# Where the configuration is


def test_config_stands_before_or_after_the_command_or_in_the_environment(
    run: Run, told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run("board", "families", "--config", told)
    assert expected.code == 0
    assert run("--config", told, "board", "families") == expected
    assert run("board", f"--config={told}", "families") == expected
    monkeypatch.setenv("LEADCHANGE_CONFIG", str(told))
    assert run("board", "families") == expected
    monkeypatch.chdir(told.parent)
    monkeypatch.delenv("LEADCHANGE_CONFIG")
    assert run("board", "families") == expected


def test_init_writes_a_file_says_what_is_next_and_overwrites_nothing(run: Run, tmp_path: Path) -> None:
    done = run("init", "monitor")
    assert done.out == "wrote monitor/leadchange.toml\n"
    assert "leadchange check --config monitor/leadchange.toml" in done.err
    (tmp_path / "monitor" / "leadchange.toml").write_text("# mine\n")
    assert "leadchange check --config 'my monitor/leadchange.toml'" in run("init", "my monitor").err
    one_line(run("init", "monitor"), 2, "is there already: nothing was written")
    assert (tmp_path / "monitor" / "leadchange.toml").read_text() == "# mine\n"


@pytest.mark.parametrize("where", ["file", "file/below"])
@pytest.mark.parametrize("command", [["init"], ["demo", "--dir"], ["export"]], ids=lambda words: words[0])
def test_a_file_where_a_folder_is_asked_for_is_one_line(
    run: Run, told: Path, tmp_path: Path, command: list[str], where: str
) -> None:
    (tmp_path / "file").write_text("mine")
    one_line(run(*command, tmp_path / where, "--config", told), 2, str(tmp_path / where))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("called", "entity"),
    [("China", "CN"), ("cn", "CN"), ("the United States", "US"), ("beta", "Beta"), ("Beta-AI", "beta-ai"),
     ("alpha-lab/Alpha-1", "alpha-lab/alpha-1")],
)  # fmt: skip
def test_a_silence_finds_whom_one_means(run: Run, file: Path, called: str, entity: str) -> None:
    assert run("collect", "--config", file).code == 0
    words = ["silence", "add", "--author", "desk", "--reason", "a test", "--config", file, "--entity"]
    assert run(*words, called).code == 0
    (row,) = json.loads(run("silence", "list", "--config", file, "--format", "json").out)
    assert row["entity"] == entity
    assert COUNTRIES.get(entity, entity) in run("silence", "list", "--config", file).out


def test_a_silence_about_nobody_is_refused_with_the_nearest_name(run: Run, told: Path) -> None:
    words = ["silence", "add", "--author", "desk", "--reason", "a test", "--config", told, "--entity"]
    one_line(run(*words, "Betta"), 2, "no entity is called 'Betta'; did you mean 'Beta'?")
    one_line(run(*words, "Chine"), 2, "did you mean 'China'?")


def test_a_silence_about_a_rule_on_a_board_that_it_does_not_watch_is_refused(run: Run, told: Path) -> None:
    """No alert is ever of both: nothing would be muted, and nobody would notice."""
    words = ["silence", "add", "--author", "desk", "--reason", "a test", "--config", told, "--rule", "who-leads"]
    one_line(run(*words, "--board", "countries"), 2, "rule who-leads watches board families, not countries")


def test_a_silence_without_a_reason_or_an_author_is_refused(run: Run, told: Path) -> None:
    for reason, author in (("", "me"), ("moving house", " ")):
        whom = ("--entity", "Alpha", "--reason", reason, "--author", author)
        one_line(run("silence", "add", *whom, "--config", told), 2, "needs a --reason and an --author")


def test_when_finds_countries_by_their_names(run: Run, told: Path) -> None:
    by_code = json.loads(run("when", "CN", "US", "--config", told, "--format", "json").out)
    by_name = json.loads(run("when", "china", "United States", "--config", told, "--format", "json").out)
    assert by_code
    assert by_name == by_code
    assert "China led the United States" in run("when", "CN", "us", "--config", told).out
    assert "\nBeta led Alpha first between" in run("when", "beta", "ALPHA", "--config", told).out
    one_line(run("when", "China", "Atlantis", "--config", told), 2, "Atlantis")


def test_what_made_one_country_pass_another_is_told_by_their_names(run: Run, told: Path) -> None:
    flip, *_ = json.loads(run("flips", "--board", "countries", "--config", told, "--format", "json").out)
    assert (flip["entity"], flip["rival"]) == ("CN", "US")
    told_in_words = run("explain", flip["flip_id"], "--config", told).out
    assert told_in_words.startswith("countries: China passed the United States on ")
    assert "Its gap over the United States was " in told_in_words


@pytest.mark.parametrize("hours", ["inf", "1e12"])
def test_a_silence_without_end_is_refused_in_one_line(run: Run, told: Path, hours: str) -> None:
    words = ["silence", "add", "--board", "families", "--author", "desk", "--reason", "a test"]
    one_line(run(*words, "--hours", hours, "--config", told), 2, "--hours", "no calendar goes that far")


def test_a_configuration_with_three_mistakes_is_three_lines_and_nothing_started(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("[hub]\nendpiont = 'x'\nattempts = 0\n[[rule]]\nname = 'r'\nboard = 'familes'\n")
    for command in (["collect"], ["detect"], ["deliver"], ["board"], ["check"], ["sql", "SELECT 1"]):
        done = run(*command, "--config", bad)
        assert (done.code, done.out) == (2, "")
        assert len(done.err.splitlines()) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


def test_a_configuration_that_is_not_there_is_one_line(run: Run) -> None:
    one_line(run("board", "--config", "nowhere.toml"), 2, "nowhere.toml: no such configuration file", "leadchange init")


# Misuse


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["borad"], ["No such command 'borad'", "board"]),
        (["board", "--nonsense"], ["No such option"]),
        (["board", "--top", "0"], ["--top"]),
        (["flips", "--since", "yesterday"], ["--since", "yesterday"]),
        (["send-test"], ["CHANNEL"]),
        (["board", "--format", "xml"], ["--format", "xml"]),
        (["board", "--config"], ["--config"]),
        (["collect", "--day", "2999-01-01"], ["--day 2999-01-01: days from 2000-01-01 to "]),
    ],
)
def test_misuse_is_one_line_and_exit_2(run: Run, command: list[str], words: list[str]) -> None:
    one_line(run(*command), 2, *words)


def test_no_command_is_answered_with_the_help_as_it_is_written(run: Run) -> None:
    done = run()
    assert done.code == 2
    assert done.err.startswith("Usage: leadchange")
    assert any(line.split()[:1] == ["collect"] for line in done.err.splitlines())


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        (["board", "famlies"], "families"),
        (["flips", "--board", "publisher"], "publishers"),
        (["send-test", "outbax"], "outbox"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(run: Run, told: Path, command: list[str], meant: str) -> None:
    one_line(run(*command, "--config", told), 2, f"did you mean '{meant}'?")


def test_an_unknown_channel_or_board_of_a_rule_is_answered_with_the_nearest(run: Run, file: Path) -> None:
    file.write_text(file.read_text() + "\n[[rule]]\nname = 'r'\nboard = 'modls'\nchannels = ['outbx']\n")
    done = run("check", "--config", file)
    assert done.code == 2
    assert [line.partition("did you mean ")[2] for line in done.err.splitlines()] == ["'models'?", "'outbox'?"]


def test_version_and_help_need_nothing() -> None:
    assert outside("--version").out.startswith("leadchange 0.")
    assert "collect" in outside("--help").out
    code = "import sys, monitor.cli.app; print({'duckdb', 'httpx', 'polars', 'pydantic'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "set()\n"


def test_a_bug_keeps_its_traceback(run: Run, told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("warehouse.published.reading.Reading.standing", broken)
    with pytest.raises(ZeroDivisionError):
        run("board", "--config", told)


# SQL


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM snapshots",
        "CREATE TABLE x AS SELECT 1",
        "ATTACH 'x.duckdb'",
        "COPY snapshots TO 'x.csv'",
        "SET threads = 1",
        "SELECT 1; SELECT 2",
        "FROM 'leadchange.toml'",
        "SELECT * FROM read_text('leadchange.toml')",
        "SELECT * FROM glob('*')",
        "EXPLAIN ANALYZE DELETE FROM snapshots",
        "SELEC 1",
        "",
    ],
)
def test_sql_that_writes_or_looks_elsewhere_is_refused(run: Run, told: Path, query: str) -> None:
    before = sorted(told.parent.rglob("*"))
    published = (told.parent / "adoption.duckdb").read_bytes()
    one_line(run("sql", query, "--config", told), 2)
    assert (told.parent / "adoption.duckdb").read_bytes() == published
    assert sorted(told.parent.rglob("*")) == before


def test_a_table_of_somebodys_own_query_shows_names_and_values_as_they_are(run: Run, told: Path) -> None:
    query = """
        SELECT 259179439.5 AS value, 0.00012 AS margin, 1234567.891 AS mean_value, 12345678 AS n, true AS panel_holds,
            NULL AS share, TIMESTAMPTZ '2026-05-01 10:30:15Z' AS taken_at, 1 AS "[red]"
    """
    names, values = run("sql", query, "--config", told).out.splitlines()
    assert names.split() == ["value", "margin", "mean_value", "n", "panel_holds", "share", "taken_at", "[red]"]
    assert values.split() == [
        "259179439.5", "0.00012", "1234567.891", "12345678", "true", "NULL", "2026-05-01", "10:30:15+00:00", "1",
    ]  # fmt: skip


def test_what_a_value_holds_is_shown_as_duckdb_shows_it(run: Run, told: Path) -> None:
    query = "SELECT [1, NULL] AS list, {'a': DATE '2026-05-01', 'b': ['x', 'y'], 'c': true} AS struct"
    shown = run("sql", query, "--config", told).out.splitlines()[1]
    assert re.split(r"  +", shown.strip()) == ["[1, NULL]", "{'a': 2026-05-01, 'b': [x, y], 'c': true}"]


def test_a_pivot_runs_when_its_columns_are_named_and_says_so_when_they_are_not(run: Run, told: Path) -> None:
    pivot = "PIVOT standings ON rank {} USING sum(value) GROUP BY board"
    one_line(run("sql", pivot.format(""), "--config", told), 2, "PIVOT must name its columns here: ON column IN (")
    assert run("sql", pivot.format("IN (1)"), "--config", told, "--format", "csv").out.startswith("board,1\n")


def test_before_anything_is_collected_reading_says_what_to_do(run: Run, file: Path) -> None:
    for command in (["board"], ["flips"], ["alerts"], ["deliveries"], ["sql", "SELECT 1"]):
        one_line(run(*command, "--config", file), 5, "does not exist yet: run `leadchange collect` first")


# The Hub


def counts(folder: Path) -> dict[str, int]:
    with Database.open(folder / "warehouse.duckdb") as db:
        return {name: db.value(f"SELECT count(*) FROM {name}") for name in ("observations", "models", "standings")}


def verdicts(folder: Path) -> list[str]:
    with Database.open(folder / "warehouse.duckdb") as db:
        return [row[0] for row in db.rows("SELECT verdict FROM snapshots ORDER BY snapshot_id")]


def unreachable(file: Path) -> None:
    """Point a configuration at a port where nobody listens."""
    file.write_text(re.sub(r'endpoint = ".*"', 'endpoint = "http://127.0.0.1:9"', file.read_text()))


def test_an_unreachable_hub_is_exit_3_in_bounded_time_and_the_rest_is_untouched(run: Run, file: Path) -> None:
    assert run("collect", "--config", file).code == 0
    before = counts(file.parent)
    unreachable(file)
    began = time.monotonic()
    done = run("collect", "--config", file)
    assert time.monotonic() - began < 60
    assert done.code == 3
    assert "failed" in done.out
    (line,) = done.err.splitlines()
    assert line.startswith("failed: ")
    assert "cannot be read" in line
    assert counts(file.parent) == before
    assert verdicts(file.parent) == ["complete", "failed"]
    assert run("board", "families", "--config", file).code == 0


def test_a_hub_that_never_answers_is_given_up(run: Run, file: Path, local: LocalHub) -> None:
    file.write_text(file.read_text().replace("timeout_seconds = 5", "timeout_seconds = 0.5\ndeadline_seconds = 2"))
    local.faults.append(at("/api", Silence))
    began = time.monotonic()
    done = run("collect", "--config", file)
    assert time.monotonic() - began < 60
    assert done.code == 3
    assert verdicts(file.parent) == ["failed"]


def test_a_partial_look_is_exit_3_and_says_why(run: Run, file: Path, local: LocalHub) -> None:
    local.faults.append(at("/api/models", maintenance, author="beta-ai"))
    done = run("collect", "--config", file)
    assert done.code == 3
    assert done.err.startswith("partial: beta-ai: ")
    assert counts(file.parent)["observations"] == 2


def test_a_wrong_token_says_so_and_that_none_is_needed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalHub({"alpha-lab": [], "beta-ai": [], "gamma": []}, token="hf_right") as guarded:
        guarded.show(listed(90, 50))
        file = configure(tmp_path, guarded.endpoint)
        refused = outside("collect", "--config", file, HF_TOKEN="hf_wrong", HF_HUB_DISABLE_IMPLICIT_TOKEN="0")
        assert refused.code == 3
        assert refused.err.startswith("failed: the Hub refused the token (401); public counts need none")
        assert "hf_wrong" not in refused.err + refused.out
        monkeypatch.setenv("HF_TOKEN", "hf_wrong")
        assert run("check", "--config", file).code == 3
        monkeypatch.setenv("HF_TOKEN", "hf_right")
        assert run("collect", "--config", file).code == 0
        monkeypatch.delenv("HF_TOKEN")
        assert run("collect", "--config", file).code == 0


def test_hf_endpoint_points_the_program_elsewhere(tmp_path: Path, local: LocalHub) -> None:
    file = configure(tmp_path, "http://127.0.0.1:9")
    assert outside("collect", "--config", file, HF_ENDPOINT=local.endpoint).code == 0


# The warehouse


def test_a_locked_warehouse_is_exit_5_and_names_the_process(run: Run, told: Path) -> None:
    with held_elsewhere(told.parent / "warehouse.duckdb") as process:
        for verb in ("collect", "detect", "deliver"):
            one_line(run(verb, "--config", told), 5, f"in use by process {process.pid}", "stop it, or read")
        assert run("board", "--config", told).code == 0


@pytest.mark.parametrize("name", ["warehouse.duckdb", "adoption.duckdb"])
def test_a_damaged_file_is_exit_5_and_left_alone(run: Run, file: Path, name: str) -> None:
    damaged = file.parent / name
    damaged.write_bytes(b"no database" * 1000)
    command = "detect" if name == "warehouse.duckdb" else "board"
    one_line(run(command, "--config", file), 5, name, "is damaged or no DuckDB file", "move it away")
    assert damaged.read_bytes() == b"no database" * 1000


def test_a_warehouse_that_is_gone_is_not_begun_anew_over_its_published_copy(run: Run, file: Path) -> None:
    assert run("collect", "--config", file).code == 0
    (file.parent / "warehouse.duckdb").unlink()
    for verb in ("collect", "detect"):
        one_line(run(verb, "--config", file), 5, "warehouse.duckdb is not there", "move adoption.duckdb away")
    assert run("board", "--config", file).out.startswith("families on ")
    (file.parent / "adoption.duckdb").rename(file.parent / "kept.duckdb")
    assert run("collect", "--config", file).code == 0


def test_somebody_elses_file_is_exit_5_and_left_alone(run: Run, file: Path) -> None:
    path = file.parent / "warehouse.duckdb"
    path.unlink()
    with Database.open(path) as db:
        db.execute("CREATE TABLE theirs (n INTEGER)")
    before = path.read_bytes()
    one_line(run("collect", "--config", file), 5, "is a DuckDB file of something else: name another path")
    assert path.read_bytes() == before


# Channels


def test_a_delivery_that_fails_is_exit_4_and_stays_queued(run: Run, file: Path, local: LocalHub) -> None:
    (file.parent / "outbox").write_text("a file where the folder should be")
    run("collect", "--config", file, "--day", "2026-05-01")
    local.show(listed(90, 150))
    run("collect", "--config", file, "--day", "2026-05-02")
    run("detect", "--config", file)
    done = run("deliver", "--config", file)
    assert done.code == 4
    assert done.err.splitlines()[0].startswith("outbox: cannot write to ")
    assert done.err.splitlines()[1] == "0 sent, 1 failed, 0 refused for good, 1 waiting"
    (row,) = json.loads(run("deliveries", "--config", file, "--format", "json").out)
    assert (row["status"], row["attempts"]) == ("pending", 1)
    assert row["last_error"].startswith("cannot write to ")
    (file.parent / "outbox").unlink()
    assert run("deliver", "--config", file).code == 0


def test_a_test_message_is_sent_and_marked_as_one(run: Run, file: Path) -> None:
    done = run("send-test", "outbox", "--config", file)
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("outbox took the test message")
    (payload,) = (file.parent / "outbox").glob("*.slack.json")
    assert "test" in json.loads(payload.read_text())["text"].lower()


def test_a_test_message_that_fails_is_exit_4(run: Run, file: Path) -> None:
    (file.parent / "outbox").write_text("in the way")
    one_line(run("send-test", "outbox", "--config", file), 4, "cannot write to")


def test_a_test_message_on_the_console_is_data(run: Run, file: Path) -> None:
    done = run("send-test", "console", "--config", file)
    assert done.code == 0
    assert "test" in done.out.lower()


# Check


@pytest.mark.parametrize("verb", ["collect", "detect"])
@pytest.mark.parametrize(("where", "said"), [("pipelinetag = 'x'", "pipelinetag"), ("random() < 0.5", "random()")])
def test_a_condition_that_is_none_or_left_to_chance_is_one_line_before_the_hub_is_asked(
    run: Run, tmp_path: Path, local: LocalHub, verb: str, where: str, said: str
) -> None:
    board = f'[[board]]\nname = "chat"\nentity = "family"\nwhere = "{where}"\n'
    file = configure(tmp_path, local.endpoint, more=board)
    one_line(run(verb, "--config", file), 2, "board chat: where: ", said)
    assert run("sql", "SELECT count(*) FROM snapshots", "--config", file).code == 5
    assert not local.requests


@pytest.mark.parametrize(
    ("measure", "where", "said"),
    [
        ("downloads_30d", "repo_id::INT > 3", "Could not convert string"),
        ("downloads_7d", "regexp_matches(repo_id, '[')", "missing ]"),
    ],
)
def test_a_condition_that_cannot_be_told_of_a_model_is_one_line_and_check_says_so(
    run: Run, file: Path, measure: str, where: str, said: str
) -> None:
    """What is wrong with it is only seen once there are models."""
    assert run("collect", "--config", file).code == 0
    entry = f'\n[[board]]\nname = "chat"\nentity = "family"\nmeasure = "{measure}"\nwhere = "{where}"\n'
    file.write_text(file.read_text() + entry)
    one_line(run("detect", "--config", file), 2, "board chat: where: ", said)
    checked = run("check", "--config", file)
    assert (checked.code, len(checked.err.splitlines())) == (2, 1)
    assert checked.err.startswith("board chat: where: ")
    assert said in checked.err


def test_check_says_what_everything_is_and_reaches_the_hub(run: Run, file: Path) -> None:
    done = run("check", "--config", file)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"configuration: {file}"
    assert lines[1] == "registry: 3 families, 3 publishers to poll"
    assert "rule who-leads: tells outbox when the lead changes on board families" in done.out
    assert lines[-1].startswith("hub: ")
    file.write_text(file.read_text().replace("bundled = false", 'bundled = false\nonly = ["Alpha"]'))
    assert "registry: 1 of 3 families, 1 publisher to poll" in run("check", "--config", file).out


def test_check_finds_every_problem_in_one_run(run: Run, file: Path) -> None:
    file.write_text(
        file.read_text()
        + "\n[[board]]\nname = 'odd'\nentity = 'model'\nwhere = 'nothing = 1'\n"
        + "\n[[channel]]\nname = 'desk'\ntype = 'slack'\nurl_env = 'NOT_SET_ANYWHERE'\n"
    )
    unreachable(file)
    done = run("check", "--config", file)
    assert done.code == 2
    problems = done.err.splitlines()
    assert [line.partition(":")[0] for line in problems] == ["board odd", "channel desk", "hub"]
    assert "NOT_SET_ANYWHERE" in problems[1]


@pytest.mark.parametrize("command", ["check", "collect"])
def test_in_the_folder_of_a_demo_its_hub_is_said_to_be_gone_and_how_to_go_on(
    run: Run, file: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "demo").mkdir()
    demo = story._configure(tmp_path / "demo", "http://127.0.0.1:9").source
    line = one_line(run(command, "--config", demo)._replace(out=""), 3, "cannot be read")
    gone = (
        "; it was the local Hub of a demo, and ended with it: `leadchange init DIR` begins with the real one elsewhere"
    )
    assert line.endswith(gone)
    unreachable(file)
    assert "demo" not in run(command, "--config", file).err


def test_a_mistake_in_the_file_hides_no_other_problem(run: Run, file: Path) -> None:
    unreachable(file)
    file.write_text(
        file.read_text().replace("[hub]", "[hub]\nquotashare = 1", 1)
        + "\n[[rule]]\nname = 'lost'\nboard = 'familes'\n"
        + "\n[[rule]]\nname = 'pair'\nboard = 'families'\nwhen = 'overtake'\nbetween = ['Alpa', 'Beta']\n"
        + "\n[[channel]]\nname = 'desk'\ntype = 'slack'\nurl_env = 'NOT_SET_ANYWHERE'\n"
    )
    done = run("check", "--config", file)
    assert done.code == 2
    quota, board, desk, pair, hub_line = done.err.splitlines()
    assert "did you mean 'quota_share'?" in quota
    assert "[[rule]] 'lost': no board is called 'familes'" in board
    assert "NOT_SET_ANYWHERE" in desk
    assert pair == "rule pair: no family is called 'Alpa'; did you mean 'Alpha'?"
    assert hub_line.startswith("hub: http://127.0.0.1:9 cannot be read")


def test_where_the_endpoint_itself_is_wrong_no_other_hub_is_asked(run: Run, file: Path, local: LocalHub) -> None:
    file.write_text(file.read_text().replace("http://", "ftp://", 1))
    done = run("check", "--config", file)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "[hub]: endpoint: must be http(s)://host" in done.err
    assert not local.requests


def test_a_damaged_copy_hides_no_other_problem_and_is_exit_5(run: Run, file: Path) -> None:
    assert run("collect", "--config", file).code == 0
    (file.parent / "adoption.duckdb").write_bytes(b"no database" * 1000)
    done = run("check", "--config", file)
    assert done.code == 5
    assert "hub: " in done.out
    assert "adoption.duckdb is damaged" in done.err
    unreachable(file)
    done = run("check", "--config", file)
    assert done.code == 5
    assert [line.partition(":")[0] for line in done.err.splitlines()] == ["warehouse", "hub"]


def test_check_with_nothing_wrong_but_the_hub_is_exit_3(run: Run, tmp_path: Path) -> None:
    file = configure(tmp_path, "http://127.0.0.1:9")
    done = run("check", "--config", file)
    assert done.code == 3
    assert [line.partition(":")[0] for line in done.err.splitlines()] == ["hub"]


def test_names_that_would_command_a_terminal_are_shown_as_plain_text(run: Run, file: Path, local: LocalHub) -> None:
    """One repository, a rule, and a publisher that may be a family's, called as nobody should be."""
    evil = "evil\x1b[2J\u202e'; DROP TABLE models; -- 🙂"
    name = f"alpha-lab/{evil}"
    file.write_text(file.read_text() + "\n[[board]]\nname = 'models'\nentity = 'model'\n")
    for number, own in enumerate((5, 500)):
        parents = (Parent("finetune", f"alpha-lab-{evil}/base"),)
        local.show([*listed(90, 50), model(name, own, parents=parents)])
        assert run("collect", "--config", file, "--day", f"2026-05-0{number + 1}").code == 0
    flips = json.loads(run("flips", "--config", file, "--board", "models", "--format", "json").out)
    (flip,) = [flip for flip in flips if (flip["entity"], flip["kind"]) == (name, "lead_change")]

    told = [run("explain", flip["flip_id"], "--config", file), run("check", "--config", file)]
    assert [done.code for done in told] == [0, 0]
    for done in told:
        assert "DROP TABLE models" in done.out
        assert not set(done.out) & {"\x1b", "\u202e"}


# Backfill of a series


def test_a_series_is_imported_once_and_ranked(run: Run, file: Path, tmp_path: Path) -> None:
    file.write_text(
        file.read_text() + "\n[[board]]\nname = 'monthly'\nentity = 'publisher'\nmeasure = 'series:totals'\n"
    )
    sheet = tmp_path / "totals.csv"
    sheet.write_text("month,who,downloads\n2026-01,A,10\n2026-01,B,5\n2026-02,A,10\n2026-02,B,15\n")
    command = ["backfill", "series", sheet, "--name", "totals", "--columns", "month,who,downloads", "--config", file]
    assert run(*command).err.startswith("2 days of publisher totals written to series:totals, 1 flip found")
    assert run(*command).err.startswith("0 days")
    rows = json.loads(run("board", "monthly", "--config", file, "--format", "json").out)
    places = [(row["day"], row["entity"], row["value"]) for row in rows]
    assert places == [
        ("2026-02-28", "B", 15),
        ("2026-02-28", "A", 10),
    ]


def test_of_a_flip_of_totals_no_number_of_models_is_told(run: Run, file: Path, tmp_path: Path) -> None:
    totals = tmp_path / "totals.csv"
    totals.write_text("day,entity,value\n2025-01-31,a,2\n2025-01-31,b,1\n2025-02-28,a,2\n2025-02-28,b,3\n")
    file.write_text(f'{file.read_text()}\n[[board]]\nname="t"\nentity="publisher"\nmeasure="series:mine"\n')
    run("backfill", "series", totals, "--name", "mine", "--entity", "publisher", "--config", file)
    run("detect", "--config", file)
    (flip,) = json.loads(run("flips", "--board", "t", "--config", file, "--format", "json").out)
    rows = json.loads(run("explain", flip["flip_id"], "--config", file, "--format", "json").out)
    assert [(row["kind"], row["models"], row["gap_change"]) for row in rows] == [("part", None, 2), ("total", None, 2)]


def test_totals_are_of_what_a_board_can_rank(run: Run, file: Path, tmp_path: Path) -> None:
    (tmp_path / "totals.csv").write_text("day;entity;value\n2026-01-01;A;1\n")  # as spreadsheets have it in Europe
    command = ["backfill", "series", tmp_path / "totals.csv", "--name", "totals", "--config", file, "--entity"]
    one_line(run(*command, "publsher"), 2, "'--entity': 'publsher' is not one of 'publisher', 'family'")
    assert run(*command, "family").err.startswith("1 day of family totals")


def test_when_says_how_sure_the_source_of_a_series_is(run: Run, file: Path, tmp_path: Path) -> None:
    file.write_text(
        file.read_text() + "\n[[board]]\nname = 'monthly'\nentity = 'publisher'\nmeasure = 'series:totals'\n"
    )
    sheet = tmp_path / "totals.csv"
    lines = [
        "month,sure,who,downloads",
        "2026-01,est,A,10",
        "2026-01,est,B,5",
        "2026-02,exact,A,10",
        "2026-02,exact,B,15",
    ]
    sheet.write_text("\n".join(lines))
    columns = ["--columns", "month,who,downloads,sure"]
    run("backfill", "series", sheet, "--name", "totals", *columns, "--config", file)

    (row,) = json.loads(run("when", "B", "A", "--config", file, "--format", "json").out)
    assert (row["first_led"], row["verdict"], row["good_verdict"]) == ("2026-02-28", "estimated", "estimated")
    table = run("when", "B", "A", "--config", file).out
    assert "2026-01-31 .. 2026-02-28  estimated" in table
    assert "(1 of 1 definition, estimated)" in table


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("", "no readable CSV"),
        ("day,entity\n2026-01-01,A\n", "no column value; it has day, entity"),
        (
            "day,entity,value\n2026-01-01,A,many\n",
            "line 2: a day (YYYY-MM-DD), entity and a total that is not below 0 are needed",
        ),
        (
            "day,entity,value\n2026-01-01,A,1\n2026-01-01,B,-1\n",
            "line 3: a day (YYYY-MM-DD), entity and a total that is not below 0",
        ),
        ("day,entity,value\n2026-01-01,A,1\n2026-02-30,A,1\n", "line 3: "),
        ("day,entity,value\n2026-01-01,A,1\n2026-01-01,A,2\n", "A has two values on 2026-01-01"),
        ("day,entity,value\n", "no rows"),
        ("day,entity,value\n2026-01-01,A,1\n2999-01,A,1\n", "line 3: it is of 2999-01-31; days from 2000-01-01"),
        ("day,entity,value\n0001-01-01,A,1\n", "line 2: it is of 0001-01-01"),
    ],
)
def test_a_series_that_cannot_be_read_is_one_line(
    run: Run, file: Path, tmp_path: Path, content: str | None, words: str
) -> None:
    (tmp_path / "warehouse.duckdb").unlink()
    sheet = tmp_path / "totals.csv"
    if content is not None:
        sheet.write_text(content)
    one_line(run("backfill", "series", sheet, "--name", "totals", "--config", file), 2, "totals.csv", words)
    assert not (tmp_path / "warehouse.duckdb").exists()


def test_a_series_is_one_file_whatever_it_is_called(run: Run, file: Path, tmp_path: Path) -> None:
    (tmp_path / "x1.csv").write_text("day,entity,value\n2026-01-01,other,1\n")
    sheet = tmp_path / "x[1].csv"
    sheet.write_text("day,entity,value\n2026-01-01,mine,1\n")
    run("backfill", "series", sheet, "--name", "totals", "--config", file)
    with Database.open(tmp_path / "warehouse.duckdb") as db:
        assert db.rows("SELECT entity FROM series_values") == [("mine",)]
    one_line(run("backfill", "series", tmp_path, "--name", "totals", "--config", file), 2, "Is a directory")
    one_line(run("backfill", "series", sheet, "--name", " ", "--config", file), 2, "--name is empty")
