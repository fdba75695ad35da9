"""The fault matrix, section B: what a clock does wrong. The clock here is driven; nothing waits."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from races import LEAD, Race
from spine import configure, hub, listed

from alerts.rules import Rule
from jobs import collect
from jobs.hub import HubError
from jobs.schedule import PATIENCE, RETRY, TRIES, Job, LastRun, due_slot, last_slot, parse, problem_with, ticking
from monitor import config, daemon, logs
from monitor.apart import Answer, Task
from monitor.daemon import Daemon
from monitor.health import Facts, Look, judge
from monitor.job import Work
from monitor.web.published import Published
from monitor.wiring import App, open_app

MINUTE, HOUR, DAY, YEAR = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=365)
START = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
DAILY, EVERY_MINUTE = "30 10 * * *", "* * * * *"


@dataclass
class Clockwork:
    """The daemon's jobs, with a clock that is set by hand; they only note when they ran."""

    app: App
    now: datetime = START
    ran: dict[str, list[datetime]] = field(default_factory=dict)
    fails: Callable[[], bool] = lambda: False

    def tick(self, *jobs: str) -> None:
        """What the scheduler does every minute."""
        for job in jobs:
            name, cron = job.split(": ")
            Work(self.app).turn(name, cron, lambda name=name: self._work(name))  # type: ignore[misc]

    def _work(self, name: str) -> str:
        self.ran.setdefault(name, []).append(self.now)
        if self.fails():
            raise HubError("away")
        return "done"

    def pass_(self, span: timedelta, *jobs: str, step: timedelta = MINUTE) -> None:
        """Time passes, ticking."""
        end = self.now + span
        while self.now < end:
            self.now += step
            self.tick(*jobs)

    def slots(self, name: str) -> list[datetime]:
        rows = self.app.db.rows("SELECT slot FROM job_runs WHERE job = $job ORDER BY slot", {"job": name})
        return [slot for (slot,) in rows]


@pytest.fixture
def clockwork(tmp_path: Path) -> Iterator[Clockwork]:
    settings = config.load(configure(tmp_path, "http://127.0.0.1:9"), {})
    with open_app(settings, now=lambda: START) as app:
        made = Clockwork(app)
        made.app = App(app.settings, app.db, lambda: made.now)
        yield made


COLLECT, DELIVER = f"collect: {DAILY}", f"deliver: {EVERY_MINUTE}"


# B1, B2: somebody sets the clock


def test_b1_an_hour_back_neither_stops_what_is_due_every_minute_nor_runs_the_daily_twice(clockwork: Clockwork) -> None:
    clockwork.now = START + HOUR + 40 * MINUTE
    clockwork.pass_(20 * MINUTE, COLLECT, DELIVER)
    assert len(clockwork.ran["collect"]) == 1
    before = len(clockwork.ran["deliver"])
    clockwork.now -= HOUR
    clockwork.pass_(PATIENCE + 5 * MINUTE, COLLECT, DELIVER)
    assert len(clockwork.ran["deliver"]) >= before + 4
    clockwork.pass_(2 * HOUR, COLLECT, DELIVER, step=5 * MINUTE)
    assert len(clockwork.ran["collect"]) == 1
    clockwork.pass_(DAY, COLLECT, step=10 * MINUTE)
    assert len(clockwork.ran["collect"]) == 2


@pytest.mark.parametrize("back", [timedelta(seconds=1), 30 * timedelta(seconds=1), 5 * MINUTE])
def test_b1_a_clock_that_is_corrected_a_little_runs_nothing_twice(clockwork: Clockwork, back: timedelta) -> None:
    clockwork.now = START + HOUR + 30 * MINUTE
    clockwork.tick(COLLECT, DELIVER)
    clockwork.now -= back
    clockwork.pass_(back + 30 * timedelta(seconds=1), COLLECT, DELIVER, step=timedelta(seconds=10))
    assert [len(runs) for runs in clockwork.ran.values()] == [1, 1]


