"""Deliver: what is due goes out once, in order, and nobody's trouble is anybody else's."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spine import RULE, Inbox, day, hub, judge, listed, look, moment, tell, warehouse

from alerts.channels import CHANNELS, ChannelError, Receipt
from alerts.message import Message, compose, summary
from jobs import deliver
from jobs.deliver import LEASE, is_anything_due
from jobs.telling.turns import LONGEST_BACKOFF, LONGEST_WAIT, backoff, due_at
from warehouse.db import Database
from warehouse.records import Alert, Delivery
from warehouse.state.ledger import Ledger
from warehouse.state.outbox import Outbox

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NOW = moment(9)


def alert(number: int, **more: object) -> Alert:
    """An alert confirmed on a day by its number."""
    usual: dict[str, object] = {
        "alert_id": f"alert-{number}", "rule": "who-leads", "board": "families", "kind": "lead_change",
        "entity": "Beta", "rival": "Alpha", "state": "firing", "day": day(number), "confirmed_day": day(number),
        "title": f"news of day {number}", "value": 9.0, "rival_value": 8.0, "margin": 1 / 9, "definition": "",
        "snapshot_id": number,
    }  # fmt: skip
    return Alert(**usual | more)  # type: ignore[arg-type]


def queue(db: Database, *numbers: int, channels: tuple[str, ...] = ("desk",)) -> None:
    """Alerts of these days in the outbox, for these channels."""
    for number in numbers:
        Ledger(db).write_alert(alert(number), slot="lead", now=moment(number))
        for channel in channels:
            Outbox(db).queue(f"alert-{number}", channel, NOW)


def rows(db: Database, columns: str = "alert_id, channel, status, attempts") -> list[tuple[object, ...]]:
    return db.rows(f"SELECT {columns} FROM deliveries ORDER BY channel, alert_id")


# What goes out


def test_a_picture_is_drawn_once_and_for_those_alone_who_show_it() -> None:
    drawn: list[str] = []

    class Album(Inbox):
        shows_pictures = True

    def pictured(alert: Alert, also: Sequence[Alert]) -> Message:
        drawn.append(alert.alert_id)
        return compose(alert, also=also, picture=b"png")

    wording = deliver.Wording(pictured, summary, lambda alert, also: compose(alert, also=also))
    desk, office, album, wall = Inbox("desk"), Inbox("office"), Album("album"), Album("wall")
    channels = {channel.name: channel for channel in (desk, office, album, wall)}
    with warehouse() as db:
        queue(db, 1, channels=("desk", "office"))
        deliver.run(db, channels, wording, now=lambda: NOW, sleep=lambda _: None)
        assert drawn == []
        queue(db, 2, channels=tuple(channels))
        deliver.run(db, channels, wording, now=lambda: NOW, sleep=lambda _: None)
    assert drawn == ["alert-2"]
    assert [[message.picture for message in inbox.got] for inbox in (desk, office)] == [[None, None]] * 2
    assert [[message.picture for message in inbox.got] for inbox in (album, wall)] == [[b"png"]] * 2


def test_those_who_show_pictures_say_so() -> None:
    shown = {kind for kind, (_, channel) in CHANNELS.items() if getattr(channel, "shows_pictures", False)}
    assert shown == {"email", "slack-bot", "folder", "memory"}


def test_what_is_queued_goes_out_once_with_its_receipt() -> None:
    inbox = Inbox()
    with warehouse() as db:
        queue(db, 1)
        summary = tell(db, inbox, at=NOW)
        assert (summary.sent, summary.failed, summary.dead, summary.waiting) == (1, 0, 0, 0)
        assert rows(db, "status, attempts, sent_at, receipt, last_error, lease_until") == [
            ("sent", 1, NOW, "desk-1", None, None)
        ]
        assert tell(db, inbox, at=NOW + HOUR).sent == 0
        assert [message.alert_id for message in inbox.got] == ["alert-1"]


def test_alerts_go_out_in_the_order_of_the_days_they_tell_of() -> None:
    inbox = Inbox()
    with warehouse() as db:
        queue(db, 3, 1, 2)
        tell(db, inbox, at=NOW)
        assert [message.alert_id for message in inbox.got] == ["alert-1", "alert-2", "alert-3"]


def test_a_channel_that_is_not_configured_keeps_its_alerts_waiting() -> None:
    inbox = Inbox()
    with warehouse() as db:
        queue(db, 1, channels=("desk", "gone"))
        summary = tell(db, inbox, at=NOW)
        assert (summary.sent, summary.waiting) == (1, 1)
        assert any("gone" in problem and "wait" in problem for problem in summary.problems)
        assert (summary.missing, summary.undelivered) == (("gone",), 1)
        assert rows(db) == [("alert-1", "desk", "sent", 1), ("alert-1", "gone", "pending", 0)]


def test_what_waits_for_a_channel_that_cannot_be_used_is_not_due() -> None:
    with warehouse() as db:
        queue(db, 1, channels=("gone",))
        assert is_anything_due(db, NOW)
        assert not is_anything_due(db, NOW, without={"gone"})
        queue(db, 2)
        assert is_anything_due(db, NOW, without={"gone"})


# What fails


def test_a_failing_channel_delays_nobody_else() -> None:
    desk, broken = Inbox(), Inbox("mail", answers=[ChannelError("cannot connect")])
    with warehouse() as db:
        queue(db, 1, 2, channels=("desk", "mail"))
        summary = tell(db, desk, broken, at=NOW)
        assert (summary.sent, summary.failed, summary.waiting) == (2, 1, 2)
        assert summary.problems == ("mail: cannot connect",)
        assert [message.alert_id for message in desk.got] == ["alert-1", "alert-2"]
        assert rows(db) == [
            ("alert-1", "desk", "sent", 1),
            ("alert-2", "desk", "sent", 1),
            ("alert-1", "mail", "pending", 1),
            ("alert-2", "mail", "pending", 0),
        ]


def test_a_slow_channel_delays_nobody_else() -> None:
    """The slow one waits until the quick one has everything; if it were in the way, nothing would ever move."""
    done = threading.Event()

    @dataclass
    class Slow(Inbox):
        seen: list[int] = field(default_factory=list)

        def send(self, message: Message) -> Receipt:
            done.wait(20)
            self.seen.append(len(quick.got))
            return super().send(message)

    @dataclass
    class Quick(Inbox):
        def send(self, message: Message) -> Receipt:
            receipt = super().send(message)
            if len(self.got) == 3:
                done.set()
            return receipt

    quick, slow = Quick("quick"), Slow("slow")
    with warehouse() as db:
        queue(db, 1, 2, 3, channels=("quick", "slow"))
        assert tell(db, quick, slow, at=NOW).sent == 6
    assert slow.seen == [3, 3, 3]


def test_order_is_kept_when_the_first_fails() -> None:
    inbox = Inbox(answers=[ChannelError("busy")])
    with warehouse() as db:
        queue(db, 1, 2)
        tell(db, inbox, at=NOW)
        assert inbox.got == []
        tell(db, inbox, at=NOW + 10 * SECOND)
        assert [message.alert_id for message in inbox.got] == ["alert-1", "alert-2"]


def test_a_failure_is_tried_again_after_its_backoff_and_not_before() -> None:
    inbox = Inbox(answers=[ChannelError("busy"), ChannelError("busy")])
    with warehouse() as db:
        queue(db, 1)
        tell(db, inbox, at=NOW)
        tell(db, inbox, at=NOW + SECOND / 2)
        assert rows(db, "attempts") == [(1,)]
        tell(db, inbox, at=NOW + 2 * SECOND)
        assert rows(db, "attempts, last_error") == [(2, "busy")]
        tell(db, inbox, at=NOW + 10 * SECOND)
        assert rows(db, "attempts") == [(2,)]
        tell(db, inbox, at=NOW + 22 * SECOND)
        assert rows(db, "status, attempts, last_error") == [("sent", 3, None)]


def test_a_person_who_asks_does_not_wait_for_the_backoff() -> None:
    inbox = Inbox(answers=[ChannelError("busy")])
    with warehouse() as db:
        queue(db, 1)
        tell(db, inbox, at=NOW)
        assert tell(db, inbox, at=NOW + SECOND / 2, patient=False).sent == 1


@pytest.mark.parametrize("patient", [True, False])
def test_a_provider_that_asks_to_be_left_alone_is_left_alone(patient: bool) -> None:
    inbox = Inbox(answers=[ChannelError("answered 429", retry_after=600)])
    with warehouse() as db:
        queue(db, 1, 2)
        tell(db, inbox, at=NOW)
        assert rows(db, "not_before") == [(NOW + 600 * SECOND,), (None,)]
        tell(db, inbox, at=NOW + 599 * SECOND, patient=patient)
        assert inbox.got == []
        tell(db, inbox, at=NOW + 601 * SECOND, patient=patient)
        assert [message.alert_id for message in inbox.got] == ["alert-1", "alert-2"]
        assert rows(db, "not_before") == [(None,), (None,)]


def test_who_asks_for_messages_is_told_until_when_their_channel_is_left_alone() -> None:
    inbox = Inbox(answers=[ChannelError("answered 429", retry_after=600)])
    with warehouse() as db:
        queue(db, 1, 2)
        tell(db, inbox, at=NOW)
        summary = tell(db, inbox, at=NOW + 60 * SECOND, patient=False)
        assert (summary.failed, summary.undelivered) == (0, 2)
        assert summary.problems == ("desk: left alone until 2026-05-10 10:10:00 UTC: answered 429",)


def test_a_provider_cannot_ask_for_more_than_a_day() -> None:
    inbox = Inbox(answers=[ChannelError("answered 429", retry_after=10**9)])
    with warehouse() as db:
        queue(db, 1)
        tell(db, inbox, at=NOW)
        assert rows(db, "not_before") == [(NOW + LONGEST_WAIT,)]


@pytest.mark.parametrize("seconds", [99999999999999999.0, float("inf")])
def test_whatever_number_a_provider_asks_for_the_others_have_theirs_once(seconds: float) -> None:
    desk, hostile = Inbox(), Inbox("mail", answers=[ChannelError("answered 429", retry_after=seconds)])
    with warehouse() as db:
        queue(db, 1, channels=("desk", "mail"))
        tell(db, desk, hostile, at=NOW)
        assert rows(db, "status, not_before") == [("sent", None), ("pending", NOW + LONGEST_WAIT)]
        tell(db, desk, hostile, at=NOW + 2 * LONGEST_WAIT)
        assert (len(desk.got), len(hostile.got)) == (1, 1)


def test_a_channel_unreachable_for_months_stops_nobody() -> None:
    desk, gone = Inbox(), Inbox("mail", answers=[ChannelError("cannot connect")])
    with warehouse() as db:
        queue(db, 1, channels=("mail",))
        tell(db, gone, at=NOW)
        db.execute("UPDATE deliveries SET attempts = 3049")
        queue(db, 2, channels=("desk", "mail"))
        assert is_anything_due(db, NOW + HOUR)
        assert tell(db, desk, gone, at=NOW + 2 * HOUR).sent == 3


def test_a_permanent_refusal_is_dead_with_its_reason_and_the_next_goes_out() -> None:
    inbox = Inbox(answers=[ChannelError("no such channel", permanent=True)])
    with warehouse() as db:
        queue(db, 1, 2)
        summary = tell(db, inbox, at=NOW)
        assert (summary.sent, summary.dead, summary.waiting) == (1, 1, 0)
        assert rows(db, "status, last_error") == [("dead", "no such channel"), ("sent", None)]
        tell(db, inbox, at=NOW + timedelta(days=2), patient=False)
        assert [message.alert_id for message in inbox.got] == ["alert-2"]


def test_recipients_who_have_the_mail_are_not_sent_it_again() -> None:
    inbox = Inbox(answers=[ChannelError("b is full", settled=("a@example.org",)), ChannelError("b is still full")])
    with warehouse() as db:
        queue(db, 1)
        for wait in (0, 10, 100):
            tell(db, inbox, at=NOW + wait * SECOND)
        assert inbox.got[0].settled == ("a@example.org",)


def test_a_channel_that_breaks_in_an_unforeseen_way_delays_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Inbox):
        def send(self, message: Message) -> Receipt:
            raise ZeroDivisionError("with a secret in it")

    desk = Inbox()
    with warehouse() as db:
        queue(db, 1, channels=("desk", "mail"))
        summary = tell(db, desk, Broken("mail"), at=NOW)
        assert (summary.sent, summary.failed) == (1, 1)
        assert "secret" not in str(rows(db, "last_error"))
    assert "ZeroDivisionError" in caplog.text


# What is interrupted


class Dies(Inbox):
    """The process ends while the message is on its way: the provider has it, the receipt is never written."""

    def send(self, message: Message) -> Receipt:
        super().send(message)
        raise KeyboardInterrupt


def test_a_crash_between_lease_and_receipt_is_sent_again_once_the_lease_has_run_out() -> None:
    first, second = Dies(), Inbox()
    with warehouse() as db:
        queue(db, 1)
        with pytest.raises(KeyboardInterrupt):
            tell(db, first, at=NOW)
        assert rows(db, "status, attempts, lease_until") == [("sending", 1, NOW + LEASE)]
        tell(db, second, at=NOW + LEASE - SECOND, patient=False)
        assert second.got == []
        tell(db, second, at=NOW + LEASE + SECOND)
        assert rows(db, "status, attempts, lease_until") == [("sent", 2, None)]
    assert [message.alert_id for message in first.got] == [message.alert_id for message in second.got]


def test_what_others_took_is_written_before_what_broke_the_run_is_raised() -> None:
    broke = threading.Event()

    class Breaks(Dies):
        def send(self, message: Message) -> Receipt:
            broke.set()
            return super().send(message)

    class Slow(Inbox):
        def send(self, message: Message) -> Receipt:
            broke.wait(20)
            time.sleep(0.2)  # until the error of the other is on its way
            return super().send(message)

    slow = Slow("slow")
    with warehouse() as db:
        queue(db, 1, 2, channels=("desk", "slow"))
        with pytest.raises(KeyboardInterrupt):
            tell(db, Breaks(), slow, at=NOW)
        assert rows(db, "channel, status")[2:] == [("slow", "sent"), ("slow", "pending")]
        tell(db, Inbox(), slow, at=NOW + LEASE + SECOND)
        assert [message.alert_id for message in slow.got] == ["alert-1", "alert-2"]


def test_who_ends_it_by_hand_waits_for_what_is_on_its_way_and_nothing_new_is_taken() -> None:
    noticed = threading.Event()

    def interrupted(_: int, frame: FrameType | None) -> None:
        """Only where the run waits: in a callback of the garbage collection Python would drop the exception."""
        if frame and frame.f_code.co_filename == threading.__file__:
            noticed.set()
            raise KeyboardInterrupt

    class Interrupts(Inbox):
        def send(self, message: Message) -> Receipt:
            time.sleep(0.2)  # until the run waits for this
            for _ in range(100):
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                if noticed.wait(0.1):
                    break
            return super().send(message)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        with warehouse() as db:
            queue(db, 1, 2)
            with pytest.raises(KeyboardInterrupt):
                tell(db, Interrupts(), at=NOW)
            assert rows(db, "status") == [("sent",), ("pending",)]
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_lease_is_on_disk_before_the_message_leaves() -> None:
    seen = []

    class Looks(Inbox):
        def send(self, message: Message) -> Receipt:
            seen.extend(cursor.rows("SELECT status, attempts FROM deliveries"))
            return super().send(message)

    with warehouse() as db:
        queue(db, 1)
        cursor = db.cursor()
        tell(db, Looks(), at=NOW)
    assert seen == [("sending", 1)]


def test_a_dead_letter_is_written_with_what_the_console_is_to_tell_of_it_or_not_at_all() -> None:
    """The process ends while it queues that: the letter is not dead yet, and is tried again."""

    class Ends(Outbox):
        def queue_all(self, wanted: Iterable[tuple[str, str]], now: datetime) -> None:
            raise KeyboardInterrupt

    console, no = Inbox("console"), ChannelError("too long", permanent=True)
    with warehouse() as db, pytest.MonkeyPatch.context() as patch:
        queue(db, 1)
        patch.setattr("jobs.deliver.Outbox", Ends)
        with pytest.raises(KeyboardInterrupt):
            tell(db, Inbox(answers=[no]), console, at=NOW)
        patch.undo()
        for minutes in (6, 7):
            tell(db, Inbox(answers=[no]), console, at=NOW + timedelta(minutes=minutes))
        assert rows(db, "channel, status") == [("console", "sent"), ("desk", "dead")]


# When a delivery is due


def delivery(**more: object) -> Delivery:
    usual: dict[str, object] = {"alert_id": "a", "channel": "c", "status": "pending", "attempts": 0}
    return Delivery(**usual | more)  # type: ignore[arg-type]


def test_what_was_never_tried_is_due_at_once() -> None:
    assert due_at(delivery()) < NOW


@settings(deadline=None)
@given(st.integers(1, 60), st.text(max_size=5))
def test_backoff_grows_with_the_fourth_power_up_to_an_hour_and_a_fifth(attempts: int, channel: str) -> None:
    wait = backoff(delivery(attempts=attempts, channel=channel))
    least = min(LONGEST_BACKOFF, timedelta(seconds=attempts**4))
    assert least <= wait <= least * 1.2
    assert wait == backoff(delivery(attempts=attempts, channel=channel))


def test_two_deliveries_do_not_come_back_at_the_same_moment() -> None:
    assert len({backoff(delivery(alert_id=str(number), attempts=6)) for number in range(20)}) > 10


# From the Hub to the desk


def test_a_message_says_what_the_standing_says() -> None:
    inbox = Inbox()
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(90, 50))
        look(db, local, 1, listed(90, 150))
        judge(db, 1, RULE)
        tell(db, inbox, at=moment(1, 12))
    (message,) = inbox.got
    assert message.title == "Beta takes the lead from Alpha on families"
    assert "150" in message.text
    assert "40.0%" in message.text
    assert "2026-05-02" in message.text
