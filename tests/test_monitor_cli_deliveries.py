"""The outbox on the command line: dead letters with their payload, channels that refuse everything, digests."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_web import FakeWeb, running
from spine import configure, hub, listed
from test_monitor_cli import Done, Run, run

from jobs.deliver import LEASE
from monitor import config
from monitor.wiring import open_app
from warehouse.records import Silence
from warehouse.state.outbox import Outbox

__all__ = ["run"]

MORE = """
[[rule]]
name = "the-lab"
board = "families"
confirm = 1
channels = ["hook"]

[[channel]]
name = "hook"
type = "webhook"
url_env = "HOOK_URL"
allow_private = true

[[digest]]
name = "weekly"
channels = ["outbox"]
boards = ["families"]
"""

HOUR = timedelta(hours=1)
PATH = "/hooks/theSecretOfTheHook"
NEWS = "Beta takes the lead from Alpha on families"


@dataclass
class Desk:
    """A warehouse in which Beta took the lead today, and the webhook that is to be told."""

    file: Path
    web: FakeWeb
    run: Run

    def __call__(self, *arguments: object) -> Done:
        return self.run(*arguments, "--config", self.file)

    def json(self, *arguments: object) -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(self(*arguments, "--format", "json").out)
        return found

    def to_the_hook(self) -> dict[str, object]:
        (row,) = [row for row in self.json("deliveries") if row["channel"] == "hook"]
        return row


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a warehouse in which Beta took the lead today. To be copied."""
    folder = tmp_path_factory.mktemp("today")
    with hub() as local:
        chosen = config.load(configure(folder, local.endpoint, more=MORE), {"HOOK_URL": "http://127.0.0.1:9"})
        for days_ago, beta in ((1, 50), (0, 150)):
            local.show(listed(90, beta))
            at = datetime.now(UTC) - timedelta(days=days_ago)
            with open_app(chosen, now=lambda at=at: at) as app:  # type: ignore[misc]
                app.collect()
                app.detect()
    return folder


