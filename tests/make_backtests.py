"""docs/backtests.md from the bundled data: what rules would have said, and how often they would have been wrong.

    python -m tests.make_backtests [--demo DIR]

Runs the demo first, unless one is named. tests/test_backtests.py fails when the page is not what this makes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations, pairwise
from pathlib import Path
from typing import NamedTuple

from alerts.contests import first_places
from alerts.rules import TOP, Rule
from jobs import backtest
from jobs.backtest import Outcome, Told
from monitor.demo.recordings import DATA
from monitor.series import read_series
from warehouse.db import Database
from warehouse.records import Standing
from warehouse.state.ledger import Ledger

PAGE = Path(__file__).parent.parent / "docs" / "backtests.md"

MONTHLY = DATA / "publisher_monthly.csv"

# What was measured when these rules were first thought of, on the same file, by a loop of its own.
THOUGHT: dict[str, tuple[int, float, int]] = {
    "naive: whoever is ahead": (1, 0.0, 55),
    "2 months in a row": (2, 0.0, 45),
    "3 months in a row": (3, 0.0, 24),
    "by 10 %": (1, 0.1, 44),
    "by 10 %, 2 months in a row": (2, 0.1, 35),
}

AHEAD = timedelta(days=92)
"""How far a warning looks ahead: three months."""

WITHIN = (0.05, 0.1, 0.2, 0.3)

PAIRS = Rule(name="any-pair", board="publishers", when="overtake")
LLAMA = Rule(name="passes-llama", board="publishers", when="overtake", between=("meta-llama",))


# The monthly series


def months() -> list[Standing]:
    """The published monthly totals, as a board."""
    days: dict[date, dict[str, float]] = {}
    for day, publisher, value in read_series(MONTHLY, "month,publisher,downloads").iter_rows():
        days.setdefault(day, {})[publisher] = value
    return [Standing("monthly", day, number, days[day]) for number, day in enumerate(sorted(days))]


def pairs_told(standings: Sequence[Standing], confirm: int, margin: float) -> list[Told]:
    """What a rule for each pair of publishers would have told."""
    names = sorted({name for standing in standings for name in standing.values})
    rules = [
        Rule(
            name=f"{one}.{other}",
            board="monthly",
            when="overtake",
            between=(one, other),
            confirm=confirm,
            margin=margin,
        )
        for one, other in combinations(names, 2)
    ]
    return backtest.run(standings, rules)


def all_flips(standings: Sequence[Standing], confirm: int, margin: float, *, of_smaller: bool = False) -> int:
    """Flips of all pairs, counted by a loop of its own that knows no contests.

    `of_smaller`: the margin is a share of the smaller value, and who is first ahead by it is the first leader.
    """
    names = sorted({name for standing in standings for name in standing.values})
    return sum(_flips(_leads(standings, pair), confirm, margin, of_smaller) for pair in combinations(names, 2))


def _leads(standings: Iterable[Standing], pair: tuple[str, str]) -> list[tuple[float, float]]:
    return [(s.values[pair[0]], s.values[pair[1]]) for s in standings if s.values.keys() >= set(pair)]


def _flips(values: Sequence[tuple[float, float]], confirm: int, margin: float, of_smaller: bool) -> int:
    leader: int | None = None
    run = flips = 0
    for one, other in values:
        base = min(one, other) if of_smaller else max(one, other)
        share = (one - other) / base if base else 0.0
        ahead = 1 if share > margin else -1 if share < -margin else 0
        if leader is None:
            leader = (ahead or None) if of_smaller else (1 if one > other else -1)
            continue
        run = run + 1 if ahead == -leader else 0
        if run >= confirm:
            leader, run, flips = ahead, 0, flips + 1
    return flips


# Warnings


class Warned(NamedTuple):
    """How a rule that says who comes near whom did over all pairs."""

    warnings: int
    came: int
    """Of them, followed by the passage within `AHEAD`."""
    passages: int
    announced: int
    """Of them, those that a warning of the `AHEAD` before had announced."""


def warned(standings: Sequence[Standing], within: float) -> Warned:
    """Warnings and passages of every pair of those who stand on the last day, each pair a board of its own."""
    pairs = combinations(first_places(standings[-1], 10), 2)
    return Warned(*map(sum, zip(*(_warned(standings, pair, within) for pair in pairs), strict=True)))


def _warned(standings: Sequence[Standing], pair: tuple[str, str], within: float) -> Warned:
    board = standings[0].board
    both = [replace(s, values={name: s.values[name] for name in pair}) for s in standings if s.values.keys() >= {*pair}]
    near = Rule(name="near", board=board, when="approaches", within=within, confirm=1, margin=0)
    passes = Rule(name="passes", board=board, when="overtake", between=pair, confirm=1, margin=0)
    warnings = backtest.run(both, [near])
    passages = [one for one in backtest.run(both, [passes]) if one.event == "FLIP"]
    return Warned(
        len(warnings),
        sum(one.led_after_days is not None and one.led_after_days <= AHEAD.days for one in warnings),
        len(passages),
        sum(any(_announces(warning, passage) for warning in warnings) for passage in passages),
    )


def _announces(warning: Told, passage: Told) -> bool:
    """Whether one was told shortly before it passed."""
    before = passage.confirmed_day - warning.confirmed_day
    return warning.entity == passage.entity and timedelta() < before <= AHEAD


# The page


def page(published: Path) -> str:
    """The whole page, from the demo's published file and the bundled series."""
    with Database.open_published(published) as db:
        ledger = Ledger(db)
        standings = ledger.standings_since("publishers", date.min, first=TOP)
        daily = _daily(standings, backtest.borne_out(ledger))
        sections = [_head(), *_monthly(), *daily, *_near(standings), *_limits(standings)]
    return "\n".join(sections) + "\n"


