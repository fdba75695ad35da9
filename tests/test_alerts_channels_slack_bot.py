"""Slack's Web API, played by a server on this machine: threads, charts, and what is found there after a crash."""

from __future__ import annotations

import json
import logging
import socket
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

import pydantic
import pytest
from alert_samples import HOSTILE, sent
from fake_web import SILENCE, Asked, FakeWeb, running

from alerts.channels import ChannelError, Reconciling, slackwire
from alerts.channels.slack_bot import EVENT, SlackBot, SlackBotSettings
from alerts.message import Message
from warehouse.errors import LeadchangeError

TOKEN = "xoxb-T0P-SECRET-TOKEN"
CHANNEL = "C0123456789"


@dataclass
class Workspace:
    """What a Slack workspace knows, and how it answers unless told otherwise."""

    web: FakeWeb
    posted: list[dict[str, Any]] = field(default_factory=list)
    updated: list[dict[str, Any]] = field(default_factory=list)
    uploaded: list[bytes] = field(default_factory=list)
    completed: list[dict[str, Any]] = field(default_factory=list)
    refusing: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Method -> what is answered instead."""
    upload_url: str = ""

    def called(self) -> list[str]:
        return [asked.path.removeprefix("/api/") for asked in self.web.asked]

    def answer(self, asked: Asked) -> tuple[int, bytes, dict[str, str]]:
        if asked.path == "/upload/1":
            self.uploaded.append(asked.body)
            return 200, b"OK", {}
        method = asked.path.removeprefix("/api/")
        if asked.headers["authorization"] != f"Bearer {TOKEN}":
            said: dict[str, Any] = {"ok": False, "error": "invalid_auth"}
        else:
            said = self.refusing.get(method) or {"ok": True} | getattr(self, method.replace(".", "_"))(_keys(asked))
        return 200, json.dumps(said).encode(), {"Content-Type": "application/json"}

    def chat_postMessage(self, keys: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 Slack's name
        self.posted.append(keys | {"ts": f"1700000000.{len(self.posted):06}"})
        return {"channel": keys["channel"], "ts": self.posted[-1]["ts"]}

    def chat_update(self, keys: dict[str, Any]) -> dict[str, Any]:
        self.updated.append(keys)
        return {}

    def conversations_history(self, keys: dict[str, Any]) -> dict[str, Any]:
        assert keys["include_all_metadata"] == "1"
        found = [said for said in self.posted if keys.get("latest") in (None, said["ts"])]
        start = int(keys.get("cursor", 0))
        end = start + int(keys["limit"])
        cursor = str(end) if end < len(found) else ""
        return {"messages": found[start:end], "response_metadata": {"next_cursor": cursor}}

    def conversations_replies(self, keys: dict[str, Any]) -> dict[str, Any]:
        return {"messages": [said for said in self.posted if keys["ts"] in (said["ts"], said.get("thread_ts"))]}

    def files_getUploadURLExternal(self, keys: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 Slack's name
        assert int(keys["length"]) > 0
        return {"upload_url": self.upload_url or f"http://127.0.0.1:{self.web.port}/upload/1", "file_id": "F1"}

    def files_completeUploadExternal(self, keys: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 Slack's name
        self.completed.append(keys)
        return {"files": [{"id": "F1"}]}


def _keys(asked: Asked) -> dict[str, Any]:
    if "json" in asked.headers["content-type"]:
        return dict(json.loads(asked.body))
    return {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}


@pytest.fixture
def slack() -> Iterator[Workspace]:
    workspace = Workspace(FakeWeb())
    workspace.web.usual = workspace.answer
    with running(workspace.web):
        yield workspace


@pytest.fixture
def channel(slack: Workspace, monkeypatch: pytest.MonkeyPatch) -> SlackBot:
    monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
    return SlackBot(bot_settings(endpoint=f"http://127.0.0.1:{slack.web.port}/api/"))


def bot_settings(**keys: object) -> SlackBotSettings:
    usual = {"name": "newsroom", "token_env": "SLACK_BOT_TOKEN", "channel": CHANNEL, "timeout": 0.3}
    return SlackBotSettings.model_validate(usual | keys)


def refused(channel: SlackBot, message: Message | None = None) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.send(message or sent())
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(vars(caught.value))
    assert "T0P-SECRET" not in shown
    assert "\n" not in str(caught.value)
    return caught.value


# Posting.


def test_a_message_is_posted_with_its_blocks_and_named_in_its_metadata(slack: Workspace, channel: SlackBot) -> None:
    receipt = channel.send(sent())
    said = slack.posted[0]
    assert slackwire.payload(sent()).items() <= said.items()
    assert said["metadata"] == {"event_type": EVENT, "event_payload": {"alert_id": sent().alert_id}}
    assert said["channel"] == CHANNEL
    assert "thread_ts" not in said
    assert receipt.id == f"{CHANNEL}:1700000000.000000"
    assert receipt.note == ""
    assert slack.called() == ["chat.postMessage"]


def test_a_pause_between_messages_is_asked_for(channel: SlackBot) -> None:
    assert channel.min_interval_seconds == 1.0


def test_the_chart_is_uploaded_into_the_thread(slack: Workspace, channel: SlackBot) -> None:
    assert channel.send(sent(picture=b"\x89PNG and more")).note == ""
    assert slack.uploaded == [b"\x89PNG and more"]
    assert slack.completed[0]["channel_id"] == CHANNEL
    assert slack.completed[0]["thread_ts"] == slack.posted[0]["ts"]


def test_a_correction_is_told_in_the_thread_and_marked_on_the_message_it_corrects(
    slack: Workspace, channel: SlackBot
) -> None:
    first = channel.send(sent())
    correction = replace(sent(kind="correction", alert_id="correction", title=""), reply_to=first.id)
    second = channel.send(replace(correction, picture=b"png"))
    assert slack.posted[1]["thread_ts"] == slack.posted[0]["ts"]
    assert slack.posted[1]["reply_broadcast"] is True
    assert slack.completed[0]["thread_ts"] == slack.posted[0]["ts"]
    (update,) = slack.updated
    assert update["ts"] == slack.posted[0]["ts"]
    assert "Correction: what was said about Qwen and Llama" in update["blocks"][0]["elements"][0]["text"]
    assert update["blocks"][1:] == slack.posted[0]["blocks"]
    assert update["metadata"] == slack.posted[0]["metadata"]
    assert second.id == f"{CHANNEL}:1700000000.000000:1700000000.000001"


def test_what_continues_a_reply_stays_in_the_same_thread_and_is_marked_once(
    slack: Workspace, channel: SlackBot
) -> None:
    first = channel.send(sent())
    slack.posted[0]["blocks"] = [{"type": "context", "block_id": "leadchange-update"}, *slack.posted[0]["blocks"]]
    second = channel.send(replace(sent(alert_id="b"), reply_to=first.id))
    third = channel.send(replace(sent(alert_id="c"), reply_to=second.id))
    assert slack.posted[2]["thread_ts"] == slack.posted[0]["ts"]
    assert third.id == f"{CHANNEL}:1700000000.000000:1700000000.000002"
    assert [block.get("block_id") for block in slack.updated[-1]["blocks"]].count("leadchange-update") == 1


@pytest.mark.parametrize("receipt", ["<a@b>", "C9999999999:1700000000.000000", f"{CHANNEL}:", "x", "", f"{CHANNEL}:a"])
def test_a_receipt_of_another_channel_opens_no_thread(slack: Workspace, channel: SlackBot, receipt: str) -> None:
    channel.send(replace(sent(), reply_to=receipt))
    assert "thread_ts" not in slack.posted[0]


def test_a_thread_that_is_gone_does_not_keep_a_correction_back(slack: Workspace, channel: SlackBot) -> None:
    slack.web.answer(200, '{"ok": false, "error": "thread_not_found"}')
    receipt = channel.send(replace(sent(), reply_to=f"{CHANNEL}:1700000000.000000"))
    assert "outside its thread" in receipt.note
    assert "thread_ts" not in slack.posted[0]


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_blocks_too_long"])
def test_refused_blocks_are_followed_by_one_plain_text(slack: Workspace, channel: SlackBot, error: str) -> None:
    slack.web.answer(200, json.dumps({"ok": False, "error": error}))
    assert error in channel.send(sent()).note
    assert slackwire.plain_payload(sent()).items() <= slack.posted[0].items()
    assert "blocks" not in slack.posted[0]
    assert slack.posted[0]["metadata"]["event_payload"] == {"alert_id": sent().alert_id}


def test_refused_twice_is_permanent(slack: Workspace, channel: SlackBot) -> None:
    slack.refusing["chat.postMessage"] = {"ok": False, "error": "invalid_blocks"}
    assert refused(channel).permanent
    assert slack.called() == ["chat.postMessage"] * 2


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "files.completeUploadExternal"])
def test_a_chart_that_cannot_be_uploaded_does_not_undo_the_message(
    slack: Workspace, channel: SlackBot, method: str
) -> None:
    slack.refusing[method] = {"ok": False, "error": "missing_scope", "needed": "files:write"}
    receipt = channel.send(sent(picture=b"png"))
    assert receipt.id == f"{CHANNEL}:1700000000.000000"
    assert "without its chart: Slack answered missing_scope (needed: files:write)" in receipt.note


def test_an_answer_that_nobody_expects_does_not_undo_the_message(slack: Workspace, channel: SlackBot) -> None:
    slack.refusing["files.completeUploadExternal"] = {"ok": True}
    receipt = channel.send(sent(picture=b"png"))
    assert receipt.id == f"{CHANNEL}:1700000000.000000"
    assert "without its chart: TypeError" in receipt.note


@pytest.mark.parametrize(
    "url", ["https://evil.example/upload", "http://files.slack.com/x", "https://slack.com.evil.example/"]
)
def test_a_chart_goes_to_slack_or_nowhere(slack: Workspace, channel: SlackBot, url: str) -> None:
    slack.upload_url = url
    assert "without its chart" in channel.send(sent(picture=b"png")).note
    assert slack.completed == []


def test_a_message_that_cannot_be_marked_is_still_corrected(slack: Workspace, channel: SlackBot) -> None:
    first = channel.send(sent())
    for method in ("chat.update", "conversations.history"):
        slack.refusing[method] = {"ok": False, "error": "missing_scope"}
        assert "was not marked" in channel.send(replace(sent(), reply_to=first.id)).note
    assert len(slack.posted) == 3


# Refusing.


@pytest.mark.parametrize(
    "error",
    [
        "not_in_channel", "channel_not_found", "invalid_auth", "account_inactive", "token_revoked", "token_expired",
        "is_archived", "missing_scope", "restricted_action", "not_authed", "msg_too_long", "something_new",
    ],
)  # fmt: skip
def test_what_someone_has_to_mend_is_permanent(slack: Workspace, channel: SlackBot, error: str) -> None:
    slack.refusing["chat.postMessage"] = {"ok": False, "error": error}
    failure = refused(channel)
    assert (failure.permanent, failure.uncertain) == (True, False)
    assert failure.closed == (error not in ("msg_too_long", "something_new"))
    assert error in str(failure)


@pytest.mark.parametrize(
    ("error", "uncertain"),
    [("ratelimited", False), ("service_unavailable", False), ("internal_error", True), ("fatal_error", True)],
)
def test_slacks_own_trouble_may_pass(slack: Workspace, channel: SlackBot, error: str, uncertain: bool) -> None:
    slack.refusing["chat.postMessage"] = {"ok": False, "error": error}
    failure = refused(channel)
    assert (failure.permanent, failure.uncertain) == (False, uncertain)


@pytest.mark.parametrize(("header", "seconds"), [("1", 1.0), ("30", 30.0), ("86400", 86_400.0), ("soon", None)])
def test_429_says_when_to_come_back(slack: Workspace, channel: SlackBot, header: str, seconds: float | None) -> None:
    slack.web.answer(429, '{"ok": false, "error": "ratelimited"}', Retry_After=header)
    failure = refused(channel)
    assert (failure.permanent, failure.retry_after, failure.uncertain) == (False, seconds, False)
    assert len(slack.web.asked) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body", ["", "<html>bad gateway", '{"ok": false, "error": "service_unavailable"}', "[1]"])
def test_a_server_error_may_pass_and_is_not_retried_here(
    slack: Workspace, channel: SlackBot, status: int, body: str
) -> None:
    slack.web.answer(status, body)
    failure = refused(channel)
    assert (failure.permanent, failure.uncertain) == (False, False)
    assert str(status) in str(failure)
    assert len(slack.web.asked) == 1


@pytest.mark.parametrize("body", ["", "ok", "<html>portal", "null", "[]", "[1]", '"ok"', "{", "1"])
def test_200_that_is_not_slacks_may_pass(slack: Workspace, channel: SlackBot, body: str) -> None:
    slack.web.answer(200, body)
    assert not refused(channel).permanent


def test_a_redirect_is_not_followed_with_the_token_in_hand(slack: Workspace, channel: SlackBot) -> None:
    slack.web.answer(302, Location=f"http://127.0.0.1:{slack.web.port}/api/elsewhere")
    assert not refused(channel).permanent
    assert slack.called() == ["chat.postMessage"]


def test_no_answer_leaves_it_open_whether_the_message_arrived(slack: Workspace, channel: SlackBot) -> None:
    slack.web.answer(200, SILENCE)
    failure = refused(channel)
    assert (failure.permanent, failure.uncertain) == (False, True)


def test_an_answer_that_breaks_off_leaves_it_open(slack: Workspace, channel: SlackBot) -> None:
    """The message may be there: to send it again without a look would tell it twice."""
    slack.web.answer(200, '{"ok": true, "ts": "170', Content_Length="80")
    assert refused(channel).uncertain


def test_a_name_that_no_server_can_have_is_an_error_of_the_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
    failure = refused(SlackBot(bot_settings(endpoint="https://slack..com/api/")))
    assert (failure.permanent, failure.uncertain) == (False, False)


def test_nobody_listening_is_certain_and_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    failure = refused(SlackBot(bot_settings(endpoint=f"http://127.0.0.1:{port}/api/")))
    assert (failure.permanent, failure.uncertain) == (False, False)


# After a crash.


def test_what_arrived_before_a_crash_is_found_and_not_sent_again(slack: Workspace, channel: SlackBot) -> None:
    assert isinstance(channel, Reconciling)
    receipt = channel.send(sent())
    channel.send(sent(alert_id="another"))
    found = channel.reconcile(sent())
    assert found is not None
    assert found.id == receipt.id
    assert channel.reconcile(sent(alert_id="never sent")) is None
    assert len(slack.posted) == 2


def test_a_reply_is_found_in_its_thread(channel: SlackBot) -> None:
    first = channel.send(sent())
    correction = replace(sent(alert_id="correction"), reply_to=first.id)
    receipt = channel.send(correction)
    found = channel.reconcile(correction)
    assert found is not None
    assert found.id == receipt.id


def test_a_busy_channel_is_looked_through_page_by_page(slack: Workspace, channel: SlackBot) -> None:
    slack.posted = [{"ts": f"17.{n}", "text": "chatter", "metadata": None} for n in range(450)]
    receipt = channel.send(sent())
    found = channel.reconcile(sent())
    assert found is not None
    assert found.id == receipt.id
    assert slack.called().count("conversations.history") == 3


def test_the_look_into_a_channel_has_an_end(slack: Workspace, channel: SlackBot) -> None:
    slack.posted = [{"ts": f"17.{n}"} for n in range(2000)]
    assert channel.reconcile(sent()) is None
    assert slack.called().count("conversations.history") == 5


def test_a_bot_that_may_not_look_does_not_know(slack: Workspace, channel: SlackBot) -> None:
    slack.refusing["conversations.history"] = {"ok": False, "error": "missing_scope", "needed": "channels:history"}
    assert channel.reconcile(sent()) is None


@pytest.mark.parametrize("body", ['{"ok": false, "error": "ratelimited"}', SILENCE])
def test_as_long_as_nobody_can_look_it_stays_open(slack: Workspace, channel: SlackBot, body: str | bytes) -> None:
    slack.web.answer(200, body, Retry_After="7")
    with pytest.raises(ChannelError) as caught:
        channel.reconcile(sent())
    assert (caught.value.permanent, caught.value.uncertain) == (False, True)


# What is configured.


@pytest.mark.parametrize(
    "keys",
    [
        {"token_env": None},
        {"token_file": "b"},
        {"channel": "#newsroom"},
        {"channel": "newsroom"},
        {"endpoint": "http://slack.example/api/"},
        {"endpoint": "https://user@slack.com/api/"},
        {"endpoint": "slack.com"},
        {"timeout": 300},
    ],
)
def test_settings_that_cannot_work_are_refused(keys: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        bot_settings(**keys)


@pytest.mark.parametrize("token", ["xoxb T0P-SECRET", "xöxb-T0P-SECRET"])
def test_what_cannot_be_a_token_is_refused_without_showing_it(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", token)
    with pytest.raises(LeadchangeError, match="bot token of channel 'newsroom'") as caught:
        SlackBot(bot_settings())
    assert "T0P-SECRET" not in str(caught.value)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_post(slack: Workspace, channel: SlackBot, name: str) -> None:
    channel.send(sent(entity=name, rival=name, board=name, alert_id=name or "x", title="", picture=b"png"))
    assert len(slack.posted) == len(slack.completed) == 1


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    channel: SlackBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    channel.send(sent(picture=b"png"))


def test_the_token_shows_nowhere(slack: Workspace, channel: SlackBot, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        channel.send(sent(picture=b"png"))
        slack.web.answer(403, json.dumps({"ok": False, "error": f"bad token {TOKEN}\x1b[2J"}))
        failure = refused(channel)
        slack.web.answer(200, SILENCE)
        refused(channel)
    for shown in (caplog.text, repr(channel), str(vars(channel)), str(vars(vars(channel)["_api"])), str(failure)):
        assert "T0P-SECRET" not in shown
        assert "\x1b" not in shown
