"""Census: one look at everything on the Hub, kept as one snapshot a day.

    hub-stats, where its newest table is fresh --by range--> file --identity--> verdict --> snapshot, lineage, standings
    else the Hub's own listing, by creation --page after page--> census_rows, with the next page's address --^

A table is read in minutes. The listing takes an hour at half the quota of an anonymous reader; an interruption loses no
page of it: the next go begins with the page that comes next, as long as it is the same day's.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from jobs import everything, hub, keeping
from jobs.collect import Summary, kept_and_ranked
from jobs.history import datasets, sources
from jobs.history.backfill_plan import folder
from jobs.history.columns import COUNTERS
from jobs.history.fetching import Fetched, Fetcher
from jobs.history.sources import Part
from jobs.hub_base import HubError
from jobs.waiting import StoppedError
from warehouse.amounts import amount
from warehouse.db import Database
from warehouse.ranking.boards import Board
from warehouse.records import HubModel, Snapshot
from warehouse.registry import Registry
from warehouse.snapshots import adopt, history, staging, store, verdict
from warehouse.snapshots.census import Census, Progress

SOURCE = "census"

FRESH = timedelta(hours=36)
"""A table of everything that was written longer ago is another day's."""

STALE = timedelta(hours=20)
"""A listing that was begun longer ago is begun anew: what it read first is another day's."""

PAGES_AT_ONCE = 10
"""Pages that are kept in one transaction."""


_WATCH_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Reader:
    """Where a census is read from."""

    settings: hub.HubSettings
    token: str | None
    clock: Callable[[], float]
    stop: threading.Event | None = None
    pause: float | None = None
    """Seconds after which the listing is interrupted, to go on another time; None: never."""


def run(db: Database, reader: Reader, registry: Registry, boards: Sequence[Board], *, now: datetime) -> Summary | None:
    """Read everything that is not read yet, and keep what it shows as one snapshot; None when today's is here.

    Raises:
        HubError: a page could not be read, or `stop` was set; what was read before is kept for the next go.
    """
    now, census = now.astimezone(UTC), Census(db)
    if census.has(now.date()):
        return None
    progress = _under_way(census, reader.settings.endpoint, now)
    if progress is None:
        part = _fresh_table(census, reader, now)
        if part and (summary := _from_table(db, reader, part, registry, boards)):
            return summary
        with db.transaction():
            census.forget()
        progress = Progress(now, reader.settings.endpoint)
    if not progress.read_to_its_end:
        progress = _read(census, reader, progress)
    return _keep(db, progress, registry, boards)


def _fresh_table(census: Census, reader: Reader, now: datetime) -> Part | None:
    """The newest table of everything; None where it is too old, was looked at before, or cannot be found out."""
    try:
        parts = sources.newest(sources.find("hub-stats"), reader.settings, reader.token)
    except HubError:
        return None
    part = max(parts, key=lambda each: each.days, default=None)
    if part is None or census.looked_at(part.days[0]):
        return None
    return part if timedelta(0) <= now - part.moment(part.days[0]) <= FRESH else None


def _from_table(
    db: Database, reader: Reader, part: Part, registry: Registry, boards: Sequence[Board]
) -> Summary | None:
    """Keep what a table shows; None where it cannot be read, or is not what it should be."""
    with datasets.reader(reader.settings, reader.token) as files, _stopping(reader.stop, files.stop):
        fetcher = Fetcher(files, sources.HUB_TABLE, None, lambda _, days: list(days), folder(db), reader.clock)
        try:
            with closing(fetcher.each([part])) as every, next(every) as got:
                usable = got.problem is None and got.unread is None and _counts_all(got)
                return _kept_table(db, got, registry, boards) if usable else None
        except StoppedError:
            raise hub.WalkCancelled("the census was told to stop") from None


def _counts_all(got: Fetched) -> bool:
    """Whether a table has all the counts that the listing has; those of a day cannot be had later."""
    return all(set(COUNTERS) <= set(table.columns) for table in got.tables)