def test_a_digest_begins_with_its_next_time_and_one_that_was_missed_later_is_made_up_for(clockwork: Clockwork) -> None:
    """A summary of a week in the first minute of a new installation would have nothing to tell."""
    digest = "digest weekly: 0 7 * * 1"
    clockwork.now = datetime(2026, 5, 7, 9, 0, tzinfo=UTC)
    clockwork.pass_(3 * DAY, digest, COLLECT, step=HOUR)
    assert "digest weekly" not in clockwork.ran
    assert len(clockwork.ran["collect"]) == 4
    clockwork.pass_(2 * DAY, digest, step=HOUR)
    assert clockwork.ran["digest weekly"] == [datetime(2026, 5, 11, 7, 0, tzinfo=UTC)]
    clockwork.now += 7 * DAY
    clockwork.tick(digest)
    assert clockwork.ran["digest weekly"][1:] == [clockwork.now]


@pytest.mark.parametrize("jump", [HOUR, DAY, YEAR])
def test_b2_a_jump_ahead_runs_each_job_once(clockwork: Clockwork, jump: timedelta) -> None:
    clockwork.pass_(2 * HOUR, COLLECT, step=10 * MINUTE)
    before = len(clockwork.ran["collect"])
    clockwork.now += jump
    for _ in range(5):
        clockwork.tick(COLLECT)
    assert len(clockwork.ran["collect"]) == before + (jump >= DAY)


def test_b2_after_a_year_ahead_and_back_again_the_jobs_go_on(clockwork: Clockwork) -> None:
    clockwork.pass_(2 * HOUR, COLLECT, DELIVER, step=5 * MINUTE)
    clockwork.now += YEAR
    clockwork.tick(COLLECT, DELIVER)
    clockwork.now -= YEAR
    collected, delivered = len(clockwork.ran["collect"]), len(clockwork.ran["deliver"])
    clockwork.pass_(2 * DAY, COLLECT, DELIVER, step=HOUR)
    assert len(clockwork.ran["deliver"]) >= delivered + 46
    assert collected + 2 <= len(clockwork.ran["collect"]) <= collected + 3
    assert max(clockwork.slots("collect")) <= clockwork.now


def test_b2_a_snapshot_of_next_year_confirms_nothing_by_itself_and_hides_nothing_that_follows() -> None:
    three = LEAD.model_copy(update={"confirm": 3})
    with Race(three) as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        race.on(366, A=100, B=111)
        assert race.desk.got == []
        race.on(2, A=100, B=112)
        race.on(3, A=100, B=113)
        assert race.desk.titles == ["B takes the lead from A on totals"]
        for number in (4, 5, 6):
            race.on(number, A=200, B=114)
        assert len(race.desk.got) == 2


def test_b2_a_snapshot_of_next_year_is_no_sign_of_health() -> None:
    now = datetime(2026, 5, 4, tzinfo=UTC)
    assert judge(Facts(now, seen(now - DAY))).ok
    assert judge(Facts(now, seen(now + HOUR))).ok
    assert judge(Facts(now, seen(now + YEAR))).reasons == ("no complete snapshot yet",)
    stale = judge(Facts(now, seen(now + YEAR, now - 5 * DAY)))
    assert stale.reasons == ("the last complete snapshot is 120 hours old",)


def test_b2_a_snapshot_of_next_year_does_not_hide_that_the_others_are_fresh_and_is_named_with_what_to_do() -> None:
    now = datetime(2026, 5, 4, tzinfo=UTC)
    health = judge(Facts(now, seen(now + YEAR, now - HOUR)))
    assert (health.ok, health.last_complete) == (True, now - HOUR)
    (note,) = health.notes
    assert note.startswith(
        "snapshot 1 is of 2027-05-04, which is still to come: the clock was wrong, or is; if it was, "
    )
    assert "`leadchange set-aside 1`" in note


