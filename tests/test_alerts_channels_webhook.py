"""A webhook, played by a server on this machine; and every way to lead the caller to where it must not go."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pydantic
import pytest
from alert_samples import HOSTILE, sent
from fake_web import SILENCE, FakeWeb, make_certificate, running
from spine import moment, warehouse

from alerts.channels import ChannelError
from alerts.channels.base import Reconciling
from alerts.channels.guard import kind, resolve
from alerts.channels.webhook import VERSION, Webhook, WebhookSettings, body
from jobs import digest
from warehouse.errors import LeadchangeError

PATH = "/hook/T0P-SECRET-PATH?key=T0P-SECRET-KEY"
SIGNING = "T0P-SECRET-SIGNING"
PUBLIC = "93.184.216.34"


@pytest.fixture
def web() -> Iterator[FakeWeb]:
    with running(FakeWeb()) as web:
        yield web


@pytest.fixture
def open_webhook(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Webhook]:
    """A channel to a URL."""

    def open_to(url: str, resolver: Callable[[str, int], list[str]] = resolve, **keys: object) -> Webhook:
        monkeypatch.setenv("HOOK_URL", url)
        monkeypatch.setenv("HOOK_SECRET", SIGNING)
        settings = {"name": "lab", "url_env": "HOOK_URL", "timeout": 0.4, **keys}
        return Webhook(WebhookSettings.model_validate(settings), resolver)

    return open_to


@pytest.fixture
def channel(web: FakeWeb, open_webhook: Callable[..., Webhook]) -> Webhook:
    return open_webhook(f"http://127.0.0.1:{web.port}{PATH}", allow_private=True, secret_env="HOOK_SECRET")


def refused(channel: Webhook) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.send(sent())
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(vars(caught.value))
    assert "T0P-SECRET" not in shown
    assert "\n" not in str(caught.value)
    return caught.value


# What is sent.


def test_a_webhook_gets_the_alert_as_json(web: FakeWeb, channel: Webhook) -> None:
    message = replace(sent(), reply_to="first/lab")
    channel.send(message)
    asked = web.asked[0]
    assert (asked.method, asked.path) == ("POST", PATH)
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["host"] == f"127.0.0.1:{web.port}"
    content = json.loads(asked.body)
    assert content["version"] == VERSION
    assert content["title"] == "Qwen takes the lead from Llama on families"
    assert (content["channel"], content["thread"], content["reply_to"]) == ("lab", "who-leads/families", "first/lab")
    assert (content["day"], content["link"]) == ("2026-08-21", "https://monitor.example/flips/7")
    assert (content["data"]["entity"], content["data"]["value"]) == ("Qwen", 32_640_000)


def test_the_signature_is_of_the_time_and_the_body(web: FakeWeb, channel: Webhook) -> None:
    channel.send(sent())
    asked = web.asked[0]
    moment, _, given = asked.headers["leadchange-signature"].removeprefix("t=").partition(",v1=")
    expected = hmac.new(SIGNING.encode(), f"{moment}.".encode() + asked.body, hashlib.sha256).hexdigest()
    assert given == expected
    assert int(moment) == int(sent().at.timestamp())


def test_a_digest_that_was_held_up_over_midnight_is_signed_with_the_time_of_its_sending(
    web: FakeWeb, channel: Webhook
) -> None:
    queued, now = moment(0, 23), moment(1, 1, 30)
    weekly = digest.as_alert(digest.Digest(name="weekly"), queued)
    with warehouse() as db:
        channel.send(digest.compose(db, weekly, (), now=now))
    assert web.asked[0].headers["leadchange-signature"].startswith(f"t={int(now.timestamp())},")
    assert json.loads(web.asked[0].body)["day"] == str(queued.date())


def test_without_a_secret_nothing_is_signed(web: FakeWeb, open_webhook: Callable[..., Webhook]) -> None:
    open_webhook(f"http://127.0.0.1:{web.port}{PATH}", allow_private=True).send(sent())
    assert "leadchange-signature" not in web.asked[0].headers


def test_every_attempt_carries_the_same_key_and_another_alert_another(web: FakeWeb, channel: Webhook) -> None:
    web.answer(503)
    refused(channel)
    receipt = channel.send(sent())
    channel.send(sent(alert_id="another"))
    keys = [asked.headers["idempotency-key"] for asked in web.asked]
    assert keys == [f"{sent().alert_id}/lab", f"{sent().alert_id}/lab", "another/lab"]
    assert receipt.id == keys[0]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_adds_a_header_or_breaks_the_body(web: FakeWeb, channel: Webhook, name: str) -> None:
    channel.send(sent(entity=name, rival=name, board=name, alert_id=name or "x", title=""))
    assert json.loads(web.asked[0].body)["data"]["kind"] == "lead_change"
    assert web.asked[0].headers.keys() <= {
        "host", "content-type", "user-agent", "idempotency-key", "leadchange-signature", "accept-encoding",
        "content-length",
    }  # fmt: skip


def test_the_same_message_is_the_same_body() -> None:
    assert body(sent(), "lab") == body(sent(), "lab")


def test_what_a_webhook_cannot_tell_is_not_asked(channel: Webhook) -> None:
    assert not isinstance(channel, Reconciling)


# What is answered.


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_delivered(web: FakeWeb, channel: Webhook, status: int) -> None:
    web.answer(status)
    channel.send(sent())


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 425, 429])
def test_what_may_pass_is_not_permanent_and_not_retried_here(web: FakeWeb, channel: Webhook, status: int) -> None:
    web.answer(status, "overloaded", Retry_After="30")
    failure = refused(channel)
    assert (failure.permanent, failure.uncertain, failure.retry_after) == (False, False, 30.0)
    assert f"{status}: overloaded" in str(failure)
    assert len(web.asked) == 1


def test_a_time_to_come_back_may_be_a_date(web: FakeWeb, channel: Webhook) -> None:
    web.answer(429, Retry_After=format_datetime(sent().at + timedelta(minutes=2), usegmt=True))
    assert refused(channel).retry_after == 120.0
    web.answer(429, Retry_After=format_datetime(sent().at - timedelta(minutes=2), usegmt=True))
    assert refused(channel).retry_after == 0.0


@pytest.mark.parametrize("header", ["soon", "-5", "", "1e9", "²", "Mon, 1 Jan 2029 00:00:00 +99999999999999999"])
def test_a_time_that_is_none_is_none(web: FakeWeb, channel: Webhook, header: str) -> None:
    web.answer(503, Retry_After=header.encode().decode("latin-1"))
    assert refused(channel).retry_after is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
def test_4xx_are_for_someone_to_mend(web: FakeWeb, channel: Webhook, status: int) -> None:
    web.answer(status, "unknown hook", Retry_After="30")
    failure = refused(channel)
    assert (failure.permanent, failure.retry_after) == (True, None)
    assert failure.closed == (status in (401, 403, 404, 410))
    assert "unknown hook" in str(failure)


@pytest.mark.parametrize(("status", "permanent"), [(301, True), (308, True), (302, False), (303, False), (307, False)])
def test_a_redirect_is_not_followed(web: FakeWeb, channel: Webhook, status: int, permanent: bool) -> None:
    web.answer(status, Location="http://169.254.169.254/latest/meta-data/")
    failure = refused(channel)
    assert (failure.permanent, failure.closed) == (permanent, permanent)
    assert "redirects are not followed" in str(failure)
    assert len(web.asked) == 1


def test_an_endless_answer_is_not_read(web: FakeWeb, channel: Webhook) -> None:
    web.answer(200, b"x" * 100_000, Content_Length=str(10**12))
    channel.send(sent())
    web.answer(400, b"y" * 100_000, Content_Length=str(10**12))
    assert len(str(refused(channel))) < 300


def test_no_answer_leaves_it_open_whether_the_message_arrived(web: FakeWeb, channel: Webhook) -> None:
    web.answer(200, SILENCE)
    failure = refused(channel)
    assert (failure.permanent, failure.uncertain) == (False, True)
    assert len(web.asked) == 1


def test_a_byte_now_and_then_ends_at_the_deadline(open_webhook: Callable[..., Webhook]) -> None:
    with dripping() as port:
        started = time.monotonic()
        failure = refused(open_webhook(f"http://127.0.0.1:{port}{PATH}", allow_private=True))
        assert time.monotonic() - started < 8
    assert failure.uncertain


@contextmanager
def dripping() -> Iterator[int]:
    """Answers so slowly that no time limit of a single read is ever reached."""

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(10_000)
            for byte in b"HTTP/1.1 200 OK\r\n" + b"x" * 200:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
def test_a_broken_answer_leaves_it_open(open_webhook: Callable[..., Webhook], said: bytes) -> None:
    def once(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100_000)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=once, args=(listener,))
        thread.start()
        failure = refused(open_webhook(f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}", allow_private=True))
        thread.join()
    assert (failure.permanent, failure.uncertain) == (False, True)


def test_nobody_listening_is_certain_and_may_pass(open_webhook: Callable[..., Webhook]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    failure = refused(open_webhook(f"http://127.0.0.1:{port}{PATH}", allow_private=True))
    assert (failure.permanent, failure.uncertain) == (False, False)


def test_a_name_nobody_knows_is_certain_and_may_pass(open_webhook: Callable[..., Webhook]) -> None:
    def unknown(_: str, __: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    for resolver in (unknown, lambda _, __: []):
        failure = refused(open_webhook(f"https://hooks.example{PATH}", resolver))
        assert (failure.permanent, failure.uncertain) == (False, False)
        assert "cannot be reached" in str(failure)


# Where it leads.


def test_the_vetted_address_is_called_by_the_name_asked_for(
    tmp_path: Path, open_webhook: Callable[..., Webhook]
) -> None:
    asked: list[tuple[str, int]] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    certificate = make_certificate(tmp_path / "server.pem", "hooks.example")
    with running(FakeWeb(), certificate) as web:
        url = f"https://hooks.example:{web.port}{PATH}"
        open_webhook(url, resolver, allow_private=True, ca_file=certificate, timeout=2).send(sent())
        assert web.asked[0].headers["host"] == f"hooks.example:{web.port}"
        assert web.greeted == ["hooks.example"]
        assert asked == [("hooks.example", web.port)]
        other = open_webhook(
            url.replace("hooks", "other"), resolver, allow_private=True, ca_file=certificate, timeout=2
        )
        failure = refused(other)
        assert not failure.uncertain
        unsigned = open_webhook(url, resolver, allow_private=True, timeout=2)
        assert not refused(unsigned).uncertain
        assert len(web.asked) == 1


def test_the_next_address_is_tried_when_one_does_not_answer(web: FakeWeb, open_webhook: Callable[..., Webhook]) -> None:
    url = f"http://hooks.example:{web.port}{PATH}"
    open_webhook(url, lambda _, __: ["127.0.0.9", "127.0.0.1"], allow_private=True).send(sent())
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["::ffff:127.0.0.1"], ["10.0.0.1"], ["::1"], ["fd00::1"]]
)
def test_a_name_that_leads_inside_by_now_is_not_called(
    web: FakeWeb, open_webhook: Callable[..., Webhook], addresses: list[str]
) -> None:
    # A name that led outside when it was configured, and at the last send, and now does not.
    failure = refused(open_webhook(f"https://hooks.example:{web.port}{PATH}", lambda _, __: addresses))
    assert (failure.permanent, failure.uncertain) == (True, False)
    assert "allow_private" in str(failure)
    assert web.asked == []
    assert web.greeted == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "localhost"])
def test_this_machine_is_not_called_however_it_is_written(open_webhook: Callable[..., Webhook], host: str) -> None:
    assert refused(open_webhook(f"https://{host}:1{PATH}")).permanent


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]", "[fe80::1]"],
)
def test_metadata_is_not_called_even_where_private_addresses_are(
    open_webhook: Callable[..., Webhook], host: str
) -> None:
    failure = refused(open_webhook(f"http://{host}{PATH}", allow_private=True))
    assert failure.permanent
    assert "no address for a webhook" in str(failure)


def test_plain_http_stays_inside(open_webhook: Callable[..., Webhook]) -> None:
    failure = refused(open_webhook(f"http://hooks.example{PATH}", lambda _, __: [PUBLIC], allow_private=True))
    assert failure.permanent
    assert "only https" in str(failure)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (PUBLIC, "public"),
        ("2606:2800:220:1:248:1893:25c8:1946", "public"),
        ("64:ff9b::5db8:d822", "public"),
        ("127.0.0.1", "private"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("::1", "private"),
        ("fc00::1", "private"),
        ("fdff::1", "private"),
        ("::ffff:10.0.0.1", "private"),
        ("64:ff9b::a00:1", "private"),
        ("2002:a00:1::", "private"),
        ("172.32.0.1", "public"),
        ("0.0.0.0", "forbidden"),
        ("169.254.169.254", "forbidden"),
        ("::ffff:169.254.169.254", "forbidden"),
        ("64:ff9b::a9fe:a9fe", "forbidden"),
        ("100.100.100.200", "forbidden"),
        ("168.63.129.16", "forbidden"),
        ("192.0.0.192", "forbidden"),
        ("fd00:ec2::254", "forbidden"),
        ("fe80::1", "forbidden"),
        ("fe80::1%1", "forbidden"),
        ("fec0::1", "forbidden"),
        ("ff02::1", "forbidden"),
        ("224.0.0.1", "forbidden"),
        ("255.255.255.255", "forbidden"),
        ("240.0.0.1", "forbidden"),
        ("198.18.0.1", "forbidden"),
        ("192.0.2.1", "forbidden"),
        ("2001:db8::1", "forbidden"),
        ("2001::1", "forbidden"),
        ("::", "forbidden"),
        ("::7f00:1", "forbidden"),
        ("64:ff9b:1::1", "forbidden"),
        ("100::1", "forbidden"),
    ],
)
def test_every_range_of_addresses(address: str, expected: str) -> None:
    assert kind(address) == expected


def test_a_proxy_of_the_environment_is_not_asked(
    web: FakeWeb, channel: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    channel.send(sent())
    assert len(web.asked) == 1


# What is configured.


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/T0P-SECRET",
        "https://user:T0P-SECRET@hooks.example/",
        "https://hooks.example\\@169.254.169.254/T0P-SECRET",
        "https://hooks.example#@evil.example/T0P-SECRET",
        "https://hööks.example/T0P-SECRET",
        "https:///T0P-SECRET",
        "https://hooks.example:port/T0P-SECRET",
        "https://[::1/T0P-SECRET",
        "https://hooks example/T0P-SECRET",
        "ftp://hooks.example/T0P-SECRET",
        "file:///etc/T0P-SECRET",
        "T0P-SECRET",
    ],
)
def test_a_url_that_can_be_read_in_two_ways_is_refused(open_webhook: Callable[..., Webhook], url: str) -> None:
    with pytest.raises(LeadchangeError, match="webhook URL of channel 'lab'") as caught:
        open_webhook(url)
    assert "T0P-SECRET" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "keys", [{}, {"url_env": "A", "url_file": "b"}, {"url_env": "A", "secret_env": "B", "secret_file": "c"}]
)
def test_exactly_one_place_for_each_secret(keys: dict[str, str]) -> None:
    with pytest.raises(pydantic.ValidationError, match="give either"):
        WebhookSettings.model_validate({"name": "lab", **keys})


def test_a_signing_secret_that_is_missing_is_one_line(
    open_webhook: Callable[..., Webhook], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(LeadchangeError, match="signing secret of channel 'lab' is missing"):
        open_webhook("https://hooks.example/", secret_env="NOWHERE")


def test_certificates_that_cannot_be_read_are_refused_at_once(
    open_webhook: Callable[..., Webhook], tmp_path: Path
) -> None:
    with pytest.raises(LeadchangeError, match="certificates"):
        open_webhook("https://hooks.example/", ca_file=tmp_path / "none.pem")


def test_no_secret_shows_anywhere(web: FakeWeb, channel: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        channel.send(sent())
        echo = f"no such hook: http://127.0.0.1:{web.port}{PATH} or {PATH} or T0P-SECRET-KEY signed by {SIGNING}\x1b[2J"
        web.answer(404, echo)
        failure = refused(channel)
        web.answer(200, SILENCE)
        refused(channel)
    assert "***" in str(failure)
    for shown in (caplog.text, repr(channel), str(vars(channel)), str(vars(vars(channel)["_poster"])), str(failure)):
        assert "T0P-SECRET" not in shown
        assert "\x1b" not in shown
