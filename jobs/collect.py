"""Collect: one look at the Hub, kept as one snapshot in one transaction.

    jobs.hub.walk --listings--> verdict --> snapshot, observations, descriptions --> standings, flips

Until the walk has ended nothing is written, so an interruption anywhere leaves no half snapshot.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from itertools import groupby
from typing import Any

import polars as pl

from jobs import hub, keeping
from jobs import rank as ranking
from warehouse.db import Database
from warehouse.errors import QueryRefusedError
from warehouse.queries import sql
from warehouse.ranking.boards import Board
from warehouse.records import Listing, Snapshot, Walk
from warehouse.registry import Registry
from warehouse.snapshots import adopt, history, store, verdict

SOURCE = "hub"

SMALL = 100_000
"""Models up to which a look is kept without sharing the work out among processors."""

LONG = 200
"""Models from which on a listing is a frame of its own; shorter ones become one together, for each takes 0.5 ms."""

Ask = Callable[[Callable[[Database], Any]], Callable[[], Any]]
"""Takes a question of the warehouse, and gives what waits for its answer."""


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

    Raises:
        QueryRefusedError: a board's condition cannot be reckoned of a model; the look is kept, and nothing ranked.
    """
    began = clock()
    frames: dict[str, pl.DataFrame] = {}

    def take(listing: Listing) -> None:
        """Turn a long listing into a frame while others are on their way."""
        if len(listing.models) >= LONG:
            frames[listing.publisher] = store.model_frame(listing.models)
        if progress:
            progress(listing)

    day = day or now.astimezone(UTC).date()
    with _beside(db) as beside:
        known = beside(lambda reader: int(reader.value(sql("count_models"))))
        past = beside(lambda reader: history.past(reader, SOURCE, taken_at=now, day=day))
        known_of = partial(_models_to_follow, beside)
        walk = hub.walk(settings, registry.publishers, token=token, progress=take, known=known_of, stop=stop)
        models = _models(walk, frames)

        def judge(reader: Database) -> verdict.Judgement:
            before = history.before(reader, SOURCE, models, taken_at=now, day=day, listings=walk.listings, known=past())
            return verdict.of_walk(walk, before)

        took = clock() - began
        look = keeping.Look(SOURCE, now.astimezone(UTC), day, settings.endpoint, walk.requests, took)

        def keep() -> Snapshot:
            judged = beside(judge)
            adopted = adopt.adopt(db, models)
            if adopted:  # what is known by name was only now joined to what the look shows, which is not committed
                judged = partial(judge, db)
            return keeping.write(db, look, models, models.height, judged, adopt.in_words(adopted), walk.listings)

        with _few_at_once(db, known() + models.height):
            return kept_and_ranked(db, keep, registry, boards)


def kept_and_ranked(db: Database, keep: Callable[[], Snapshot], registry: Registry, boards: Sequence[Board]) -> Summary:
    """Keep a look and rank by it, all or nothing; but for a condition that a new model is too much for.

    That can be mended later, and the look not be repeated: it is kept alone.

    Args:
        db: the warehouse.
        keep: writes the look, inside the transaction; once more where it is kept alone.
        registry: whose models.
        boards: what to rank.

    Raises:
        QueryRefusedError: a board's condition cannot be reckoned of a model.
    """
    try:
        with db.transaction():
            snapshot = keep()
            return Summary(snapshot, ranking.run(db, boards, registry, seen=snapshot.models > 0))
    except QueryRefusedError:
        with db.transaction():
            keep()
            store.attribute(db, registry)
        raise


def _models_to_follow(beside: Ask, publisher: str) -> list[str]:
    """A few models of a publisher, for `hub.walk` to ask where it is by now."""
    names = beside(lambda reader: reader.rows(sql("models_to_follow"), {"publisher": publisher}))
    return [name for (name,) in names()]


def _few_at_once(db: Database, models: int) -> AbstractContextManager[None]:
    """Share no work out in a small warehouse: over its many small statements that takes a seventh of the time."""
    return db.alone() if models < SMALL else nullcontext()


@contextmanager
def _beside(db: Database) -> Iterator[Ask]:
    """A way to ask on another processor while the block runs, of what is committed by then."""
    with db.cursor() as reader, ThreadPoolExecutor(1, "beside") as thread:
        yield lambda question: thread.submit(question, reader).result


def _models(walk: Walk, frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Every model once: one that moved between two publishers' listings may be in both."""
    found = list[pl.DataFrame]()
    for alone, listings in groupby(walk.listings, lambda listing: listing.publisher in frames):
        if alone:
            found += [frames[listing.publisher] for listing in listings]
        else:
            found.append(store.model_frame([model for listing in listings for model in listing.models]))
    # In one piece: from forty of them DuckDB reads half as quickly, each time that it is asked.
    models = pl.concat(found or [store.model_frame([])], rechunk=True)
    once = models["hub_id"].n_unique() == models.height
    return models if once else models.unique("hub_id", keep="last", maintain_order=True)
