"""Late and corrected data: one correction at most, in the same thread, and only to who was told something wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from races import LEAD, NOBODY, Race
from spine import Inbox, day, moment
from test_silences import silence

from alerts.channels import ChannelError
from alerts.engine import Event
from alerts.rules import Rule
from jobs import detect
from jobs.detect import _held
from jobs.telling.reconcile import SAME_STORY, Past, reconcile
from warehouse.records import KnownAlert
from warehouse.state.ledger import SlotAlert
from warehouse.state.outbox import Outbox

THREE = LEAD.model_copy(update={"confirm": 3})
NEWS = "B takes the lead from A on totals"
CORRECTION = "Correction: what was said about B and A on totals"


def kinds(inbox: Inbox) -> list[str]:
    return [str(message.data["kind"]) for message in inbox.got]


# What somebody was told


def test_who_was_told_something_wrong_is_told_so_once_in_the_same_thread() -> None:
    with Race() as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        race.on(1, A=100, B=95)
        race.on(2, A=100, B=95)
        assert race.desk.titles == [NEWS, CORRECTION]
        news, correction = race.desk.got
        assert correction.reply_to == "desk-1"
        assert correction.thread == news.thread
        assert "later data" in correction.text
        assert race.alerts("kind, state") == [("correction", "firing"), ("lead_change", "reverted")]


def test_what_is_judged_again_and_still_so_is_not_said_again() -> None:
    with Race() as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        race.on(1, A=100, B=120)
        race.on(1, A=101, B=130)
        assert race.desk.titles == [NEWS]
        assert race.alerts("state, value") == [("firing", 130.0)]


def test_late_data_that_moves_the_day_corrects_nothing() -> None:
    """B led a day earlier than was told: it leads all the same."""
    with Race(THREE) as race:
        race.on(0, A=100, B=90)
        for number in (2, 3, 4):
            race.on(number, A=100, B=110)
        race.on(1, A=100, B=110)
        assert race.desk.titles == [NEWS]
        assert race.alerts("day, confirmed_day") == [(day(1), day(3))]


def test_a_lead_that_comes_true_after_its_correction_is_told_again_under_another_id() -> None:
    """The epoch has not moved; if the id had not either, the outbox would take this message for sent."""
    with Race() as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        race.on(1, A=100, B=95)
        race.on(2, A=100, B=120)
        assert race.desk.titles == [NEWS, CORRECTION, NEWS]
        assert len({message.alert_id for message in race.desk.got}) == 3
        race.on(3, A=100, B=121)
        race.on(2, A=100, B=122)
        assert len(race.desk.got) == 3


def test_a_third_look_that_agrees_with_the_first_is_told_again_when_the_correction_was() -> None:
    with Race() as race:
        race.on(0, A=100, B=90)
        for b in (110, 95, 110):
            race.on(1, A=100, B=b)
        assert race.desk.titles == [NEWS, CORRECTION, NEWS]


def test_a_third_look_that_agrees_with_the_first_takes_back_a_correction_that_nobody_has_seen() -> None:
    with Race() as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        race.arrive(1, A=100, B=95)
        race.judge(1)
        race.on(1, A=100, B=110)
        assert race.desk.titles == [NEWS]
        assert race.alerts("kind, state") == [("lead_change", "firing")]


def test_each_of_two_told_flips_that_never_were_is_taken_back_in_one_message() -> None:
    with Race() as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        race.on(2, A=100, B=90)
        race.arrive(1, A=100, B=90)
        race.judge(2)
        race.tell(2)
        assert kinds(race.desk) == ["lead_change", "lead_change", "correction"]
        correction = race.desk.got[-1]
        assert len(correction.data["also"]) == 1
        told = {message.alert_id for message in race.desk.got[:2]}
        assert {correction.data["thread_of"], correction.data["also"][0]["thread_of"]} == told


def test_a_flip_that_turns_out_to_be_another_is_corrected_and_told() -> None:
    with Race() as race:
        race.on(0, A=100, B=90, C=90)
        race.on(1, A=100, B=110, C=90)
        race.on(1, A=100, B=90, C=110)
        assert kinds(race.desk) == ["lead_change", "correction", "lead_change"]
        assert race.desk.titles[-1] == "C takes the lead from A on totals"


def test_what_fires_is_the_last_word_that_still_counts() -> None:
    """B's alert was superseded by one that is forgotten: it fires again."""
    with Race() as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        race.arrive(2, A=120, B=110)
        race.judge(2)
        assert [state for _, _, _, state, _, _ in race.alerts()] == ["reverted", "firing"]
        race.on(2, A=100, B=110)
        assert race.alerts("entity, state") == [("B", "firing")]
        assert race.desk.titles == [NEWS]