def _head() -> str:
    return """\
# What rules cost

Made by `python -m tests.make_backtests` from the data that comes with leadchange; do not edit. The same for your own
data: `leadchange backtest`, and `leadchange backtest --sweep` to choose by.

Trackers of downloads publish when one family passed another. None that we know of says how often its own method would
have said so and been wrong. These are, as far as we know, the first published false-alarm figures of the field. They
rest on two recordings, and on little data: read the last section before quoting them.

*A false alarm* here is an alert whose rival was ahead again within 30 days (or 90). *Delay* is from the first day of
the lead, however small, to the alert. *Held* is what was not sent because the models do not bear it out: a flip that
exists only because more repositories were listed or counts are missing, or one that takes such a flip back.
"""


def _monthly() -> Iterator[str]:
    standings = months()
    yield f"""\
## Published monthly totals

{len(standings)} months, 10 publishers, 45 pairs (`publisher_monthly.csv`, Model Pulse). There is one value a month, so
a rule's days are months, and losing a lead within 90 days means within three.
"""
    rows = []
    for name, (confirm, margin, thought) in THOUGHT.items():
        told = pairs_told(standings, confirm, margin)
        outcome = backtest.measure(told, confirm, margin)
        flips = sum(one.event == "FLIP" for one in told)
        contested = sum(one.event == "CONTESTED" for one in told)
        llama = [one for one in told if one.rule == "Qwen.meta-llama"]
        rows.append(
            (
                name,
                thought,
                all_flips(standings, confirm, margin),
                flips,
                contested,
                outcome.reverted_90,
                _share(outcome.reverted_90, outcome.alerts),
                _days(outcome.median_delay_days),
                len(llama),
            )
        )
    yield table(
        (
            "rule", "earlier count", "flips", "told", "contests told", "lost again in 90 days", "share", "median delay",
            "of it Qwen/Llama",
        ),
        rows,
    )  # fmt: skip
    smaller = [all_flips(standings, confirm, 0.1, of_smaller=True) for confirm in (1, 2)]
    yield f"""
*Earlier count* is what a loop of its own counted on the same file when these rules were first compared. Without a
margin the engine finds the same flips. With one it differs by one each, for two reasons that the same loop shows:
there 10 % was a share of the smaller value, here the margin is `(leader - rival) / leader`; and there the first leader
was who was first ahead by it, here the first standing decides. Counted in that way it is {smaller[0]} and {smaller[1]}.
*Told* is less than *flips* because one pair changes so often that it is told as one contest.

Qwen and meta-llama change places three times under every rule but the one that asks for three months, which says it
once: ahead since April 2025, told in June. The price of sparing the two false alarms is two months.
"""


