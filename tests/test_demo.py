"""The demo tells the true story: its flips and standings are recomputed here with plain SQL from the recordings."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import socket
import subprocess
import sys
import tomllib
from datetime import date
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from monitor.cli import app as cli
from monitor.clock import utc_now
from monitor.demo import story

ROOT = Path(__file__).parent.parent
DATA = ROOT / "monitor" / "demo" / "data"
LOOKS = DATA / "hub_snapshots_2026.parquet"
INDEX = DATA / "hub_snapshots_2026_index.csv"
MONTHLY = DATA / "publisher_monthly.csv"


class Demo(NamedTuple):
    """A demo that has run."""

    folder: Path
    code: int
    out: str
    err: str

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """A question to its published file, and to the recordings."""
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            db.execute(f"ATTACH '{self.folder / 'adoption.duckdb'}' AS demo (READ_ONLY)")
            db.execute(f"CREATE VIEW looks AS SELECT DISTINCT taken_at, repo_id, author, downloads_30d FROM '{LOOKS}'")
            db.execute(f"CREATE VIEW monthly AS SELECT month, publisher, downloads FROM '{MONTHLY}'")
            db.execute(f"CREATE VIEW looks_index AS FROM '{INDEX}'")
            return db.execute(question).fetchall()


def program(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, without a network: whatever is asked of a proxy fails."""
    code = "import sys; from monitor.cli.app import main; sys.argv[0] = 'leadchange'; main()"
    command = [sys.executable, "-W", "error", "-c", code, *(str(argument) for argument in arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "LEADCHANGE_"))}
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    here = {"NO_PROXY": "127.0.0.1,localhost", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=500, check=False, env=environment | nowhere | here
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo, run once for all processes that test."""
    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder, record = shared / "the demo", shared / "the-demo.json"
    with (shared / "the-demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            done = program("demo", "--dir", folder)
            record.write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
    return Demo(folder, *json.loads(record.read_text()))


def test_it_exits_0_and_says_nothing_that_is_no_data(demo: Demo) -> None:
    assert (demo.code, demo.err) == (0, "")
    assert "\x1b" not in demo.out


def test_it_ends_by_naming_the_file_and_two_queries_that_work(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    closing = demo.out[demo.out.rindex("The data: ") :]
    assert str(demo.folder / "adoption.duckdb") in closing
    commands = [shlex.split(line) for line in closing.splitlines() if ' sql "' in line]
    assert len(commands) == 2
    for _, *command in commands:
        capsys.readouterr()
        assert cli.run([*command, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)


def test_served_on_a_port_that_is_taken_it_says_so_and_another_can_be_named(
    demo: Demo, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "run", lambda _: utc_now())  # it has run
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.run(["demo", "--dir", str(demo.folder), "--serve", "--port", str(port)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"dashboard at http://127.0.0.1:{port}, until Ctrl-C",
        f"the dashboard cannot listen on 127.0.0.1:{port}: is another one running? choose another port",
    ]


def test_the_story_of_the_monthly_totals_is_told_both_ways(demo: Demo) -> None:
    naive = demo.out.index("Who looks at every month sees the lead change so often")
    told = demo.out.index("the one that asks for three months in a row says once who leads")
    rows = [line.split()[:3] for line in demo.out[naive:told].splitlines() if line.startswith("20")]
    assert rows == [
        ["2024-10-31", "Qwen", "meta-llama"],
        ["2024-12-31", "meta-llama", "Qwen"],
        ["2025-04-30", "Qwen", "meta-llama"],
    ]
    assert "downloads a month" in demo.out[:naive]
    assert "82.9M" in demo.out[:naive]
    assert demo.out.count("Qwen takes the lead from meta-llama on monthly") == 1


def test_the_alerts_are_those_that_last(demo: Demo) -> None:
    alerts = demo.ask("""
        SELECT rule, kind, entity, rival, day, confirmed_day FROM demo.alerts
        WHERE state = 'firing' ORDER BY day, entity
    """)
    assert alerts == [
        ("closing-in", "approaches", "Qwen", "meta-llama", date(2025, 3, 31), date(2025, 3, 31)),
        ("monthly-lead", "lead_change", "Qwen", "meta-llama", date(2025, 4, 30), date(2025, 6, 30)),
        ("passes-llama", "overtake", "google", "meta-llama", date(2026, 5, 6), date(2026, 5, 27)),
        ("passes-llama", "overtake", "deepseek-ai", "meta-llama", date(2026, 6, 23), date(2026, 7, 9)),
        ("passes-llama", "overtake", "nvidia", "meta-llama", date(2026, 8, 4), date(2026, 8, 21)),
    ]


# Recomputed from the source files


def test_every_recorded_look_was_served_and_only_the_usable_ones_are_ranked(demo: Demo) -> None:
    looks = demo.ask("SELECT taken_at FROM looks_index ORDER BY taken_at")
    assert demo.ask("SELECT taken_at FROM demo.snapshots WHERE source = 'hub' ORDER BY taken_at") == looks
    usable = demo.ask("SELECT taken_at::DATE FROM looks_index WHERE usable ORDER BY taken_at")
    assert len(usable) == 21
    assert demo.ask("SELECT DISTINCT day FROM demo.standings WHERE board = 'publishers' ORDER BY day") == usable


def test_the_counts_stored_are_the_counts_recorded(demo: Demo) -> None:
    polled = sorted(publishers())
    differing = demo.ask(f"""
        WITH recorded AS (
            SELECT taken_at, repo_id, downloads_30d FROM looks WHERE list_contains({polled}, lower(author))
        ), stored AS (
            SELECT s.taken_at, o.repo_id, o.downloads_30d
            FROM demo.observations AS o JOIN demo.snapshots AS s USING (snapshot_id)
        )
        (FROM recorded EXCEPT FROM stored) UNION ALL (FROM stored EXCEPT FROM recorded)
    """)  # fmt: skip
    assert differing == []
    assert demo.ask("SELECT count(*) FROM demo.observations") == demo.ask(
        f"SELECT count(*) FROM looks WHERE list_contains({polled}, lower(author))"
    )


def publishers() -> set[str]:
    """Every publisher that some bundled family names, in lower case."""
    families = tomllib.loads((ROOT / "warehouse" / "families.toml").read_text("utf-8"))["family"]
    return {publisher.lower() for family in families for publisher in family["publishers"]}


VALUES = """
    SELECT i.taken_at::DATE AS day, l.author AS entity, sum(l.downloads_30d)::DOUBLE AS value
    FROM looks AS l JOIN looks_index AS i USING (taken_at)
    WHERE i.usable AND list_contains({polled}, lower(l.author)) AND l.downloads_30d IS NOT NULL
    GROUP BY ALL
"""
"""The publishers' board from the recordings: day, entity, value."""


def test_the_publishers_board_is_the_sum_of_what_was_recorded(demo: Demo) -> None:
    values = VALUES.replace("{polled}", str(sorted(publishers())))
    expected = demo.ask(f"""
        SELECT day, entity, value, rank() OVER (PARTITION BY day ORDER BY value DESC) AS rank,
            round(value / sum(value) OVER (PARTITION BY day), 9) AS share
        FROM ({values}) ORDER BY day, rank, entity
    """)
    board = demo.ask("""
        SELECT day, entity, value, rank, round(share, 9) FROM demo.standings WHERE board = 'publishers'
        ORDER BY day, rank, entity
    """)
    assert board == expected
    assert len(expected) > 1000


def test_every_change_of_order_with_llama_is_found_and_no_other(demo: Demo) -> None:
    """Pairs with meta-llama whose order differs between two neighbouring days, one of them among the first ten then."""
    values = VALUES.replace("{polled}", str(sorted(publishers())))
    expected = demo.ask(f"""
        WITH board AS (
            SELECT *, rank() OVER (PARTITION BY day ORDER BY value DESC) AS rank,
                dense_rank() OVER (ORDER BY day) AS number
            FROM ({values})
        ), pairs AS (
            SELECT o.day, o.number, o.entity AS other, o.value > l.value AS ahead, least(o.rank, l.rank) AS best
            FROM board AS o JOIN board AS l USING (day) WHERE l.entity = 'meta-llama' AND o.entity <> 'meta-llama'
        )
        SELECT now.day, if(now.ahead, now.other, 'meta-llama'), if(now.ahead, 'meta-llama', now.other)
        FROM pairs AS now JOIN pairs AS before ON before.other = now.other AND before.number = now.number - 1
        WHERE now.ahead <> before.ahead AND least(now.best, before.best) <= 10
        ORDER BY ALL
    """)
    found = demo.ask("""
        SELECT day, entity, rival FROM demo.flips
        WHERE board = 'publishers' AND 'meta-llama' IN (entity, rival) ORDER BY ALL
    """)
    assert found == expected
    verdicts = demo.ask("""
        SELECT verdict[:instr(verdict, ':') - 1] AS said, count(*) FROM demo.flips
        WHERE board = 'publishers' AND 'meta-llama' IN (entity, rival) GROUP BY said ORDER BY said
    """)
    assert verdicts == [("list growth", 5), ("stands", 4)]
    page = " ".join((ROOT / "docs" / "definitions.md").read_text("utf-8").split())
    assert "change places nine times: four stand, five are list growth" in page
    by_hand = "verdict LIKE 'counts missing:%' AND panel_holds = false"
    missing = demo.ask(f"SELECT count(*) FILTER (WHERE {by_hand}), count(panel_holds) FROM demo.flips")
    assert "9 of the 393 flips of all boards are counts missing" in page
    assert missing == [(9, 393)]
    told = {(entity, day) for day, entity, _ in expected}
    assert {
        ("google", date(2026, 5, 6)),
        ("deepseek-ai", date(2026, 5, 6)),
        ("meta-llama", date(2026, 5, 27)),
        ("deepseek-ai", date(2026, 6, 23)),
        ("nvidia", date(2026, 8, 4)),
    } <= told


def test_the_lead_changes_of_the_monthly_totals_follow_from_the_source(demo: Demo) -> None:
    expected = demo.ask("""
        WITH leaders AS (
            SELECT last_day((month || '-01')::DATE) AS day, arg_max(publisher, downloads) AS leader
            FROM monthly GROUP BY month
        )
        SELECT day, leader, before FROM (SELECT day, leader, lag(leader) OVER (ORDER BY day) AS before FROM leaders)
        WHERE leader <> before ORDER BY day
    """)
    found = demo.ask("""
        SELECT day, entity, rival FROM demo.flips WHERE board = 'monthly' AND kind = 'lead_change' ORDER BY day
    """)
    assert found == expected


def test_the_monthly_board_is_the_source(demo: Demo) -> None:
    expected = demo.ask(
        "SELECT last_day((month || '-01')::DATE), publisher, downloads::DOUBLE FROM monthly ORDER BY ALL"
    )
    assert demo.ask("SELECT day, entity, value FROM demo.standings WHERE board = 'monthly' ORDER BY ALL") == expected


def test_the_same_months_were_published_by_an_independent_source(demo: Demo) -> None:
    """Who passed meta-llama on our board in 2026 was ahead of it in that month's published total, or the next one's."""
    ahead = set(
        demo.ask("""
        SELECT m.publisher, m.month FROM monthly AS m JOIN monthly AS l USING (month)
        WHERE l.publisher = 'meta-llama' AND m.downloads > l.downloads
    """)
    )
    for entity, month in (("google", "2026-05"), ("deepseek-ai", "2026-06"), ("nvidia", "2026-08")):
        later = f"2026-{int(month[5:]) + 1:02}"
        assert {(entity, month), (entity, later)} & ahead


# The outbox


def test_every_alert_was_delivered_to_console_and_outbox(demo: Demo) -> None:
    statuses = demo.ask("SELECT channel, status, count(*) FROM demo.deliveries GROUP BY ALL ORDER BY ALL")
    assert statuses == [("console", "sent", 5), ("outbox", "sent", 5)]
    for title, alert_id in demo.ask("SELECT title, alert_id FROM demo.alerts WHERE state = 'firing'"):
        assert demo.out.count(f"{title}\n") == 1
        assert f"alert {alert_id}" in demo.out


def test_who_comes_near_is_told_with_the_chance_that_it_passes(demo: Demo) -> None:
    """A month later Qwen leads."""
    said = demo.out[demo.out.index("Qwen comes within 10% of meta-llama on monthly") :].split("\n\n")
    assert said[1].startswith("Qwen is 5.4% behind meta-llama, which leads monthly.")
    facts = dict(line.split(maxsplit=1) for line in said[2].replace("Behind by", "Behind").splitlines())
    assert facts["Behind"] == "5.4% (25.1M vs 26.6M)"
    assert facts["Outlook"] == "47% chance that Qwen is ahead within 30 days"


def test_the_outbox_holds_what_slack_takes(demo: Demo) -> None:
    payloads = sorted((demo.folder / "outbox").glob("*.slack.json"))
    assert len(payloads) == 5
    for file in payloads:
        payload = json.loads(file.read_text("utf-8"))
        assert 0 < len(payload["text"]) <= 4000
        assert 0 < len(payload["blocks"]) <= 50
        for block in payload["blocks"]:
            text = (block.get("text") or {}).get("text", "")
            assert len(text) <= (150 if block["type"] == "header" else 3000)
            assert len(block.get("fields", [])) <= 10
            assert all(len(field["text"]) <= 2000 for field in block.get("fields", []))
            assert len(block.get("elements", [])) <= 10


def test_the_outbox_holds_mails_that_can_be_read(demo: Demo) -> None:
    files = sorted((demo.folder / "outbox").glob("*.eml"))
    titles = {row[0] for row in demo.ask("SELECT title FROM demo.alerts WHERE state = 'firing'")}
    mails = [message_from_bytes(file.read_bytes(), _class=EmailMessage, policy=default) for file in files]  # type: ignore[call-overload]
    assert {str(mail["Subject"]) for mail in mails} == titles
    assert len({mail["Message-ID"] for mail in mails}) == 5
    for mail in mails:
        assert mail.defects == []
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert text is not None
        assert html is not None
        assert str(mail["Subject"]) in text.get_content()
        pictures = [part for part in mail.walk() if part.get_content_type() == "image/png"]
        assert [part.get_content()[:8] for part in pictures] == [b"\x89PNG\r\n\x1a\n"]


# Where it may run


def test_a_folder_that_is_no_demo_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")
    assert cli.run(["demo", "--dir", str(tmp_path)]) == 2
    assert "is not empty and no demo: name another with --dir" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "the only copy"
    assert len(list(tmp_path.iterdir())) == 1
