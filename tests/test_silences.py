"""Silences: looked up at the moment of sending, and forgotten by nobody."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from races import LEAD, Race
from spine import Inbox, moment

from alerts.channels import ChannelError
from warehouse.records import Silence
from warehouse.state.outbox import Outbox, silence_id, silenced_by

HOUR = timedelta(hours=1)
NEWS = "B takes the lead from A on totals"


def silence(start: datetime, hours: float = 24, *, rule: str = "", board: str = "", entity: str = "") -> Silence:
    name = silence_id(rule, board, entity, start)
    return Silence(name, rule, board, entity, start, start + timedelta(hours=hours), "anna", "we know")


def flipped(race: Race) -> None:
    """B leads from day 1 on; nobody was told yet."""
    race.on(0, A=100, B=90)
    race.arrive(1, A=100, B=110)
    race.judge(1)


@pytest.mark.parametrize(
    "about",
    [{"rule": "lead"}, {"board": "totals"}, {"entity": "B"}, {"entity": "A"}, {"rule": "lead", "entity": "B"}],
    ids=["rule", "board", "newcomer", "rival", "rule and entity"],
)
def test_d14_a_silence_that_begins_between_queueing_and_sending_is_honoured(about: dict[str, str]) -> None:
    with Race() as race:
        flipped(race)
        Outbox(race.db).add_silence(silence(moment(1, 11), **about))
        summary = race.tell(1)
        assert (summary.silenced, summary.sent, summary.waiting) == (1, 0, 0)
        assert race.desk.got == []
        assert race.alerts("state") == [("silenced",)]
        assert race.db.rows("SELECT status, last_error FROM deliveries") == [
            ("dead", "silenced by anna until 2026-05-03 11:00: we know")
        ]


@pytest.mark.parametrize(
    "about",
    [{"rule": "another"}, {"board": "another"}, {"entity": "C"}, {"rule": "lead", "entity": "C"}],
    ids=["another rule", "another board", "another entity", "the rule about another entity"],
)
def test_a_silence_about_something_else_mutes_nothing(about: dict[str, str]) -> None:
    with Race() as race:
        flipped(race)
        Outbox(race.db).add_silence(silence(moment(1, 11), **about))
        race.tell(1)
        assert race.desk.titles == [NEWS]


def test_a_silence_mutes_from_its_first_moment_until_before_its_last() -> None:
    start = moment(1)
    with Race() as race:
        flipped(race)
        alert = race.db.value("SELECT alert_id FROM alerts")
        from warehouse.state.ledger import Ledger

        told = Ledger(race.db).alert(alert)
    quiet = [silence(start, 2, rule="lead")]
    moments = (start - HOUR / 60, start, start + 2 * HOUR - HOUR / 60, start + 2 * HOUR)
    assert [silenced_by(told, quiet, at) is not None for at in moments] == [False, True, True, False]


def test_a_silence_that_is_over_or_expired_mutes_nothing_any_more() -> None:
    with Race() as race:
        flipped(race)
        outbox = Outbox(race.db)
        outbox.add_silence(silence(moment(0), 24, rule="lead"))
        ended = silence(moment(1), 24, rule="lead")
        outbox.add_silence(ended)
        outbox.expire_silence(ended.silence_id, moment(1, 11))
        race.tell(1)
        assert race.desk.titles == [NEWS]
        assert [one.ends_at for one in outbox.silences()] == [moment(1, 11), moment(1)]


def test_expiring_a_silence_that_is_over_does_not_make_it_longer() -> None:
    with Race() as race:
        outbox = Outbox(race.db)
        over = silence(moment(0), 1, rule="lead")
        outbox.add_silence(over)
        outbox.expire_silence(over.silence_id, moment(3))
        assert outbox.silences()[0].ends_at == moment(0) + HOUR


def test_what_is_muted_makes_room_for_what_is_not() -> None:
    pair = LEAD.model_copy(update={"name": "pair", "when": "overtake", "between": ("A", "B")})
    with Race(LEAD, pair) as race:
        flipped(race)
        Outbox(race.db).add_silence(silence(moment(1, 11), rule="lead"))
        race.tell(1)
        assert race.desk.titles == ["B passes A on totals"]


def test_what_is_being_tried_again_is_muted_too() -> None:
    with Race() as race:
        flipped(race)
        race.desk.answers = [ChannelError("busy")]
        race.tell(1)
        Outbox(race.db).add_silence(silence(moment(1, 13), rule="lead"))
        assert race.tell(1, hour=13).silenced == 1
        assert race.desk.got == []


def test_a_summary_after_an_outage_leaves_out_what_is_muted() -> None:
    with Race() as race:
        flipped(race)
        race.desk.answers = [ChannelError("down")]
        race.tell(1)
        race.arrive(2, A=120, B=110)
        race.judge(2)
        race.arrive(3, A=120, B=130)
        race.judge(3)
        outbox = Outbox(race.db)
        ids = [row[0] for row in race.alerts("alert_id")]
        outbox.add_silence(silence(moment(6), 1, entity="C"))
        race.db.execute("UPDATE alerts SET rule = 'muted' WHERE alert_id = $id", {"id": ids[1]})
        outbox.add_silence(silence(moment(6), 24, rule="muted"))
        summary = race.tell(6)
        assert (summary.silenced, summary.sent) == (1, 2)
        (message,) = race.desk.got
        assert [said["alert_id"] for said in message.data["alerts"]] == [ids[2], ids[0]]


def test_a_muted_alert_stays_muted_when_its_day_is_judged_again() -> None:
    with Race() as race:
        flipped(race)
        Outbox(race.db).add_silence(silence(moment(1, 11), 99, rule="lead"))
        race.tell(1)
        race.on(1, A=100, B=111)
        race.tell(2)
        assert race.desk.got == []
        assert race.alerts("state") == [("silenced",)]


def test_what_was_muted_is_sent_only_to_who_asks_for_it_by_name() -> None:
    with Race() as race:
        flipped(race)
        Outbox(race.db).add_silence(silence(moment(1, 11), 2, rule="lead"))
        race.tell(1)
        assert Outbox(race.db).retry() == 0
        assert Outbox(race.db).retry(alert_id=race.db.value("SELECT alert_id FROM alerts")) == 1
        race.tell(2)
        assert race.desk.titles == [NEWS]


def test_the_way_back_after_a_muted_lead_is_told() -> None:
    """After what was muted: nobody should read that A is ahead again who never heard of B."""
    with Race() as race:
        flipped(race)
        Outbox(race.db).add_silence(silence(moment(1, 11), 2, rule="lead"))
        race.tell(1)
        race.on(2, A=120, B=110)
        assert race.desk.titles == [
            "Changed while silenced: 1 alert, 2026-05-02",
            "Reverted: A is ahead of B again on totals",
        ]


def test_silences_that_differ_have_different_ids() -> None:
    made = [
        silence(moment(0), rule="a"),
        silence(moment(0), board="a"),
        silence(moment(0), entity="a"),
        silence(moment(1), rule="a"),
    ]
    assert len({one.silence_id for one in made}) == 4


def test_a_silence_is_for_every_channel() -> None:
    both = LEAD.model_copy(update={"channels": ("desk", "mail")})
    mail = Inbox("mail")
    with Race(both) as race:
        race.on(0, A=100, B=90)
        race.arrive(1, A=100, B=110)
        race.judge(1)
        Outbox(race.db).add_silence(silence(moment(1, 11), entity="B"))
        assert race.tell(1, mail).silenced == 2
        assert race.desk.got == mail.got == []