@pytest.fixture
def desk(tmp_path: Path, today: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    web = FakeWeb()
    for file in today.glob("*.duckdb"):
        shutil.copy(file, tmp_path)
    with hub(listed(90, 150)) as local, running(web):
        monkeypatch.setenv("HOOK_URL", f"http://127.0.0.1:{web.port}{PATH}")
        monkeypatch.delenv("HF_ENDPOINT", raising=False)
        yield Desk(configure(tmp_path, local.endpoint, more=MORE), web, run)


def test_a_dead_letter_is_listed_with_what_it_was_to_say(desk: Desk) -> None:
    desk.web.answer(400, "bad payload")
    assert desk("deliver").code == 4
    row = desk.to_the_hook()
    assert (row["status"], row["held_since"]) == ("dead", None)
    payload = row["payload"]
    assert isinstance(payload, dict)
    assert payload["title"] == NEWS
    assert payload["data"]["entity"] == "Beta"
    sent = json.loads(desk.web.asked[0].body)
    assert payload["text"] == sent["text"]
    assert [r["payload"] for r in desk.json("deliveries") if r["status"] == "sent"] == [None]


def test_a_table_shows_payloads_to_who_asks(desk: Desk) -> None:
    desk.web.answer(400, "bad payload")
    desk("deliver")
    assert "40.0%" not in desk("deliveries").out
    shown = desk("deliveries", "--payload").out
    assert "to hook, dead:" in shown
    assert "40.0%" in shown
    rows = list(csv.DictReader(io.StringIO(desk("deliveries", "--payload", "--format", "csv").out)))
    assert [json.loads(row["payload"])["title"] for row in rows if row["payload"] and row["status"] == "dead"] == [NEWS]


def test_retry_sends_a_dead_letter_once_its_cause_is_mended(desk: Desk) -> None:
    desk.web.answer(400, "bad payload")
    desk("deliver")
    assert "1 delivery queued again" in desk("deliveries", "retry").err
    assert desk("deliver").code == 0
    assert desk.to_the_hook()["status"] == "sent"
    assert "0 deliveries queued again" in desk("deliveries", "retry").err


def test_what_somebody_was_sending_who_was_killed_is_sent_at_once(desk: Desk) -> None:
    with open_app(config.load(desk.file)) as app:
        outbox, now = Outbox(app.db), datetime.now(UTC)
        assert len(outbox.lease(outbox.open(), now=now, until=now + LEASE)) == 2
    assert desk("deliver").code == 0
    assert (desk.to_the_hook()["status"], desk.to_the_hook()["attempts"]) == ("sent", 2)


def test_retry_of_a_name_that_nothing_has_offers_the_nearest(desk: Desk) -> None:
    done = desk("deliveries", "retry", "--channel", "hok")
    assert (done.code, done.err.strip()) == (2, "no delivery is to a channel called 'hok'; did you mean 'hook'?")


def test_what_waits_for_a_channel_that_cannot_be_built_has_failed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK_URL")
    for command in (["deliver"], ["run", "--once"]):
        done = desk(*command)
        assert done.code == 4
        assert "hook: " in done.err
        assert "HOOK_URL" in done.err
    assert desk.to_the_hook()["status"] == "pending"


@pytest.mark.parametrize("answer", [400, 404, 429, 503])
def test_once_says_what_is_not_delivered(desk: Desk, answer: int) -> None:
    desk.web.answer(answer, "not now")
    done = desk("run", "--once")
    assert done.code == 4
    assert f"hook: the webhook answered {answer}" in done.err
    assert desk("run", "--once").code == 0


def test_a_channel_that_refuses_everything_is_said_so_everywhere(desk: Desk) -> None:
    desk.web.answer(404, f"no hook at {PATH}")
    assert desk("deliver").code == 4
    with open_app(config.load(desk.file)) as app:
        app.digest(config.load(desk.file).digest("weekly").model_copy(update={"channels": ("hook",)}))
    held = [row for row in desk.json("deliveries") if row["status"] == "pending" and row["channel"] == "hook"]
    assert [row["held_since"] is not None for row in held] == [True]
    said = "hook: refuses whatever it is sent since"
    assert said in desk("deliveries").err
    checked = desk("check")
    assert (checked.code, said in checked.err) == (2, True)
    assert "1 message held: mend it, then `leadchange send-test hook`" in checked.err
    assert "theSecretOfTheHook" not in checked.err + desk("deliveries").out


def test_a_test_message_that_is_taken_opens_the_channel_again(desk: Desk) -> None:
    desk.web.answer(404, "no hook")
    desk("deliver")
    desk.web.answer(404, "still none")
    assert desk("send-test", "hook").code == 4
    assert "refuses" in desk("check").err
    done = desk("send-test", "hook")
    assert "what was held for hook is due" in done.err
    assert "refuses" not in desk("check").err
    assert desk("deliver").code == 0
    assert desk.to_the_hook()["status"] == "sent"


def test_what_a_run_changes_without_sending_anything_is_published_too(desk: Desk) -> None:
    """What a silence muted waits for the hook, and is muted anew before that has heard of it."""
    now = datetime.now(UTC)
    first, again = (Silence(name, "the-lab", "", "", now, now + HOUR, "anna", "we know") for name in ("first", "again"))
    with open_app(config.load(desk.file)) as app:
        app.write(lambda db: Outbox(db).add_silence(first))
        app.deliver()
        desk.web.answer(503, "later")
        app.write(lambda db: Outbox(db).expire_silence("first", datetime.now(UTC)))
        assert app.deliver().failed == 1
        app.write(lambda db: Outbox(db).add_silence(again))
        app.deliver(patient=False)
    rows = {row["alert_id"]: row for row in desk.json("deliveries") if row["channel"] == "hook"}
    (teller,) = [row for alert_id, row in rows.items() if str(alert_id).startswith("sil-")]
    assert (teller["status"], teller["last_error"]) == ("dead", "nothing of it is left to tell")


def test_a_digest_can_be_looked_at_without_sending_it(desk: Desk) -> None:
    shown = desk("digest", "--preview")
    assert shown.code == 0
    assert "Beta" in shown.out
    assert "families" in shown.out
    assert all(not str(row["alert_id"]).startswith("dig-") for row in desk.json("deliveries"))
    assert desk("digest", "weekly", "--preview").out.splitlines()[0] == shown.out.splitlines()[0]


def test_a_digest_leads_to_the_dashboard_where_others_reach_it(desk: Desk) -> None:
    assert "More:" not in desk("digest", "--preview").out
    desk.file.write_text(desk.file.read_text() + '[web]\npublic_url = "https://adoption.example"\n')
    assert "More: https://adoption.example/\n" in desk("digest", "--preview").out


def test_a_digest_can_be_asked_for_and_comes_once_a_day(desk: Desk) -> None:
    queued, again = (desk("digest", "weekly") for _ in range(2))
    assert queued.err == "digest weekly is queued; `leadchange deliver` sends it\n"
    assert again.err == "digest weekly was queued today already; `leadchange deliver` sends it\n"
    assert desk("deliver").code in (0, 4)
    after = desk("digest", "weekly")
    assert after.err == "digest weekly was sent today already: it comes once a day, and nothing is queued\n"
    assert {queued.code, again.code, after.code} == {0}
    mine = [row for row in desk.json("deliveries") if str(row["alert_id"]).startswith("dig-")]
    assert [row["status"] for row in mine] == ["sent"]


def test_a_digest_that_was_refused_today_is_said_to_be_and_how_to_send_it_again(desk: Desk) -> None:
    desk.file.write_text(desk.file.read_text().replace('channels = ["outbox"]\nboards', 'channels = ["hook"]\nboards'))
    for _ in range(2):  # the alert, and the digest
        desk.web.answer(400, "bad payload")
    assert desk("digest").err.endswith("is queued; `leadchange deliver` sends it\n")
    assert desk("deliver").code == 4
    assert desk("digest").err == "digest weekly was refused today; `leadchange deliveries retry` queues it again\n"
    assert desk("deliveries", "retry").code == 0
    assert desk("digest").err == "digest weekly was queued today already; `leadchange deliver` sends it\n"


def test_a_digest_that_is_not_configured_is_not_known(desk: Desk) -> None:
    assert desk("digest", "wekly").err.strip() == "no digest is called 'wekly'; did you mean 'weekly'?"
