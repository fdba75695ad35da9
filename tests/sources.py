"""A source of model lists for the tests of the verdict: looks at it are judged and kept, without ranking anything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from spine import head, model, warehouse

from warehouse.db import Database
from warehouse.records import HubModel, Listing, Walk
from warehouse.snapshots import history, store, verdict
from warehouse.snapshots.verdict import Judgement

FIRST = date(2026, 3, 2)
"""A Monday."""


class Source:
    """Lists of models, held against what the earlier ones showed."""

    def __init__(self, db: Database | None = None) -> None:
        self.db = db or warehouse()

    def look(self, number: float, walk: Walk | Sequence[HubModel]) -> Judgement:
        """One look, so many days after the first; a bare list comes from publishers whose own count agrees."""
        now = datetime.combine(FIRST, time(10), UTC) + timedelta(days=number)
        return self.look_at(now, walk if isinstance(walk, Walk) else whole(walk))

    def look_at(self, now: datetime, walk: Walk, day: date | None = None) -> Judgement:
        """One look at a moment, at a source that may say which day it shows."""
        day = day or now.date()
        models = store.model_frame([one for listing in walk.listings for one in listing.models])
        before = history.before(self.db, "hub", models, taken_at=now, day=day, listings=walk.listings)
        judged = verdict.of_walk(walk, before)
        snapshot = replace(
            head(store.next_snapshot_id(self.db, now), models=models.height),
            taken_at=now, day=day, verdict=judged.verdict, verdict_reason=judged.reason,
        )  # fmt: skip
        store.write_snapshot(self.db, snapshot, models, listings=walk.listings, measured=judged.measured)
        return judged

    def findings(self) -> list[str]:
        """What the last look was found to show, accepted or not."""
        measured = self.db.value("SELECT arg_max(measured, snapshot_id) FROM snapshots")
        return list(json.loads(measured).get("findings", ()))


def whole(models: Iterable[HubModel], num_models: Mapping[str, int | None] | None = None) -> Walk:
    """These models by publisher, as `jobs.hub` lists them; `num_models` is the Hub's own count, where it is another."""
    by_publisher: dict[str, list[HubModel]] = {publisher: [] for publisher in num_models or ()}
    for one in models:
        by_publisher.setdefault(one.publisher, []).append(one)
    return Walk(tuple(_listing(name, of, num_models or {}) for name, of in by_publisher.items()), requests=1)


def _listing(publisher: str, models: Sequence[HubModel], num_models: Mapping[str, int | None]) -> Listing:
    stated = num_models.get(publisher, len(models))
    short = stated is not None and stated != len(models)
    return Listing(publisher, tuple(models), stated, (), f"listed {len(models)} of {stated}" if short else None)


def counted(
    day: int, models: int = 60, *, publishers: int = 6, window: bool = True, total: bool = True
) -> list[HubModel]:
    """Models that all gain 100 downloads a day and more: both counters of an honest day. The last are the newest."""
    return [
        model(
            f"lab-{number % publishers}/m{number}",
            4_000 + 40 * number + 3 * day if window else None,
            downloads_all_time=50_000 + 700 * number + (100 + number) * day if total else None,
            created_at=datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=number),
        )
        for number in range(models)
    ]


def changed(models: Iterable[HubModel], numbers: Iterable[int], **factors: float) -> list[HubModel]:
    """The models with some of their counts multiplied, at these places of the list."""
    chosen = set(numbers)
    return [
        one._replace(**{name: round(getattr(one, name) * factor) for name, factor in factors.items()})
        if number in chosen
        else one
        for number, one in enumerate(models)
    ]


def standing_still(day: int, numbers: Iterable[int], models: int = 60, **more: bool) -> list[HubModel]:
    """A day on which the models at these places show the counts of the day before."""
    chosen = set(numbers)
    pairs = zip(counted(day - 1, models, **more), counted(day, models, **more), strict=True)  # type: ignore[arg-type]
    return [old if number in chosen else new for number, (old, new) in enumerate(pairs)]