def test_b2_a_snapshot_of_next_year_does_not_hide_that_no_other_comes() -> None:
    silence = Rule(name="silence", board="totals", when="source_trouble", after_days=3, channels=("desk",))
    with Race(silence) as race:
        race.on(0, A=100, B=90)
        race.on(365, A=100, B=90)
        race.judge(4)
        race.tell(4)
        assert len(race.desk.got) == 1


def seen(*moments: datetime) -> list[Look]:
    """Complete looks at the families, newest first."""
    return [Look(number, "hub", moment) for number, moment in enumerate(moments, start=1)]


# B3: daylight saving


@contextmanager
def living_in(zone: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


@pytest.mark.parametrize("first", [datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC)])
@pytest.mark.parametrize("cron", ["30 1 * * *", "30 6 * * *"])
def test_b3_a_day_has_one_slot_though_the_machine_moves_its_clocks(first: datetime, cron: str) -> None:
    """New York has 01:30 twice on 2026-11-01, and 02:30 not at all on 2026-03-08."""
    with living_in("America/New_York"):
        moments = [first + 10 * MINUTE * number for number in range(3 * 24 * 6)]
        slots = {last_slot(cron, moment) for moment in moments}
    found = sorted(slot for slot in slots if slot and slot >= first)
    assert [slot - found[0] for slot in found] == [timedelta(0), DAY, 2 * DAY]


# B4, B5: time passes without us


def test_b4_a_night_asleep_is_caught_up_once_and_the_gap_is_on_record(clockwork: Clockwork) -> None:
    hourly = "collect: 0 * * * *"
    clockwork.pass_(HOUR, hourly)
    clockwork.now += 9 * HOUR
    clockwork.pass_(5 * MINUTE, hourly)
    assert len(clockwork.ran["collect"]) == 3
    first, second, third = clockwork.slots("collect")
    assert (second - first, third - second) == (HOUR, 9 * HOUR)


def test_b4_nothing_is_confirmed_by_time_that_passes_unseen() -> None:
    with Race(LEAD.model_copy(update={"confirm": 3})) as race:
        race.on(0, A=100, B=90)
        race.on(1, A=100, B=110)
        race.on(90, A=100, B=110)
        race.on(90, A=100, B=112)
        assert race.desk.got == []
        race.on(91, A=100, B=112)
        assert len(race.desk.got) == 1


@dataclass
class Slow:
    """Instead of a process: takes as long as one lets it."""

    clockwork: Clockwork
    task: Task
    began: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def answer(self, _seconds: float) -> Answer:
        self.clockwork.ran.setdefault(self.task.job, []).append(self.clockwork.now)
        self.began.set()
        self.release.wait(10)
        return Work(self.clockwork.app).turn(self.task.job, self.task.cron, lambda: "done")


def test_b5_a_job_that_takes_longer_than_its_interval_is_not_begun_twice_and_then_goes_on(
    clockwork: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Slow] = []
    monkeypatch.setattr(daemon, "Apart", lambda task: begun.append(Slow(clockwork, task)) or begun[-1])
    settings = clockwork.app.settings
    running = Daemon(settings, lambda: clockwork.now, Published(settings.warehouse.publish))
    clockwork.now = START + 30 * timedelta(seconds=1)
    ticks = [threading.Thread(target=running.turn, args=("collect", EVERY_MINUTE)) for _ in range(6)]
    ticks[0].start()
    while not (begun and begun[0].began.wait(0.01)):
        assert ticks[0].is_alive()
    for tick in ticks[1:]:
        clockwork.now += MINUTE
        tick.start()
    assert list(running.running) == ["collect"]
    begun[0].release.set()
    while any(tick.is_alive() for tick in ticks):
        begun[-1].release.set()
        ticks[-1].join(0.01)
    assert clockwork.slots("collect") == [START + 5 * MINUTE]
    assert [slow.task.job for slow in begun] == ["collect"]