# Who is corrected

BOTH = LEAD.model_copy(update={"channels": ("desk", "mail")})


def flipped(race: Race, *others: Inbox) -> None:
    """B leads from day 1 on, and everybody is told who can be."""
    race.on(0, A=100, B=90)
    race.arrive(1, A=100, B=110)
    race.judge(1)
    race.tell(1, *others)


def take_back(race: Race, *others: Inbox) -> None:
    """It turns out that B did not."""
    race.arrive(1, A=100, B=95)
    race.judge(2)
    race.tell(2, *others)


def test_a_correction_goes_to_who_was_told_whatever_the_rules_channels_are_by_now() -> None:
    mail = Inbox("mail")
    with Race() as race:
        flipped(race)
        race.rules = (LEAD.model_copy(update={"channels": ("mail",)}),)
        take_back(race, mail)
        assert race.desk.titles == [NEWS, CORRECTION]
        assert mail.got == []


def test_who_refused_the_news_for_good_is_not_told_that_it_was_wrong() -> None:
    mail = Inbox("mail", answers=[ChannelError("too long", permanent=True)])
    with Race(BOTH) as race:
        flipped(race, mail)
        take_back(race, mail)
        assert race.desk.titles == [NEWS, CORRECTION]
        assert mail.got == []


def test_who_was_told_instead_is_corrected_instead() -> None:
    console = Inbox("console")
    with Race() as race:
        race.desk.answers = [ChannelError("too long", permanent=True)]
        flipped(race, console)
        race.tell(1, console)
        take_back(race, console)
        assert console.titles == [NEWS, CORRECTION]
        assert race.desk.got == []


def test_who_is_still_to_be_told_is_told_at_once_that_it_did_not_last() -> None:
    mail = Inbox("mail", answers=[ChannelError("cannot connect")])
    with Race(BOTH) as race:
        flipped(race, mail)
        take_back(race, mail)
        assert mail.titles == [f"Reverted: {NEWS}"]


def test_of_a_mail_that_some_recipients_have_everybody_gets_the_correction() -> None:
    mail = Inbox("mail", answers=[ChannelError("b is full", settled=("a@example.org",))])
    with Race(BOTH) as race:
        flipped(race, mail)
        take_back(race, mail)
        assert mail.titles[-1] == CORRECTION


@pytest.mark.parametrize("fallback", [False, True])
def test_what_was_told_when_a_silence_ended_is_corrected_there(fallback: bool) -> None:
    console = Inbox("console")
    with Race() as race:
        race.on(0, A=100, B=90)
        Outbox(race.db).add_silence(silence(moment(1, 11), 2, rule="lead"))
        race.on(1, A=100, B=110)
        if fallback:
            race.desk.answers = [ChannelError("too long", permanent=True)]
        for _ in range(2):
            race.tell(1, console, hour=14)
        take_back(race, console)
        told, other = (console, race.desk) if fallback else (race.desk, console)
        assert [title.split(":")[0] for title in told.titles] == ["Changed while silenced", "Correction"]
        assert other.got == []


def test_a_channel_that_is_gone_is_owed_no_correction() -> None:
    with Race() as race:
        flipped(race)
        race.arrive(1, A=100, B=95)
        detect.run(race.db, race.boards, race.rules, NOBODY, now=moment(2), channels={"mail"})
        assert race.tell(2).waiting == 0
        assert race.desk.titles == [NEWS]


def test_two_corrections_for_different_readers_are_two_messages() -> None:
    mail = Inbox("mail", answers=[ChannelError("too long", permanent=True)])
    with Race(BOTH) as race:
        flipped(race, mail)
        race.arrive(2, A=100, B=90)
        race.judge(2)
        race.tell(2, mail)
        race.arrive(1, A=100, B=90)
        race.judge(3)
        race.tell(3, mail)
        assert (kinds(race.desk), kinds(mail)) == (
            ["lead_change", "lead_change", "correction", "correction"], ["lead_change", "correction"]
        )  # fmt: skip


# What nobody was told


def test_what_nobody_was_told_is_forgotten_without_a_word() -> None:
    with Race() as race:
        race.on(0, A=100, B=90)
        race.arrive(1, A=100, B=110)
        race.judge(1)
        race.on(1, A=100, B=95)
        assert race.desk.got == []
        assert race.alerts() == []
        assert race.db.rows("FROM deliveries") == []


