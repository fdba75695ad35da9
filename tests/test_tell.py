"""Tell: what belongs together is one message, and what is too much at once waits for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from races import BOARD, LEAD, Race
from spine import REGISTRY, Inbox, day, hub, listed, model, moment, warehouse

from alerts.channels import ChannelError
from alerts.message import compose, summary
from alerts.rules import Rule
from jobs import collect, deliver, detect
from jobs.hub import HubSettings
from jobs.telling import tell
from monitor.demo.hub import LocalHub
from warehouse.db import Database
from warehouse.ranking.boards import Board
from warehouse.records import HubModel, Silence
from warehouse.registry import Family, Registry
from warehouse.state.outbox import Outbox

NESTED = tuple(Board(name=f"{entity}s", entity=entity) for entity in ("country", "family", "model"))

ALL = tuple(Rule(name=board.name, board=board.name, confirm=1, channels=("desk",)) for board in NESTED)


class World:
    """A Hub, and rules that watch models, families and countries at once."""

    def __init__(self, db: Database, local: LocalHub, *rules: Rule, registry: Registry = REGISTRY) -> None:
        self.db, self.hub, self.registry = db, local, registry
        self.rules = rules or ALL
        self.desk = Inbox()

    def on(self, number: int, models: list[HubModel], *more: Inbox, hour: int = 10) -> detect.Summary:
        self.hub.show(models)
        settings = HubSettings(endpoint=self.hub.endpoint, quota_share=1, attempts=1)
        collect.run(
            self.db, settings, self.registry, NESTED, token=None, now=moment(number, hour), clock=lambda: 0.0,
            day=day(number),
        )  # fmt: skip
        found = detect.run(self.db, NESTED, self.rules, self.registry, now=moment(number, hour))
        wording = deliver.Wording(lambda alert, also: compose(alert, also=also), summary)
        deliver.run(
            self.db, {channel.name: channel for channel in (self.desk, *more)}, wording,
            now=lambda: moment(number, hour), sleep=lambda _: None,
            readers={rule.name: rule.channels for rule in self.rules},
        )  # fmt: skip
        return found


@pytest.fixture
def world() -> Iterator[World]:
    with warehouse() as db, hub() as local:
        yield World(db, local)


# Folding


def test_a_model_inside_its_family_inside_its_country_is_one_message_with_three_lines(world: World) -> None:
    world.on(0, listed(90, 50))
    found = world.on(1, listed(90, 150))
    assert found.fired == ("China takes the lead from the United States on countrys",)
    (message,) = world.desk.got
    assert [inner["entity"] for inner in message.data["also"]] == ["Beta", "beta-ai/beta-1"]
    lines = [line for line in message.text.splitlines() if "takes the lead" in line]
    assert len(lines) == 3
    assert world.db.rows("SELECT entity, state, folded_into <> '' FROM alerts ORDER BY entity") == [
        ("Beta", "firing", True), ("CN", "firing", False), ("beta-ai/beta-1", "firing", True),
    ]  # fmt: skip


def test_a_family_inside_its_country_is_folded_without_a_rule_for_models(world: World) -> None:
    world.rules = ALL[:2]
    world.on(0, listed(90, 50))
    world.on(1, listed(90, 150))
    assert [len(message.data["also"]) for message in world.desk.got] == [1]


def test_a_flip_within_one_country_is_no_part_of_another_countrys(world: World) -> None:
    """Beta passes Alpha; in the lead of the countries nothing changes."""
    world.on(0, [*listed(90, 50, gamma=900), model("beta-ai/beta-2", 10)])
    world.rules = (*ALL[:1], ALL[1].model_copy(update={"when": "overtake", "between": ("Alpha", "Beta")}))
    world.on(1, [*listed(90, 50, gamma=900), model("beta-ai/beta-2", 10)])
    world.on(2, [*listed(90, 150, gamma=900), model("beta-ai/beta-2", 10)])
    assert world.desk.titles == ["Beta passes Alpha on familys"]


def test_what_was_confirmed_on_another_day_is_told_by_itself(world: World) -> None:
    slow = ALL[0].model_copy(update={"confirm": 2})
    world.rules = (slow, *ALL[1:])
    world.on(0, listed(90, 50))
    world.on(1, listed(90, 150))
    world.on(2, listed(90, 150))
    assert world.desk.titles == [
        "Beta takes the lead from Alpha on familys",
        "China takes the lead from the United States on countrys",
    ]


def test_whoever_is_not_told_the_outer_flip_is_told_the_inner_one(world: World) -> None:
    world.rules = (ALL[0], ALL[1].model_copy(update={"channels": ("desk", "mail")}))
    world.on(0, listed(90, 50))
    mail = Inbox("mail")
    world.on(1, listed(90, 150), mail)
    assert mail.titles == ["Beta takes the lead from Alpha on familys"]
    assert len(world.desk.got) == 2


def test_another_measure_is_another_story(world: World) -> None:
    likes = Board(name="liked", entity="family", measure="likes")
    rules = (ALL[0], Rule(name="liked", board="liked", confirm=1, channels=("desk",)))
    db, boards = world.db, (NESTED[0], likes)
    for number, (beta, hearts) in enumerate([(50, 1), (150, 9)]):
        world.hub.show([model("alpha-lab/a", 90, likes=5), model("beta-ai/b", beta, likes=hearts)])
        settings = HubSettings(endpoint=world.hub.endpoint, quota_share=1)
        collect.run(db, settings, REGISTRY, boards, token=None, now=moment(number), clock=lambda: 0.0)
        found = detect.run(db, boards, rules, REGISTRY, now=moment(number, 11))
    assert len(found.fired) == 2


def test_what_was_folded_is_told_by_itself_when_the_message_around_it_is_taken_back(world: World) -> None:
    """A second look: the country has not flipped after all, the family has; nothing had been sent yet."""
    desk, world.desk = world.desk, Inbox("nobody")
    world.on(0, listed(90, 50))
    world.on(1, listed(90, 150))
    world.desk = desk
    world.on(
        1, [*listed(90, 150), model("gamma/gamma-2", 1, created_at=moment(0, 20)), model("alpha-lab/x", 1)], hour=14
    )
    assert world.desk.titles == ["China takes the lead from the United States on countrys"]


def test_an_inner_flip_that_stays_when_the_outer_one_goes_is_not_lost() -> None:
    """Two families in one country: their sum loses the lead on a second look, the family that passed keeps it."""
    families = [
        Family(name="Alpha", country="US", publishers=("alpha-lab",)),
        Family(name="Beta", country="CN", publishers=("beta-ai",)),
        Family(name="Gamma", country="US", publishers=("gamma",)),
    ]
    rules = (ALL[0], ALL[1])
    with warehouse() as db, hub() as local:
        world = World(db, local, *rules, registry=Registry(families))
        desk, world.desk = world.desk, Inbox("nobody")
        world.on(0, listed(90, 50, gamma=10))
        world.on(1, listed(90, 150, gamma=10))
        world.desk = desk
        world.on(1, listed(90, 150, gamma=70), hour=14)
        assert world.desk.titles == ["Beta takes the lead from Alpha on familys"]


def test_one_correction_takes_back_a_message_with_all_its_lines(world: World) -> None:
    world.on(0, listed(90, 50))
    world.on(1, listed(90, 150))
    world.on(1, listed(90, 60), hour=14)
    assert [message.data["kind"] for message in world.desk.got] == ["lead_change", "correction"]
    correction = world.desk.got[1]
    assert len(correction.data["also"]) == 2
    assert correction.reply_to == "desk-1"


def test_a_correction_of_one_line_alone_goes_into_the_thread_of_the_message_that_told_it() -> None:
    """The country's flip stands, the family's was another's."""
    families = [
        Family(name="Alpha", country="US", publishers=("alpha-lab",)),
        Family(name="Beta", country="CN", publishers=("beta-ai",)),
        Family(name="Gamma", country="CN", publishers=("gamma",)),
    ]
    with warehouse() as db, hub() as local:
        world = World(db, local, *ALL[:2], registry=Registry(families))
        world.on(0, listed(90, 50, gamma=10))
        world.on(1, listed(90, 150, gamma=10))
        world.on(1, listed(90, 80, gamma=79), hour=14)
        kinds = [(message.data["kind"], message.data["entity"], message.reply_to) for message in world.desk.got]
        assert kinds == [("lead_change", "CN", None), ("correction", "Beta", "desk-1")]


