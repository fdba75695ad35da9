"""Detect: a lead that has lasted becomes one alert in the outbox; what no longer follows is taken back."""

from __future__ import annotations

import pytest
from spine import (
    BOARDS,
    PUBLISHERS,
    REGISTRY,
    RULE,
    Inbox,
    day,
    hub,
    judge,
    listed,
    lived,
    look,
    model,
    moment,
    tell,
    warehouse,
)

from alerts.rules import Rule
from jobs import backfill, detect
from warehouse.db import Database
from warehouse.ranking import places
from warehouse.ranking.boards import Board
from warehouse.records import HubModel
from warehouse.registry import Registry
from warehouse.state.ledger import Ledger

THREE = RULE.model_copy(update={"confirm": 3})
PAIR = Rule(name="pair", board="publishers", when="overtake", between=("beta-ai", "alpha-lab"), confirm=1)


def alerts(db: Database) -> list[tuple[str, str, str]]:
    """(rule, state, title) of every alert, oldest first."""
    return db.rows("SELECT rule, state, title FROM alerts ORDER BY coalesce(confirmed_day, day), rule, title")


def everything(db: Database) -> dict[str, list[tuple[object, ...]]]:
    tables = ("alerts", "deliveries", "flips", "standings", "rule_states")
    return {table: db.rows(f"FROM {table} ORDER BY ALL") for table in tables}


def flipped(db: Database) -> None:
    """Two days, on the second of which Beta leads; not judged."""
    with hub() as local:
        for number, beta in enumerate((50, 150)):
            look(db, local, number, listed(90, beta))


def test_a_family_that_leaves_models_out_from_now_on_counts_so_at_once() -> None:
    """Which names a family includes is no part of the relation `families`, and the next look may be a day away."""
    alpha, *others = REGISTRY.families
    narrow = Registry([alpha.model_copy(update={"exclude": ("*-old",)}), *others])
    with warehouse() as db, hub() as local:
        look(db, local, 0, [*listed(90, 50), model("alpha-lab/alpha-old", 30)])
        for registry, counted in ((REGISTRY, 120), (narrow, 90), (REGISTRY, 120)):
            detect.run(db, BOARDS, [RULE], registry, now=moment(0))
            assert db.value("SELECT value FROM standings WHERE board = 'families' AND entity = 'Alpha'") == counted


def test_two_families_that_were_taken_for_each_other_are_judged_again() -> None:
    alpha, beta, *others = REGISTRY.families
    mended = Registry(
        [
            alpha.model_copy(update={"publishers": beta.publishers}),
            beta.model_copy(update={"publishers": alpha.publishers}),
            *others,
        ]
    )
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(90, 50))
        detect.run(db, BOARDS, [RULE], REGISTRY, now=moment(0))
        known = db.rows("SELECT fingerprint FROM rule_states")
        detect.run(db, BOARDS, [RULE], mended, now=moment(0))
        leaders = "SELECT entity, value FROM standings WHERE board = 'families' AND rank <= 2 ORDER BY rank"
        assert db.rows(leaders) == [("Beta", 90), ("Alpha", 50)]
        assert db.rows("SELECT fingerprint FROM rule_states") != known


def test_days_are_counted_once_however_many_rules_judge_them() -> None:
    with warehouse() as db:
        flipped(db)
        rules = [RULE, RULE.model_copy(update={"name": "another"})]
        assert detect.run(db, BOARDS, rules, REGISTRY, now=moment(1)).days == 2


def test_the_first_standing_is_no_news() -> None:
    with warehouse() as db, hub(listed(9, 5)) as local:
        look(db, local, 0)
        summary = judge(db)
        assert summary.days == 1
        assert summary.fired == ()
        assert alerts(db) == []


def test_a_lead_change_is_one_alert_and_one_delivery_for_each_channel() -> None:
    both = RULE.model_copy(update={"channels": ("desk", "mail")})
    with warehouse(like=lived(flipped)) as db:
        summary = judge(db, 1, both)
        assert summary.fired == ("Beta takes the lead from Alpha on families",)
        assert alerts(db) == [("who-leads", "firing", summary.fired[0])]
        (alert,) = db.records("FROM alerts")
        assert (alert["entity"], alert["rival"], alert["day"], alert["confirmed_day"]) == (
            "Beta", "Alpha", day(1), day(1),
        )  # fmt: skip
        assert (alert["value"], alert["rival_value"], alert["margin"]) == (150, 90, 60 / 150)
        assert alert["created_at"] == moment(1, 11)
        assert db.rows("SELECT channel, status, attempts FROM deliveries ORDER BY channel") == [
            ("desk", "pending", 0), ("mail", "pending", 0),
        ]  # fmt: skip


