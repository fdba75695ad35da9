"""How well the verdict tells a fault from an honest day: `python -m tests.measure_verdicts` writes the tables of
docs/data-quality.md anew.

A generated Hub is collected day by day for a year; nothing on it is wrong, so every verdict but `complete` is a false
one. On many of its days the same state is taken aside, a fault of known kind and size is laid over the next days, and
the day after: those looks are judged too, and forgotten.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path

import polars as pl

from monitor.demo.counter_faults import CounterFault, Kind, spoiled
from monitor.demo.generator import GeneratedHub, Population
from warehouse.db import Database
from warehouse.migrate import migrate
from warehouse.records import Snapshot
from warehouse.snapshots import history, store, verdict

SOURCE = "generated"
EVERYTHING = ("downloads_30d", "downloads_all_time")
NAMES: dict[Kind, frozenset[str]] = {
    "freeze": frozenset({"frozen", "slow", "repeat"}),  # a freeze of everything is a repeat
    "rollback": frozenset({"rollback"}),
    "missing": frozenset({"lost"}),
    "half_dip": frozenset({"half_dip"}),
    "repeat": frozenset({"repeat"}),
}
SHARES: dict[Kind, tuple[float, ...]] = {
    "freeze": (0.25, 0.3, 0.5, 0.75, 1.0),
    "rollback": (0.05, 0.1, 0.2, 0.4),
    "missing": (0.03, 0.05, 0.1, 0.3, 0.9),
    "half_dip": (0.5, 0.75, 1.0),
    "repeat": (1.0,),
}
SMALL_SHARES: dict[Kind, tuple[float, ...]] = {
    "freeze": (0.05, 0.1, 0.15, 0.2),
    "rollback": (0.005, 0.01, 0.02, 0.03),
    "missing": (0.005, 0.01, 0.015, 0.02),
    "half_dip": (0.1, 0.2, 0.25, 0.35),
}
"""Smaller than any that is on record."""
LONGEST: dict[Kind, int] = {"freeze": 3, "rollback": 8, "missing": 3, "half_dip": 3, "repeat": 3}

Day = tuple[date, pl.DataFrame]


@dataclass
class Tally:
    """What became of the looks."""

    clean: int = 0
    """Looks at honest days, those after a fault included."""
    false: list[str] = field(default_factory=list)
    """Reasons of verdicts on them that were not `complete`."""
    faults: Counter[Kind] = field(default_factory=Counter)
    faulty: Counter[Kind] = field(default_factory=Counter)
    """Looks at faulty days."""
    found: Counter[Kind] = field(default_factory=Counter)
    """Of these, those not judged complete."""
    named: Counter[Kind] = field(default_factory=Counter)
    """Looks, honest or faulty, that were said to show this kind."""
    rightly: Counter[Kind] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    shares: Counter[tuple[Kind, float, bool]] = field(default_factory=Counter)
    """Looks at faulty days by kind, share, and whether they were found."""

    def recall(self, kind: Kind) -> float:
        """Share of the faulty looks that were found."""
        return self.found[kind] / self.faulty[kind]

    def precision(self, kind: Kind) -> float:
        """Share of the looks said to show this kind that did."""
        return self.rightly[kind] / self.named[kind] if self.named[kind] else 1.0


class Watcher:
    """A warehouse that looks at a source of all models, day by day."""

    def __init__(self, counters: Sequence[str]) -> None:
        self.db = Database.in_memory()
        migrate(self.db, now=datetime(2025, 1, 1, tzinfo=UTC))
        self._hidden = [counter for counter in EVERYTHING if counter not in counters]

    def look(self, day: date, listed: pl.DataFrame) -> tuple[verdict.Judgement, list[str]]:
        """Judge a day and keep it; the verdict, and what was found, accepted or not."""
        now = datetime.combine(day, time(10), UTC)
        models = self._frame(listed)
        before = history.before(self.db, SOURCE, models, taken_at=now, day=day)
        judged = verdict.of_table(models.height, before)
        snapshot_id = store.next_snapshot_id(self.db, now)
        head = Snapshot(snapshot_id, SOURCE, now, day, judged.verdict, judged.reason, models.height)
        store.write_snapshot(self.db, head, models, measured=judged.measured)
        return judged, list(json.loads(json.dumps(judged.measured)).get("findings", ()))

    def forget(self, before: date) -> None:
        """Drop counts that nothing is held against any more."""
        self.db.execute("DELETE FROM recent_observations WHERE day < $day", {"day": before})

    def aside(self, days: Sequence[tuple[date, pl.DataFrame]]) -> list[tuple[verdict.Judgement, list[str]]]:
        """Judge these days, and forget them."""
        judged = []
        try:
            with self.db.transaction():
                judged = [self.look(day, listed) for day, listed in days]
                raise _ForgetError
        except _ForgetError:
            return judged

    def _frame(self, listed: pl.DataFrame) -> pl.DataFrame:
        missing = [name for name in store.MODEL_SCHEMA if name not in listed.columns]
        nothing = [pl.lit(None).cast(store.MODEL_SCHEMA[name]).alias(name) for name in (*missing, *self._hidden)]
        return listed.with_columns(nothing).select(list(store.MODEL_SCHEMA))


class _ForgetError(Exception):
    """Ends a transaction whose writing is not wanted."""


def measure(
    population: Population,
    kinds: Sequence[Kind],
    faults: int,
    counters: Sequence[str] = EVERYTHING,
    shares: Mapping[Kind, Sequence[float]] = SHARES,
) -> Tally:
    """Judge a year of a generated Hub, and so many faults of these kinds on days of it, in turn."""
    tally, watcher = Tally(), Watcher(counters)
    drawn = random.Random(population.seed)
    starts = _starts(population, faults, drawn)
    longest = max(LONGEST.values()) + 2
    ahead: list[Day] = []
    stream = GeneratedHub(population).days()
    turn = 0
    for number in range(population.days):
        ahead += islice(stream, longest - len(ahead))
        for _ in range(starts[number]):
            kind = kinds[turn % len(kinds)]
            turn += 1
            fault = CounterFault(
                kind, ahead[1][0], drawn.randint(1, LONGEST[kind]), drawn.choice(shares[kind]), drawn.randrange(10**6)
            )
            _try(watcher, fault, ahead, tally)
        day, listed = ahead.pop(0)
        judged, found = watcher.look(day, listed)
        watcher.forget(day - timedelta(days=1))
        _count_honest(tally, judged, found, f"{day}")
    return tally


def _starts(population: Population, faults: int, drawn: random.Random) -> Counter[int]:
    """On how many days which number of faults begins: half of them while a launch is surging."""
    last = population.days - max(LONGEST.values()) - 3
    surging = [day + after for day in population.launches for after in range(5) if 12 < day + after < last]
    quiet = [day for day in range(12, last) if day not in surging]
    return Counter(drawn.choice(surging if number % 2 else quiet) for number in range(faults))


def _try(watcher: Watcher, fault: CounterFault, ahead: Sequence[Day], tally: Tally) -> None:
    """The day before a fault, its days, and the day after."""
    days = list(spoiled(ahead[: fault.days + 2], [fault]))
    looks = watcher.aside([(day, seen) for day, seen, _ in days])
    tally.faults[fault.kind] += 1
    for (day, _, kinds), (judged, found) in list(zip(days, looks, strict=True))[1:]:
        what = f"{fault.kind} {fault.share:.0%} for {fault.days} days from {fault.first}, {day}"
        if not kinds:
            _count_honest(tally, judged, found, f"after {what}")
            continue
        tally.faulty[fault.kind] += 1
        tally.shares[fault.kind, fault.share, judged.verdict != "complete"] += 1
        if judged.verdict == "complete":
            tally.missed.append(f"{what}: {judged.reason} {judged.measured}")
        else:
            tally.found[fault.kind] += 1
        _count_names(tally, found, fault.kind)


def _count_honest(tally: Tally, judged: verdict.Judgement, found: Sequence[str], what: str) -> None:
    tally.clean += 1
    if judged.verdict != "complete":
        tally.false.append(f"{what}: {judged.reason}")
        _count_names(tally, found, None)


def _count_names(tally: Tally, found: Sequence[str], present: Kind | None) -> None:
    """A name that fits what is there counts for that; another for the kind it stands for first."""
    for name in found:
        if present is not None and name in NAMES[present]:
            said: Kind = present
            tally.rightly[said] += 1
        else:
            said = "repeat" if name == "repeat" else next(kind for kind, names in NAMES.items() if name in names)
        tally.named[said] += 1


def table(tallies: Sequence[tuple[str, Tally]]) -> Iterator[str]:
    """Precision and recall, line by line."""
    yield "| counters | fault | faults | faulty looks | found | recall | precision |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for name, tally in tallies:
        for kind in tally.faults:
            figures = f"{tally.faults[kind]} | {tally.faulty[kind]} | {tally.found[kind]}"
            yield f"| {name} | {kind} | {figures} | {tally.recall(kind):.3f} | {tally.precision(kind):.3f} |"
        yield f"| {name} | none: {tally.clean} honest looks | | | {len(tally.false)} false verdicts | | |"


def limits(tally: Tally) -> Iterator[str]:
    """How small a fault may be and still be found, line by line."""
    yield "| fault | share of the models: looks found |"
    yield "|---|---|"
    for kind in tally.faults:
        found = {
            share: (tally.shares[kind, share, True], tally.shares[kind, share, False])
            for share in sorted({share for of, share, _ in tally.shares if of == kind})
        }
        yield f"| {kind} | {', '.join(f'{share:.1%}: {yes} of {yes + no}' for share, (yes, no) in found.items())} |"


def main(faults: int = 240) -> None:
    """Write the tables into the document; what was missed and falsely held goes to stderr."""
    every: tuple[Kind, ...] = ("freeze", "rollback", "missing", "half_dip", "repeat")
    runs: dict[str, tuple[Sequence[str], tuple[Kind, ...]]] = {
        "both": (EVERYTHING, every),
        "30 days only": (EVERYTHING[:1], ("freeze", "missing", "half_dip", "repeat")),
        "all-time only": (EVERYTHING[1:], ("freeze", "rollback", "missing", "repeat")),
    }
    tallies = [
        (name, measure(Population(seed, models=5_000), kinds, faults, counters))
        for seed, (name, (counters, kinds)) in enumerate(runs.items(), start=1)
    ]
    small = measure(Population(7, models=5_000, days=120), every[:4], faults // 2, shares=SMALL_SHARES)
    document = Path("docs/data-quality.md")
    text = document.read_text("utf-8")
    for name, lines in (("measured", table(tallies)), ("limits", limits(small))):
        head, _, rest = text.partition(f"<!-- {name} -->\n")
        text = f"{head}<!-- {name} -->\n{chr(10).join(lines)}\n<!-- end -->{rest.partition('<!-- end -->')[2]}"
    document.write_text(text, "utf-8")
    for name, tally in tallies:
        for line in (*tally.missed, *tally.false):
            print(name, line, file=sys.stderr)  # noqa: T201 a script's output


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