def test_a_message_whose_end_nobody_knows_counts_as_told() -> None:
    with Race() as race:
        race.on(0, A=100, B=90)
        race.desk.answers = [ChannelError("no answer", uncertain=True)]
        race.on(1, A=100, B=110)
        race.arrive(1, A=100, B=95)
        race.judge(1)
        assert race.alerts("kind, state") == [("correction", "firing"), ("lead_change", "reverted")]


def test_a_pending_alert_goes_when_its_lead_does() -> None:
    with Race(THREE) as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        assert race.alerts("state") == [("pending",)]
        race.on(2, A=100, B=95)
        assert race.alerts() == []


def test_a_pending_alert_stays_while_a_contender_is_not_seen() -> None:
    with Race(THREE) as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        race.on(2, A=100)
        assert race.alerts("entity, state, day") == [("B", "pending", day(1))]
        race.on(3, A=100, B=110)
        race.on(4, A=100, B=110)
        assert race.desk.titles == [NEWS]


def test_a_pending_alert_of_a_rule_that_is_gone_goes_too() -> None:
    with Race(THREE) as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        race.rules = (THREE.model_copy(update={"name": "another"}),)
        race.judge(1)
        assert race.alerts("rule, state") == [("another", "pending")]


# Old news


def test_what_a_backfill_finds_in_the_distant_past_is_no_news() -> None:
    with Race() as race:
        race.on(100, A=100, B=90)
        race.on(101, A=100, B=90)
        for number, b in enumerate((90, 110, 110, 90, 90)):
            race.arrive(number, A=100, B=b)
        race.judge(101)
        race.tell(101)
        assert race.desk.got == []
        race.on(102, A=100, B=110)
        assert race.desk.titles == [NEWS]


def test_a_new_rule_tells_what_the_history_holds() -> None:
    """As a rule does that is asked about an imported series; there is nothing yet that it could have said before."""
    with Race() as race:
        for number, b in enumerate((90, 110, 110)):
            race.arrive(number, A=100, B=b)
        assert race.judge(200).fired == (NEWS,)


# Another rule, or another way of counting


@pytest.mark.parametrize(
    "change",
    [{"confirm": 1}, {"margin": 0.05}, {"settle_days": 1}, {"when": "overtake"}],
    ids=["sooner", "by more", "shorter memory", "another kind"],
)
def test_a_rule_whose_definition_changed_does_not_tell_the_past_again(change: dict[str, object]) -> None:
    with Race(LEAD.model_copy(update={"confirm": 2})) as race:
        for number, b in enumerate((90, 110, 110, 90, 110, 90, 90, 90)):
            race.on(number, A=100, B=b)
        told = list(race.desk.titles)
        before = race.alerts("alert_id, state")
        race.rules = (LEAD.model_copy(update={"confirm": 2, **change}),)
        assert race.judge(7).fired == ()
        race.tell(7)
        assert race.desk.titles == told
        assert set(before) <= set(race.alerts("alert_id, state"))


def test_a_rule_that_watches_another_board_now_does_not_tell_that_boards_past() -> None:
    from races import BOARD

    other = BOARD.model_copy(update={"name": "again"})
    with Race(LEAD, boards=(BOARD, other)) as race:
        for number, b in enumerate((90, 110, 110)):
            race.on(number, A=100, B=b)
        race.rules = (LEAD.model_copy(update={"board": "again"}),)
        assert race.judge(3).fired == ()
        race.on(4, A=120, B=110)
        assert race.desk.titles == [NEWS, "Reverted: A is ahead of B again on again"]


def test_after_its_definition_changed_a_rule_tells_what_comes_though_the_count_begins_anew() -> None:
    """Of the four changes that the old rule told the new one knows none: its next one would be its first again."""
    with Race() as race:
        for number, b in enumerate((90, 110, 90, 110, 90)):
            race.on(number, A=100, B=b)
        assert len(race.desk.got) == 4
        race.rules = (LEAD.model_copy(update={"confirm": 2}),)
        for number in (5, 6, 7):
            race.on(number, A=100, B=120)
        assert len(race.desk.got) == 5
        assert len({message.alert_id for message in race.desk.got}) == 5


def test_what_was_about_to_be_told_is_told_by_a_rule_that_asks_for_less() -> None:
    with Race(THREE) as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        race.on(2, A=100, B=110)
        race.rules = (LEAD,)
        assert race.judge(2).fired == (NEWS,)


def test_what_a_rule_had_confirmed_is_told_though_the_rule_is_another_by_now() -> None:
    """The channel was down when it was; nothing that was confirmed is lost."""
    with Race() as race:
        race.on(0, A=100, B=90)
        race.arrive(1, A=100, B=101.5)
        race.judge(1)
        race.rules = (LEAD.model_copy(update={"margin": 0.05}),)
        race.judge(2)
        race.tell(2)
        assert race.desk.titles == [NEWS]


