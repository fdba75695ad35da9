"""Mail, handed to a real SMTP server on this machine: every answer it is known to give."""

from __future__ import annotations

import asyncio
import base64
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import pydantic
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from alert_samples import HOSTILE, sent
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.channels import ChannelError
from alerts.channels.mail import Mail
from alerts.channels.mailform import build
from alerts.channels.mailsettings import MailSettings
from alerts.message import CHART_CID
from alerts.text import plain
from warehouse.errors import LeadchangeError

ANNA, BERT = "anna@example.org", "bert@example.org"
PASSWORD = "hunter2-and-more"


@dataclass
class Postmaster:
    """Answers as told and keeps what it took, as (recipient, mail)."""

    rcpt: dict[str, str] = field(default_factory=dict)
    data: str = "250 taken"
    slow: float = 0
    """Seconds that each recipient takes."""
    drop: bool = False
    """Take the data, and hang up."""
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        self.asked.append(address)
        await asyncio.sleep(self.slow)
        if address in self.rcpt:
            return self.rcpt[address]
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.drop:
            server.transport.abort()
            return "250 never heard"
        if self.data.startswith("2"):
            self.taken += [(to, message_from_bytes(envelope.content, policy=default)) for to in envelope.rcpt_tos]
        return self.data

    @property
    def reached(self) -> list[str]:
        return [recipient for recipient, _ in self.taken]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for this machine that nobody has signed, in one file."""
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(file), "-out", str(file) + ".crt"]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    file.write_text(file.read_text() + Path(str(file) + ".crt").read_text())
    return file


Serve = Callable[..., Mail]


@pytest.fixture
def postmaster() -> Postmaster:
    return Postmaster()


@pytest.fixture
def serve(postmaster: Postmaster, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts the server and returns a channel to it."""
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    running: list[Controller] = []

    def login(*args: object) -> AuthResult:
        assert isinstance(args[-1], LoginPassword)
        return AuthResult(success=args[-1].password == PASSWORD.encode(), handled=False)

    def start(*, starttls: bool = True, seconds: float = 5, **keys: object) -> Mail:
        port = unused_port()
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        tls: dict[str, Any] = {"tls_context": context, "require_starttls": True} if starttls else {}
        running.append(Controller(postmaster, hostname="127.0.0.1", port=port, authenticator=login, **tls))
        running[-1].start()
        return Mail(mail_settings(**{"port": port, "ca_file": certificate, **keys}), seconds)

    yield start
    for controller in running:
        controller.stop()


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return int(unused.getsockname()[1])


def mail_settings(**keys: object) -> MailSettings:
    usual = {
        "name": "weekly-mail",
        "host": "127.0.0.1",
        "from": "monitor@example.org",
        "to": [ANNA, BERT],
        "timeout": 2,
    }
    return MailSettings.model_validate(usual | keys)


def refused(channel: Mail) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.send(sent())
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


# Handing over.


def test_each_recipient_gets_the_mail_over_a_verified_connection(serve: Serve, postmaster: Postmaster) -> None:
    receipt = serve().send(sent(picture=b"\x89PNG"))
    assert postmaster.reached == [ANNA, BERT]
    for _, mail in postmaster.taken:
        assert mail["Message-ID"] == receipt.id
        assert mail["Subject"] == "Qwen takes the lead from Llama on families"
        assert "1.8% (32.6M vs 32.0M)" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert [part.get_content() for part in mail.walk() if part.get_content_type() == "image/png"] == [b"\x89PNG"]


def test_an_address_given_twice_gets_one_mail(serve: Serve, postmaster: Postmaster) -> None:
    serve(to=[ANNA, BERT, ANNA]).send(sent())
    assert postmaster.reached == [ANNA, BERT]


def test_a_password_is_used(serve: Serve, postmaster: Postmaster) -> None:
    serve(username="monitor", password_env="SMTP_PASSWORD").send(sent())
    assert postmaster.reached == [ANNA, BERT]


