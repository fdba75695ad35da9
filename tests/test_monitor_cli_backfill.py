"""`leadchange backfill` as people use it: over a real socket, killed, on a full disk, with the wrong files."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from past import START, datasets, days, listed, moment
from spine import configure

from jobs.backfill import Report
from monitor.cli.app import run
from monitor.cli.backfill_words import findings, flips_to_show
from monitor.demo import dataset_files
from monitor.demo.dataset_files import MODEL_PULSE
from monitor.demo.datasets import LocalDatasets
from warehouse.db import Database
from warehouse.migrate import migrate

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _without_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)


def leadchange(config: Path, *arguments: str) -> int:
    return run([*arguments, "--config", str(config)])


def stored(folder: Path) -> list[tuple[object, ...]]:
    """Head and observations of every snapshot, as the warehouse has them; a day that is half there would differ."""
    query = """
        SELECT s.day, s.source, s.verdict, s.models, s.verdict_reason, s.revision, count(o.hub_id), sum(o.downloads_30d)
        FROM snapshots AS s LEFT JOIN observations AS o USING (snapshot_id) GROUP BY ALL ORDER BY ALL"""
    with Database.open(warehouse_of(folder)) as db:
        return db.rows(query)


def warehouse_of(folder: Path) -> Path:
    return next(folder.rglob("warehouse.duckdb"))


def own_history(file: Path, count: int = 3, models: int = 200) -> Path:
    frames = [frame.select("repo_id", "downloads_30d", day=pl.lit(day)) for day, frame in days(count, models=models)]
    pl.concat(frames).write_parquet(file)
    return file


def test_history_on_the_first_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with datasets(days(5)) as local:
        config = configure(tmp_path, local.endpoint)
        assert leadchange(config, "backfill", "hub-stats", "--yes") == 0
        told = capsys.readouterr()
        assert told.err.startswith("hub-stats: 5 days from 2025-02-24 to 2025-02-28; 0 are here already\n  about ")
        assert "1,000 rows: " in told.err
        assert "hub-stats: 5 days written (5 complete)\n  here now   5 days from 2025-02-24 to 2025-02-28\n" in told.out
        assert "gaps       none" in told.out
        assert "lead_change" in told.out
        assert leadchange(config, "flips", "--board", "families", "--format", "json") == 0
        leads = [flip for flip in json.loads(capsys.readouterr().out) if flip["kind"] == "lead_change"]
        assert [(flip["entity"], flip["rival"]) for flip in leads] == [("Beta", "Alpha")]
        assert leadchange(config, "backfill", "hub-stats") == 0
        told = capsys.readouterr()
        assert told.err == "hub-stats: 5 days already here, nothing more to read\n"
        assert "hub-stats: 0 days written\n" in told.out


def test_lead_changes_are_shown_before_the_overtakes_of_many_models() -> None:
    flips = [{"day": START, "kind": "overtake", "entity": str(number)} for number in range(30)]
    flips.append({"day": START, "kind": "lead_change", "entity": "Qwen"})
    report = Report("hub-stats", flips=flips)
    assert [flip["entity"] for flip in flips_to_show(report)] == ["Qwen", *map(str, range(19))]
    assert findings(report)[-1] == "  flips      31 on these days, 1 lead change among them; 20, these first:"
    report.flips = flips[11:]
    assert flips_to_show(report) == flips[11:]
    assert findings(report)[-1] == "  flips      20 on these days, 1 lead change among them"


def test_programs_get_one_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with datasets(days(5)) as local:
        config = configure(tmp_path, local.endpoint)
        arguments = ["backfill", "model-pulse", "--families-only", "--since", "2025-02-26", "--format", "json"]
        assert leadchange(config, *arguments) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["source"], row["days"], row["first"], row["written"], row["complete"]) == (
        "model-pulse", 3, "2025-02-26", 3, 3,
    )  # fmt: skip
    assert (row["gaps"], row["failed"]) == ([], 0)
    assert row["bytes"] > row["bytes_needed"] > 0


def test_what_is_missing_or_damaged_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    past = days(5)
    with datasets([past[0], past[3], past[4]]) as local:
        revision = [one for one in local.repositories["cfahlgren1/hub-stats"] if "models.parquet" in one.files][1]
        local.damage(revision, "models.parquet", lambda content: content[:-1])
        config = configure(tmp_path, local.endpoint)
        assert leadchange(config, "backfill", "hub-stats") == 3
        told = capsys.readouterr()
        assert "(2 complete, 1 failed)" in told.out
        assert "gaps       2 days: 2025-02-25 to 2025-02-26\n" in told.out
        assert "2025-02-27 failed: it is no Parquet file\n" in told.out
        assert leadchange(config, "backfill", "hub-stats") == 0
        here = "here now   3 days from 2025-02-24 to 2025-02-28, 1 of them not complete\n"
        assert here in told.out
        assert here in capsys.readouterr().out


def test_a_day_of_which_models_are_gone_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first, table), (second, _) = days(2)
    with datasets([(first, table), (second, listed(1, 90))]) as local:
        assert leadchange(configure(tmp_path, local.endpoint), "backfill", "hub-stats") == 3
    assert "(1 complete, 1 partial)" in capsys.readouterr().out


def test_a_month_without_rows_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with datasets(days(6)) as local:
        revision = local.repositories[MODEL_PULSE][0]
        local.damage(revision, "series/2025-03.parquet", _without_rows)
        config = configure(tmp_path, local.endpoint)
        assert leadchange(config, "backfill", "model-pulse") == 0
        empty = f"{MODEL_PULSE}@{revision.sha}:series/2025-03.parquet"
        assert f"\n  no rows    {empty}\n" in capsys.readouterr().out
        assert leadchange(config, "backfill", "model-pulse", "--format", "json") == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["days"], row["written"], row["empty"]) == (5, 0, [empty])
        assert leadchange(config, "backfill", "model-pulse", "--until", "2025-02-28") == 0
        assert "no rows" not in capsys.readouterr().out


def _without_rows(content: bytes) -> bytes:
    return dataset_files.parquet(pl.read_parquet(content).clear(), rows_a_group=1)


def test_others_text_does_not_reach_the_terminal_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with datasets(days(1)) as local:
        revision = next(one for one in local.repositories["cfahlgren1/hub-stats"] if "models.parquet" in one.files)
        odd = pl.DataFrame({"\x1b]0;pwned\x07x\nhub-stats: 7 days written": [1]})
        local.damage(revision, "models.parquet", lambda _: dataset_files.parquet(odd, rows_a_group=1))
        assert leadchange(configure(tmp_path, local.endpoint), "backfill", "hub-stats") == 3
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert "\nhub-stats: 7 days written" not in told.out
    assert r"it has '\x1b]0;pwned\x07x\nhub-stats: 7 days written'" in told.out


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    config = tmp_path / "leadchange.toml"
    config.write_text(f"[warehouse]\npath = '{tmp_path}/file/w.duckdb'\npublish = '{tmp_path}/file/p.duckdb'\n")
    assert leadchange(config, "backfill", "parquet", str(own_history(tmp_path / "mine.parquet"))) == 5
    told = capsys.readouterr()
    assert "cannot make the folder of" in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("key", [b"\x04", b"\x03"])
def test_who_is_asked_may_say_nothing(tmp_path: Path, key: bytes) -> None:
    config = configure(tmp_path, "http://127.0.0.1:9")
    code = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from monitor.cli.app import main; main()"
    command = ["-c", code, "backfill", "parquet"]
    ours, theirs = pty.openpty()
    asked = subprocess.Popen(
        [sys.executable, *command, str(own_history(tmp_path / "mine.parquet")), "--config", str(config)],
        cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    told = b""
    while b"begin?" not in told:
        told += os.read(ours, 4096)
    for _ in range(30):  # Python loses a signal that comes just before it waits for a line: then one presses again
        os.write(ours, key)
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert asked.wait(timeout=1) == 130
            break
    assert asked.returncode == 130
    with contextlib.suppress(OSError):  # a terminal that nobody holds any more
        while rest := os.read(ours, 4096):
            told += rest
    os.close(ours)
    assert b"Traceback" not in told
    assert stored(tmp_path) == []


def test_a_hub_that_cannot_be_reached_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with LocalDatasets({}) as local:
        config = configure(tmp_path, local.endpoint)
        assert leadchange(config, "backfill", "weekly") == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "has no dataset hfmlsoc/hub_weekly_snapshots" in told.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["parquet", "{nothing}"], "cannot be read: No such file or directory"),
        (["parquet", "{text}"], "no readable Parquet file"),
        (["parquet", "{good}", "{other}"], "it has no column repo_id or id or model_id or modelId; it has x"),
        (["parquet", "{good}", "--likes-column", "hearts"], "it has no column hearts"),
        (["csv", "{text}"], "it has no column repo_id"),
        (["parquet", "{good}", "--name", "hub"], "--name hub: that is what"),
        (["parquet", "{good}", "--name", "census"], "--name census: that is what"),
        (["parquet", "{good}", "--name", "series:x"], "--name series:x: that is what"),
        (["parquet", "{good}", "--name", "hub-stats"], "--name hub-stats: that is what"),
        (["parquet", "{good}", "--name", " "], "--name ' ': write it in one line"),
        (["parquet", "{good}", "--name", "a\nb"], "--name 'a\\nb': write it in one line"),
        (["weekly", "--name", "model-pulse"], "--name model-pulse: that is what"),
        (["parquet", "{good}", "--since", "2025-02-02", "--until", "2025-02-01"], "--since 2025-02-02 is after"),
        (["weekly", "--since", "2025-02-02", "--until", "2025-02-01"], "--since 2025-02-02 is after"),
        (["parquet", "{good}", "--day", "2025-02-01"], "it has a column of days: leave --day out"),
        (["parquet", "{late}"], "it has the day 9999-12-31"),
        (["hubstats"], "No such command 'hubstats'"),
        (["hub-stats", "--since", "yesterday"], "yesterday"),
        (["parquet"], "Missing argument"),
    ],
)
def test_bad_input_is_one_line_and_an_untouched_warehouse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    config = configure(tmp_path, "http://127.0.0.1:9")
    files = {name: tmp_path / f"{name}.parquet" for name in ("nothing", "text", "good", "other", "late")}
    files["text"].write_text("hello,world\n1,2\n")
    own_history(files["good"])
    pl.read_parquet(files["good"]).with_columns(day=date(9999, 12, 31)).write_parquet(files["late"])
    pl.DataFrame({"x": [1]}).write_parquet(files["other"])
    filled = [argument.format(**files) for argument in arguments]
    assert leadchange(config, "backfill", *filled) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert says in told.err
    assert not [file for file in tmp_path.rglob("*.duckdb") if stored(tmp_path)]


def test_files_of_ones_own_by_their_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configure(tmp_path, "http://127.0.0.1:9")
    frame = listed(0).select(name="repo_id", n="downloads_30d", all="downloads_all_time", key="hub_id", hearts="likes")
    frame.write_csv(tmp_path / "mine.csv")
    columns = ["--id-column", "name", "--downloads-column", "n", "--all-time-column", "all", "--hub-id-column", "key"]
    more = ["--likes-column", "hearts", "--day", "2025-01-01", "--name", "ours"]
    assert leadchange(config, "backfill", "csv", str(tmp_path / "mine.csv"), *columns, *more) == 0
    told = capsys.readouterr()
    assert told.err.startswith("ours: 1 day from 2025-01-01 to 2025-01-01; 0 are here already\n  about 200 rows: 1 s\n")
    with Database.open(warehouse_of(tmp_path)) as db:
        found = db.frame(
            "SELECT repo_id, downloads_30d, downloads_all_time, hub_id, likes FROM observations ORDER BY hub_id"
        )
    assert found.rows() == frame.sort("key").rows()


def test_what_is_here_is_said_in_the_singular_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, file = configure(tmp_path, "http://127.0.0.1:9"), str(own_history(tmp_path / "mine.parquet"))
    said = []
    first, none = ["--until", str(START)], ["--since", "2026-01-01"]
    for more in (none, first, [], [], first, none):
        assert leadchange(config, "backfill", "parquet", file, *more) == 0
        said.append(capsys.readouterr().err.splitlines()[0])
    assert said == [
        "parquet: nothing to read",
        "parquet: 1 day from 2025-02-24 to 2025-02-24; 0 are here already",
        "parquet: 2 days from 2025-02-25 to 2025-02-26; 1 is here already",
        "parquet: 3 days already here, nothing more to read",
        "parquet: 1 day already here, nothing more to read",
        "parquet: nothing to read",
    ]


def start(config: Path, *arguments: str, limit: int = resource.RLIM_INFINITY) -> subprocess.Popen[str]:
    """The program in a process of its own, whose files may grow to `limit` bytes."""
    code = "import resource; from monitor.cli.app import main; "
    code += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); main()"
    command = [sys.executable, "-c", code, *arguments, "--config", str(config)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_killed_in_the_middle_it_goes_on_and_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
    with datasets(days(9)) as local:
        config = configure(tmp_path / "killed", local.endpoint)
        local.latency_seconds = 0.01
        with start(config, "backfill", "hub-stats") as process:
            while len({each.path for each in local.served if each.status == 302}) < 6:
                assert process.poll() is None
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        local.latency_seconds = 0
        half = stored(tmp_path / "killed")
        assert 1 <= len(half) < 9
        assert all(row[3] == row[6] == 200 for row in half)
        assert not list((tmp_path / "killed").rglob("parts-*"))
        assert leadchange(config, "backfill", "hub-stats") == 0
        assert leadchange(configure(tmp_path / "whole", local.endpoint), "backfill", "hub-stats") == 0
    assert stored(tmp_path / "killed") == stored(tmp_path / "whole")
    assert half == stored(tmp_path / "whole")[: len(half)]


@pytest.mark.parametrize(
    ("what", "limit", "most"), [("parquet", 1_500_000, 11), ("csv", 30_000, 0), ("hub-stats", 9_000, 0)]
)
def test_a_disk_that_fills_up_is_one_line_and_whole_days(tmp_path: Path, what: str, limit: int, most: int) -> None:
    with datasets(days(2)) as local:
        config = configure(tmp_path, local.endpoint)
        own_history(tmp_path / "mine.parquet", 12, 2_000 if what == "parquet" else 500)
        pl.read_parquet(tmp_path / "mine.parquet").write_csv(tmp_path / "mine.csv")
        files = [] if what == "hub-stats" else [str(tmp_path / f"mine.{what}")]
        with Database.open(tmp_path / "warehouse.duckdb") as db:
            migrate(db, now=moment(START, 0))
        with start(config, "backfill", what, *files, limit=limit) as process:
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (5, "")
    assert len(err.splitlines()) <= 3, err  # the first two say what is going to be read
    assert "is full; what was stored before is kept" in err.splitlines()[-1]
    days_kept = stored(tmp_path)
    assert bool(most) <= len(days_kept) <= most
    assert all(row[3] == row[6] for row in days_kept)
