"""A rule that is new on an old warehouse: what is long past comes as one message, what is news by itself."""

from __future__ import annotations

from races import LEAD, Race
from spine import Inbox, moment

from warehouse.state.outbox import Outbox

EVERY = 16
"""Days between two lead changes: too few to call it contested."""


def lived(race: Race, changes: int) -> int:
    """A history in which the lead changes so often, the last time on its last day; the number of that day."""
    last = EVERY * changes
    who = [(number, (number // EVERY) % 2) for number in range(last + 1)]
    race.arrive_all([row for n, b in who for row in ((n, "A", 100.0), (n, "B", 110.0 if b else 90.0))])
    return last


def test_what_a_new_rule_finds_in_a_long_past_is_one_message_and_its_news_another() -> None:
    with Race() as race:
        last = lived(race, 30)
        race.judge(last)
        race.tell(last)
        history, news = race.desk.titles
        assert history.startswith("What happened before: 29 alerts, 2026-05-17 to")
        assert "A is ahead of B again" in news
        assert [kind for (kind,) in race.alerts("kind")].count("lead_change") == 30
        assert {row[0] for row in race.db.rows("SELECT status FROM deliveries")} == {"sent"}
        assert race.tell(last).sent == 0


def test_a_short_past_is_told_one_by_one() -> None:
    with Race() as race:
        last = lived(race, 10)
        race.judge(last)
        race.tell(last)
        assert len(race.desk.got) == 10


def test_every_channel_gets_what_its_rules_found() -> None:
    both = (LEAD, LEAD.model_copy(update={"name": "other", "channels": ("mail",)}))
    mail = Inbox("mail")
    with Race(*both) as race:
        last = lived(race, 30)
        race.judge(last)
        race.tell(last, mail)
        assert [len(inbox.got[0].data["alerts"]) for inbox in (race.desk, mail)] == [29, 29]


def test_what_of_it_turns_out_wrong_is_corrected() -> None:
    with Race() as race:
        last = lived(race, 30)
        race.judge(last)
        race.tell(last)
        wrong = range(EVERY * 29, EVERY * 30)
        race.arrive_all([row for number in wrong for row in ((number, "A", 100.0), (number, "B", 90.0))])
        race.judge(last)
        race.tell(last)
        assert any("Correction" in title for title in race.desk.titles)


def test_a_silence_keeps_the_past_quiet_too() -> None:
    from test_silences import silence

    with Race() as race:
        last = lived(race, 30)
        race.judge(last)
        Outbox(race.db).add_silence(silence(moment(last, 11), 2, rule="lead"))
        race.tell(last)
        assert race.desk.got == []
        race.tell(last, hour=14)
        assert race.desk.titles[0].startswith("Changed while silenced: 30 alerts")