def test_judging_again_changes_nothing() -> None:
    with warehouse(like=lived(flipped)) as db:
        judge(db, 1)
        before = everything(db)
        summary = judge(db, 2)
        assert (summary.days, summary.fired) == (0, ())
        assert everything(db) == before


def test_a_lead_is_pending_until_it_has_lasted() -> None:
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(90, 50))
        for number in (1, 2, 3):
            look(db, local, number, listed(90, 150 + number))
            summary = judge(db, number, THREE)
            assert summary.pending == (number < 3)
            assert [state for _, state, _ in alerts(db)] == ["firing" if number == 3 else "pending"]
        assert db.rows("SELECT day, confirmed_day FROM alerts") == [(day(1), day(3))]
        assert db.value("SELECT count(*) FROM deliveries") == 1


def test_a_lead_that_did_not_last_leaves_no_trace() -> None:
    with warehouse() as db, hub() as local:
        for number, beta in enumerate((50, 150, 60)):
            look(db, local, number, listed(90, beta))
            judge(db, number, THREE)
        assert alerts(db) == []
        assert db.value("SELECT count(*) FROM deliveries") == 0
        assert db.rows("SELECT entity, day FROM flips WHERE board = 'families' ORDER BY day") == [
            ("Beta", day(1)), ("Alpha", day(2)),
        ]  # fmt: skip


def test_days_judged_one_by_one_and_all_at_once_say_the_same() -> None:
    values = [(90, 50), (90, 150), (90, 152), (90, 95), (90, 151), (90, 154), (200, 154)]
    with warehouse() as db, hub() as local:
        for number, (alpha, beta) in enumerate(values):
            look(db, local, number, listed(alpha, beta), boards=BOARDS)
            judge(db, 0, THREE, PAIR, boards=BOARDS)
        one_by_one = everything(db)
        derived = (*one_by_one.keys() - {"standings"}, *places.TABLES, "rankings", "boards")
        for table in derived:
            db.execute(f"DELETE FROM {table}")
        judge(db, 0, THREE, PAIR, boards=BOARDS)
        # When a row was written is the only thing that might differ, and all are written on day 0 here.
        assert everything(db) == one_by_one


def test_a_second_look_at_a_day_is_judged_in_place_of_the_first() -> None:
    with warehouse(like=lived(flipped)) as db, hub() as local:
        judge(db, 1)
        look(db, local, 1, listed(90, 70), hour=15)
        judge(db, 1)
        assert alerts(db) == []
        assert db.value("SELECT count(*) FROM deliveries") == 0
        assert db.value("SELECT count(*) FROM flips") == 0
        look(db, local, 1, listed(90, 170), hour=18)
        judge(db, 1)
        assert db.rows("SELECT state, value FROM alerts") == [("firing", 170)]


def test_a_second_look_that_says_the_same_tells_nobody_again() -> None:
    inbox = Inbox()
    with warehouse(like=lived(flipped)) as db, hub() as local:
        judge(db, 1)
        tell(db, inbox, at=moment(1, 12))
        look(db, local, 1, listed(90, 160), hour=15)
        assert judge(db, 1).fired == ()
        tell(db, inbox, at=moment(1, 16))
        assert len(inbox.got) == 1
        assert db.rows("SELECT state, status FROM alerts JOIN deliveries USING (alert_id)") == [("firing", "sent")]


def test_a_late_day_is_judged_where_it_belongs() -> None:
    """Two days of lead are not three; the third arrives late, from between them."""
    with warehouse() as db, hub() as local:
        for number, beta in ((0, 50), (1, 150), (3, 152)):
            look(db, local, number, listed(90, beta))
            judge(db, number, THREE)
        assert [state for _, state, _ in alerts(db)] == ["pending"]
        look(db, local, 2, listed(90, 151))
        judge(db, 3, THREE)
        assert db.rows("SELECT state, day, confirmed_day FROM alerts") == [("firing", day(1), day(3))]


def test_a_late_day_that_interrupts_takes_an_untold_alert_back() -> None:
    with warehouse(like=lived(flipped)) as db, hub() as local:
        for number, beta in ((3, 152), (4, 153)):
            look(db, local, number, listed(90, beta))
        judge(db, 4, THREE)
        assert [state for _, state, _ in alerts(db)] == ["firing"]
        look(db, local, 2, listed(90, 60))
        judge(db, 4, THREE)
        assert [state for _, state, _ in alerts(db)] == ["pending"]
        assert db.value("SELECT count(*) FROM deliveries") == 0
        look(db, local, 5, listed(90, 154))
        assert judge(db, 5, THREE).fired == ("Beta takes the lead from Alpha on families",)
        assert db.rows("SELECT status FROM deliveries") == [("pending",)]