def test_b6_ticks_that_come_when_they_like_for_a_month_move_no_slot(clockwork: Clockwork) -> None:
    random = Random(6)
    end = START + 30 * DAY
    while clockwork.now < end:
        clockwork.now += timedelta(minutes=random.uniform(20, 90))
        clockwork.tick(COLLECT)
    slots = clockwork.slots("collect")
    assert [slot.time().isoformat() for slot in slots] == ["10:30:00"] * len(slots)
    assert {later - earlier for earlier, later in pairwise(slots)} == {DAY}
    runs = clockwork.ran["collect"]
    assert len({last_slot(DAILY, run) for run in runs}) == len(runs) >= 30


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """What is logged as the daemon does."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level, sys.excepthook)
    logs.configure(json_lines=True)
    yield capsys
    root.handlers, root.level, sys.excepthook = before


def test_a_tick_on_which_a_job_is_still_at_work_is_no_warning(logged: pytest.CaptureFixture[str]) -> None:
    """A look at the Hub takes minutes: that was a warning a minute for each job, for all others wait for it."""
    begun, done = threading.Event(), threading.Event()
    ticks = 0

    def work() -> None:
        nonlocal ticks
        ticks += 1
        begun.set()
        done.wait(10)

    with ticking([Job("collect", DAILY, work)]) as tick_now:
        assert begun.wait(10)
        tick_now()
        time.sleep(0.3)
        done.set()
    assert ticks == 1
    assert logged.readouterr().err == ""


# What the calendar has in store


@pytest.mark.parametrize(
    ("cron", "now", "slot"),
    [
        ("0 7 29 2 *", "2028-03-01T00:00", "2028-02-29T07:00"),
        ("30 10 * * *", "2028-03-01T10:00", "2028-02-29T10:30"),
        ("0 7 * * 1", "2027-01-01T00:00", "2026-12-28T07:00"),
        ("0 7 * * mon", "2027-01-04T07:00", "2027-01-04T07:00"),
        ("0 0 1 1 *", "2026-12-31T23:59", "2026-01-01T00:00"),
        ("0 7 1 * 1", "2026-05-10T00:00", "2026-05-04T07:00"),
        ("0 7 1 * 1", "2026-05-03T00:00", "2026-05-01T07:00"),
        ("0 7 1 * *", "2026-05-10T00:00", "2026-05-01T07:00"),
        ("0 7 */2 * 1", "2026-05-10T00:00", "2026-04-27T07:00"),
        ("* * * * *", "2026-12-31T23:59:59", "2026-12-31T23:59"),
        ("30 10 * * *", "2026-05-01T10:29:59", "2026-04-30T10:30"),
    ],
)
def test_b7_the_last_slot_by_the_calendar(cron: str, now: str, slot: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert last_slot(cron, moment) == datetime.fromisoformat(slot).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("weekday", "names"),
    [
        ("1", "mon"), ("0", "sun"), ("7", "sun"), ("1-5", "mon tue wed thu fri"), ("0-6/3", "wed sat sun"),
        ("6,0", "sat sun"), ("5-7", "fri sat sun"), ("mon,3", "mon wed"), ("*/2", "tue thu sat sun"),
        ("*", "mon tue wed thu fri sat sun"), ("fri-sun", "fri sat sun"),
    ],
)  # fmt: skip
def test_b7_weekdays_are_counted_as_cron_counts_them(weekday: str, names: str) -> None:
    """APScheduler counts from Monday: its `1` is a Tuesday."""
    slots = {last_slot(f"0 7 * * {weekday}", START + number * DAY) for number in range(14)}
    found = {f"{slot:%a}".lower(): slot.weekday() for slot in slots if slot}
    assert sorted(found, key=lambda name: found[name]) == names.split()


def test_b7_a_moment_without_a_zone_is_a_mistake_and_not_a_guess() -> None:
    with pytest.raises(TypeError):
        due_slot(DAILY, datetime(2026, 5, 1, 11), LastRun(START, START, ok=True, tries=1))  # noqa: DTZ001 is the point


def test_b7_a_moment_in_another_zone_is_the_same_moment() -> None:
    from datetime import timezone

    tokyo = (START + 2 * HOUR).astimezone(timezone(9 * HOUR))
    assert last_slot(DAILY, tokyo) == START + HOUR + 30 * MINUTE


@pytest.mark.parametrize("cron", ["", "61 * * * *", "* * * *", "yesterday", "0 0 31 2 *x"])
def test_what_is_no_cron_expression_is_said(cron: str) -> None:
    assert problem_with(cron) is not None


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30 2 */2"])
def test_a_day_that_never_comes_is_said(cron: str) -> None:
    assert problem_with(cron) == f"{cron!r} names a day that never comes"


@pytest.mark.parametrize("cron", ["0 0 29 2 *", "0 0 31 4 1", "0 0 30 1-2 *"])
def test_a_day_that_comes_once_in_a_while_is_a_day(cron: str) -> None:
    assert problem_with(cron) is None


def test_of_two_days_one_that_never_comes_is_not_looked_for_every_minute() -> None:
    assert str(parse("0 7 31 2 1")) == str(parse("0 7 * 2 1"))
    assert last_slot("0 7 31 2 1", datetime(2026, 5, 1, tzinfo=UTC)) == datetime(2026, 2, 23, 7, tzinfo=UTC)


def test_a_day_that_never_comes_is_never_due() -> None:
    assert due_slot("0 0 31 2 *", START, None) is None


# Tries


def test_a_slot_that_failed_is_tried_again_after_half_an_hour_four_times_in_all(clockwork: Clockwork) -> None:
    clockwork.fails = lambda: True
    clockwork.now = START + HOUR + 29 * MINUTE
    clockwork.pass_(20 * HOUR, COLLECT, step=5 * MINUTE)
    runs = [run for run in clockwork.ran["collect"] if run > START + HOUR + 30 * MINUTE]
    assert len(runs) == TRIES
    assert all(later - earlier >= RETRY for earlier, later in pairwise(runs))
    row = clockwork.app.db.rows("SELECT tries, ok, outcome FROM job_runs ORDER BY slot DESC LIMIT 1")
    assert row == [(TRIES, False, "away")]


def test_a_slot_in_which_the_daemon_died_is_tried_at_once_and_not_for_ever(clockwork: Clockwork) -> None:
    from warehouse.state.runs import Runs

    runs = Runs(clockwork.app.db)
    slot = START + HOUR + 30 * MINUTE
    clockwork.now = slot + MINUTE
    for tries in range(1, TRIES + 1):
        runs.begin("collect", slot, tries=tries, now=clockwork.now)
    clockwork.tick(COLLECT)
    assert clockwork.ran == {}
    runs.begin("collect", slot, tries=1, now=clockwork.now)
    clockwork.tick(COLLECT)
    clockwork.tick(COLLECT)
    assert len(clockwork.ran["collect"]) == 1


# No snapshot is news too


def test_a_collection_that_ends_in_an_error_leaves_the_judging_to_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that no header can carry, day after day: the rule about trouble must hear of it."""
    trouble = '\n[[rule]]\nname = "quiet"\nboard = "families"\nwhen = "source_trouble"\nchannels = ["outbox"]\n'
    now = [START]
    with hub(listed(90, 50)) as local:
        settings = config.load(configure(tmp_path, local.endpoint, more=trouble), {})
        with open_app(settings, now=lambda: now[0]) as app:
            work = Work(app)
            work.turn("collect", DAILY)

            def refuse(*_: object, **__: object) -> None:
                raise HubError("the token holds a line break")

            monkeypatch.setattr(collect, "run", refuse)
            for number in range(1, 6):
                now[0] = START + number * DAY
                work.turn("collect", DAILY)
        mails = [file.read_text() for file in (tmp_path / "outbox").glob("*.eml")]
    assert len(mails) == 1
    assert "Trouble reading the source" in mails[0]
