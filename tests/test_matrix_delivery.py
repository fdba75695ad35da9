"""The fault matrix, section D: what happens between the outbox and people, over real sockets and with a driven clock.

The collector fails on every message that comes uncalled, too early, too late or in the wrong order. What each provider
can answer is tested channel by channel elsewhere; here is what becomes of the alert.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from collector import Collector
from fake_web import SILENCE, Answer, Asked, FakeWeb, running
from spine import Inbox, day, moment, warehouse
from test_alerts_channels_mail import unused_port
from test_alerts_channels_slack_bot import CHANNEL, TOKEN, Workspace

from alerts.channels import Channel, ChannelError, Receipt
from alerts.channels.console import Console, ConsoleSettings
from alerts.channels.mail import Mail
from alerts.channels.mailsettings import MailSettings
from alerts.channels.slack import Slack, SlackSettings
from alerts.channels.slack_bot import SlackBot, SlackBotSettings
from alerts.channels.webhook import Webhook, WebhookSettings
from alerts.message import Message, compose, summary
from jobs import deliver
from jobs.deliver import FALLBACK, LEASE
from warehouse.db import Database
from warehouse.records import Alert, Silence
from warehouse.state.ledger import Ledger
from warehouse.state.outbox import Outbox, silence_id

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ANNA, BERT = "anna@example.org", "bert@example.org"
PATH = "/services/T00000000/B00000000/not-so-secret"


def alert(number: int, **more: object) -> Alert:
    usual: dict[str, object] = {
        "alert_id": f"alert-{number:04}", "rule": "who-leads", "board": "families", "kind": "lead_change",
        "entity": "Beta", "rival": "Alpha", "state": "firing", "day": day(number), "confirmed_day": day(number),
        "title": news(number), "value": 9.0, "rival_value": 8.0, "margin": 1 / 9, "definition": "",
        "snapshot_id": number,
    }  # fmt: skip
    return Alert(**usual | more)  # type: ignore[arg-type]


def news(number: int) -> str:
    return f"news of day {number}"


@dataclass
class Office:
    """A warehouse, a clock, providers on loopback, and a collector of what they show to people."""

    db: Database
    now: datetime = field(default_factory=lambda: moment(9))
    channels: dict[str, Channel] = field(default_factory=dict)
    slept: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    picture_fails: bool = False

    def queue(self, *numbers: int, to: tuple[str, ...] = (), **more: object) -> None:
        for number in numbers:
            Ledger(self.db).write_alert(alert(number, **more), slot="lead", now=self.now)
            for channel in to or self.channels:
                Outbox(self.db).queue(f"alert-{number:04}", channel, self.now)

    def deliver(self, *, after: timedelta = timedelta(0), patient: bool = True) -> deliver.Summary:
        self.now += after
        return deliver.run(
            self.db.cursor(), self.channels, deliver.Wording(self.word, lambda alerts: summary(alerts, now=self.now)),
            now=lambda: self.now, sleep=self.slept.append, patient=patient, stop=self.stop,
        )  # fmt: skip

    def word(self, about: Alert, also: Any) -> Message:  # noqa: ANN401
        if self.picture_fails:
            raise RuntimeError("the picture cannot be drawn")
        return compose(about, also=also, now=self.now)

    def statuses(self, columns: str = "status, attempts") -> list[tuple[Any, ...]]:
        return self.db.rows(f"SELECT {columns} FROM deliveries ORDER BY channel, alert_id")


@pytest.fixture
def office() -> Iterator[Office]:
    with warehouse() as db:
        yield Office(db)


@pytest.fixture
def people(office: Office) -> Iterator[Collector]:
    with Collector(lambda: office.now) as collector:
        yield collector


@dataclass
class Hook:
    """Slack's or anybody's webhook: answers as planned, and then well. `shown` is whether people see the message."""

    name: str
    people: Collector
    title: Callable[[dict[str, Any]], str]
    plan: list[tuple[Answer, bool]] = field(default_factory=list)
    web: FakeWeb = field(default_factory=FakeWeb)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def will(
        self, status: int, body: bytes | str = b"", *, shown: bool = False, times: int = 1, **headers: str
    ) -> None:
        said = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.plan += [((status, said, named), shown)] * times

    def answer(self, asked: Asked) -> Answer:
        answer, shown = self.plan.pop(0) if self.plan else ((200, b"ok", {}), True)
        self.bodies.append(json.loads(asked.body))
        if shown:
            self.people.got(self.name, self.title(self.bodies[-1]))
        return answer


Open = Callable[..., Hook]


def first_line(payload: dict[str, Any]) -> str:
    return str(payload["text"]).splitlines()[0]


@pytest.fixture
def hook(office: Office, people: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens a webhook of Slack (or, with `kind`, of anybody) and puts its channel into the office."""
    with ExitStack() as stack:

        def open_(name: str = "slack", kind: str = "slack") -> Hook:
            made = Hook(name, people, first_line if kind == "slack" else lambda body: str(body["title"]))
            made.web.usual = made.answer
            stack.enter_context(running(made.web))
            url = f"http://127.0.0.1:{made.web.port}{PATH}"
            monkeypatch.setenv(f"URL_{name.upper()}", url)
            office.channels[name] = (
                Slack(SlackSettings(name=name, url_env=f"URL_{name.upper()}", timeout=0.3))
                if kind == "slack"
                else Webhook(WebhookSettings(name=name, url_env=f"URL_{name.upper()}", allow_private=True, timeout=0.3))
            )
            return made

        yield open_