# What a silence parts


def mute(world: World, *, hours: float = 1, afterwards: bool = True, **about: str) -> None:
    """Mute something from before the second day's message on."""
    keys = {"rule": "", "board": "", "entity": ""} | about
    start = moment(1, 9)
    name = f"{len(Outbox(world.db).silences())}"
    silence = Silence(name, **keys, starts_at=start, ends_at=start + timedelta(hours=1 + hours), author="anna",
                      reason="known", afterwards=afterwards)  # fmt: skip
    Outbox(world.db).add_silence(silence)


def test_to_mute_a_country_does_not_mute_the_family_inside_it(world: World) -> None:
    world.rules = ALL[:2]
    world.on(0, listed(90, 50))
    mute(world, board="countrys", afterwards=False)
    world.on(1, listed(90, 150))
    assert world.desk.titles == ["Beta takes the lead from Alpha on familys"]
    assert world.db.rows("SELECT entity, state FROM alerts ORDER BY entity") == [("Beta", "firing"), ("CN", "silenced")]


def test_to_mute_a_family_keeps_it_out_of_its_countrys_message_and_is_made_up_for_afterwards(world: World) -> None:
    world.rules = ALL[:2]
    world.on(0, listed(90, 50))
    mute(world, rule="familys")
    world.on(1, listed(90, 150))
    (message,) = world.desk.got
    assert (message.data["entity"], message.data["also"]) == ("CN", [])
    assert "Beta" not in message.text.partition("Data")[0].replace("beta-ai", "")
    world.on(2, listed(90, 150))
    assert [alert["entity"] for alert in world.desk.got[1].data["alerts"]] == ["Beta"]
    world.on(3, listed(90, 150))
    assert len(world.desk.got) == 2


