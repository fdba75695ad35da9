"""Collect: one look at the Hub, kept as one snapshot in one transaction.

    jobs.hub.walk --listings--> verdict --> snapshot, observations, descriptions --> standings, flips

Until the walk has ended nothing is written, so an interruption anywhere leaves no half snapshot.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar

import polars as pl

from jobs import hub, keeping
from jobs import rank as ranking
from warehouse import adopt, history, store, verdict
from warehouse.boards import Board
from warehouse.db import Database
from warehouse.records import Listing, Snapshot, Walk
from warehouse.registry import Registry

SOURCE = "hub"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a collection brought."""

    snapshot: Snapshot
    ranked: ranking.Summary


def run(
    db: Database,
    settings: hub.HubSettings,
    registry: Registry,
    boards: Sequence[Board],
    *,
    token: str | None,
    now: datetime,
    clock: Callable[[], float],
    day: date | None = None,
    progress: Callable[[Listing], None] | None = None,
    stop: threading.Event | None = None,
) -> Summary:
    """Take one snapshot of every publisher in the registry.

    Args:
        db: the warehouse.
        settings: which Hub, and how politely.
        registry: whose models.
        boards: what to rank afterwards.
        token: of the Hub; None is fine for public counts.
        now: when the look begins, aware.
        clock: seconds from any fixed point, for how long it took.
        day: the day that the source shows, where that is not today's.
        progress: called with each publisher's listing as it comes.
        stop: set from another thread to end at once, without a snapshot.
    """
    began = clock()
    frames: dict[str, pl.DataFrame] = {}

    def take(listing: Listing) -> None:
        """Turn a listing into a frame while others are on their way."""
        frames[listing.publisher] = store.model_frame(listing.models)
        if progress:
            progress(listing)

    walk = hub.walk(settings, registry.publishers, token=token, progress=take, stop=stop)
    models = _models(walk, frames)
    took, now = clock() - began, now.astimezone(UTC)
    return _keep(
        db, registry, boards, walk, models, endpoint=settings.endpoint, seconds=took, now=now, day=day or now.date()
    )


def _keep(
    db: Database,
    registry: Registry,
    boards: Sequence[Board],
    walk: Walk,
    models: pl.DataFrame,
    *,
    endpoint: str,
    seconds: float,
    now: datetime,
    day: date,
) -> Summary:
    """Write what was seen, judge it, rank it: all or nothing."""
    look = keeping.Look(SOURCE, now, day, endpoint, walk.requests, seconds)
    with db.transaction():
        adopted = adopt.adopt(db, models)

        def judge(reader: Database) -> verdict.Judgement:
            before = history.before(reader, SOURCE, models, taken_at=now, day=day, listings=walk.listings)
            return verdict.of_walk(walk, before)

        with _beside(db, judge, at_once=not adopted) as judged:
            snapshot = keeping.write(db, look, models, models.height, judged, adopt.in_words(adopted), walk.listings)
        return Summary(snapshot, ranking.run(db, boards, registry, seen=models.height > 0))


@contextmanager
def _beside(db: Database, ask: Callable[[Database], T], *, at_once: bool) -> Iterator[Callable[[], T]]:
    """What `ask` finds out, asked on another processor while the block runs, of what was committed before it.

    Not `at_once`: of what is written by then, when somebody asks for it.
    """
    if not at_once:
        yield lambda: ask(db)
        return
    with db.cursor() as reader, ThreadPoolExecutor(1, "beside") as thread:
        yield thread.submit(ask, reader).result


def _models(walk: Walk, frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Every model once: one that moved between two publishers' listings may be in both."""
    found = (
        frames[listing.publisher] if listing.publisher in frames else store.model_frame(listing.models)
        for listing in walk.listings
    )
    # In one piece: from forty of them DuckDB reads half as quickly, each time that it is asked.
    models = pl.concat([store.model_frame([]), *found], rechunk=True)
    once = models["hub_id"].n_unique() == models.height
    return models if once else models.unique("hub_id", keep="last", maintain_order=True)
