"""A race as a published series: the quickest way from values by day to alerts, through the warehouse and detection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import polars as pl
from spine import Inbox, day, moment, warehouse

from alerts.message import compose, summary
from alerts.rules import Rule
from jobs import backfill, deliver, detect
from warehouse.ranking.boards import Board
from warehouse.registry import Registry
from warehouse.snapshots import store

BOARD = Board(name="totals", entity="publisher", measure="series:totals")

LEAD = Rule(name="lead", board="totals", confirm=1, channels=("desk",))

NOBODY = Registry([])

Values = Mapping[str, float]
"""Who had how much on a day."""


class Race:
    """A warehouse, and the rules that watch it. Days are numbers, day 0 is the first."""

    def __init__(
        self, *rules: Rule, path: Path | None = None, boards: Sequence[Board] = (BOARD,), breaker: int = 20
    ) -> None:
        self.rules = rules or (LEAD,)
        self.boards = boards
        self.breaker = breaker
        self.path = path
        self.desk = Inbox()
        self.db = warehouse(self.path)

    def reopen(self) -> None:
        """End the process, as far as the warehouse can tell, and begin another."""
        self.db.close()
        self.db = warehouse(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()

    def arrive(self, number: int, **values: float) -> None:
        """What everybody had on a day arrives; again, if it was known before."""
        self.arrive_all([(number, name, value) for name, value in values.items()])

    def arrive_all(self, rows: Iterable[tuple[int, str, float]], *, ranked: bool = True) -> None:
        """Values of any days arrive at once, as (day, who, how much); to be ranked now, or by whoever judges them."""
        found = [(day(number), name, float(value)) for number, name, value in rows]
        schema = {"day": pl.Date, "entity": pl.String, "value": pl.Float64}
        frame = pl.DataFrame(found, schema=schema, orient="row")
        if ranked:
            backfill.run_series(self.db, "totals", frame, boards=self.boards, registry=NOBODY, revision="test")
            return
        with self.db.transaction():
            store.write_series(self.db, "totals", frame, revision="test")

    def judge(self, number: int) -> detect.Summary:
        """Detect, late in the morning of a day."""
        now = moment(number, 11)
        return detect.run(self.db, self.boards, self.rules, NOBODY, now=now, breaker=self.breaker)

    def on(self, number: int, **values: float) -> detect.Summary:
        """Values arrive, are judged, and what is due is told at noon to the desk."""
        self.arrive(number, **values)
        summary = self.judge(number)
        self.tell(number)
        return summary

    def tell(self, number: int, *more: Inbox, hour: int = 12, patient: bool = False) -> deliver.Summary:
        """Deliver what is due, at noon of a day."""
        at = moment(number, hour)
        return deliver.run(
            self.db,
            {channel.name: channel for channel in (self.desk, *more)},
            deliver.Wording(
                lambda alert, also: compose(alert, also=also, now=at), lambda alerts: summary(alerts, now=at)
            ),
            now=lambda: at,
            sleep=lambda _: None,
            patient=patient,
        )

    def alerts(self, columns: str = "kind, entity, rival, state, day, confirmed_day") -> list[tuple[Any, ...]]:
        """Every alert, in the order of the days they tell of."""
        return self.db.rows(f"SELECT {columns} FROM alerts ORDER BY coalesce(confirmed_day, day), kind, entity, rival")


def play(days: Iterable[tuple[int, Values]], *rules: Rule) -> list[tuple[Any, ...]]:
    """The alerts of a history that is judged in one go."""
    with Race(*rules) as race:
        race.arrive_all((number, name, value) for number, values in days for name, value in values.items())
        race.judge(400)
        return race.alerts()