def test_what_a_silence_parts_goes_to_the_channels_of_its_own_rule_alone(world: World) -> None:
    world.rules = (ALL[0].model_copy(update={"channels": ("desk", "mail")}), ALL[1])
    mail = Inbox("mail")
    world.on(0, listed(90, 50), mail)
    mute(world, board="countrys", afterwards=False)
    world.on(1, listed(90, 150), mail)
    assert world.desk.titles == ["Beta takes the lead from Alpha on familys"]
    assert mail.titles == []


def test_who_was_told_both_before_the_silence_is_not_told_again_and_is_corrected(world: World) -> None:
    """The mail could not be sent; meanwhile the country is muted."""
    both = ("desk", "mail")
    world.rules = tuple(rule.model_copy(update={"channels": both}) for rule in ALL[:2])
    mail = Inbox("mail", answers=[ChannelError("busy")])
    world.on(0, listed(90, 50), mail)
    world.on(1, listed(90, 150), mail)
    mute(world, board="countrys", hours=24, afterwards=False)
    world.on(1, listed(90, 150), mail, hour=11)
    assert world.desk.titles == ["China takes the lead from the United States on countrys"]
    assert mail.titles == ["Beta takes the lead from Alpha on familys"]
    world.rules = ALL[1:2]
    world.on(1, listed(90, 60), mail, hour=12)
    assert [message.data["entity"] for message in world.desk.got[1:] + mail.got[1:]] == ["Beta", "Beta"]


def test_two_silences_about_what_belongs_together_end_each_for_its_own(world: World) -> None:
    world.rules = ALL[:2]
    world.on(0, listed(90, 50))
    mute(world, board="countrys")
    mute(world, board="familys", hours=30)
    world.on(1, listed(90, 150))
    assert world.desk.got == []
    world.on(1, listed(90, 150), hour=12)
    world.on(3, listed(90, 150))
    told = [[alert["entity"] for alert in message.data["alerts"]] for message in world.desk.got]
    assert told == [["CN"], ["Beta"]]


# The breaker

MANY = tuple(
    Rule(
        name=f"pair-{one}-{other}", board="totals", when="overtake", between=(one, other), confirm=1, channels=("desk",)
    )
    for one in "ABCDE"
    for other in "ABCDE"
    if one < other
)


def upside_down(number: int, race: Race, *, turned: bool) -> detect.Summary:
    order = "EDCBA" if turned else "ABCDE"
    return race.on(number, **{name: 100.0 - 10 * place for place, name in enumerate(order)})


