"""Kill -9 at every commit point of collect, detect and deliver, again and again in one long story: `make soak`.

    python -m tests.soak [--kills 500] [--seed 0]

Days pass, on each of them one model passes another, and two people are told: by a webhook, which nobody can ask
whether it got something, and by a Slack bot, which looks. A day is worked on by processes that are killed at one point
after the other, until one gets through. In the end every change must have reached both; the webhook may have got one
again only where a process died between the provider's acceptance and its own receipt, the bot none.

The providers live in a process of their own, and each day's work in a fork of one that has no thread.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from spine import configure, model, moment  # noqa: E402 it lies beside this file
from test_alerts_channels_slack_bot import CHANNEL, TOKEN, Workspace  # noqa: E402

from alerts import charts  # noqa: E402
from alerts.channels.slack_bot import SlackBot  # noqa: E402
from alerts.channels.webhook import Webhook  # noqa: E402
from monitor import config, wiring  # noqa: E402
from warehouse.db import Database, Parameters, Row  # noqa: E402
from warehouse.state.outbox import Outbox  # noqa: E402

PAIRS = 5
"""Pairs of models whose turn it is one after the other: each changes seldom enough to be no contest."""

TOLD = """
[[rule]]
name = "everybody"
board = "models"
when = "overtake"
confirm = 1
channels = ["hook", "bot"]

[[channel]]
name = "hook"
type = "webhook"
url_env = "SOAK_HOOK"
allow_private = true

