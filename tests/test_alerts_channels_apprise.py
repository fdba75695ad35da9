"""Apprise, sending to a server on this machine: what it takes, what it refuses, and what it must not say."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator

import pydantic
import pytest
from alert_samples import HOSTILE, sent
from fake_web import SILENCE, FakeWeb, running

from alerts.channels import ChannelError
from alerts.channels.apprise_ import AppriseChannel, AppriseSettings, body
from warehouse.errors import LeadchangeError


@pytest.fixture
def web() -> Iterator[FakeWeb]:
    with running(FakeWeb()) as web:
        yield web


@pytest.fixture
def channel(web: FakeWeb, monkeypatch: pytest.MonkeyPatch) -> AppriseChannel:
    return opened(f"json://user:T0P-SECRET-PASSWORD@127.0.0.1:{web.port}/T0P-SECRET-PATH?rto=0.3&cto=0.3", monkeypatch)


def opened(url: str, monkeypatch: pytest.MonkeyPatch) -> AppriseChannel:
    monkeypatch.setenv("APPRISE_URL", url)
    return AppriseChannel(AppriseSettings(name="phone", url_env="APPRISE_URL"))


def refused(channel: AppriseChannel) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.send(sent())
    assert "T0P-SECRET" not in "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    return caught.value


def test_the_service_gets_the_text(web: FakeWeb, channel: AppriseChannel) -> None:
    channel.send(sent(picture=b"png"))
    assert web.asked[0].path == "/T0P-SECRET-PATH"
    said = json.loads(web.asked[0].body)
    assert said["title"] == "Qwen takes the lead from Llama on families"
    assert "Ahead by 1.8% (32.6M vs 32.0M)" in said["message"]
    assert "https://monitor.example/flips/7" in said["message"]
    assert "9f3ac2d1e07b" in said["message"]
    assert not said.get("attachments")


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_what_may_pass_is_not_permanent_and_not_retried_here(
    web: FakeWeb, channel: AppriseChannel, status: int
) -> None:
    web.answer(status, "overloaded")
    failure = refused(channel)
    assert (failure.permanent, failure.uncertain) == (False, False)
    assert str(failure) == f"JSON answered {status}"
    assert len(web.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_4xx_are_for_someone_to_mend(web: FakeWeb, channel: AppriseChannel, status: int) -> None:
    web.answer(status, "no such hook T0P-SECRET-PATH")
    failure = refused(channel)
    assert (failure.permanent, failure.closed) == (True, status != 400)


def test_no_answer_leaves_it_open_whether_the_message_arrived(web: FakeWeb, channel: AppriseChannel) -> None:
    web.answer(200, SILENCE)
    failure = refused(channel)
    assert (failure.permanent, failure.uncertain) == (False, True)


def test_nobody_listening_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert not refused(opened(f"json://127.0.0.1:{port}/T0P-SECRET", monkeypatch)).permanent


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_markup_or_a_mention_to_any_service(name: str) -> None:
    text = body(sent(entity=name, rival=name, why=name, title="", definition=name))
    without_our_link = text.replace("https://monitor.example/flips/7", "")
    assert not set(without_our_link) & set("<>*~`@")
    assert "://" not in without_our_link


@pytest.mark.parametrize("url", ["T0P-SECRET", "nosuch://T0P-SECRET", "discord://", "https://T0P-SECRET.example/x"])
def test_a_url_that_names_no_service_is_refused_without_showing_it(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(LeadchangeError, match="apprise URL of channel 'phone'") as caught,
    ):
        opened(url, monkeypatch)
    assert "T0P-SECRET" not in str(caught.value) + caplog.text
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("keys", [{}, {"url_env": "A", "url_file": "b"}])
def test_exactly_one_place_for_the_url(keys: dict[str, str]) -> None:
    with pytest.raises(pydantic.ValidationError, match="either url_env or url_file"):
        AppriseSettings.model_validate({"name": "phone", **keys})


def test_the_url_shows_nowhere(web: FakeWeb, channel: AppriseChannel, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "apprise"):
        channel.send(sent())
        for status in (404, 500):
            web.answer(status, "T0P-SECRET-PATH")
            refused(channel)
        web.answer(200, SILENCE)
        failure = refused(channel)
    for shown in (caplog.text, repr(channel), str(vars(channel)), str(failure)):
        assert "T0P-SECRET" not in shown


def test_nobody_waits_for_apprise_who_does_not_use_it() -> None:
    code = "import sys, alerts.channels; print('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"
