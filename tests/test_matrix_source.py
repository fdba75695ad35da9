"""The fault matrix, section A: what a source does wrong, from the socket to the desk.

Each fault comes on a day on which Beta would take the lead if one believed what is shown, and is gone the day after.
What is on the desk is compared as a whole, so that a message nobody asked for fails as much as one that is missing. How
the client copes with each fault is tested in test_jobs_hub.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from races import LEAD, Race
from spine import FAMILIES, FIRST_DAY, REGISTRY, RULE, Inbox, day, hub, listed, lived, model, moment, tell, warehouse
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from alerts.rules import Rule
from jobs import collect, detect, rate_limit
from jobs.hub import HubSettings
from monitor.demo.faults import CutShort, Silence, at, drip, maintenance
from monitor.demo.hub import Fault, LocalHub
from warehouse.attribution import identity
from warehouse.db import Database
from warehouse.records import HubModel, Snapshot

NEWS = "Beta takes the lead from Alpha on families"
BEFORE, FLIPPED = listed(90, 50), listed(90, 150)


@dataclass
class Town:
    """A Hub, a warehouse, a rule that asks for one day, and a desk."""

    db: Database
    hub: LocalHub
    desk: Inbox = field(default_factory=Inbox)
    rules: Sequence[Rule] = (RULE,)

    def on(self, number: int, models: Sequence[HubModel] | None = None, **settings: object) -> Snapshot:
        """Collect, detect and deliver on a day."""
        if models is not None:
            self.hub.show(models)
        quick: dict[str, object] = {"quota_share": 1, "attempts": 1, "timeout_seconds": 10}
        wanted = HubSettings(endpoint=self.hub.endpoint, **(quick | settings))  # type: ignore[arg-type]
        now = moment(number)
        collected = collect.run(self.db, wanted, REGISTRY, [FAMILIES], token=None, now=now, clock=time.monotonic)
        detect.run(self.db, [FAMILIES], self.rules, REGISTRY, now=now)
        tell(self.db, self.desk, at=now)
        return collected.snapshot

    def ranked_days(self) -> list[int]:
        days = self.db.rows("SELECT DISTINCT day FROM standings ORDER BY day")
        return [(day - FIRST_DAY).days for (day,) in days]


@pytest.fixture
def new_town(monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    monkeypatch.setattr(rate_limit, "_MAX_BACKOFF_SECONDS", 0.0)
    with warehouse() as db, hub() as local:
        yield Town(db, local)


@pytest.fixture
def town(monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A town after day 0, on which Alpha leads."""
    monkeypatch.setattr(rate_limit, "_MAX_BACKOFF_SECONDS", 0.0)
    with warehouse(like=lived(first_day)) as db, hub(BEFORE) as local:
        yield Town(db, local)


def first_day(db: Database) -> None:
    with hub() as local:
        Town(db, local).on(0, BEFORE)


def row(repo_id: str, downloads: object, **more: object) -> dict[str, object]:
    usual = {
        "_id": model(repo_id).hub_id, "id": repo_id, "author": repo_id.partition("/")[0],
        "createdAt": "2025-01-01T00:00:00.000Z", "downloads": downloads, "likes": 3, "private": False, "tags": [],
    }  # fmt: skip
    return usual | more


def rows(*found: object, status: int = 200, **headers: str) -> Callable[[], Response]:
    """An answer with these rows."""
    body = json.dumps(list(found)).encode()
    return lambda: Response(body, status, {k.replace("_", "-"): v for k, v in headers.items()}, "application/json")


def answer(status: int, body: str = "{}", **headers: str) -> Callable[[], Response]:
    return lambda: Response(body, status, {k.replace("_", "-"): v for k, v in headers.items()}, "application/json")


def on_cursor(fault: Callable[[], Response]) -> Fault:
    """From the second page of a listing on."""
    return lambda request: fault() if "cursor" in request.query_params else None


def beta(fault: Callable[[], Response]) -> Fault:
    return at("/api/models", fault, author="beta-ai")