def test_a_board_that_counts_otherwise_now_makes_no_lead_change() -> None:
    """Beta's second publisher is found to be Beta's: it has led all along."""
    from spine import FAMILIES, REGISTRY, RULE, listed, look, model, tell, warehouse
    from spine import hub as local_hub

    from jobs import detect
    from warehouse.registry import Registry

    beta_too = [
        family.model_copy(update={"publishers": ("beta-ai", "gamma")}) if family.name == "Beta" else family
        for family in REGISTRY.families
        if family.name != "Gamma"
    ]
    inbox = Inbox()
    with warehouse() as db, local_hub() as local:
        for number in range(3):
            look(db, local, number, listed(100, 90, gamma=50))
            detect.run(db, [FAMILIES], [RULE], REGISTRY, now=moment(number, 11))
        wider = Registry(beta_too)
        assert detect.run(db, [FAMILIES], [RULE], wider, now=moment(2, 12)).fired == ()
        assert (
            db.value("SELECT entity FROM standings WHERE board = 'families' AND rank = 1 AND day = $d", {"d": day(2)})
            == "Beta"
        )
        local.show([*listed(100, 90, gamma=5), model("alpha-lab/alpha-2", 60, created_at=moment(2, 18))])
        look(db, local, 3)
        fired = detect.run(db, [FAMILIES], [RULE], wider, now=moment(3, 11)).fired
        assert fired == ("Alpha takes the lead from Beta on families",)
        tell(db, inbox, at=moment(3, 12))
        assert len(inbox.got) == 1


# Leads that nobody was told of


def test_a_lead_taken_back_that_nobody_was_told_of_is_no_news_and_the_next_real_one_is() -> None:
    from spine import RULE, listed, look, model, tell, warehouse
    from spine import hub as local_hub
    from spine import judge as judged

    inbox = Inbox()
    found = [model(f"beta-ai/old-{number}", 10) for number in range(40)]
    with warehouse() as db, local_hub() as local:
        for number, models in enumerate(
            [listed(90, 50), [*listed(90, 50), *found], [*listed(900, 50), *found], [*listed(900, 1050), *found]]
        ):
            look(db, local, number, models)
            judged(db, number, RULE)
            tell(db, inbox, at=moment(number, 12))
        states = db.rows("SELECT entity, state, why FROM alerts ORDER BY confirmed_day")
        assert [(entity, state) for entity, state, _ in states] == [
            ("Beta", "held"),
            ("Alpha", "held"),
            ("Beta", "firing"),
        ]
        assert states[1][2] == "held: it takes back a lead that nobody was told of"
        assert inbox.titles == ["Beta takes the lead from Alpha on families"]


def test_an_alert_that_turns_out_to_be_list_growth_after_it_was_told_is_corrected() -> None:
    from spine import RULE, listed, look, model, tell, warehouse
    from spine import hub as local_hub
    from spine import judge as judged

    inbox = Inbox()
    with warehouse() as db, local_hub() as local:
        look(db, local, 0, listed(90, 50))
        look(db, local, 1, listed(90, 150))
        judged(db, 1, RULE)
        tell(db, inbox, at=moment(1, 12))
        look(db, local, 1, [*listed(90, 50), model("beta-ai/old", 100)], hour=15)
        judged(db, 1, RULE)
        tell(db, inbox, at=moment(1, 16))
        judged(db, 1, RULE)
        tell(db, inbox, at=moment(1, 17))
        assert [message.data["kind"] for message in inbox.got] == ["lead_change", "correction"]


# The pure part


KNOWN = KnownAlert(
    alert_id="known", slot="lead", kind="lead_change", entity="B", rival="A", state="firing", day=day(1),
    confirmed_day=day(3), created_at=moment(3), why="", told=True,
)  # fmt: skip


def flip(number: int, **more: object) -> Event:
    usual = {
        "kind": "FLIP", "alert_id": "engine", "rule": "lead", "board": "totals", "slot": "lead", "entity": "B",
        "rival": "A", "since": day(number - 2), "day": day(number), "value": 2.0, "rival_value": 1.0, "margin": 0.5,
        "snapshot_id": 1,
    }  # fmt: skip
    return Event(**usual | more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("moved", "same"), [(0, True), (14, True), (-14, True), (15, False)])