def _kept_table(db: Database, got: Fetched, registry: Registry, boards: Sequence[Board]) -> Summary | None:
    day = got.days[0]
    look = keeping.Look(SOURCE, got.part.moment(day), day, got.part.revision, got.tally.requests, got.seconds)
    with staging.room(db) as room:
        staged = keeping.stage(db, got.tables, room)
        if staged.problem:
            return None

        def keep() -> Snapshot:
            return _with_who_is_gone(db, keeping.keep(db, look, staged, room))

        return kept_and_ranked(db, keep, registry, boards)


@contextmanager
def _stopping(
    stop: threading.Event | None, also: threading.Event, after: float | None = None
) -> Iterator[threading.Event]:
    """Within the block, `also` is set when `stop` is, and after so many seconds."""
    asked, done = stop or threading.Event(), threading.Event()

    def watch() -> None:
        left = after or math.inf
        while not done.wait(_WATCH_SECONDS):
            left -= _WATCH_SECONDS
            if asked.is_set() or left <= 0:
                also.set()

    watching = threading.Thread(target=watch, name="census-stop", daemon=True)
    watching.start()
    try:
        yield also
    finally:
        done.set()
        watching.join()


def _keep(db: Database, progress: Progress, registry: Registry, boards: Sequence[Board]) -> Summary:
    """Write what the listing showed, judge it, rank it: all or nothing."""
    now, day, census = progress.began_at, progress.began_at.date(), Census(db)

    def keep() -> Snapshot:
        models, count = census.models()
        adopted = adopt.adopt(db, models)
        judged = _judged(count, progress, history.before(db, SOURCE, models, taken_at=now, day=day))
        look = keeping.Look(SOURCE, now, day, progress.endpoint, progress.requests, progress.seconds)
        snapshot = keeping.write(db, look, models, count, lambda: judged, adopt.in_words(adopted))
        census.forget()
        return _with_who_is_gone(db, snapshot)

    return kept_and_ranked(db, keep, registry, boards)


def _with_who_is_gone(db: Database, snapshot: Snapshot) -> Snapshot:
    """A census as it was written, once it is noted who is gone by it."""
    if snapshot.verdict == "complete":
        Census(db).note_gone(snapshot.day)
    return snapshot


def _judged(models: int, progress: Progress, before: verdict.Before) -> verdict.Judgement:
    """Judge what was read; a census with many rows that cannot be believed is not complete."""
    if progress.rejected > verdict.REJECTED_SHARE * (models + progress.rejected):
        return verdict.Judgement(
            "partial", f"{amount(progress.rejected, 'row')} could not be believed", {"models": models}
        )
    return verdict.of_table(models, before)


def _under_way(census: Census, endpoint: str, now: datetime) -> Progress | None:
    """How far the listing has come; None when it is not begun, or is another day's or Hub's."""
    progress = census.progress()
    ours = progress is not None and progress.endpoint == endpoint and now - progress.began_at < STALE
    return progress if ours else None


def _read(census: Census, reader: Reader, progress: Progress) -> Progress:
    """Read what is left, keeping some pages at a time, and those of an interrupted go too."""
    kept, waiting, began = progress, list[everything.Page](), reader.clock()

    def flush() -> None:
        nonlocal kept
        if not waiting:
            return
        models: list[HubModel] = [model for page in waiting for model in page.models]
        kept = replace(
            progress,
            next_page=waiting[-1].next_page,
            pages=kept.pages + len(waiting),
            rejected=kept.rejected + sum(page.rejected for page in waiting),
            requests=progress.requests + waiting[-1].requests,
            seconds=progress.seconds + reader.clock() - began,
        )
        waiting.clear()
        census.add(store.model_frame(models), kept)

    def take(page: everything.Page) -> None:
        waiting.append(page)
        if len(waiting) == PAGES_AT_ONCE:
            flush()

    with _stopping(reader.stop, threading.Event(), reader.pause) as stop:
        try:
            everything.read_pages(reader.settings, progress.next_page, take, token=reader.token, stop=stop)
        finally:
            flush()
    return kept