def _daily(standings: Sequence[Standing], holds: backtest.Holds) -> Iterator[str]:
    first, last = standings[0].day, standings[-1].day
    yield f"""\
## Recorded looks of 2026

{len(standings)} complete looks from {first} to {last}, of 53 recorded ones (`hub_snapshots_2026`): the others broke off
early or repeat the one before, and count no day. Board `publishers`, downloads of 30 days. Up to {_gap(standings)} days
lie between two looks, so three looks in a row take weeks. What the demo's rule says, everybody against meta-llama,
`confirm = 3`, `margin = 0.01`:
"""
    told = backtest.run(standings, [LLAMA], holds)
    yield table(
        ("told on", "who passed whom", "ahead since", "delay", "by", "sent", "lost again after"),
        [
            (
                one.confirmed_day,
                f"{one.entity} / {one.rival}",
                one.first_lead,
                f"{one.delay_days} days",
                f"{one.margin:.1%}",
                "held" if one.held else "yes",
                "" if one.lost_after_days is None else f"{one.lost_after_days} days",
            )
            for one in told
        ],
    )
    for rule, what in (
        (LLAMA, "everybody against meta-llama"),
        (PAIRS, "every pair among the first ten publishers"),
    ):
        yield f"\nThe sweep, {what}; to choose by:\n"
        yield table(
            ("confirm", "margin", "sent", "held", "lost again in 30 days", "in 90 days", "share in 90", "median delay"),
            [_row(standings, rule, outcome, holds) for outcome in backtest.sweep(standings, rule, holds)],
        )


def _row(standings: Sequence[Standing], rule: Rule, outcome: Outcome, holds: backtest.Holds) -> tuple[object, ...]:
    tried = rule.model_copy(update={"confirm": outcome.confirm, "margin": outcome.margin})
    held = sum(one.held for one in backtest.run(standings, [tried], holds))
    return (
        outcome.confirm,
        f"{outcome.margin:.0%}",
        outcome.alerts,
        held,
        outcome.reverted_30,
        outcome.reverted_90,
        _share(outcome.reverted_90, outcome.alerts),
        _days(outcome.median_delay_days),
    )


def _near(standings: Sequence[Standing]) -> Iterator[str]:
    yield f"""
## Who comes near

`approaches` says that somebody comes within a share of whoever leads, before it may pass. So few leads changed here
that it is asked of every pair of the first ten, each as if it were a board of its own, with `confirm = 1`, `margin = 0`
and without asking the models. *Came* are the warnings that were followed by the passage within {AHEAD.days} days,
*announced* the passages that followed a warning of the {AHEAD.days} days before. The others were further apart one
value before: there is one a month, and up to {_gap(standings)} days lie between two looks.
"""
    yield table(
        ("history", "within", "warnings", "came", "share", "passages", "announced", "share"),
        [
            (name, f"{within:.0%}", w.warnings, w.came, _share(w.came, w.warnings), w.passages, w.announced,
             _share(w.announced, w.passages))
            for name, history in (("months", months()), ("looks", standings))
            for within in WITHIN
            for w in (warned(history, within),)
        ],
    )  # fmt: skip


def _limits(standings: Sequence[Standing]) -> Iterator[str]:
    span = (standings[-1].day - standings[0].day).days
    yield f"""
## What this rests on

- Two sources. The monthly series is its author's estimate before 2025-03 and interpolated over gaps in 2025-06 and
  2026-04 to 2026-06; leads that begin or end there may be the gaps'.
- {len(standings)} looks in {span} days are few, and irregular: a rule that asks for three days is quicker on a monitor
  that looks every day. What was recorded are lists of models, not whole publishers, and the lists grew.
- Alerts of one pair are not independent of each other, and one launch moves several pairs. A share of so few has no
  error bar worth printing.
- A lead that is lost after the last look counts as kept."""


def _gap(standings: Sequence[Standing]) -> int:
    return max((later.day - earlier.day).days for earlier, later in pairwise(standings))


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""


def _days(days: float | None) -> str:
    return "" if days is None else f"{days:g} days"


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows in Markdown."""
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def written(target: Path, made: Callable[[Path], str], about: str | None) -> None:
    """Write a page that is made from the published file of a demo: of the one named, or of one that is run now."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--demo", type=Path, help="a folder in which a demo has run")
    demo = parser.parse_args().demo
    with tempfile.TemporaryDirectory() as folder:
        if demo is None:
            demo = Path(folder) / "demo"
            command = [sys.executable, "-c", "from monitor.cli.app import main; main()", "demo", "--dir", str(demo)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        target.write_text(made(demo / "adoption.duckdb"), "utf-8")
    sys.stdout.write(f"{target} written\n")


if __name__ == "__main__":
    written(PAGE, page, __doc__)
