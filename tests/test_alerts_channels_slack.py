"""Slack, played by a server on this machine: every answer it is known to give."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pydantic
import pytest
from alert_samples import sent

from alerts.channels import ChannelError, slackwire
from alerts.channels.slack import Slack, SlackSettings
from warehouse.errors import LeadchangeError

SECRET = "T00000000/B00000000/XXXXSECRETXXXX"


@dataclass
class FakeSlack:
    """Answers as told, in order, and remembers what it was sent."""

    answers: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)
    hang: bool = False
    """Take the request, and never answer."""
    goodbye: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def answer(self, status: int, body: str = "", **headers: str) -> None:
        self.answers.append((status, body, headers))


@pytest.fixture
def fake() -> Iterator[FakeSlack]:
    state = FakeSlack()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if state.hang:
                state.goodbye.wait(5)
                return
            status, body, headers = state.answers.pop(0)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body.encode())

        def do_GET(self) -> None:
            state.received.append({"followed": self.path})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}/services/{SECRET}"
        yield state
        state.goodbye.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def channel(fake: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> Slack:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", fake.url)
    return Slack(SlackSettings(name="research-slack", url_env="SLACK_WEBHOOK_URL", timeout=0.3))


def refused(channel: Slack) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.send(sent())
    assert SECRET not in str(caught.value)
    assert caught.value.exit_code == 4
    return caught.value


def test_ok_is_delivered_with_blocks_and_without_unfurling(fake: FakeSlack, channel: Slack) -> None:
    fake.answer(200, "ok")
    assert channel.send(sent()).note == ""
    assert fake.received == [slackwire.payload(sent())]
    assert fake.received[0]["blocks"][0]["type"] == "header"


@pytest.mark.parametrize("body", ['{"ok":false,"error":"x"}', "", "<html>captive portal</html>", "OK", "ok" * 99_999])
def test_200_without_ok_is_a_failure_that_may_pass(fake: FakeSlack, channel: Slack, body: str) -> None:
    fake.answer(200, body)
    failure = refused(channel)
    assert (failure.permanent, failure.uncertain) == (False, False)


@pytest.mark.parametrize(("header", "seconds"), [("1", 1.0), ("30", 30.0), ("soon", None), ("-5", None)])
def test_429_says_when_to_come_back(fake: FakeSlack, channel: Slack, header: str, seconds: float | None) -> None:
    fake.answer(429, "rate_limited", Retry_After=header)
    failure = refused(channel)
    assert (failure.permanent, failure.retry_after) == (False, seconds)
    assert len(fake.received) == 1


def test_429_without_a_time_is_still_transient(fake: FakeSlack, channel: Slack) -> None:
    fake.answer(429)
    failure = refused(channel)
    assert (failure.permanent, failure.retry_after) == (False, None)


@pytest.mark.parametrize("status", [500, 502, 503, 408])
def test_a_server_error_may_pass_and_is_not_retried_here(fake: FakeSlack, channel: Slack, status: int) -> None:
    fake.answer(status, "rollup_error")
    failure = refused(channel)
    assert (failure.permanent, failure.uncertain) == (False, False)
    assert "rollup_error" in str(failure)
    assert len(fake.received) == 1


def test_400_is_followed_by_one_plain_text(fake: FakeSlack, channel: Slack) -> None:
    fake.answer(400, "invalid_blocks")
    fake.answer(200, "ok")
    assert "invalid_blocks" in channel.send(sent()).note
    assert fake.received == [slackwire.payload(sent()), slackwire.plain_payload(sent())]
    assert "blocks" not in fake.received[1]
    assert "9f3ac2d1e07b" in fake.received[1]["text"]


def test_400_twice_is_permanent_with_the_reason(fake: FakeSlack, channel: Slack) -> None:
    fake.answer(400, "invalid_blocks")
    fake.answer(400, "no_text")
    failure = refused(channel)
    assert (failure.permanent, failure.closed) == (True, False)
    assert "no_text" in str(failure)
    assert len(fake.received) == 2


def test_400_and_then_an_outage_may_pass(fake: FakeSlack, channel: Slack) -> None:
    fake.answer(400, "invalid_payload")
    fake.answer(503)
    assert not refused(channel).permanent


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, "action_prohibited"),
        (403, "invalid_token"),
        (404, "channel_not_found"),
        (404, "no_service"),
        (410, "channel_is_archived"),
        (400, "user_not_found"),
    ],
)
def test_a_dead_webhook_takes_no_other_message_either(fake: FakeSlack, channel: Slack, status: int, body: str) -> None:
    fake.answer(status, body)
    fake.answer(status, body)
    failure = refused(channel)
    assert (failure.permanent, failure.closed) == (True, True)
    assert f"{status}: {body}" in str(failure)


def test_no_answer_leaves_it_open_whether_the_message_arrived(fake: FakeSlack, channel: Slack) -> None:
    fake.hang = True
    failure = refused(channel)
    assert (failure.permanent, failure.uncertain) == (False, True)
    assert len(fake.received) == 1


def test_a_refused_connection_is_certain_and_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("URL", f"http://127.0.0.1:{port}/services/{SECRET}")
    failure = refused(Slack(SlackSettings(name="s", url_env="URL", timeout=0.3)))
    assert (failure.permanent, failure.uncertain) == (False, False)


def test_a_redirect_is_not_followed(fake: FakeSlack, channel: Slack) -> None:
    fake.answer(302, "", Location=fake.url + "/elsewhere")
    assert not refused(channel).permanent
    assert len(fake.received) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_what_is_no_address_is_an_answer_like_any_other(
    fake: FakeSlack, channel: Slack, status: int
) -> None:
    fake.answer(status, "", Location="http://[nowhere")
    failure = refused(channel)
    assert str(failure) == f"Slack answered {status}: nothing"
    assert not failure.uncertain


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_byte_now_and_then_ends_when_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch, before: bytes, scheme: str
) -> None:
    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(before)
            for byte in b"x-y: z\r\n" * 60:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        monkeypatch.setenv("SLACK_WEBHOOK_URL", f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/services/{SECRET}")
        started = time.monotonic()
        failure = refused(Slack(SlackSettings(name="slow", url_env="SLACK_WEBHOOK_URL", timeout=0.3)))
        assert time.monotonic() - started < 8
        thread.join()
    assert failure.uncertain == (scheme == "http")


def test_an_answer_that_breaks_off_is_none(fake: FakeSlack, channel: Slack) -> None:
    fake.answer(200, "ok", Content_Length="300")
    assert refused(channel).uncertain


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    fake: FakeSlack, channel: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fake.answer(200, "ok")
    channel.send(sent())


def test_the_url_shows_nowhere(fake: FakeSlack, channel: Slack, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        fake.answer(200, "ok")
        channel.send(sent())
        fake.answer(403, f"no such hook: {fake.url} or /services/{SECRET}\x1b[2J")
        failure = refused(channel)
        fake.answer(404, "no hook XXXXSECRETXXXX of T00000000")
        assert str(refused(channel)) == "Slack answered 404: no hook *** of ***"
        fake.hang = True
        refused(channel)
    for shown in (caplog.text, repr(channel), str(vars(channel)), repr(failure), str(failure.__dict__)):
        assert "SECRET" not in shown
        assert "\x1b" not in shown
    assert failure.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/services/SECRET",
        "https://hooks.slack.com.evil.example/services/SECRET",
        "https://evil.example/services/SECRET",
        "https://hooks.slack.com@evil.example/services/SECRET",
        "https://evil.example\\@hooks.slack.com/services/SECRET",
        "https://hooks.slack.com",
        "https://169.254.169.254/SECRET",
        "https://[::ffff:169.254.169.254]/SECRET",
        "ftp://127.0.0.1/SECRET",
        "https://hooks.slack.com:port/SECRET",
        "https://hooks.släck.com/SECRET",
        "SECRET",
    ],
)
def test_only_slack_or_this_machine_is_posted_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL", url)
    with pytest.raises(LeadchangeError, match="webhook URL of channel 'desk'") as caught:
        Slack(SlackSettings(name="desk", url_env="URL"))
    assert "SECRET" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "host", ["https://hooks.slack.com", "https://hooks.slack-gov.com", "http://[::1]:8", "http://localhost"]
)
def test_a_webhook_of_slack_or_this_machine_is_fine(host: str, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{host}/services/{SECRET}\n")
    assert Slack(SlackSettings(name="desk", url_file=tmp_path / "url")).name == "desk"


@pytest.mark.parametrize("keys", [{}, {"url_env": "A", "url_file": "b"}])
def test_exactly_one_place_for_the_url(keys: dict[str, str]) -> None:
    with pytest.raises(pydantic.ValidationError, match="either url_env or url_file"):
        SlackSettings.model_validate({"name": "desk", **keys})


def test_a_picture_stays_out_of_slack() -> None:
    assert slackwire.payload(sent(picture=b"png")) == slackwire.payload(sent())