@dataclass
class Postbox:
    """A mail server: answers recipients as told, and shows what it took."""

    people: Collector
    refuses: dict[str, str] = field(default_factory=dict)
    data: str = "250 taken"
    drops: bool = False
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]) -> str:  # noqa: N802
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data.startswith("2"):
            mail = message_from_bytes(envelope.content or b"", policy=default)
            self.mails.append(mail)
            for recipient in envelope.rcpt_tos:
                self.people.got(recipient, str(mail["Subject"]))
        if self.drops:
            server.transport.abort()
        return self.data


@pytest.fixture
def postbox(office: Office, people: Collector) -> Iterator[Postbox]:
    box = Postbox(people)
    port = unused_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    settings = {
        "name": "mail", "host": "127.0.0.1", "port": port, "tls": "none", "from": "m@example.org",
        "to": [ANNA, BERT], "timeout": 1,
    }  # fmt: skip
    office.channels["mail"] = Mail(MailSettings.model_validate(settings))
    yield box
    controller.stop()


# Slack and its like


@pytest.mark.parametrize("seconds", [1, 30])
def test_d1_a_provider_that_asks_to_wait_is_not_asked_before_and_gets_everything_in_order(
    office: Office, people: Collector, hook: Open, seconds: int
) -> None:
    hook().will(429, "slow down", Retry_After=str(seconds))
    office.queue(1, 2, 3)
    assert office.deliver().failed == 1
    office.deliver(after=(seconds - 0.5) * SECOND)
    people.want("slack", news(1), news(2), news(3), within=2 * SECOND)
    assert office.deliver(after=2 * SECOND).sent == 3
    assert office.slept == [1.0, 1.0]


def test_d1_a_second_run_within_the_second_keeps_the_distance_too(
    office: Office, people: Collector, hook: Open
) -> None:
    hook()
    people.want("slack", news(1), news(2), within=SECOND)
    office.queue(1)
    office.deliver()
    office.queue(2)
    office.deliver(after=0.25 * SECOND)
    assert office.slept == [0.75]


def test_d2_an_error_of_the_server_is_tried_again_until_it_passes(
    office: Office, people: Collector, hook: Open
) -> None:
    hook().will(500, "rollup_error", times=2)
    office.queue(1)
    office.deliver()
    office.deliver(after=2 * SECOND)
    people.want("slack", news(1), within=MINUTE)
    office.deliver(after=MINUTE)
    assert office.statuses() == [("sent", 3)]