def test_a_flip_within_two_weeks_of_what_was_told_is_the_same_story(moved: int, same: bool) -> None:
    known = replace(KNOWN, day=day(28), confirmed_day=day(30))
    outcome = reconcile(Past([known], {"known"}), [flip(30 + moved)], {})
    assert (outcome.wrong == ()) == same
    assert (outcome.new == frozenset()) == same
    assert [event.alert_id for event in outcome.events] == (["known"] if same else ["engine"])
    assert timedelta(days=14) == SAME_STORY


def test_the_nearest_of_two_told_flips_is_the_same_story() -> None:
    later = replace(KNOWN, alert_id="later", day=day(10), confirmed_day=day(12))
    outcome = reconcile(Past([KNOWN, later], {"known", "later"}), [flip(11)], {})
    assert [event.alert_id for event in outcome.events] == ["later"]
    assert [wrong.alert_id for wrong in outcome.wrong] == ["known"]


def test_an_id_that_was_used_is_not_used_again() -> None:
    first = reconcile(Past([], {"engine"}), [flip(50)], {}).events[0].alert_id
    second = reconcile(Past([], {"engine", first}), [flip(50)], {}).events[0].alert_id
    assert len({"engine", first, second}) == 3


def test_a_contest_that_moved_by_a_day_is_the_same_contest() -> None:
    known = replace(KNOWN, kind="contested", entity="A", rival="B")
    outcome = reconcile(Past([known], {"known"}), [flip(4, kind="CONTESTED")], {})
    assert (outcome.new, outcome.wrong) == (frozenset(), ())


def test_a_rule_without_a_past_has_only_news() -> None:
    assert reconcile(Past(), [flip(1), flip(9, alert_id="other", entity="A", rival="B")], {}).new == {"engine", "other"}


@pytest.mark.parametrize(
    ("story", "entity", "held"),
    [
        ([("lead_change", "B", "A", "held")], "A", True),
        ([("lead_change", "B", "A", "held"), ("lead_change", "A", "B", "held")], "B", False),
        ([("lead_change", "B", "A", "held")], "C", False),
        ([("lead_change", "B", "A", "firing")], "A", False),
        ([("lead_change", "B", "A", "silenced")], "A", False),
        ([("contested", "A", "B", "firing")], "B", False),
        ([("contested", "A", "B", "firing"), ("settled", "B", "A", "firing")], "A", False),
        ([("contested", "A", "B", "firing"), ("settled", "B", "A", "firing")], "B", True),
        ([], "B", False),
    ],
)
def test_only_who_is_thought_to_lead_already_takes_a_lead_back_in_silence(
    story: list[tuple[str, str, str, str]], entity: str, held: bool
) -> None:
    told = [SlotAlert(str(number), *one, "", day(number), moment(number)) for number, one in enumerate(story)]
    event = flip(20, entity=entity, rival="A" if entity != "A" else "B")
    assert (_held(event, told, "") != "") == held


def test_every_kind_of_rule_can_be_judged_again() -> None:
    """Lines and milestones are told of one side only; a correction names both all the same."""
    rules = [
        Rule(name="in", board="totals", when="enters_top", top=1, confirm=1, channels=("desk",)),
        Rule(name="out", board="totals", when="leaves_top", top=1, confirm=1, channels=("desk",)),
        Rule(name="mark", board="totals", when="milestone", at=(105,), confirm=1, channels=("desk",)),
    ]
    with Race(*rules) as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        assert sorted(kinds(race.desk)) == ["enters_top", "leaves_top", "milestone"]
        race.on(1, A=100, B=95)
        assert kinds(race.desk)[3:] == ["correction"]
        assert len(race.desk.got[3].data["also"]) == 2
        race.on(2, A=100, B=110)
        assert sorted(kinds(race.desk)[4:]) == ["enters_top", "leaves_top", "milestone"]


def test_who_is_about_to_leave_the_top_is_pending_until_that_is_told_or_over() -> None:
    rule = Rule(name="out", board="totals", when="leaves_top", top=1, confirm=2, channels=("desk",))
    with Race(rule) as race:
        race.on(0, A=100, B=90)
        race.on(1, A=80, B=90)
        assert states(race) == [("A", "pending")]
        race.on(2, A=100, B=90)
        assert states(race) == []
        race.on(3, A=80, B=90)
        race.on(4, A=80, B=90)
        assert states(race) == [("A", "firing")]
        race.on(5, A=100, B=90)
        assert states(race) == [("A", "firing"), ("B", "pending")]


def states(race: Race) -> list[tuple[str, str]]:
    """Of whom there are alerts, and how they stand."""
    return race.db.rows("SELECT entity, state FROM alerts ORDER BY day, entity")
