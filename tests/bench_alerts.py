"""What judging costs: 200 rules on 60 boards for a day, and a backtest over three years.

python -m tests.bench_alerts
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random

import polars as pl

from alerts import engine
from alerts.rules import Rule
from jobs import backtest, detect, rank
from tests.bench import Figure, Report
from warehouse.db import Database
from warehouse.migrate import migrate
from warehouse.ranking.boards import Board
from warehouse.records import Standing
from warehouse.registry import Registry
from warehouse.snapshots import store

BOARDS, RULES, ENTITIES, DAYS = 60, 200, 50, 3 * 365
START = date(2024, 1, 1)
NOBODY = Registry([])


def rules(boards: int, count: int) -> list[Rule]:
    """So many rules of every kind that watches a board, dealt over the boards."""
    kinds: list[dict[str, object]] = [
        {"when": "lead_change"},
        {"when": "overtake"},
        {"when": "overtake", "between": ("e00", "e01")},
        {"when": "approaches", "within": 0.1},
        {"when": "enters_top", "top": 5},
        {"when": "leaves_top", "top": 5},
        {"when": "milestone", "at": (1000.0, 2000.0)},
    ]
    return [
        Rule.model_validate(
            {"name": f"rule-{number}", "board": f"board-{number % boards}", "channels": ("desk",)}
            | kinds[number % len(kinds)]
        )
        for number in range(count)
    ]


def standings(board: str, days: int, seed: int) -> list[Standing]:
    """A board on which everybody drifts, so that places change hands now and then."""
    random = Random(seed)
    values = {f"e{number:02}": 1000.0 * (ENTITIES - number) for number in range(ENTITIES)}
    found = []
    for number in range(days):
        values = {name: max(1.0, value * random.uniform(0.985, 1.016)) for name, value in values.items()}
        found.append(Standing(board, START + timedelta(days=number), number, values))
    return found


def engine_alone() -> float:
    """Seconds in which the engine judges one day of all boards, knowing a week."""
    watching = rules(BOARDS, RULES)
    weeks = [standings(f"board-{number}", 8, number) for number in range(BOARDS)]
    state: engine.State = {}
    for day in range(7):
        for week in weeks:
            state, _ = engine.step(state, week[day], watching)
    began = time.perf_counter()
    for week in weeks:
        state, _ = engine.step(state, week[7], watching)
    return time.perf_counter() - began


def whole_detection() -> tuple[float, float]:
    """Seconds that `jobs.detect` takes for one more day that `collect` has ranked, and when nothing is new."""
    boards = [Board(name=f"board-{n}", entity="publisher", measure=f"series:s{n}") for n in range(BOARDS)]
    watching = rules(BOARDS, RULES)
    weeks = [standings(board.name, 8, number) for number, board in enumerate(boards)]
    with Database.in_memory() as db:
        migrate(db, now=datetime(2024, 1, 1, tzinfo=UTC))
        _import(db, boards, weeks, range(7))
        detect.run(db, boards, watching, NOBODY, now=datetime(2024, 1, 7, 12, tzinfo=UTC))
        _import(db, boards, weeks, range(7, 8))
        with db.transaction():
            rank.run(db, boards, NOBODY)
        seconds = []
        for hour, days in ((12, 1), (13, 0)):
            began = time.perf_counter()
            found = detect.run(db, boards, watching, NOBODY, now=datetime(2024, 1, 8, hour, tzinfo=UTC))
            seconds.append(time.perf_counter() - began)
            assert found.days == days
        return seconds[0], seconds[1]


def _import(db: Database, boards: Sequence[Board], weeks: Sequence[Sequence[Standing]], days: range) -> None:
    """Write the days of all series, unranked: the detection ranks."""
    schema = {"day": pl.Date, "entity": pl.String, "value": pl.Float64}
    with db.transaction():
        for board, week in zip(boards, weeks, strict=True):
            rows = [(week[day].day, name, value) for day in days for name, value in week[day].values.items()]
            name = board.measure.removeprefix("series:")
            store.write_series(db, name, pl.DataFrame(rows, schema=schema, orient="row"), revision="bench")


def three_years() -> float:
    """Seconds of a backtest of twelve rules over three years of daily standings."""
    days = standings("board-0", DAYS, 1)
    kinds: list[dict[str, object]] = [
        *({"confirm": confirm} for confirm in (1, 2, 3, 7)),
        *({"when": "overtake", "between": ("e00", f"e0{other}")} for other in (1, 2, 3)),
        {"when": "overtake"},
        {"when": "approaches", "within": 0.1},
        {"when": "enters_top", "top": 5},
        {"when": "leaves_top", "top": 5},
        {"when": "milestone", "at": (1000.0, 2000.0)},
    ]
    watching = [Rule.model_validate({"name": f"r{n}", "board": "board-0"} | kind) for n, kind in enumerate(kinds)]
    began = time.perf_counter()
    backtest.run(days, watching)
    return time.perf_counter() - began


def judging(runs: int = 5) -> Report:
    """200 rules on 60 boards for one day."""
    engines = [1000 * engine_alone() for _ in range(runs)]
    detections = [whole_detection() for _ in range(runs)]
    return Report(
        "Judging a day",
        f"{RULES} rules of every kind that watches a board, on {BOARDS} boards of {ENTITIES} entities judge one more "
        "day: the engine alone, and all of `detect` in one transaction: it makes sure that the boards are ranked, "
        "reads states and standings, and writes states, alerts (about a hundred, most of them pending) and outbox.",
        [
            Figure("engine alone", engines, "ms", 200),
            Figure("detect", [1000 * busy for busy, _ in detections], "ms", 200),
            Figure("detect when nothing is new", [1000 * idle for _, idle in detections], "ms"),
        ],
    )


def backtesting(runs: int = 5) -> Report:
    """Twelve rules over three years."""
    return Report(
        "A backtest of three years",
        "A backtest of 12 rules (four of the lead, three pairs, all pairs, who comes near, into and out of the top, "
        f"a milestone) over {DAYS} daily standings of {ENTITIES} entities.",
        [Figure("backtest", [1000 * three_years() for _ in range(runs)], "ms", 1000)],
    )


BENCHMARKS = {"judging": judging, "backtesting": backtesting}
"""For tests.bench to take in."""


def main() -> None:
    for measure in BENCHMARKS.values():
        report = measure()
        for figure in report.figures:
            line = {"what": figure.what, "value": round(figure.value, 3), "unit": figure.unit, "target": figure.target}
            sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
