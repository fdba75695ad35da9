"""A channel that refuses whatever it is sent: held, told elsewhere meanwhile, and tried again without being asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from spine import Inbox, moment, tell, warehouse
from test_jobs_deliver import NOW, queue, rows

from alerts.channels import ChannelError
from jobs.deliver import FALLBACK, Summary, in_words
from warehouse.db import Database
from warehouse.state.outbox import Outbox

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def gone() -> ChannelError:
    return ChannelError("Slack answered 404: no_service", closed=True)


def refused(db: Database, desk: Inbox, *more: Inbox) -> Summary:
    """Two alerts for a desk that refuses the first."""
    desk.answers = [gone()]
    queue(db, 1, 2)
    return tell(db, desk, *more, at=NOW)


def ids(inbox: Inbox) -> list[str]:
    return [message.alert_id for message in inbox.got]


def test_the_message_that_shows_it_is_a_dead_letter_and_the_others_are_held() -> None:
    desk = Inbox()
    with warehouse() as db:
        summary = refused(db, desk)
        assert (summary.sent, summary.dead, summary.waiting, summary.held) == (0, 1, 1, 1)
        assert rows(db, "status, last_error") == [("dead", "Slack answered 404: no_service"), ("pending", None)]
        assert Outbox(db).health("desk").refused_since == NOW
        assert summary.problems[-1] == (
            "desk: refuses whatever it is sent since 2026-05-10 10:00 UTC (Slack answered 404: no_service), "
            "1 message held: mend it, then `leadchange send-test desk`"
        )


def test_it_is_asked_once_an_hour_and_no_message_is_lost_to_that() -> None:
    desk = Inbox()
    with warehouse() as db:
        refused(db, desk)
        desk.answers = [gone() for _ in range(9)]
        for minute in range(1, 60):
            assert tell(db, desk, at=NOW + minute * MINUTE).failed == 0
        assert tell(db, desk, at=NOW + HOUR).failed == 1
        assert rows(db, "status, attempts") == [("dead", 1), ("pending", 1)]
        assert tell(db, desk, at=NOW + HOUR + MINUTE).failed == 0
        assert Outbox(db).health("desk").refused_since == NOW


def test_once_it_takes_a_message_it_gets_everything_even_what_it_refused() -> None:
    desk = Inbox()
    with warehouse() as db:
        refused(db, desk)
        tell(db, desk, at=NOW + HOUR)
        summary = tell(db, desk, at=NOW + HOUR + MINUTE)
        assert sorted(ids(desk)) == ["alert-1", "alert-2"]
        assert (summary.waiting, summary.problems) == (0, ())
        assert Outbox(db).health("desk").refused_since is None


def test_a_person_who_asks_need_not_wait_for_the_hour() -> None:
    desk = Inbox()
    with warehouse() as db:
        refused(db, desk)
        assert tell(db, desk, at=NOW + MINUTE, patient=False).sent == 1


def test_after_days_everything_comes_as_one_summary() -> None:
    desk = Inbox()
    with warehouse() as db:
        refused(db, desk)
        queue(db, 3, 4)
        Outbox(db).readmit("desk")
        tell(db, desk, at=NOW + timedelta(days=4))
        (message,) = desk.got
        assert len(message.data["alerts"]) == 4


@pytest.mark.parametrize("mend", [lambda o: o.readmit("desk"), lambda o: o.retry(), lambda o: o.retry(channel="desk")])
def test_it_is_open_again_when_somebody_says_so(mend: object) -> None:
    desk = Inbox()
    with warehouse() as db:
        refused(db, desk)
        mend(Outbox(db))  # type: ignore[operator]
        assert Outbox(db).refusing() == []
        assert tell(db, desk, at=NOW + MINUTE).sent == 2


def test_what_is_queued_again_is_counted_with_what_was_held() -> None:
    with warehouse() as db:
        refused(db, Inbox())
        assert Outbox(db).retry(channel="other") == 0
        assert Outbox(db).retry(channel="desk") == 2


def test_naming_one_alert_leaves_its_channel_held() -> None:
    with warehouse() as db:
        refused(db, Inbox())
        assert Outbox(db).retry(alert_id="alert-1") == 1
        assert [health.channel for health in Outbox(db).refusing()] == ["desk"]


def test_meanwhile_the_console_tells_what_was_refused_and_what_is_held_each_once() -> None:
    desk, console = Inbox(), Inbox(FALLBACK)
    with warehouse() as db:
        refused(db, desk, console)
        for minute in (1, 2, 3):
            tell(db, desk, console, at=NOW + minute * MINUTE)
        queue(db, 3)
        for minute in (4, 5):
            tell(db, desk, console, at=NOW + minute * MINUTE)
        assert sorted(ids(console)) == ["alert-1", "alert-2", "alert-3"]


def test_the_others_get_theirs() -> None:
    desk, mail = Inbox(answers=[gone()]), Inbox("mail")
    with warehouse() as db:
        queue(db, 1, 2, channels=("desk", "mail"))
        tell(db, desk, mail, at=NOW)
        assert ids(mail) == ["alert-1", "alert-2"]


def test_a_refusal_of_one_message_shows_that_the_channel_works() -> None:
    desk = Inbox()
    with warehouse() as db:
        refused(db, desk)
        desk.answers = [ChannelError("invalid_payload", permanent=True)]
        tell(db, desk, at=NOW + HOUR)
        assert rows(db, "status") == [("dead",), ("dead",)]
        assert Outbox(db).refusing() == []


def test_a_passing_trouble_shows_nothing() -> None:
    desk = Inbox()
    with warehouse() as db:
        refused(db, desk)
        desk.answers = [ChannelError("busy")]
        tell(db, desk, at=NOW + HOUR)
        assert [health.refused_since for health in Outbox(db).refusing()] == [NOW]


def test_a_clock_that_was_wrong_does_not_close_it_for_years() -> None:
    desk = Inbox(answers=[gone()])
    with warehouse() as db:
        queue(db, 1, 2)
        tell(db, desk, at=NOW + timedelta(days=366))
        assert tell(db, desk, at=NOW).sent == 1


def test_words_for_a_channel_with_nothing_to_hold() -> None:
    with warehouse() as db:
        desk = Inbox(answers=[gone()])
        queue(db, 1)
        tell(db, desk, at=moment(9))
        assert "what comes next is held" in in_words(Outbox(db).health("desk"), 0)