def everywhere(fault: Callable[[], Response]) -> Fault:
    return at("/api", fault)


def loop(request: Request) -> Response | None:
    """Every address leads to itself."""
    return RedirectResponse(str(request.url), 302) if request.query_params.get("author") == "beta-ai" else None


def same_page_again(request: Request) -> Response | None:
    if request.query_params.get("author") != "beta-ai":
        return None
    link = f"<{request.url.path}?author=beta-ai&cursor=again>; rel=next"
    return rows(row("beta-ai/beta-1", 150), link=link)()


BETA = row("beta-ai/beta-1", 150)

FAULTS: dict[str, dict[str, tuple[Fault, str, str]]] = {
    "no answer": {
        "a2 a wait of a day": (beta(answer(429, Retry_After="86400")), "partial", "beta-ai: "),
        "a3 500 for ever": (beta(answer(500)), "partial", "beta-ai: .*500"),
        "a3 503 everywhere": (everywhere(answer(503)), "failed", "503"),
        "a4 taken and never answered": (beta(Silence), "partial", "beta-ai: "),
        "a5 a byte now and then": (beta(lambda: drip(0.05)), "partial", "beta-ai: "),
        "a6 a body cut short": (beta(CutShort), "partial", "beta-ai: "),
    },
    "no JSON, or another": {
        "a6 half a JSON": (beta(answer(200, '[{"_id": "0')), "partial", "beta-ai: "),
        "a7 a page for people": (beta(maintenance), "partial", "beta-ai: .*html"),
        "a7 null": (beta(answer(200, "null")), "partial", "beta-ai: "),
        "a7 an error with status 200": (beta(answer(200, '{"error": "overloaded"}')), "partial", "beta-ai: "),
        "a7 a page for people everywhere": (everywhere(maintenance), "failed", "html"),
    },
    "led astray": {
        "a8 redirects in a circle": (loop, "partial", "beta-ai: "),
        "a8 a redirect to another": (beta(answer(302, Location="http://127.0.0.1:9/api")), "partial", "beta-ai: "),
        "a9 the same next page again": (same_page_again, "partial", "beta-ai: "),
        "a10 500 on the second page": (on_cursor(answer(500)), "partial", "alpha-lab: "),
    },
    "rows nobody can believe": {
        "a11 twice with other values": (beta(rows(BETA, {**BETA, "downloads": 3})), "partial", "beta-ai: "),
        "a12 a text for a number": (beta(rows(row("beta-ai/beta-1", "150"))), "partial", "beta-ai: "),
        "a12 a negative number": (beta(rows(row("beta-ai/beta-1", -1))), "partial", "beta-ai: "),
        "a12 a number without end": (beta(rows(row("beta-ai/beta-1", 1e30))), "partial", "beta-ai: "),
        "a12 no identity": (beta(rows({"downloads": 150})), "partial", "beta-ai: "),
        "a17 the identity has another name": (beta(rows({"uid": "1", "id": "beta-ai/b"})), "partial", "beta-ai: "),
        "a18 an empty list": (beta(rows()), "partial", "beta-ai: listed 0 of 1"),
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_a_faulty_day_says_nothing_and_the_next_good_one_goes_on(town: Town, kind: str) -> None:
    """Every other day has one of the faults."""
    more = [model("alpha-lab/alpha-2", 1)]
    for number, (name, (fault, verdict, reason)) in enumerate(FAULTS[kind].items()):
        on_pages = name.startswith("a10")
        page: dict[str, object] = {"page_size": 1} if on_pages else {}
        if kind == "no answer":
            page["timeout_seconds"] = 0.4  # nowhere else: where the machine is busy, a good answer takes longer
        town.hub.faults.append(fault)
        began = time.monotonic()
        snapshot = town.on(2 * number + 1, [*FLIPPED, *more * on_pages], max_wait_seconds=1, **page)
        assert time.monotonic() - began < 60, name  # it may be asked to wait for a day; this machine may be busy
        assert snapshot.verdict == verdict, name
        assert re.search(reason, snapshot.verdict_reason), (name, snapshot.verdict_reason)
        town.hub.faults.clear()
        town.on(2 * number + 2, BEFORE)
        assert town.desk.titles == [], name
        assert town.ranked_days() == list(range(0, 2 * number + 3, 2)), name
    town.on(2 * len(FAULTS[kind]) + 1, FLIPPED)
    assert town.desk.titles == [NEWS]


@pytest.mark.parametrize(
    "fault",
    [
        at("/api/models", answer(429, Retry_After="0"), author="beta-ai", times=1),
        at("/api/models", answer(502), author="beta-ai", times=1),
        at("/api/models", CutShort, author="beta-ai", times=1),
        at("/api/models", maintenance, author="beta-ai", times=1),
        at("/api", answer(503), times=3),
    ],
    ids=["a1 asked to wait", "a3 502 once", "a6 cut short once", "a7 a page for people once", "a3 503 at first"],
)
def test_a_fault_that_passes_within_the_look_is_none(town: Town, fault: Fault) -> None:
    town.hub.faults.append(fault)
    assert town.on(1, FLIPPED, attempts=5).verdict == "complete"
    assert town.desk.titles == [NEWS]
    assert town.db.value("SELECT count(*) FROM snapshots") == 2


def test_a11_a_model_listed_twice_alike_counts_once(town: Town) -> None:
    town.hub.faults.append(beta(rows(BETA, BETA)))
    assert town.on(1, FLIPPED).verdict == "complete"
    assert town.db.value("SELECT value FROM standings WHERE entity = 'Beta' AND day = $day", {"day": day(1)}) == 150
    assert town.desk.titles == [NEWS]


def test_a12_a_bad_row_among_many_is_set_aside_and_counted(new_town: Town) -> None:
    many = [model(f"beta-ai/small-{number}", 1) for number in range(150)]
    new_town.on(0, [*BEFORE, *many])
    good = [row(one.repo_id, one.downloads_30d) for one in many]
    new_town.hub.faults.append(beta(rows(*good, row("beta-ai/beta-1", -5))))
    snapshot = new_town.on(1, [*FLIPPED, *many])
    assert snapshot.verdict == "complete"
    assert "1 row set aside" in snapshot.verdict_reason
    new_town.hub.faults.clear()
    new_town.on(2, [*BEFORE, *many])


def test_a17_fields_nobody_knows_change_nothing(town: Town) -> None:
    town.hub.faults.append(beta(rows({**BETA, "trendingScore": {"new": [1]}, "xet": True})))
    assert town.on(1, FLIPPED).verdict == "complete"
    assert town.desk.titles == [NEWS]


def test_a_hub_that_stays_away_is_one_trouble_and_no_flip(town: Town) -> None:
    """A3 for a week, with a rule that wants to know of silence."""
    quiet = Rule(name="quiet", board="families", when="source_trouble", after_days=3, channels=("desk",))
    town.rules = (RULE, quiet)
    town.hub.faults.append(everywhere(answer(503)))
    for number in range(1, 8):
        assert town.on(number, FLIPPED).verdict == "failed"
    assert [message.data["kind"] for message in town.desk.got] == ["source_trouble"]
    assert "503" in town.desk.got[0].text


# Counters that are not to be believed. A statistic needs models: 120 large ones.


def market(alpha: float = 1000, beta_: float = 600, grown: float = 1.0, total: float = 50.0) -> list[HubModel]:
    """Forty large models of each publisher; Alpha's have `alpha` downloads, Beta's `beta_`, all-time `total` times."""
    found = []
    for publisher, level in (("alpha-lab", alpha), ("beta-ai", beta_), ("gamma", 400)):
        for number in range(40):
            recent = level * grown + 3 * number
            repo_id = f"{publisher}/m{number}"
            found.append(
                model(repo_id)._replace(downloads_30d=int(recent), downloads_all_time=int(total * (1000 + number)))
            )
    return found


def test_a13_all_time_counts_that_fall_are_suspect_and_make_no_flip(new_town: Town) -> None:
    new_town.on(0, market())
    snapshot = new_town.on(1, market(beta_=1400, grown=1.01, total=45))
    assert snapshot.verdict == "suspect"
    assert "rollback" in snapshot.verdict_reason
    assert new_town.on(2, market(grown=1.02, total=51)).verdict == "complete"
    assert new_town.desk.titles == []
    assert new_town.ranked_days() == [0, 2]


def test_a14_a_site_wide_dip_and_its_return_make_no_flip_on_either_day(new_town: Town) -> None:
    new_town.on(0, market())
    snapshot = new_town.on(1, market(alpha=640, beta_=660, grown=0.6, total=50.5))
    assert snapshot.verdict == "suspect"
    assert "half-dip" in snapshot.verdict_reason
    assert new_town.on(2, market(grown=1.02, total=51)).verdict == "complete"
    assert new_town.desk.titles == []


def test_a_look_that_repeats_the_one_before_is_suspect_and_counts_no_day(new_town: Town) -> None:
    new_town.on(0, market())
    assert new_town.on(1, market()).verdict == "suspect"
    assert new_town.ranked_days() == [0]
    assert new_town.desk.titles == []


# Names that change, models that go and come


def test_a15_a_renamed_model_goes_on_where_it_was(town: Town) -> None:
    renamed = model("alpha-lab/alpha-one", 90)._replace(hub_id=BEFORE[0].hub_id)
    town.on(1, [renamed, *BEFORE[1:]])
    upper = renamed._replace(repo_id="alpha-lab/Alpha-ONE")
    town.on(2, [upper, *BEFORE[1:]])
    assert town.desk.titles == []
    values = town.db.rows("SELECT value FROM standings WHERE entity = 'Alpha' AND board = 'families' ORDER BY day")
    assert values == [(90,), (90,), (90,)]
    assert town.db.value("SELECT count(*) FROM models") == 3


def test_a15_a_renamed_publisher_that_is_not_in_the_registry_makes_no_flip(town: Town) -> None:
    moved = BEFORE[0]._replace(repo_id="alpha-new/alpha-1", publisher="alpha-new")
    town.hub.show([moved, *BEFORE[1:]])
    town.hub.moved["alpha-lab"] = "alpha-new"
    town.on(1)
    town.on(2)
    assert town.desk.titles == []


def test_a15_a_renamed_publisher_of_whom_nothing_is_listed_any_more_is_followed(town: Town) -> None:
    """The Hub knows nobody of the former name; only the addresses of single models still lead on."""
    moved = BEFORE[0]._replace(repo_id="alpha-new/alpha-1", publisher="alpha-new")
    for number in range(1, 6):
        assert town.on(number, [moved, *BEFORE[1:]]).verdict == "complete"
    assert town.desk.titles == []
    assert town.ranked_days() == [0, 1, 2, 3, 4, 5]
    assert town.db.value("SELECT gone_on FROM models WHERE repo_id = 'alpha-new/alpha-1'") is None
    assert identity.proposals(town.db, REGISTRY)[0][:2] == ("alpha-new", "Alpha")


def test_a15_where_a_renamed_publisher_went_is_asked_again_when_the_hub_does_not_answer(town: Town) -> None:
    moved = BEFORE[0]._replace(repo_id="alpha-new/alpha-1", publisher="alpha-new")
    town.hub.faults = [at("/api/models/alpha-lab", answer(500))]
    snapshot = town.on(1, [moved, *BEFORE[1:]])
    assert snapshot.verdict == "partial"
    assert (
        "alpha-lab: lists nothing, and where its models are could not be read: answered 500" in snapshot.verdict_reason
    )
    town.hub.faults = []
    assert town.on(2).verdict == "complete"
    assert town.desk.titles == []


def of_alpha(publisher: str, *counts: int) -> list[HubModel]:
    """The same models of Alpha's under any name."""
    return [model(f"{publisher}/{n}", count, hub_id=f"alpha-{n}") for n, count in enumerate(counts)]


def rename_alpha(town: Town, number: int) -> None:
    """Call Alpha's publisher otherwise, which the registry does not know, after a day on which it was listed."""
    town.on(number, [*of_alpha("alpha-lab", 50, 40), *BEFORE[1:]])
    town.hub.moved["alpha-lab"] = "alpha-new"
    town.on(number + 1, [*of_alpha("alpha-new", 50, 40), *BEFORE[1:]])


def test_a15_what_a_renamed_publisher_deletes_later_is_gone(new_town: Town) -> None:
    rename_alpha(new_town, 0)
    for number in (2, 3):
        assert new_town.on(number, [*of_alpha("alpha-new", 60), *BEFORE[1:]]).verdict == "complete"
    assert new_town.db.rows("SELECT hub_id, gone_on FROM models WHERE gone_on IS NOT NULL") == [("alpha-1", day(2))]


def test_a15_a_renamed_publisher_that_vanishes_is_not_believed_gone(new_town: Town) -> None:
    rename_alpha(new_town, 0)
    new_town.hub.faults = [at("alpha", answer(404))]
    snapshot = new_town.on(2, BEFORE[1:])
    assert (snapshot.verdict, snapshot.verdict_reason) == ("partial", "alpha-lab: lists nothing, had 2 models before")
    assert new_town.db.value("SELECT count(gone_on) FROM models") == 0


def test_a15_a_renamed_publisher_whose_list_breaks_off_is_not_believed(new_town: Town) -> None:
    """A user account has no count of the Hub's own: only what was there before tells that models are missing."""
    beta, counts = [model(f"beta-ai/{n}", 60) for n in range(20)], [100] * 20
    new_town.hub.faults = [at("/overview", answer(404))]
    new_town.on(0, [*of_alpha("alpha-lab", *counts), *beta])
    new_town.hub.moved["alpha-lab"] = "alpha-new"
    assert new_town.on(1, [*of_alpha("alpha-new", *counts), *beta]).verdict == "complete"
    snapshot = new_town.on(2, [*of_alpha("alpha-new", *counts[:8]), *beta])
    assert snapshot.verdict == "partial"
    assert "12 of 40 models (30.0%) of 2026-05-02 are gone" in snapshot.verdict_reason
    assert new_town.desk.titles == []


@pytest.mark.parametrize("gated", ["auto", "manual"])
def test_a15_a_model_behind_a_gate_counts_as_before(town: Town, gated: str) -> None:
    town.on(1, [BEFORE[0]._replace(gated=gated), *BEFORE[1:]])
    assert town.desk.titles == []
    assert town.ranked_days() == [0, 1]


def test_a15_a_leader_that_vanished_is_not_believed_unless_the_hub_says_so(new_town: Town) -> None:
    """A private or half-listed model is missing from a list that the Hub counts as longer."""
    new_town.on(0, [*BEFORE, model("alpha-lab/other", 1)])
    new_town.hub.show([model("alpha-lab/other", 1), *BEFORE[1:]], num_models={"alpha-lab": 2})
    assert new_town.on(1).verdict == "partial"
    assert new_town.desk.titles == []
    new_town.on(2, [*BEFORE, model("alpha-lab/other", 1)])
    assert new_town.desk.titles == []


def test_a15_a_leader_that_was_deleted_loses_its_lead(new_town: Town) -> None:
    new_town.on(0, [*BEFORE, model("alpha-lab/other", 1)])
    new_town.on(1, [model("alpha-lab/other", 1), *BEFORE[1:]])
    assert new_town.desk.titles == [NEWS]
    assert new_town.db.rows("SELECT gone_on FROM models WHERE repo_id = 'alpha-lab/alpha-1'") == [(day(1),)]


def test_a16_a_new_model_that_enters_at_the_top_is_told_once_it_has_lasted(town: Town) -> None:
    town.rules = (RULE.model_copy(update={"confirm": 3}),)
    entrant = model("beta-ai/beta-2", 500, created_at=moment(0, 18))
    for number in range(1, 5):
        town.on(number, [*BEFORE, entrant])
        assert town.desk.titles == ([NEWS] if number >= 3 else [])
    assert "launch" in town.desk.got[0].text


# A19: who is ahead of whom by nothing


def test_a19_a_tie_is_no_lead() -> None:
    with Race() as race:
        for number in range(4):
            race.on(number, A=100, B=100 if number else 90)
        assert race.desk.got == []


def test_a19_a_margin_just_under_what_is_asked_for_is_no_lead_and_just_at_it_is() -> None:
    with Race(LEAD.model_copy(update={"margin": 0.5})) as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=199)
        assert race.desk.got == []
        race.on(2, A=100, B=200)
        assert len(race.desk.got) == 1


@pytest.mark.parametrize(("swing", "told"), [(0.0, 0), (0.004, 0), (0.05, 5)], ids=["ties", "in the margin", "beyond"])
def test_a19_a_hundred_swings_are_one_contest_at_most(swing: float, told: int) -> None:
    with Race() as race:
        rows_ = []
        for number in range(100):
            sign = 1 if number % 2 else -1
            rows_ += [(number, "A", 100.0), (number, "B", 100 * (1 + sign * swing))]
        race.arrive_all(rows_)
        race.judge(100)
        race.tell(100)
        kinds = [str(message.data["kind"]) for message in race.desk.got]
        assert kinds == ["lead_change"] * told + ["contested"] * (swing > 0)


def test_a19_a_contest_that_is_settled_is_said_once_and_the_next_contest_is_another() -> None:
    """And what is told after that has ids of its own, though no lead was confirmed in between."""
    with Race() as race:
        days = [(number, 1 if number % 2 else -1) for number in range(20)]
        days += [(number, 1) for number in range(20, 60)]
        days += [(number, 1 if number % 2 else -1) for number in range(60, 80)]
        days += [(number, 1) for number in range(80, 120)]
        for start in range(0, 120, 10):
            chunk = days[start : start + 10]
            race.arrive_all(
                [one for number, sign in chunk for one in ((number, "A", 100), (number, "B", 100 + 5 * sign))]
            )
            race.judge(start + 10)
            race.tell(start + 10)
        kinds = [str(message.data["kind"]) for message in race.desk.got]
        assert kinds.count("contested") == kinds.count("settled") == 2
        assert [kind for kind in kinds if kind != "lead_change"] == ["contested", "settled"] * 2
        assert len({message.alert_id for message in race.desk.got}) == len(kinds)
        assert race.db.value("SELECT count(*) FROM alerts WHERE state = 'firing' AND kind = 'contested'") == 0


def test_a_contest_behind_the_leader_does_not_call_anybody_leader() -> None:
    pair = LEAD.model_copy(update={"when": "overtake", "between": ("A", "B")})
    with Race(pair) as race:
        swings = [(number, 5 if number % 2 and number < 20 else -5) for number in range(60)]
        race.arrive_all([row for n, s in swings for row in ((n, "A", 100), (n, "B", 100 + s), (n, "first", 900))])
        race.judge(60)
        race.tell(60)
        contested, settled = (message.text for message in race.desk.got[-2:])
        assert contested.startswith("A and B keep passing each other on totals: 6 changes")
        assert settled.startswith("A stays ahead of B on totals after 20 changes")
        assert "lead" not in (contested + settled).replace(f"Rule       {pair.name}", "")


def test_a_mark_that_is_reached_while_it_was_contested_is_told_when_it_holds() -> None:
    mark = Rule(name="mark", board="totals", when="milestone", at=(100,), between=("A",), confirm=1, channels=("desk",))
    with Race(mark) as race:
        race.arrive_all([(number, "A", 105 if number % 2 or number >= 21 else 95) for number in range(60)])
        race.judge(60)
        race.tell(60)
        assert race.desk.got[-1].data["kind"] == "milestone"
        assert race.desk.got[-1].data["entity"] == "A"
        last = [message.day for message in race.desk.got]
        assert last == sorted(last)
        assert last[-1] > day(21)