def test_too_many_at_once_are_one_message_and_wait() -> None:
    with Race(*MANY, breaker=5) as race:
        upside_down(0, race, turned=False)
        found = upside_down(1, race, turned=True)
        assert found.fired == ("Mass change: 10 alerts on totals",) or len(found.fired) == 1
        assert found.held == 10
        (message,) = race.desk.got
        assert message.title == "Mass change: 10 alerts from one snapshot are held"
        assert "leadchange alerts release" in message.text
        assert "10 on totals" in message.text
        assert race.db.rows("SELECT state, count(*) FROM alerts GROUP BY state ORDER BY state") == [
            ("firing", 1),
            ("held", 10),
        ]


def test_what_is_held_on_several_boards_is_said_of_each_and_of_none_alone() -> None:
    boards = [BOARD.model_copy(update={"name": name}) for name in ("totals", "others")]
    rules = [*MANY, *(rule.model_copy(update={"name": f"{rule.name}-2", "board": "others"}) for rule in MANY[:4])]
    with Race(*rules, boards=boards, breaker=5) as race:
        upside_down(0, race, turned=False)
        upside_down(1, race, turned=True)
        (message,) = race.desk.got
        assert "10 on totals, 4 on others" in message.text
        assert "Held back · totals" not in message.text
        assert (message.data["board"], message.data["definition"]) == ("", "")
        assert race.desk.titles == ["Mass change: 14 alerts from one snapshot are held"]


def test_to_silence_one_rule_does_not_mute_the_message_about_what_many_rules_hold() -> None:
    with Race(*MANY, breaker=5) as race:
        Outbox(race.db).add_silence(Silence("one", MANY[0].name, "", "", moment(0), moment(9), "anna", "we know"))
        upside_down(0, race, turned=False)
        upside_down(1, race, turned=True)
        assert race.desk.titles == ["Mass change: 10 alerts from one snapshot are held"]


def test_of_many_boards_those_with_most_alerts_are_named() -> None:
    boards = [BOARD.model_copy(update={"name": f"b{number}"}) for number in range(7)]
    rules = [
        rule.model_copy(update={"name": f"{rule.name}-{number}", "board": f"b{number}"})
        for number in range(7)
        for rule in MANY[number:]
    ]
    with Race(*rules, boards=boards, breaker=5) as race:
        upside_down(0, race, turned=False)
        upside_down(1, race, turned=True)
        (message,) = race.desk.got
        assert "10 on b0, 9 on b1, 8 on b2, 7 on b3, 6 on b4, 9 on 2 more boards" in message.text


def test_just_as_many_as_are_allowed_are_told() -> None:
    with Race(*MANY, breaker=10) as race:
        upside_down(0, race, turned=False)
        upside_down(1, race, turned=True)
        assert len(race.desk.got) == 10


def test_what_is_released_is_told_once_with_its_own_reason_and_goes_on_being_judged() -> None:
    rules = {rule.name: rule for rule in MANY}
    with Race(*MANY, breaker=5) as race:
        upside_down(0, race, turned=False)
        upside_down(1, race, turned=True)
        assert tell.release(race.db, rules, moment(1, 13)) == 10
        assert tell.release(race.db, rules, moment(1, 13)) == 0
        race.tell(1, hour=13)
        assert len(race.desk.got) == 11
        assert len({message.alert_id for message in race.desk.got}) == 11
        assert not any("too many" in message.text for message in race.desk.got[1:])
        race.breaker = 20
        upside_down(2, race, turned=False)
        assert len(race.desk.got) == 21
        assert sum(message.title.startswith("Reverted:") for message in race.desk.got) == 10
        states = "SELECT state, count(*) FROM alerts WHERE kind = 'overtake' GROUP BY state ORDER BY state"
        assert race.db.rows(states) == [("firing", 10), ("reverted", 10)]


def test_what_is_held_and_never_was_is_forgotten_and_so_is_the_message_about_it() -> None:
    with Race(*MANY, breaker=5) as race:
        upside_down(0, race, turned=False)
        desk, race.desk = race.desk, Inbox("nobody")
        upside_down(1, race, turned=True)
        race.desk = desk
        upside_down(1, race, turned=False)
        assert race.desk.got == []
        assert race.alerts() == []


def test_a_second_look_that_says_the_same_holds_no_second_time() -> None:
    with Race(*MANY, breaker=5) as race:
        upside_down(0, race, turned=False)
        upside_down(1, race, turned=True)
        race.on(1, **{name: 101.0 - 10 * place for place, name in enumerate("EDCBA")})
        assert len(race.desk.got) == 1
        assert tell.release(race.db, {rule.name: rule for rule in MANY}, moment(1, 13)) == 10