def test_d2_nobody_there_is_certain_and_is_tried_again(office: Office, people: Collector, hook: Open) -> None:
    made = hook()
    there = office.channels["slack"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("URL_GONE", f"http://127.0.0.1:{unused_port()}{PATH}")
        office.channels["slack"] = Slack(SlackSettings(name="slack", url_env="URL_GONE", timeout=0.3))
    office.queue(1)
    office.deliver()
    assert office.statuses() == [("pending", 1)]
    assert made.bodies == []
    office.channels["slack"] = there
    people.want("slack", news(1), within=MINUTE)
    office.deliver(after=MINUTE)


def test_d2_no_answer_after_the_message_was_taken_leaves_it_open_and_the_repeat_has_the_same_id(
    office: Office, people: Collector, hook: Open
) -> None:
    """Where nobody can look, a repeat is better than a loss: the one promised exception."""
    made = hook("anybody", kind="webhook")
    made.will(200, SILENCE, shown=True)
    people.want("anybody", news(1), news(1), within=2 * MINUTE)
    office.queue(1)
    office.deliver()
    assert office.statuses("status, attempts, lease_until") == [("sending", 1, None)]
    office.deliver(after=SECOND / 2)
    office.deliver(after=MINUTE)
    assert office.statuses() == [("sent", 2)]
    assert [body["alert_id"] for body in made.bodies] == ["alert-0001"] * 2
    assert len({asked.headers["idempotency-key"] for asked in made.web.asked}) == 1


def test_an_open_end_stays_open_through_a_refusal_that_says_nothing_about_it(
    office: Office, people: Collector, hook: Open
) -> None:
    made = hook()
    made.will(200, SILENCE, shown=True)
    made.will(503)
    people.want("slack", news(1), news(1), within=HOUR)
    office.queue(1)
    office.deliver()
    office.deliver(after=MINUTE)
    assert office.statuses() == [("sending", 2)]
    office.deliver(after=MINUTE)


@pytest.fixture
def workspace(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
    web = FakeWeb()
    made = Workspace(web)
    web.usual = made.answer
    with running(web):
        endpoint = f"http://127.0.0.1:{web.port}/api/"
        made.upload_url = f"http://127.0.0.1:{web.port}/upload/1"
        settings = SlackBotSettings(
            name="bot", token_env="SLACK_BOT_TOKEN", channel=CHANNEL, endpoint=endpoint, timeout=0.3
        )
        office.channels["bot"] = SlackBot(settings)
        yield made


def test_d2_a_bot_looks_whether_the_message_is_there_and_does_not_repeat_it(
    office: Office, people: Collector, workspace: Workspace
) -> None:
    del people
    usual = workspace.web.usual

    def taken_and_silent(asked: Asked) -> Answer:
        usual(asked)
        return 200, SILENCE, {}

    office.queue(1)
    workspace.web.usual = taken_and_silent
    office.deliver()
    assert office.statuses() == [("sending", 1)]
    workspace.web.usual = usual
    assert office.deliver(after=MINUTE).sent == 1
    assert [said["text"].splitlines()[0] for said in workspace.posted] == [news(1)]
    assert office.statuses("status, attempts, last_error") == [("sent", 2, "was there, not sent again")]


def test_d2_a_bot_that_cannot_look_now_waits_rather_than_repeat(
    office: Office, people: Collector, workspace: Workspace
) -> None:
    del people
    usual = workspace.web.usual
    office.queue(1)
    workspace.web.usual = lambda asked: (usual(asked), (200, SILENCE, {}))[1]
    office.deliver()
    workspace.web.usual = lambda _: (503, b"", {})
    office.deliver(after=MINUTE)
    assert office.statuses() == [("sending", 2)]
    workspace.web.usual = usual
    office.deliver(after=HOUR)
    assert len(workspace.posted) == 1


def test_a_correction_and_a_revert_go_into_the_thread_of_what_they_are_about(
    office: Office, people: Collector, workspace: Workspace
) -> None:
    del people
    office.queue(1)
    office.deliver()
    office.queue(2, kind="correction", thread_of="alert-0001")
    office.deliver(after=MINUTE)
    first, second = workspace.posted
    assert second["thread_ts"] == first["ts"]


def test_d3_blocks_that_are_refused_are_followed_by_plain_text(office: Office, people: Collector, hook: Open) -> None:
    made = hook()
    made.will(400, "invalid_blocks")
    people.want("slack", news(1), news(2), within=SECOND)
    office.queue(1, 2)
    office.deliver()
    assert ["blocks" in body for body in made.bodies] == [True, False, True]
    assert office.statuses("status, last_error")[0] == (
        "sent", "sent as plain text: Slack refused the blocks (invalid_blocks)",
    )  # fmt: skip


def test_d3_what_is_refused_in_every_form_is_kept_and_can_be_sent_again(
    office: Office, people: Collector, hook: Open
) -> None:
    hook().will(400, "invalid_payload", times=2)
    people.want("slack", news(2), within=SECOND)
    office.queue(1, 2)
    summary_ = office.deliver()
    assert (summary_.dead, summary_.sent) == (1, 1)
    office.deliver(after=3 * DAY, patient=False)
    people.want("slack", news(1), within=SECOND)
    assert Outbox(office.db).retry() == 1
    office.deliver()


@pytest.mark.parametrize(
    ("status", "body"), [(403, "invalid_token"), (404, "no_service"), (410, "channel_is_archived")]
)
def test_d4_a_channel_that_is_gone_is_told_on_the_console_and_the_others_get_theirs(
    office: Office, people: Collector, hook: Open, status: int, body: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hook("gone").will(status, body, times=2)
    hook("fine")
    office.channels[FALLBACK] = Console(ConsoleSettings(name=FALLBACK))
    people.want("fine", news(1), within=SECOND)
    office.queue(1, to=("gone", "fine"))
    summary_ = office.deliver()
    assert (summary_.sent, summary_.dead) == (1, 1)
    assert any(body in problem for problem in summary_.problems)
    office.deliver(after=MINUTE)
    office.deliver(after=MINUTE)
    assert capsys.readouterr().out.count(news(1)) == 1
    assert body in office.statuses("last_error")[2][0]


@pytest.mark.parametrize("body", ["", "<html>welcome</html>", '{"ok":false,"error":"x"}'])
def test_d5_a_200_that_does_not_say_ok_is_a_failure(office: Office, people: Collector, hook: Open, body: str) -> None:
    hook().will(200, body)
    office.queue(1)
    assert office.deliver().failed == 1
    people.want("slack", news(1), within=MINUTE)
    office.deliver(after=MINUTE)


def test_d6_names_without_end_or_shame_arrive_within_slacks_limits(
    office: Office, people: Collector, hook: Open
) -> None:
    made = hook()
    hostile = "<!channel> & 😀" * 300
    office.queue(1, entity=hostile, rival=hostile, board=hostile, why=hostile, title="")
    office.deliver()
    people.arrived.clear()
    (payload,) = made.bodies
    assert len(payload["blocks"]) <= 50
    for block in payload["blocks"]:
        text = block.get("text", {}).get("text", "")
        assert len(text) <= (150 if block["type"] == "header" else 3000)
        assert len(block.get("fields", ())) <= 10
    assert "<!channel>" not in json.dumps([block for block in payload["blocks"] if block["type"] != "header"])
    assert "<!channel>" not in payload["text"]


# Mail


@pytest.mark.parametrize("refusal", ["421 too busy", "450 mailbox busy", "452 no room"])
def test_d7_a_recipient_who_cannot_take_it_now_gets_it_later_and_the_other_only_once(
    office: Office, people: Collector, postbox: Postbox, refusal: str
) -> None:
    postbox.refuses = {BERT: refusal}
    people.want(ANNA, news(1), within=SECOND)
    office.queue(1)
    assert office.deliver().failed == 1
    postbox.refuses = {}
    people.want(BERT, news(1), within=MINUTE)
    office.deliver(after=MINUTE)
    assert office.statuses() == [("sent", 2)]


def test_d7_a_recipient_who_cannot_take_it_for_days_delays_nobody_and_gets_the_summary_alone(
    office: Office, people: Collector, postbox: Postbox
) -> None:
    postbox.refuses = {BERT: "452 mailbox full"}
    for number in range(1, 5):
        people.want(ANNA, news(number), within=MINUTE)
        office.queue(number)
        office.deliver()
        for _ in range(12):
            office.deliver(after=2 * HOUR)
    assert office.statuses("DISTINCT status, settled") == [("pending", [ANNA])]
    postbox.refuses = {}
    people.want(BERT, f"4 alerts, {day(1)} to {day(4)}", within=2 * HOUR)
    assert office.deliver(after=2 * HOUR).sent == 4
    assert office.deliver(after=2 * HOUR).waiting == 0


def test_d7_a_recipient_who_does_not_exist_is_noted_and_the_other_has_it(
    office: Office, people: Collector, postbox: Postbox
) -> None:
    postbox.refuses = {BERT: "550 no such user"}
    people.want(ANNA, news(1), within=SECOND)
    office.queue(1)
    office.deliver()
    ((status, note),) = office.statuses("status, last_error")
    assert status == "sent"
    assert f"{BERT}: " in note


@pytest.mark.parametrize("refusal", ["535 no", "550 nobody here", "552 too large"])
def test_d7_a_mail_that_nobody_may_have_is_dead_with_the_reason(
    office: Office, people: Collector, postbox: Postbox, refusal: str
) -> None:
    del people
    postbox.refuses = {ANNA: refusal, BERT: refusal}
    office.queue(1)
    assert office.deliver().dead == 1
    assert refusal[:3] in office.statuses("last_error")[0][0]


def test_d7_a_connection_lost_after_the_data_is_open_and_the_repeat_has_the_same_message_id(
    office: Office, people: Collector, postbox: Postbox
) -> None:
    postbox.drops = True
    people.want(ANNA, news(1), news(1), within=HOUR)
    people.want(BERT, news(1), within=HOUR)
    office.queue(1)
    office.deliver()
    assert office.statuses() == [("sending", 1)]
    postbox.drops = False
    office.deliver(after=MINUTE)
    assert office.statuses() == [("sent", 2)]
    assert len({mail["Message-ID"] for mail in postbox.mails}) == 1


def test_d8_line_breaks_nul_and_two_kilobytes_in_a_name_are_one_subject(
    office: Office, people: Collector, postbox: Postbox
) -> None:
    office.queue(1, title="", entity="x\r\nBcc: everybody@example.org\x00\u202e" + "y" * 2000)
    office.deliver()
    assert len(people.arrived) == 2
    people.arrived.clear()
    for mail in postbox.mails:
        assert mail["Bcc"] is None
        assert "\n" not in mail["Subject"]
        assert len(mail["Subject"]) <= 200


# Webhooks


def test_d9_a_webhook_that_leads_elsewhere_is_not_followed_and_the_alert_is_kept(
    office: Office, people: Collector, hook: Open
) -> None:
    made = hook("anybody", kind="webhook")
    made.will(302, b"", Location="http://169.254.169.254/latest/meta-data/")
    office.queue(1)
    office.deliver()
    assert len(made.web.asked) == 1
    people.want("anybody", news(1), within=MINUTE)
    office.deliver(after=MINUTE)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "169.254.169.254"])
def test_d9_an_address_within_the_walls_is_refused_when_connecting(
    office: Office, people: Collector, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    del people
    monkeypatch.setenv("URL_INSIDE", f"https://{host}{PATH}")
    office.channels["inside"] = Webhook(WebhookSettings(name="inside", url_env="URL_INSIDE", timeout=0.3))
    office.queue(1)
    assert office.deliver().sent == 0
    ((error,),) = office.statuses("last_error")
    assert "address" in error
    assert PATH not in error


# Several channels


def test_d10_a_channel_that_is_down_for_three_days_gets_one_summary_and_the_others_miss_nothing(
    office: Office, people: Collector, hook: Open, postbox: Postbox
) -> None:
    down = hook("down")
    hook("fine")
    down.will(503, times=200)
    for number in range(1, 9):
        people.want("fine", news(number), within=MINUTE)
        people.want(ANNA, news(number), within=MINUTE)
        people.want(BERT, news(number), within=MINUTE)
        office.queue(number)
        office.deliver()
        for _ in range(5):
            office.deliver(after=2 * HOUR)
    assert len(down.plan) < 170
    down.plan.clear()
    people.want("down", f"8 alerts, {day(1)} to {day(8)}", within=2 * HOUR)
    summary_ = office.deliver(after=2 * HOUR)
    assert summary_.sent == 8
    assert summary_.waiting == 0
    said = down.bodies[-1]["text"]
    assert all(news(number) in json.dumps(down.bodies[-1]) for number in range(1, 9)), said
    people.want("down", news(9), within=MINUTE)
    office.queue(9, to=("down",))
    office.deliver(after=MINUTE)


def test_d10_a_summary_that_is_open_keeps_its_identity_though_something_was_queued_meanwhile(
    office: Office, people: Collector, hook: Open
) -> None:
    made = hook("anybody", kind="webhook")
    made.will(503)
    office.queue(1, 2)
    office.deliver()
    made.will(200, SILENCE, shown=True)
    title = f"2 alerts, {day(1)} to {day(2)}"
    people.want("anybody", title, within=5 * DAY)
    office.deliver(after=4 * DAY)
    office.queue(3)
    people.want("anybody", title, news(3), within=HOUR)
    office.deliver(after=HOUR)
    first, second = (body["alert_id"] for body in made.bodies if body["title"] == title)
    assert first == second
    assert first.startswith("sum-")


def test_d10_an_outage_that_is_short_is_no_reason_to_summarise(office: Office, people: Collector, hook: Open) -> None:
    hook().will(503)
    office.queue(1, 2)
    office.deliver()
    people.want("slack", news(1), news(2), within=70 * HOUR)
    office.deliver(after=70 * HOUR)


class Dying(Inbox):
    """The process ends while this channel sends."""

    def send(self, message: Message) -> Receipt:
        raise KeyboardInterrupt


def test_d11_after_a_crash_between_two_channels_only_the_second_is_sent_again(
    office: Office, people: Collector, hook: Open, postbox: Postbox
) -> None:
    hook()
    real = office.channels["mail"]
    office.queue(1)
    people.want("slack", news(1), within=SECOND)
    slack_only, office.channels = {"slack": office.channels["slack"]}, {"mail": Dying("mail")}
    office.channels = slack_only
    office.deliver()
    office.channels = {"slack": slack_only["slack"], "mail": Dying("mail")}
    with pytest.raises(KeyboardInterrupt):
        office.deliver()
    office.channels["mail"] = real
    office.deliver(after=LEASE - SECOND)
    people.want(ANNA, news(1), within=MINUTE)
    people.want(BERT, news(1), within=MINUTE)
    office.deliver(after=2 * SECOND)
    assert len(postbox.mails) == 2


def test_d13_what_waits_goes_to_where_the_channel_is_configured_by_then(
    office: Office, people: Collector, hook: Open
) -> None:
    old = hook("desk")
    old.will(503)
    office.queue(1)
    office.deliver()
    for table in ("deliveries", "alerts", "channel_health"):
        assert PATH not in str(office.db.rows(f"FROM {table}"))
    new = hook("desk")
    people.want("desk", news(1), within=MINUTE)
    office.deliver(after=MINUTE)
    assert len(old.bodies) == len(new.bodies) == 1


def test_d13_a_channel_that_is_not_configured_any_more_keeps_its_alerts_until_it_is(
    office: Office, people: Collector, hook: Open
) -> None:
    hook()
    office.queue(1)
    channels, office.channels = office.channels, {}
    assert office.deliver().waiting == 1
    office.channels = channels
    people.want("slack", news(1), within=9 * DAY)
    office.deliver(after=8 * DAY)


def test_d14_a_silence_between_the_queue_and_the_sending_is_honoured(
    office: Office, people: Collector, hook: Open
) -> None:
    hook()
    office.queue(1, 2)
    name = silence_id("", "", "Beta", office.now)
    Outbox(office.db).add_silence(Silence(name, "", "", "Beta", office.now, office.now + HOUR, "anna", "known"))
    assert office.deliver().silenced == 2
    del people


def test_d15_told_to_stop_it_ends_what_it_has_begun_and_begins_nothing_more(
    office: Office, people: Collector, hook: Open
) -> None:
    made = hook()
    usual = made.web.usual

    def stopping(asked: Asked) -> Answer:
        office.stop.set()
        return usual(asked)

    made.web.usual = stopping
    people.want("slack", news(1), within=SECOND)
    office.queue(1, 2, 3)
    summary_ = office.deliver()
    assert (summary_.sent, summary_.waiting) == (1, 2)
    assert office.statuses() == [("sent", 1), ("pending", 0), ("pending", 0)]
    office.deliver()
    made.web.usual = usual
    office.stop.clear()
    people.want("slack", news(2), news(3), within=MINUTE)
    office.deliver(after=SECOND)


def test_d16_what_cannot_be_worded_is_told_in_plain_words_and_reported(
    office: Office, people: Collector, hook: Open, caplog: pytest.LogCaptureFixture
) -> None:
    hook()
    office.picture_fails = True
    people.want("slack", news(1), within=SECOND)
    office.queue(1)
    summary_ = office.deliver()
    assert summary_.sent == 1
    assert any("plain words" in problem for problem in summary_.problems)
    assert "the picture cannot be drawn" in caplog.text


# Two at once, clocks, and bugs


def test_two_runs_at_once_send_nothing_twice_and_keep_the_order(office: Office, people: Collector, hook: Open) -> None:
    """The daemon delivers after a collection and every minute."""
    made = hook()
    usual = made.web.usual
    both = threading.Barrier(2)

    def slow(asked: Asked) -> Answer:
        threading.Event().wait(0.02)
        return usual(asked)

    made.web.usual = slow
    numbers = range(1, 9)
    people.want("slack", *map(news, numbers), within=MINUTE)
    office.queue(*numbers)

    def work() -> None:
        both.wait()
        while office.deliver().waiting:
            threading.Event().wait(0.005)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {attempts for (attempts,) in office.statuses("attempts")} == {1}


def test_what_a_wrong_clock_has_put_off_for_a_year_is_sent_when_it_is_right_again(
    office: Office, people: Collector, hook: Open
) -> None:
    hook().will(503)
    office.now += 365 * DAY
    office.queue(1)
    office.deliver()
    office.now -= 365 * DAY
    people.want("slack", news(1), within=MINUTE)
    office.deliver(after=MINUTE)


def test_a_channel_whose_looking_fails_in_an_unforeseen_way_delays_nobody(
    office: Office, people: Collector, hook: Open
) -> None:
    class Broken(Inbox):
        def reconcile(self, _: Message) -> Receipt | None:
            raise ZeroDivisionError

    hook()
    broken = Broken("broken", answers=[ChannelError("no answer", uncertain=True)])
    office.channels["broken"] = broken
    people.want("slack", news(1), news(2), within=HOUR)
    office.queue(1)
    office.deliver()
    office.queue(2)
    summary_ = office.deliver(after=MINUTE)
    assert (summary_.sent, summary_.failed) == (1, 1)
    assert broken.got == []


def test_the_collector_fails_on_what_nobody_asked_for() -> None:
    """Who watches the watcher: each kind of fault is one that the collector sees."""
    now = [moment(0)]
    collector = Collector(lambda: now[0])
    collector.want("a", "first", "second", within=MINUTE)
    collector.got("a", "first")
    assert collector.problems() == ["a: 'second' did not come"]
    now[0] += HOUR
    collector.got("a", "second")
    assert "wanted 'second'" in collector.problems()[0]
    collector.got("b", "spam")
    assert "nobody asked for" in collector.problems()[1]