def test_an_untold_alert_that_turns_out_to_be_list_growth_is_not_sent() -> None:
    with warehouse(like=lived(flipped)) as db, hub() as local:
        assert len(judge(db, 1).fired) == 1
        look(db, local, 1, [*listed(90, 50), model("beta-ai/old", 100)], hour=15)
        judge(db, 1)
        assert [state for _, state, _ in alerts(db)] == ["held"]
        assert db.value("SELECT count(*) FROM deliveries") == 0
        look(db, local, 1, listed(90, 150), hour=18)
        assert len(judge(db, 1).fired) == 1
        assert db.rows("SELECT status FROM deliveries") == [("pending",)]


def test_a_told_alert_that_no_longer_follows_is_reverted_and_its_delivery_kept() -> None:
    inbox = Inbox()
    with warehouse(like=lived(flipped)) as db, hub() as local:
        judge(db, 1)
        tell(db, inbox, at=moment(1, 12))
        told = db.value("SELECT alert_id FROM alerts")
        look(db, local, 1, listed(90, 70), hour=15)
        judge(db, 1, hour=16)
        assert db.value("SELECT state FROM alerts WHERE alert_id = $id", {"id": told}) == "reverted"
        assert db.value("SELECT status FROM deliveries WHERE alert_id = $id", {"id": told}) == "sent"


def test_a_partial_day_neither_counts_nor_interrupts() -> None:
    from monitor.demo.faults import at, maintenance

    with warehouse(like=lived(flipped)) as db, hub() as local:
        look(db, local, 2, listed(90, 152))
        local.faults.append(at("/api/models", maintenance, author="gamma", times=1))
        assert look(db, local, 3, listed(90, 20)).snapshot.verdict == "partial"
        judge(db, 3, THREE)
        assert [state for _, state, _ in alerts(db)] == ["pending"]
        look(db, local, 4, listed(90, 154))
        judge(db, 4, THREE)
        assert db.rows("SELECT state, confirmed_day FROM alerts") == [("firing", day(4))]


def test_a_flip_that_exists_only_because_the_list_grew_is_held() -> None:
    """Forty old repositories of Beta are found: no model gained a download."""
    found = [model(f"beta-ai/old-{number}", 10) for number in range(40)]
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(90, 50))
        look(db, local, 1, [*listed(90, 50), *found])
        assert judge(db, 1).fired == ()
        assert [state for _, state, _ in alerts(db)] == ["held"]
        assert db.value("SELECT count(*) FROM deliveries") == 0
        flip = db.records("FROM flips WHERE board = 'families'")[0]
        assert flip["panel_holds"] is False
        assert flip["verdict"].startswith("list growth")


def test_a_flip_that_exists_only_because_a_count_is_missing_is_held_and_so_is_all_that_follows_from_it() -> None:
    """The Hub lists Alpha's largest model without a count for two days; nobody downloaded anything else than before."""

    def seen(large: int | None) -> list[HubModel]:
        return [*listed(90, 150), model("alpha-lab/large", large)]

    top = Rule(name="top", board="families", when="leaves_top", top=1, confirm=1, channels=("desk",))
    enters = Rule(name="enters", board="families", when="enters_top", top=1, confirm=1, channels=("desk",))
    with warehouse() as db, hub() as local:
        for number, large in enumerate((500, None, None, 500, 500)):
            look(db, local, number, seen(large))
            assert judge(db, number, RULE, top, enters).fired == ()
        assert {(rule, state) for rule, state, _ in alerts(db)} == {
            ("who-leads", "held"), ("top", "held"), ("enters", "held"),
        }  # fmt: skip
        assert db.value("SELECT count(*) FROM deliveries") == 0
        flips = db.rows("SELECT entity, verdict, panel_holds FROM flips WHERE board = 'families' ORDER BY day")
        assert [(entity, verdict.partition(":")[0], holds) for entity, verdict, holds in flips] == [
            ("Beta", "counts missing", False), ("Alpha", "counts missing", False),
        ]  # fmt: skip


def test_who_was_told_before_it_was_known_that_a_count_was_missing_reads_why() -> None:
    inbox = Inbox()
    with warehouse() as db, hub() as local:
        look(db, local, 0, [*listed(90, 50), model("alpha-lab/large", 500)])
        look(db, local, 1, [*listed(90, 600), model("alpha-lab/large", 500)])
        judge(db, 1)
        tell(db, inbox, at=moment(1, 12))
        look(db, local, 1, [*listed(90, 520), model("alpha-lab/large", None)], hour=15)
        judge(db, 1, hour=16)
        corrected = db.value("SELECT why FROM alerts WHERE kind = 'correction'")
        assert corrected == "it was so only because models were listed without a count"