[[channel]]
name = "bot"
type = "slack-bot"
token_env = "SOAK_TOKEN"
channel = "{channel}"
endpoint = "{api}"
"""


def models_of(number: int) -> list[Any]:
    """What is listed on a day, from day 1 on with one pair changing order each day."""
    found = [model("gamma/gamma", number)]
    for pair in range(PAIRS):
        turned = sum(day % PAIRS == pair for day in range(1, number + 1)) % 2
        base = 10_000 * (pair + 1) + number
        found += [model(f"alpha-lab/a{pair}", base), model(f"beta-ai/b{pair}", base + (900 if turned else -900))]
    return found


# The other side


def provide(folder: Path) -> None:
    """A Hub that shows the day of `folder/day`, a webhook, and a Slack; their addresses on stdout, until stdin ends."""
    from fake_web import FakeWeb, running

    from monitor.demo.hub import LocalHub

    shown: list[int] = []

    def follow(_: object) -> None:
        number = int((folder / "day").read_text() or 0)
        if shown[-1:] != [number]:
            shown.append(number)
            hub.show(models_of(number))

    def got(channel: str, alert_id: str) -> None:
        with (folder / "got.jsonl").open("a") as file:
            file.write(json.dumps([channel, alert_id]) + "\n")

    hook, slack = FakeWeb(), FakeWeb()

    def take(asked: Any) -> tuple[int, bytes, dict[str, str]]:  # noqa: ANN401
        got("hook", json.loads(asked.body)["alert_id"])
        return 200, b"ok", {}

    workspace = Workspace(slack)

    def slack_answers(asked: Any) -> tuple[int, bytes, dict[str, str]]:  # noqa: ANN401
        before = len(workspace.posted)
        answer = workspace.answer(asked)
        for said in workspace.posted[before:]:
            metadata = said["metadata"]
            metadata = json.loads(metadata) if isinstance(metadata, str) else metadata
            got("bot", metadata["event_payload"]["alert_id"])
        return answer

    hook.usual, slack.usual = take, slack_answers
    with LocalHub({"alpha-lab": [], "beta-ai": [], "gamma": []}) as hub, running(hook), running(slack):
        hub.faults.append(follow)
        workspace.upload_url = f"http://127.0.0.1:{slack.port}/upload/1"
        sys.stdout.write(json.dumps({"hub": hub.endpoint, "hook": hook.port, "slack": slack.port}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


@contextmanager
def providers(folder: Path) -> Iterator[dict[str, Any]]:
    command = [sys.executable, str(Path(__file__)), "--provide", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()


# One day's work, and its end


@dataclass
class Point:
    """Where a process is killed: at the how-manieth passing of which place."""

    place: str
    """`before COMMIT`, `after COMMIT`, or `accepted`: the provider has the message, nothing is written yet."""
    verb: str
    passing: int

    def __str__(self) -> str:
        return f"{self.verb}, {self.place} {self.passing}"


@dataclass
class Watch:
    """Counts what a process passes, writes it down, and kills the process at its point."""

    folder: Path
    point: Point | None
    verb: str = ""
    passed: Counter[tuple[str, str]] = field(default_factory=Counter)

    def pass_(self, place: str) -> None:
        self.passed[self.verb, place] += 1
        mine = self.point
        if mine and (mine.verb, mine.place, mine.passing) == (self.verb, place, self.passed[self.verb, place]):
            os.kill(os.getpid(), signal.SIGKILL)

    def note(self, what: str, channel: str, alert_id: str) -> None:
        with (self.folder / "trace.jsonl").open("a") as file:
            file.write(json.dumps([what, channel, alert_id]) + "\n")


def work(folder: Path, number: int, minutes: int, watch: Watch) -> None:
    """Collect, detect and deliver as the daemon does on a day."""
    rows, settle = Database.rows, Outbox.settle

    def watched_rows(self: Database, sql: str, parameters: Parameters | None = None) -> list[Row]:
        if sql != "COMMIT":
            return rows(self, sql, parameters)
        watch.pass_("before COMMIT")
        found = rows(self, sql, parameters)
        watch.pass_("after COMMIT")
        return found

    def watched_settle(self: Outbox, deliveries: Any, *more: Any, **keys: Any) -> None:  # noqa: ANN401
        settle(self, deliveries, *more, **keys)
        for delivery in deliveries:
            watch.note("settled", delivery.channel, delivery.alert_id)

    Database.rows = watched_rows  # type: ignore[method-assign]
    Outbox.settle = watched_settle  # type: ignore[method-assign]
    for channel in (Webhook, SlackBot):
        channel.send = _watched_send(channel.send, watch)  # type: ignore[method-assign]
    settings = config.load(folder / config.DEFAULT_NAME, {})
    watched = {rule.board for rule in settings.rules}
    settings = replace(settings, boards=tuple(board for board in settings.boards if board.name in watched))
    # Neither takes part in the promise, and both take long; test_kill.py kills during publication too.
    wiring.publish = charts.race_png = lambda *_, **__: None  # type: ignore[assignment]
    with wiring.open_app(settings, now=lambda: moment(number) + timedelta(minutes=minutes)) as app:
        for verb in ("collect", "detect", "deliver"):
            watch.verb = verb
            getattr(app, verb)()


def _watched_send(send: Callable[..., Any], watch: Watch) -> Callable[..., Any]:
    def watched(self: Any, message: Any) -> Any:  # noqa: ANN401
        watch.note("sending", self.name, message.alert_id)
        receipt = send(self, message)
        watch.pass_("accepted")
        return receipt

    return watched


def forked(folder: Path, number: int, minutes: int, point: Point | None) -> tuple[int, Counter[tuple[str, str]]]:
    """How the work of a day ended: 0, or minus the signal; and what it passed."""
    pid = os.fork()
    if pid == 0:
        watch = Watch(folder, point)
        try:
            work(folder, number, minutes, watch)
            (folder / "passed").write_text(json.dumps([[*key, count] for key, count in watch.passed.items()]))
        except BaseException as error:  # noqa: BLE001 nothing may get out of the child
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    found = json.loads((folder / "passed").read_text()) if code == 0 else []
    return code, Counter({(verb, place): count for verb, place, count in found})


# The story


@dataclass
class Result:
    """What a soak found."""

    kills: Counter[str]
    points: int
    """Different points at which a process was killed."""
    missed: list[str]
    """Points that were passed and at which none was killed."""
    days: int
    expected: int
    """Changes of order there were."""
    lost: dict[str, int]
    """Channel -> changes that did not reach it."""
    repeated: dict[str, int]
    """Channel -> messages that came again."""
    promised: dict[str, int]
    """Channel -> how often a process died between sending and writing its receipt: so often at most it may repeat."""
    unpromised: list[str]
    """Messages that came again without such a death."""

    def lines(self) -> list[str]:
        total = sum(self.kills.values())
        per_channel = [
            f"{channel}: {self.lost[channel]} lost, {self.repeated[channel]} repeated"
            f" ({self.promised[channel]} deaths between sending and receipt)"
            for channel in self.lost
        ]
        return [
            f"{total} kills at {self.points} points over {self.days} days, {self.expected} changes of order",
            *(f"  {place}: {count}" for place, count in sorted(self.kills.items())),
            *per_channel,
            f"repeats that were not promised: {', '.join(self.unpromised) or 'none'}",
            f"commit points never hit: {', '.join(self.missed) or 'none'}",
        ]


def soak(folder: Path, kills: int, seed: int) -> Result:
    """Kill so many processes; what became of what they had to tell."""
    chance = random.Random(seed)
    (folder / "day").write_text("0")
    for name in ("got.jsonl", "trace.jsonl"):
        (folder / name).touch()
    with providers(folder) as at:
        os.environ["SOAK_HOOK"] = f"http://127.0.0.1:{at['hook']}/"
        os.environ["SOAK_TOKEN"] = TOKEN
        more = TOLD.replace("{channel}", CHANNEL).replace("{api}", f"http://127.0.0.1:{at['slack']}/api/")
        configure(folder, at["hub"], more=more)
        return _story(folder, kills, chance)


def _story(folder: Path, kills: int, chance: random.Random) -> Result:
    seen: Counter[str] = Counter()
    hit: set[str] = set()
    passed: Counter[tuple[str, str]] = Counter()
    queue: list[Point] = []
    number, minutes = 0, 0
    while sum(seen.values()) < kills or minutes:
        (folder / "day").write_text(str(number))
        if not queue:
            queue = [Point(place, verb, n + 1) for (verb, place), count in passed.items() for n in range(count) if verb]
            chance.shuffle(queue)
        # The first two days show what there is to pass; after that most processes are to be killed.
        wanted = number > 1 and sum(seen.values()) < kills and chance.random() < 0.9
        point = queue.pop() if wanted else None
        code, found = forked(folder, number, minutes, point)
        if code == 0:
            passed |= found
            number, minutes = number + 1, 0
            continue
        assert code == -signal.SIGKILL, (code, point)
        minutes += 6  # longer than a lease
        seen[f"{point.verb}, {point.place}" if point else ""] += 1
        hit.add(str(point))
    forked(folder, number - 1, 60 * 12, None)
    return _result(folder, seen, hit, passed, number)


def _result(folder: Path, seen: Counter[str], hit: set[str], passed: Counter[tuple[str, str]], days: int) -> Result:
    got = Counter((channel, alert) for channel, alert in _lines(folder / "got.jsonl"))
    trace = _lines(folder / "trace.jsonl")
    promised, never = _promised(trace), _sent_again_all_the_same(trace)
    expected = days - 1
    reached = {channel: sum(1 for one, _ in got if one == channel) for channel in ("hook", "bot")}
    again = {key: count - 1 for key, count in got.items() if count > 1}
    points = [
        str(Point(place, verb, n + 1)) for (verb, place), count in sorted(passed.items()) for n in range(count) if verb
    ]
    return Result(
        kills=seen,
        points=len(hit),
        missed=[point for point in points if point not in hit],
        days=days,
        expected=expected,
        lost={channel: expected - count for channel, count in reached.items()},
        repeated={channel: sum(n for (one, _), n in again.items() if one == channel) for channel in reached},
        promised={channel: sum(n for (one, _), n in promised.items() if one == channel) for channel in reached},
        unpromised=[
            " ".join(key) for key, n in again.items() if key in never or n > (promised[key] if key[0] == "hook" else 0)
        ],
    )


def _promised(trace: list[list[str]]) -> Counter[tuple[str, str]]:
    """How often a process died between beginning to send a message and writing its receipt."""
    died: Counter[tuple[str, str]] = Counter()
    for what, channel, alert in trace:
        died[channel, alert] += 1 if what == "sending" else -1
    return died


def _sent_again_all_the_same(trace: list[list[str]]) -> set[tuple[str, str]]:
    """Messages that were sent once more though their receipt had been written."""
    settled = set()
    found = set()
    for what, channel, alert in trace:
        if what == "settled":
            settled.add((channel, alert))
        elif (channel, alert) in settled:
            found.add((channel, alert))
    return found


def _lines(file: Path) -> list[list[str]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--provide", type=Path)
    chosen = parser.parse_args()
    if chosen.provide:
        provide(chosen.provide)
        return
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result = soak(Path(folder), chosen.kills, chosen.seed)
    sys.stdout.write("\n".join([*result.lines(), f"{time.monotonic() - began:.0f} s"]) + "\n")
    if result.unpromised or any(result.lost.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
