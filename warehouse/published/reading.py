"""Questions to the published file, one method a query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from warehouse.db import Database, Records
from warehouse.forecasts import forecast
from warehouse.forecasts.forecast import Outlook
from warehouse.queries import sql

Rows = list[dict[str, Any]]

WRONG_CLOCK = timedelta(hours=2)
"""A snapshot that is further ahead than this was dated by a clock that was wrong, or is."""


class Reading:
    """What people ask of the published file."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def standing(self, board: str, *, at: date | None = None, top: int = 1_000_000_000) -> Records:
        """A board on the last day up to `at`: rank, entity, value, share, previous_rank, day, snapshot_id."""
        return self.db.records(sql("board_on_day"), {"board": board, "at": at or date.max, "top": top})

    def days(self, board: str) -> list[date]:
        """The days of a board, newest first."""
        return [day for (day,) in self.db.rows(sql("board_days"), {"board": board})]

    def ranked_on(self, board: str) -> date | None:
        """The last day a board was ranked for, also when nothing could stand on it; None when it never was."""
        found: date | None = self.db.value(sql("board_ranked_on"), {"board": board})
        return found

    def first(self, board: str, *, at: date | None = None) -> list[str]:
        """Who leads a board on its last day up to `at`; several where nobody was first before the others."""
        return [entity for (entity,) in self.db.rows(sql("board_first"), {"board": board, "at": at or date.max})]

    def trend(self, board: str, entities: Sequence[str], *, at: date | None = None) -> dict[str, list[float]]:
        """Entity -> its values on the board's days up to `at`, oldest first."""
        keys = {"board": board, "entities": list(entities), "at": at or date.max}
        return dict(self.db.rows(sql("board_trend"), keys))

    def values(self, board: str, entities: Sequence[str]) -> list[tuple[date, str, float]]:
        """(day, entity, value) of some entities of a board, oldest first."""
        return [
            (day, entity, value)
            for day, entity, value in self.db.rows(sql("board_values"), {"board": board, "entities": list(entities)})
        ]

    def history(
        self, board: str, *, at: date | None = None, top: int = 10, ever: bool = False
    ) -> list[tuple[date, dict[str, float]]]:
        """The days of a board up to `at`, oldest first, with the values of who is among the first on the last of them.

        `ever`: of everybody who was on one of them.
        """
        last = self.db.value(sql("board_last_day"), {"board": board, "at": at or date.max})
        keys = {"board": board, "at": last, "top": top, "first": date.min if ever else last}
        days: dict[date, dict[str, float]] = {}
        for day, entity, value in self.db.rows(sql("board_history"), keys):
            days.setdefault(day, {})[entity] = value
        return list(days.items())

    def outlooks(self, board: str, *, at: date | None = None, top: int = 10) -> list[Outlook]:
        """What may come on a board, seen from its last day up to `at`, of each two of the first; the likeliest first.

        None of single models: see `warehouse.forecasts.forecast.RANKED`.
        """
        totals = self._has_totals(board)
        return [] if totals is None else forecast.outlooks(self.history(board, at=at, top=top), totals=totals, top=top)

    def outlook(self, board: str, ahead: str, behind: str, *, at: date) -> Outlook | None:
        """What may come of two, seen from a day on which the one is ahead; None where that is not known."""
        totals = self._has_totals(board)
        if totals is None:
            return None
        days: dict[date, dict[str, float]] = {}
        for day, entity, value in self.values(board, [ahead, behind]):
            if day <= at:
                days.setdefault(day, {})[entity] = value
        last = days.get(at, {})
        if not last.keys() >= {ahead, behind} or last[ahead] <= last[behind]:
            return None
        return forecast.outlook(list(days.items()), ahead, behind, totals=totals)

    def _has_totals(self, board: str) -> bool | None:
        """Whether a board's values accumulate; None where nothing is forecast on it."""
        for entity, measure in self.db.rows(sql("board_kind"), {"board": board}):
            if entity in forecast.RANKED:
                return measure in forecast.ACCUMULATE
        return None

    def definitions(self) -> dict[str, str]:
        """Board -> its meaning as one English sentence."""
        return dict(self.db.rows(sql("board_definitions")))

    def kinds(self) -> dict[str, str]:
        """Board -> what it ranks."""
        return dict(self.db.rows(sql("board_entities")))

    def flips(self, *, board: str | None = None, since: date | None = None) -> Records:
        """Lead changes and overtakes found, oldest first."""
        return self.db.records(sql("found_flips"), {"board": board, "since": since or date.min})

    def alerts(self) -> Records:
        """What the rules said, oldest first."""
        return self.db.records(sql("found_alerts"))

    def deliveries(self) -> Records:
        """What was sent, what failed and why."""
        return self.db.records(sql("found_deliveries"))

    def snapshots(self, *, source: str | None = None) -> Rows:
        """Every look at a source, oldest first."""
        return self.db.records(sql("found_snapshots"), {"source": source})

    def own_looks(self) -> list[tuple[int, str, datetime, str, str | None]]:
        """Our own looks at the Hub, newest first: snapshot_id, source, taken_at, verdict, and why if not complete."""
        return self.db.rows(sql("own_looks"))

    def oldest_open_delivery(self) -> datetime | None:
        """Since when the oldest delivery that is not settled waits."""
        found: datetime | None = self.db.value(sql("oldest_open_delivery"))
        return found
