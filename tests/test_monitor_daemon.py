"""The daemon as its keeper sees it: a process that is started, signalled, started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path

import httpx
import pytest
from spine import configure, listed
from test_jobs_deliver import alert

from monitor.apart import OPEN, stop_signals
from monitor.cli import app as cli
from monitor.clock import utc_now
from monitor.config import load
from monitor.daemon import Daemon
from monitor.demo.hub import LocalHub
from monitor.job import Work
from monitor.web.published import Published
from monitor.wiring import open_app
from warehouse.db import Database
from warehouse.state.ledger import Ledger
from warehouse.state.outbox import Outbox

MISSING = """
[[channel]]
name = "hook"
type = "webhook"
url_env = "NO_SUCH_VARIABLE"
"""

LEADCHANGE = str(Path(sys.executable).parent / "leadchange")


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        hub.show(listed(200, 100))
        yield hub


@pytest.fixture
def config(tmp_path: Path, hub: LocalHub) -> Path:
    # Due at every minute of every hour: whatever time it is, the collection's slot has come.
    path = tmp_path / "leadchange.toml"
    path.write_text(
        f"""
        [hub]
        endpoint = "{hub.endpoint}"
        [schedule]
        collect = "0 * * * *"
        deliver = "0 * * * *"
        [registry]
        bundled = false
        [[family]]
        name = "Alpha"
        country = "US"
        publishers = ["alpha-lab"]
        [[family]]
        name = "Beta"
        country = "CN"
        publishers = ["beta-ai"]
        """
    )
    return path


@contextmanager
def daemon(config: Path, *command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [LEADCHANGE, "--config", str(config), *(command or ("run", "--no-web"))],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition: object, seconds: float = 60.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def snapshots(config: Path) -> list[tuple[str, int]]:
    published = config.parent / "leadchange-data" / "adoption.duckdb"
    if not published.exists():
        return []
    return published_snapshots(published, published.stat().st_mtime_ns)


@cache
def published_snapshots(published: Path, _written: int) -> list[tuple[str, int]]:
    """Read again only when the file is another: who waits asks twenty times a second."""
    with Database.open_published(published) as db:
        return [
            (verdict, models) for verdict, models in db.rows("SELECT verdict, models FROM snapshots ORDER BY taken_at")
        ]


def test_it_collects_what_became_due_while_nobody_was_running_and_not_twice(
    config: Path, hub: LocalHub, tmp_path: Path
) -> None:
    """And it tells systemd that it is ready, and that it stops."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        listener.settimeout(60)
        with daemon(config, NOTIFY_SOCKET=str(address)) as process:
            assert listener.recv(100) == b"READY=1"
            until(lambda: snapshots(config) == [("complete", 2)])
            process.send_signal(signal.SIGTERM)
            heard = iter(lambda: listener.recv(100), b"")
            assert next(said for said in heard if said != b"WATCHDOG=1") == b"STOPPING=1"  # on a slow machine that too
            assert process.wait(5) == 0
    asked = hub.requests
    with daemon(config) as process:
        line = process.stderr.readline() if process.stderr else ""
        assert "watching" in line
        time.sleep(0.5)
        process.send_signal(signal.SIGHUP)
        assert process.wait(5) == 0
    assert hub.requests == asked
    assert snapshots(config) == [("complete", 2)]


def test_a_terminal_that_is_closed_ends_it_unless_nohup_has_it_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    assert signal.SIGHUP in stop_signals()
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_IGN)
    assert stop_signals() == [signal.SIGTERM, signal.SIGINT]