def test_so_is_a_place_in_the_top_or_a_number_reached_only_because_the_list_grew() -> None:
    found = [model(f"beta-ai/old-{number}", 10) for number in range(40)]
    top = Rule(name="top", board="families", when="enters_top", top=1, confirm=1, channels=("desk",))
    number = Rule(name="number", board="families", when="milestone", at=(400,), confirm=1, channels=("desk",))
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(90, 50))
        look(db, local, 1, [*listed(90, 50), *found])
        assert judge(db, 1, top, number).fired == ()
        assert [state for _, state, _ in alerts(db)] == ["held", "held"]
        assert db.value("SELECT count(*) FROM deliveries") == 0


def test_who_enters_the_top_is_judged_by_that_whatever_another_rule_asks_of_the_same_two() -> None:
    """Gamma comes second by downloads, and is told; that Alpha leads by list growth is another rule's matter."""
    top = Rule(name="top", board="families", when="enters_top", top=2, confirm=1, channels=("desk",))
    found = model("alpha-lab/old", 7)
    for rules, states in (((top,), {"top": "firing"}), ((RULE, top), {"top": "firing", "who-leads": "held"})):
        with warehouse() as db, hub() as local:
            look(db, local, 0, listed(90, 95))
            look(db, local, 1, [*listed(90, 95, 96), found])
            judge(db, 1, *rules)
            assert {rule: state for rule, state, _ in alerts(db)} == states


def test_a_flip_that_new_models_brought_is_told_as_a_launch() -> None:
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(90, 50))
        look(db, local, 1, [*listed(90, 50), model("beta-ai/beta-2", 100, created_at=moment(0, 18))])
        assert len(judge(db, 1).fired) == 1
        flip = db.records("FROM flips WHERE board = 'families'")[0]
        assert flip["panel_holds"] is True
        assert flip["verdict"].startswith("launch")


def test_a_pair_is_told_both_ways() -> None:
    with warehouse() as db, hub() as local:
        for number, beta in enumerate((50, 150, 40)):
            look(db, local, number, listed(90, beta, gamma=900), boards=[PUBLISHERS])
            judge(db, number, PAIR, boards=[PUBLISHERS])
        assert [title for _, _, title in alerts(db)] == [
            "beta-ai passes alpha-lab on publishers",
            "alpha-lab passes beta-ai on publishers",
        ]


def test_a_rule_that_is_gone_is_forgotten_and_what_it_told_stays() -> None:
    with warehouse() as db, hub() as local:
        for number, beta in ((0, 50), (1, 150), (2, 151)):
            look(db, local, number, listed(90, beta), boards=BOARDS)
        judge(db, 2, PAIR, THREE, boards=BOARDS)
        assert [(rule, state) for rule, state, _ in alerts(db)] == [("pair", "firing"), ("who-leads", "pending")]
        detect.run(db, BOARDS, [], REGISTRY, now=moment(3))
        assert [(rule, state) for rule, state, _ in alerts(db)] == [("pair", "firing")]
        assert db.value("SELECT count(*) FROM rule_states") == 0


def test_whom_a_rule_tells_is_no_reason_to_judge_again() -> None:
    with warehouse(like=lived(flipped)) as db:
        judge(db, 1)
        assert judge(db, 1, RULE.model_copy(update={"channels": ("mail",)})).days == 0


def test_a_rule_over_an_imported_series_is_judged_by_its_days() -> None:
    import polars as pl

    board = Board(name="monthly", entity="publisher", measure="series:totals")
    values = pl.DataFrame(
        [
            {"day": day(30 * month), "entity": entity, "value": value}
            for month, totals in enumerate([(9.0, 5.0), (9.0, 12.0), (9.0, 13.0), (9.0, 14.0)])
            for entity, value in zip(("Llama", "Qwen"), totals, strict=True)
        ]
    )
    rule = Rule(name="monthly-lead", board="monthly", confirm=3, channels=("desk",))
    with warehouse() as db:
        summary = backfill.run_series(db, "totals", values, boards=[board], registry=REGISTRY, revision="totals.csv")
        assert summary.days == 4
        assert summary.ranked.flips == 1
        told = detect.run(db, [board], [rule], REGISTRY, now=moment(100))
        assert told.fired == ("Qwen takes the lead from Llama on monthly",)
        assert db.rows("SELECT day, confirmed_day FROM alerts") == [(day(30), day(90))]
        (verdict, holds) = db.rows("SELECT verdict, panel_holds FROM flips")[0]
        assert verdict.startswith("as published")
        assert holds is None


def test_what_is_decided_is_written_as_a_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with warehouse() as db, hub() as local:
        look(db, local, 0, listed(90, 50))
        judge(db, 0)
        look(db, local, 1, listed(90, 150))
        before = everything(db)

        def fail(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Ledger, "write_alerts", fail)
        with pytest.raises(KeyboardInterrupt):
            judge(db, 1)
        assert everything(db) == before
        monkeypatch.undo()
        assert len(judge(db, 1).fired) == 1