def test_a_wrong_password_is_permanent(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRONG", "not-it")
    failure = refused(serve(username="monitor", password_env="WRONG"))
    assert (failure.permanent, failure.closed) == (True, True)
    assert "535" in str(failure)
    assert "not-it" not in str(failure)


def test_a_server_without_starttls_is_refused_and_says_how_to_mend_it(serve: Serve, postmaster: Postmaster) -> None:
    failure = refused(serve(starttls=False, username="monitor", password_env="SMTP_PASSWORD"))
    assert failure.permanent
    assert "offers no STARTTLS" in str(failure)
    assert 'tls = "implicit"' in str(failure)
    assert postmaster.asked == []


def test_without_encryption_only_to_this_machine(serve: Serve, postmaster: Postmaster) -> None:
    serve(starttls=False, tls="none").send(sent())
    assert postmaster.reached == [ANNA, BERT]
    with pytest.raises(pydantic.ValidationError, match="loopback host only"):
        mail_settings(tls="none", host="smtp.example.org")


def test_a_certificate_nobody_vouches_for_is_refused_but_may_be_renewed(serve: Serve, postmaster: Postmaster) -> None:
    failure = refused(serve(ca_file=None))
    assert not failure.permanent
    assert "set ca_file" in str(failure)
    assert postmaster.asked == []


def test_a_connection_may_be_encrypted_from_its_start(postmaster: Postmaster, certificate: Path) -> None:
    port = unused_port()
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    controller = Controller(postmaster, hostname="127.0.0.1", port=port, ssl_context=context)
    controller.start()
    try:
        Mail(mail_settings(port=port, ca_file=certificate, tls="implicit")).send(sent())
    finally:
        controller.stop()
    assert postmaster.reached == [ANNA, BERT]


def test_421_may_pass(serve: Serve, postmaster: Postmaster) -> None:
    postmaster.rcpt = {ANNA: "421 shutting down", BERT: "421 shutting down"}
    failure = refused(serve())
    assert (failure.permanent, failure.uncertain, failure.settled) == (False, False, ())


@pytest.mark.parametrize(("answer", "permanent"), [("552 too much mail", True), ("451 later", False)])
def test_an_answer_to_the_data_is_certain(serve: Serve, postmaster: Postmaster, answer: str, permanent: bool) -> None:
    postmaster.data = answer
    failure = refused(serve())
    assert (failure.permanent, failure.closed, failure.uncertain) == (permanent, False, False)
    assert answer in str(failure)
    assert f"{ANNA}, {BERT}: " in str(failure)


def test_550_for_one_of_two_is_delivered_and_noted(serve: Serve, postmaster: Postmaster) -> None:
    postmaster.rcpt = {ANNA: "550 no such user"}
    receipt = serve().send(sent())
    assert postmaster.reached == [BERT]
    assert ANNA in receipt.note
    assert "550 no such user" in receipt.note


def test_550_for_all_shows_that_the_channel_reaches_nobody(serve: Serve, postmaster: Postmaster) -> None:
    postmaster.rcpt = {ANNA: "550 no such user", BERT: "550 no such user"}
    failure = refused(serve())
    assert (failure.permanent, failure.closed) == (True, True)


def test_450_for_one_of_two_is_tried_again_for_that_one_only(serve: Serve, postmaster: Postmaster) -> None:
    postmaster.rcpt = {BERT: "450 greylisted"}
    channel = serve()
    failure = refused(channel)
    assert (failure.permanent, failure.settled) == (False, (ANNA,))
    postmaster.rcpt = {}
    channel.send(replace(sent(), settled=failure.settled))
    assert postmaster.reached == [ANNA, BERT]


def test_who_has_it_already_makes_it_delivered_when_the_rest_refuse(serve: Serve, postmaster: Postmaster) -> None:
    postmaster.rcpt = {BERT: "550 no such user"}
    assert "550" in serve().send(replace(sent(), settled=(ANNA,))).note
    assert postmaster.asked == [BERT]


def test_one_refused_and_one_waiting_does_not_end_as_refused(serve: Serve, postmaster: Postmaster) -> None:
    postmaster.rcpt = {ANNA: "550 no such user", BERT: "450 greylisted"}
    channel = serve()
    assert not refused(channel).permanent
    postmaster.rcpt = {ANNA: "550 no such user"}
    assert "550" in channel.send(sent()).note
    assert postmaster.reached == [BERT]


def test_a_connection_lost_after_the_data_is_uncertain(serve: Serve, postmaster: Postmaster) -> None:
    postmaster.drop = True
    failure = refused(serve())
    assert (failure.permanent, failure.uncertain) == (False, True)


def test_a_server_that_is_down_is_certain_and_may_come_back() -> None:
    failure = refused(Mail(mail_settings(port=unused_port())))
    assert (failure.permanent, failure.uncertain) == (False, False)


@contextmanager
def raw_server(*lines: bytes) -> Iterator[int]:
    """Says each line as an answer to whatever comes, the first at once, and hangs up."""

    def talk(listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                for line in lines:
                    connection.sendall(line)
                    connection.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=talk, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
    thread.join()


@pytest.mark.parametrize(
    ("lines", "permanent"),
    [
        ((b"421 too busy\r\n",), False),
        ((b"554 go away\r\n",), True),
        ((b"HTTP/1.1 400 Bad Request\r\n",), False),
        ((b"",), False),
        ((b"220 hello\r\n", b"250-me\r\n250 STARTTLS\r\n", b"454 not now\r\n"), False),
        ((b"220 hello\r\n", b"250-me\r\n250 STARTTLS\r\n", b"220 go on\r\n", b"garbage"), False),
        ((b"220 hello\r\n", b"x" * 10_000 + b"\r\n"), True),
    ],
)
def test_a_rude_server_is_an_error_of_the_channel(lines: tuple[bytes, ...], permanent: bool) -> None:
    with raw_server(*lines) as port:
        failure = refused(Mail(mail_settings(port=port, timeout=0.4)))
    assert (failure.permanent, failure.uncertain) == (permanent, False)


def test_a_login_that_is_asked_for_in_no_known_way_is_an_error_of_the_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    with raw_server(b"220 hello\r\n", b"250-me\r\n250 AUTH CRAM-MD5\r\n", b"334 guess\r\n") as port:
        failure = refused(Mail(mail_settings(port=port, tls="none", username="monitor", password_env="SMTP_PASSWORD")))
    assert (failure.permanent, failure.uncertain) == (False, False)


@pytest.mark.parametrize("host", ["smtp..example.org", f"{'x' * 64}.example.org"])
def test_a_name_that_no_server_can_have_is_an_error_of_the_channel(host: str) -> None:
    failure = refused(Mail(mail_settings(host=host)))
    assert (failure.permanent, failure.uncertain) == (False, False)
    assert f"{host}:587 cannot be reached" in str(failure)


def test_many_slow_recipients_are_told_in_several_attempts_and_each_once(serve: Serve, postmaster: Postmaster) -> None:
    everybody = [f"reader{n}@example.org" for n in range(8)]
    postmaster.slow = 0.15
    channel = serve(starttls=False, tls="none", to=everybody, seconds=0.6)
    failure = refused(channel)
    assert not failure.permanent
    assert 0 < len(failure.settled) < 8
    assert list(failure.settled) == everybody[: len(failure.settled)]
    assert "reader7@example.org: not reached within 0.6 seconds" in str(failure)
    postmaster.slow = 0
    Mail(channel._settings).send(replace(sent(), settled=failure.settled))
    assert set(postmaster.reached) == set(everybody)
    # The one at whom the time ran out may have the mail twice, with the same Message-ID; nobody else.
    assert len(postmaster.reached) <= 9


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_a_byte_now_and_then_ends_when_the_time_is_over(tls: str) -> None:
    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            for byte in b"220 " + b"x" * 400:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        started = time.monotonic()
        failure = refused(Mail(mail_settings(port=listener.getsockname()[1], tls=tls), seconds=0.3))
        assert time.monotonic() - started < 8
        thread.join()
    assert not failure.permanent


def test_the_password_shows_nowhere(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    channel = serve(username="monitor", password_env="SMTP_PASSWORD")
    with caplog.at_level("DEBUG"):
        channel.send(sent())
        for shown in (caplog.text, repr(channel), str(vars(channel)), repr(channel._server)):
            assert PASSWORD not in shown
    with raw_server(b"220 hello\r\n", f"535 no, {PASSWORD} is wrong\r\n".encode()) as port:
        broken = Mail(mail_settings(port=port, username="monitor", password_env="SMTP_PASSWORD"))
        with pytest.raises(ChannelError) as caught:
            broken.send(sent())
    assert PASSWORD not in "".join(traceback.format_exception(caught.value)) + str(vars(caught.value))


@pytest.mark.parametrize("way", ["PLAIN", "LOGIN"])
def test_the_password_shows_nowhere_as_it_was_sent(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """A server may say again what it was told, and anybody reads base64."""
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
    said: list[bytes] = []

    def repeat(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as lines:
            for answer in (b"220 hello", f"250-me\r\n250 AUTH {way}".encode()):
                lines.write(answer + b"\r\n")
                lines.flush()
                said.append(lines.readline())
            if way == "LOGIN":
                lines.write(b"334 UGFzc3dvcmQ6\r\n")
                lines.flush()
                said.append(lines.readline())
            lines.write(b"535 what is " + said[-1])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=repeat, args=(listener,))
        thread.start()
        login = {"username": "monitor", "password_env": "SMTP_PASSWORD", "tls": "none"}
        failure = refused(Mail(mail_settings(port=listener.getsockname()[1], **login)))
        thread.join()
    token = said[-1].split()[-1].decode()
    assert PASSWORD in base64.b64decode(token).decode()
    assert token not in str(failure)
    assert "535 what is " in str(failure)


# The mail itself.


def test_the_same_message_is_the_same_mail_and_another_channel_another() -> None:
    one, two = (build(sent(picture=b"\x89PNG"), mail_settings()).as_bytes() for _ in range(2))
    assert one == two
    assert build(sent(), mail_settings())["Message-ID"] != build(sent(), mail_settings(name="other"))["Message-ID"]


def test_headers_tell_machines_what_this_is() -> None:
    mail = build(sent(), mail_settings())
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Id"] == "leadchange <weekly-mail.leadchange.localhost>"
    assert mail["Message-ID"].endswith("@example.org>")
    assert mail["From"] == "leadchange <monitor@example.org>"
    assert mail["To"] == f"{ANNA}, {BERT}"
    assert mail["Date"].datetime == sent().at


def test_alerts_of_one_rule_and_board_belong_together() -> None:
    first, second = (build(sent(alert_id=one), mail_settings()) for one in ("a", "b"))
    assert first["References"] == second["References"] != build(sent(board="x"), mail_settings())["References"]


def test_a_correction_answers_the_mail_that_it_corrects() -> None:
    first = build(sent(), mail_settings())
    correction = build(replace(sent(alert_id="c", kind="correction"), reply_to=first["Message-ID"]), mail_settings())
    assert correction["In-Reply-To"] == first["Message-ID"]
    assert correction["References"] == f"{first['References']} {first['Message-ID']}"
    assert first["In-Reply-To"] is None


@pytest.mark.parametrize("receipt", ["C0123456789:17.0", "<a b@c>", "<a@b>\r\nBcc: x@y", "a@b", "", "<>", "<a><b>"])
def test_what_is_no_message_id_is_not_answered(receipt: str) -> None:
    made = build(replace(sent(), reply_to=receipt), mail_settings())
    assert made["In-Reply-To"] is None
    assert "Bcc" not in made


def test_whoever_wants_no_more_mail_can_say_so() -> None:
    assert build(sent(), mail_settings())["List-Unsubscribe"] == "<mailto:monitor@example.org?subject=unsubscribe>"
    made = build(sent(), mail_settings(unsubscribe_url="https://monitor.example/unsubscribe?list=weekly"))
    assert made["List-Unsubscribe"] == (
        "<https://monitor.example/unsubscribe?list=weekly>, <mailto:monitor@example.org?subject=unsubscribe>"
    )
    assert made["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize(
    "url", ["http://x.example", "mailto:a@b", "https://x.example/> , <evil", "https://x/\r\nBcc: a"]
)
def test_only_an_https_address_ends_a_subscription(url: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        mail_settings(unsubscribe_url=url)


def test_long_identifiers_are_not_folded_into_nonsense() -> None:
    sender = "monitor@" + ".".join(["a" * 40] * 5)
    first = build(sent(), mail_settings(**{"from": sender}))
    keys = {"from": sender, "unsubscribe_url": "https://monitor.example/" + "x" * 300}
    raw = build(replace(sent(), reply_to=first["Message-ID"]), mail_settings(**keys)).as_bytes()
    parsed = message_from_bytes(raw, policy=default)
    assert parsed["In-Reply-To"] == parsed["References"].split()[1] == first["Message-ID"]
    assert parsed["List-Unsubscribe"].startswith(f"<{keys['unsubscribe_url']}>")
    assert b"=?" not in raw.partition(b"\r\n\r\n")[0]


def test_the_text_comes_first_then_html_then_the_picture_that_it_shows() -> None:
    mail = build(sent(picture=b"\x89PNG"), mail_settings())
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png",
    ]  # fmt: skip
    assert next(part["Content-ID"] for part in mail.walk() if part["Content-ID"]) == f"<{CHART_CID}>"
    assert [part.get_content_type() for part in build(sent(), mail_settings()).walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip


@given(st.one_of(st.text(max_size=300), st.sampled_from(HOSTILE)))
@settings(deadline=None)
def test_no_name_adds_a_header_or_a_line_too_long(name: str) -> None:
    usual = build(sent(), mail_settings()).keys()
    made = build(
        sent(entity=name, rival=name, title=name, rule=name, board=name, alert_id=name),
        mail_settings(name=plain(name) or "x"),
    )
    raw = made.as_bytes()
    parsed = message_from_bytes(raw, policy=default)
    assert parsed.keys() == usual
    assert parsed["From"] == "leadchange <monitor@example.org>"
    assert b"\x00" not in raw
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert raw.count(b"\n") == raw.count(b"\r\n")


@pytest.mark.parametrize(
    "subject", ["x" * 2048, "🤗" * 2048, "Qwen\r\nBcc: all@example.org", "\u202eabc\x00", "a " * 1024]
)
def test_a_subject_is_one_line_of_bearable_length(subject: str) -> None:
    parsed = message_from_bytes(build(sent(title=subject), mail_settings()).as_bytes(), policy=default)
    assert len(parsed["Subject"]) <= 150
    assert parsed["Bcc"] is None


@pytest.mark.parametrize(
    "address",
    [
        "a@b\r\nBcc: c@d",
        "a@b\nc",
        "a",
        "@b",
        "a@",
        "Desk <a@b>",
        "a@b, c@d",
        "a b@c",
        "ä@b",
        "a@b@c",
        "a..b@c",
        "a\x00@b",
        "",
    ],
)
def test_only_bare_addresses_are_addresses(address: str) -> None:
    for keys in ({"from": address}, {"to": [address]}):
        with pytest.raises(pydantic.ValidationError):
            mail_settings(**keys)


@pytest.mark.parametrize(
    "keys",
    [
        {"to": []},
        {"username": "monitor"},
        {"password_env": "A"},
        {"username": "monitor", "password_env": "A", "password_file": "b"},
        {"port": 0},
        {"tls": "ssl"},
    ],
)
def test_settings_that_do_not_fit_together_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        mail_settings(**keys)


def test_a_password_that_no_server_could_read_is_refused_before_it_could_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "pässword")
    with pytest.raises(LeadchangeError, match="ASCII") as caught:
        Mail(mail_settings(username="monitor", password_env="SMTP_PASSWORD"))
    assert "pässword" not in str(caught.value)


def test_certificates_that_cannot_be_read_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for file in (tmp_path / "none.pem", tmp_path / "ca.pem"):
        with pytest.raises(LeadchangeError, match="certificates"):
            Mail(mail_settings(ca_file=file))


def test_the_port_follows_from_the_encryption() -> None:
    ports = [Mail(mail_settings(tls=tls))._server.port for tls in ("starttls", "implicit", "none")]
    assert ports == [587, 465, 25]