def test_between_its_jobs_it_is_small_and_others_have_the_warehouse_but_no_second_daemon(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config.write_text(config.read_text() + f"\n[web]\nport = {port}\n")
    with daemon(config, "run") as first:
        until(lambda: snapshots(config) != [])
        # What a job took is given back: polars, Arrow, the Hub's client and the warehouse itself live in its process.
        until(lambda: httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200)
        assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
        assert resident_megabytes(first.pid) < 200

        command = [LEADCHANGE, "--config", str(config), "silence", "add", "--board", "families"]
        more = ["--author", "desk", "--reason", "a launch"]
        until(lambda: subprocess.run([*command, *more], capture_output=True, check=False).returncode == 0)

        with daemon(config) as second:
            assert second.wait(60) == 5
            message = second.stderr.read() if second.stderr else ""
        assert f"in use by process {first.pid}" in message
        assert len(message.splitlines()) == 1
        assert first.poll() is None


def test_with_a_census_it_reads_the_families_and_everything(config: Path) -> None:
    text = config.read_text().replace("[schedule]", 'census = true\n[schedule]\ncensus = "0 * * * *"')
    config.write_text(text)
    with daemon(config):
        until(lambda: sorted(snapshots(config)) == [("complete", 2), ("complete", 3)], 60)


def test_sigterm_during_a_collection_ends_it_within_five_seconds_and_leaves_no_half_snapshot(
    config: Path, hub: LocalHub
) -> None:
    hub.latency_seconds = 30.0
    with daemon(config) as process:
        until(lambda: hub.requests > 0)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 5.0
    assert snapshots(config) == []


def test_a_collection_that_outlives_its_daemon_ends_by_itself_and_the_next_daemon_goes_on(
    config: Path, hub: LocalHub
) -> None:
    hub.latency_seconds = 30.0
    with daemon(config) as process:
        until(lambda: hub.requests > 0)
        process.kill()
        process.wait()
    hub.latency_seconds = 0.0
    with daemon(config) as process:
        until(lambda: snapshots(config) == [("complete", 2)])
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0


def test_a_job_that_hangs_is_ended_and_said_until_one_ends_by_itself(
    config: Path, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(config, {})
    monkeypatch.setattr(Daemon, "limit", lambda self, name: 3.0 if hub.latency_seconds else 60.0)
    running = Daemon(settings, utc_now, Published(settings.warehouse.publish))
    running.last = dict(running.ask(OPEN).known)  # type: ignore[union-attr]
    hub.latency_seconds = 30.0
    running.turn("collect", "* * * * *")
    assert running.running == {}
    assert "collect had to be ended, or died" in running.health().reasons
    assert snapshots(config) == []
    running.turn("collect", "* * * * *")
    assert hub.requests == (asked := hub.requests)
    hub.latency_seconds, running.last = 0.0, {}
    running.turn("collect", "* * * * *")
    assert hub.requests > asked
    assert snapshots(config) == [("complete", 2)]
    assert running.health().reasons == ()


def test_a_channel_that_cannot_be_built_is_said_and_costs_a_process_an_hour(
    tmp_path: Path, hub: LocalHub, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = load(configure(tmp_path, hub.endpoint, more=MISSING), {})
    clock, begun = [utc_now()], []
    running = Daemon(settings, lambda: clock[0], Published(settings.warehouse.publish))
    ask = running.ask
    monkeypatch.setattr(running, "ask", lambda name, cron: begun.append(name) or ask(name, cron))
    ask(OPEN)
    assert "NO_SUCH_VARIABLE" in capfd.readouterr().err
    with Database.open(settings.warehouse.path) as db, db.transaction():
        Ledger(db).write_alert(alert(1), slot="lead", now=clock[0])
        Outbox(db).queue("alert-1", "hook", clock[0])
    ask(OPEN)
    for _ in range(3):
        running.turn("deliver", "* * * * *")
        clock[0] += timedelta(minutes=1)
    assert begun == ["deliver"]
    assert "hook: no working channel of this name" in capfd.readouterr().err
    clock[0] += timedelta(hours=1)
    running.turn("deliver", "* * * * *")
    assert begun == ["deliver", "deliver"]


def test_a_port_that_is_taken_is_one_line_and_exit_2(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(config.read_text() + f"\n[web]\nport = {port}\n")
        with daemon(config, "run") as process:
            assert process.wait(60) == 2
            (line,) = (process.stderr.read() if process.stderr else "").splitlines()
    assert line == f"the dashboard cannot listen on 127.0.0.1:{port}: is another one running? choose another port"


def resident_megabytes(pid: int) -> float:
    """What a process has in memory, the parts of its libraries that others use too included."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_once_collects_judges_and_delivers_one_time(config: Path) -> None:
    done = subprocess.run(
        [LEADCHANGE, "run", "--once", "--config", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "complete: 2 models" in done.stderr
    assert snapshots(config) == [("complete", 2)]


def test_once_says_that_the_hub_could_not_be_read(
    config: Path, hub: LocalHub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    config.write_text(config.read_text().replace(hub.endpoint, "http://127.0.0.1:9"))
    assert cli.run(["run", "--once", "--config", str(config)]) == 3
    assert "cannot be read" in capsys.readouterr().err
    assert snapshots(config) == [("failed", 0)]


def test_what_a_collection_has_told_is_in_the_log(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Only what `deliver` sent was, which finds nothing to do when all went well at once."""
    config.write_text(config.read_text() + '[[channel]]\nname = "outbox"\ntype = "folder"\npath = "outbox"\n')
    settings = load(config, {})
    with open_app(settings) as app, caplog.at_level("INFO"):
        assert Work(app).plan()["collect"]()
        assert "told: " not in caplog.text
        with app.db.transaction():
            Ledger(app.db).write_alert(alert(1), slot="lead", now=utc_now())
            Outbox(app.db).queue("alert-1", "outbox", utc_now())
        Work(app).plan()["collect"]()
    assert "told: 1 sent, 0 failed, 0 refused, 0 waiting" in caplog.text
