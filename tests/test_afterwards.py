"""What changed while it was silenced: told once, as one message a channel, when nothing mutes it any more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from races import LEAD, Race
from spine import Inbox, moment
from test_silences import HOUR, flipped, silence

from alerts.channels import ChannelError
from alerts.message import Message
from jobs.deliver import LEASE
from jobs.telling import afterwards
from warehouse.records import Silence
from warehouse.state.outbox import Outbox

PAIR = LEAD.model_copy(update={"name": "pair", "when": "overtake", "between": ("A", "B")})


def muted(race: Race, *silences: Silence) -> None:
    """B leads from day 1 on, and these silences are in force when that is to be told, at noon."""
    flipped(race)
    for one in silences:
        Outbox(race.db).add_silence(one)
    race.tell(1)


def told(message: Message) -> list[str]:
    """The headlines in a summary, newest first."""
    return [one["title"] for one in message.data["alerts"]]


def statuses(race: Race, channel: str = "desk") -> list[str]:
    query = "SELECT status FROM deliveries WHERE channel = $channel ORDER BY alert_id LIKE 'sil-%', alert_id"
    return [row[0] for row in race.db.rows(query, {"channel": channel})]


def test_when_a_silence_ends_one_summary_tells_what_it_muted() -> None:
    with Race() as race:
        muted(race, silence(moment(1, 11), 50, rule="lead"))
        race.on(2, A=120, B=110)
        race.on(3, A=120, B=130)
        assert race.desk.got == []
        race.tell(4)
        assert race.desk.titles == ["Changed while silenced: 3 alerts, 2026-05-02 to 2026-05-04"]
        assert told(race.desk.got[0])[0] == "B takes the lead from A on totals"
        assert statuses(race) == ["sent"] * 4
        assert race.alerts("state") == [("reverted",), ("reverted",), ("firing",), ("firing",)]
        assert race.tell(5).sent == 0


def test_it_says_what_of_it_no_longer_holds() -> None:
    with Race() as race:
        muted(race, silence(moment(1, 11), 24, rule="lead"))
        race.on(2, A=120, B=110)
        assert "Reverted: B takes the lead from A on totals" in race.desk.got[0].text


def test_one_that_is_expired_early_is_over_there_and_then() -> None:
    with Race() as race:
        quiet = silence(moment(1, 11), 24 * 30, rule="lead")
        muted(race, quiet)
        race.tell(2)
        assert race.desk.got == []
        Outbox(race.db).expire_silence(quiet.silence_id, moment(2, 13))
        race.tell(2, hour=14)
        assert race.desk.titles == ["Changed while silenced: 1 alert, 2026-05-02"]


def test_what_another_silence_mutes_still_waits_for_that_one() -> None:
    with Race(LEAD, PAIR) as race:
        muted(race, silence(moment(1, 11), 2, board="totals"), silence(moment(1, 11), 49, rule="lead"))
        race.tell(1, hour=14)
        assert [told(message) for message in race.desk.got] == [["B passes A on totals"]]
        race.tell(3, hour=11)
        assert len(race.desk.got) == 1
        race.tell(3, hour=13)
        assert [told(message) for message in race.desk.got[1:]] == [["B takes the lead from A on totals"]]


def test_silences_that_end_together_are_one_summary() -> None:
    with Race(LEAD, PAIR) as race:
        muted(race, silence(moment(1, 11), 2, rule="lead"), silence(moment(1, 11), 3, rule="pair"))
        race.tell(2)
        assert [len(told(message)) for message in race.desk.got] == [2]


def test_each_channel_gets_its_own() -> None:
    both = LEAD.model_copy(update={"channels": ("desk", "mail")})
    mail = Inbox("mail", answers=[ChannelError("busy"), ChannelError("busy")])
    with Race(both) as race:
        race.on(0, A=100, B=90)
        race.arrive(1, A=100, B=110)
        race.judge(1)
        race.tell(1, mail)
        assert race.desk.titles == ["B takes the lead from A on totals"]
        Outbox(race.db).add_silence(silence(moment(1, 13), 2, entity="B"))
        race.tell(1, mail, hour=14)
        race.tell(2, mail)
        race.tell(2, mail, hour=13)
        assert race.desk.titles == ["B takes the lead from A on totals"]
        assert mail.titles == ["Changed while silenced: 1 alert, 2026-05-02"]


def test_what_is_muted_anew_before_it_is_sent_waits_again() -> None:
    with Race(LEAD, PAIR) as race:
        muted(race, silence(moment(1, 11), 2, board="totals"))
        race.desk.answers = [ChannelError("busy")]
        race.tell(2)
        Outbox(race.db).add_silence(silence(moment(2, 13), 2, rule="pair"))
        race.tell(2, hour=14)
        assert [told(message) for message in race.desk.got] == [["B takes the lead from A on totals"]]
        race.tell(3)
        assert [told(message) for message in race.desk.got[1:]] == [["B passes A on totals"]]


def test_a_summary_of_which_nothing_is_left_is_dropped() -> None:
    with Race() as race:
        muted(race, silence(moment(1, 11), 2, rule="lead"))
        race.desk.answers = [ChannelError("busy")]
        race.tell(2)
        Outbox(race.db).add_silence(silence(moment(2, 13), 2, rule="lead"))
        assert race.tell(2, hour=14).waiting == 0
        race.tell(3)
        assert race.desk.titles == ["Changed while silenced: 1 alert, 2026-05-02"]


def test_what_turned_out_wrong_meanwhile_is_not_told() -> None:
    with Race() as race:
        muted(race, silence(moment(1, 11), 24, rule="lead"))
        race.on(1, A=100, B=95)
        race.tell(3)
        assert race.desk.got == []
        assert race.alerts() == []


def test_what_turned_out_wrong_after_the_summary_is_corrected_once() -> None:
    with Race() as race:
        muted(race, silence(moment(1, 11), 2, rule="lead"))
        race.tell(2)
        race.arrive(1, A=100, B=95)
        race.judge(3)
        race.tell(3)
        assert race.desk.titles[1:] == ["Correction: what was said about B and A on totals"]


def test_a_silence_that_asked_for_it_is_never_told_of() -> None:
    with Race() as race:
        from dataclasses import replace

        muted(race, replace(silence(moment(1, 11), 2, rule="lead"), afterwards=False))
        race.tell(5)
        assert race.desk.got == []
        assert race.alerts("state") == [("silenced",)]


def test_what_was_sent_by_name_meanwhile_is_not_told_again() -> None:
    with Race() as race:
        quiet = silence(moment(1, 11), 24, rule="lead")
        muted(race, quiet)
        Outbox(race.db).expire_silence(quiet.silence_id, moment(1, 13))
        Outbox(race.db).retry(alert_id=race.db.value("SELECT alert_id FROM alerts"))
        race.tell(2)
        assert race.desk.titles == ["B takes the lead from A on totals"]


class Dies(Inbox):
    """The process ends while the message is on its way: the provider has it, the receipt is never written."""

    def send(self, message: Message) -> None:  # type: ignore[override]
        super().send(message)
        raise KeyboardInterrupt


def test_a_crash_on_the_way_repeats_it_with_the_same_id_and_loses_nothing(tmp_path: Path) -> None:
    with Race(path=tmp_path / "w.duckdb") as race:
        muted(race, silence(moment(1, 11), 2, rule="lead"))
        race.desk = Dies()
        with pytest.raises(KeyboardInterrupt):
            race.tell(2)
        first = race.desk.got[0]
        race.desk = Inbox()
        race.reopen()
        race.tell(2)
        assert race.desk.got == []
        # Muted anew, but it may have been read already: told again as it was.
        Outbox(race.db).add_silence(silence(moment(2, 12), 2, rule="lead"))
        later = 12 + int(LEASE / HOUR) + 1
        race.tell(2, hour=later)
        assert [(m.alert_id, m.title) for m in race.desk.got] == [(first.alert_id, first.title)]


def test_a_crash_between_queueing_and_sending_neither_loses_nor_doubles_it(tmp_path: Path) -> None:
    with Race(path=tmp_path / "w.duckdb") as race:
        muted(race, silence(moment(1, 11), 2, rule="lead"))
        for _ in range(3):
            afterwards.queue(race.db, now=moment(2))
            race.reopen()
        race.tell(2)
        assert race.desk.titles == ["Changed while silenced: 1 alert, 2026-05-02"]


def test_after_an_outage_it_is_part_of_the_one_summary() -> None:
    with Race() as race:
        muted(race, silence(moment(1, 11), 2, rule="lead"))
        race.desk.answers = [ChannelError("down")]
        race.tell(2)
        race.arrive(3, A=120, B=110)
        race.judge(3)
        race.tell(3 + int(timedelta(days=4).days))
        (message,) = race.desk.got
        assert "B takes the lead from A on totals" in message.text
        assert "A is ahead of B again on totals" in message.text