def test_a_flip_back_from_what_is_held_is_held_with_it() -> None:
    with Race(*MANY, breaker=5) as race:
        upside_down(0, race, turned=False)
        upside_down(1, race, turned=True)
        race.breaker = 20
        upside_down(2, race, turned=False)
        assert len(race.desk.got) == 1
        assert tell.release(race.db, {rule.name: rule for rule in MANY}, moment(2, 13)) == 20


def test_d12_thousands_of_events_in_one_snapshot_are_one_message() -> None:
    names = [f"m{number:03}" for number in range(500)]
    marks = Rule(
        name="marks", board="totals", when="milestone", at=tuple(range(10, 20)), between=tuple(names), confirm=1,
        channels=("desk",),
    )  # fmt: skip
    with Race(marks) as race:
        race.on(0, **dict.fromkeys(names, 1.0))
        found = race.on(1, **dict.fromkeys(names, 100.0))
        assert found.held == 5000
        assert race.desk.titles == ["Mass change: 5,000 alerts from one snapshot are held"]


def test_corrections_are_never_held_back() -> None:
    with Race(*MANY, breaker=20) as race:
        upside_down(0, race, turned=False)
        upside_down(1, race, turned=True)
        race.breaker = 1
        upside_down(1, race, turned=False)
        assert [message.data["kind"] for message in race.desk.got].count("correction") == 1
        assert len(race.desk.got[-1].data["also"]) == 9


# Silence of the source

TROUBLE = Rule(name="quiet", board="totals", when="source_trouble", after_days=3, channels=("desk",))


def test_a_source_that_is_silent_is_told_once_and_the_trouble_ends_with_the_next_complete_day() -> None:
    with Race(TROUBLE) as race:
        race.on(0, A=100)
        for number in (1, 2, 3, 4, 5):
            race.judge(number)
            race.tell(number)
        assert [message.data["kind"] for message in race.desk.got] == ["source_trouble"]
        assert race.desk.got[0].day == day(3)
        assert race.alerts("state") == [("firing",)]
        race.on(6, A=100)
        assert race.alerts("state") == [("reverted",)]
        for number in (7, 8, 9, 10):
            race.judge(number)
            race.tell(number)
        assert len(race.desk.got) == 2
        assert race.alerts("state") == [("reverted",), ("firing",)]


def test_silence_is_not_explained_by_a_look_that_went_wrong_before_the_last_complete_one() -> None:
    """Nobody looked since: the reason of an old look would be a false one."""
    for number, said in ((0, "No complete snapshot for 3 days. No"), (2, "for 6 days: suspect: repeat. No")):
        with Race(TROUBLE) as race:
            for looked in range(3):
                race.on(looked, A=100)
            race.db.execute(
                "UPDATE snapshots SET verdict = 'suspect', verdict_reason = 'repeat' WHERE day = $day",
                {"day": day(number)},
            )
            race.judge(number + 5)
            race.tell(number + 5)
            assert said in race.desk.got[-1].text, number


def test_a_source_that_never_was_complete_is_trouble_from_the_first_look_on() -> None:
    with Race(TROUBLE) as race:
        for number in range(6):
            race.judge(number)
            race.tell(number)
        assert len(race.desk.got) == 1


def test_a_rule_about_trouble_survives_a_restart_without_saying_it_again(tmp_path: object) -> None:
    from pathlib import Path

    with Race(TROUBLE, path=Path(str(tmp_path)) / "w.duckdb") as race:
        race.on(0, A=100)
        for number in (3, 4, 5):
            race.judge(number)
            race.reopen()
            race.tell(number)
        assert len(race.desk.got) == 1


def test_a_digest_that_is_called_like_a_rule_is_none_of_its_alerts() -> None:
    from jobs import digest

    with Race(LEAD) as race:
        race.on(0, A=100, B=90)
        digest.run(race.db, digest.Digest(name="lead", channels=("desk",)), now=moment(0, 13))
        race.tell(0, hour=13)
        race.on(0, A=100, B=91)
        race.on(1, A=100, B=91)
        assert [message.data["kind"] for message in race.desk.got] == ["digest"]
    assert BOARD.series == "totals"
