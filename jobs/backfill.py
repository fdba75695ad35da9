"""Backfill: somebody's published history into the warehouse, judged as live snapshots are.

    source --list--> files not here yet --two at a time, by range--> tables --day by day--> identity, verdict
                                               snapshot, in a transaction of its own --> and at the end: standings

An interruption loses the day that was being written; the next run goes on behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import polars as pl

from jobs import keeping, rank
from jobs.history import backfill_plan, datasets
from jobs.history.backfill_plan import Plan
from jobs.history.columns import COUNTERS
from jobs.history.fetching import Fetched, Fetcher
from jobs.history.local_copy import full_disk_is_ours, local_copy
from jobs.history.ranges import DamagedError, MissingError
from jobs.history.sources import ALL_TIME_SINCE, DESCRIBING
from jobs.history.tables import Table
from jobs.hub_base import HubError, HubSettings, UnreadableError
from warehouse.db import Database
from warehouse.queries import sql
from warehouse.ranking.boards import Board
from warehouse.records import Listing, Snapshot
from warehouse.registry import Registry
from warehouse.snapshots import compact, staging, store

PILE = 5_000_000
"""Counts that are written before those of earlier days are packed."""

_IN_A_ROW = 3
"""Files in a row that could not be read, after which the others are left for another time."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import of a series brought."""

    days: int
    """Days written; 0 when everything stood there already."""
    ranked: rank.Summary


@dataclass(slots=True)
class Report:
    """What a run found."""

    name: str
    """The source, as it stands on its snapshots."""
    written: list[Snapshot] = field(default_factory=list)
    packed: int = 0
    """Of these, those looked at for packing."""
    unread: list[str] = field(default_factory=list)
    """Files that could not be read this time, and why."""
    empty: list[str] = field(default_factory=list)
    """Files of several days in which there is none."""
    problem: str | None = None
    """Why the run ended before its end."""
    covered: list[date] = field(default_factory=list)
    """Days of the source that are here now, among those asked for."""
    incomplete: int = 0
    """Of these, days that have no snapshot which is complete."""
    gaps: list[tuple[date, date]] = field(default_factory=list)
    """First and last days of what is missing between them."""
    requests: int = 0
    bytes: int = 0
    needed: int = 0
    """Compressed bytes of the columns that were used."""
    seconds: float = 0.0
    flips: list[dict[str, Any]] = field(default_factory=list)
    """Lead changes and overtakes on the days covered."""

    @property
    def verdicts(self) -> dict[str, int]:
        """Verdict -> snapshots written."""
        return dict(Counter(snapshot.verdict for snapshot in self.written))

    def take(self, got: Fetched) -> None:
        """Count what fetching one file took."""
        self.requests += got.tally.requests
        self.bytes += got.tally.bytes
        self.needed += got.needed


def run_series(
    db: Database, name: str, values: pl.DataFrame, *, boards: Sequence[Board], registry: Registry, revision: str
) -> Summary:
    """Import a series of totals (columns day, entity, value), and rank the boards that read it; all or nothing."""
    with db.transaction():
        days = store.write_series(db, name, values, revision=revision)
        return Summary(days, rank.run(db, boards, registry))


def run(
    db: Database,
    plan: Plan,
    settings: HubSettings,
    registry: Registry,
    boards: Sequence[Board],
    *,
    token: str | None,
    clock: Callable[[], float],
    progress: Callable[[Snapshot], None] | None = None,
) -> Report:
    """Read what a plan names, a snapshot a day, and rank once at the end.

    Args:
        db: the warehouse.
        plan: from `backfill_plan`.
        settings: which Hub, and how politely.
        registry: whose models.
        boards: what to rank afterwards.
        token: of the Hub; None is fine for public datasets.
        clock: seconds from any fixed point, for how long it took.
        progress: called with each snapshot as it is written.

    Raises:
        WarehouseError: the disk is full, or the warehouse cannot be written; the days before are kept.
    """
    began, report = clock(), Report(plan.name)
    folder = backfill_plan.folder(db)
    with full_disk_is_ours(folder):
        with datasets.reader(settings, token) as reader:
            fetcher = Fetcher(reader, plan.layout, plan.publishers, plan.wanted, folder, clock)
            try:
                with closing(_imported(db, plan, fetcher, report)) as snapshots:
                    for snapshot in snapshots:
                        (progress or _nobody)(snapshot)
                        _pack(db, report)
            except HubError as error:
                report.problem = str(error)
        _conclude(db, plan, registry, boards, report)
    report.seconds = clock() - began
    return report


def _imported(db: Database, plan: Plan, fetcher: Fetcher, report: Report) -> Generator[Snapshot, None, None]:
    """Fetch and write one file after the other; every day as it is written."""
    described = cache(lambda: _descriptions(plan, fetcher, report))
    with closing(fetcher.each(plan.parts)) as every:
        for got in _until_it_is_down(every, report):
            yield from _taken(db, plan, got, described, report)


def _pack(db: Database, report: Report) -> None:
    """Pack what was written, now and then: the plain rows of whole days take ten times what they do in runs."""
    last = report.written[-1]
    piled = sum(snapshot.models for snapshot in report.written[report.packed :])
    if piled >= PILE:
        compact.close_days(db, last.day)
        compact.merge_spans(db, last.day)
        report.packed = len(report.written)


def _nobody(_: Snapshot) -> None:
    """Where nobody watches."""


def _until_it_is_down(every: Iterator[Fetched], report: Report) -> Iterator[Fetched]:
    """Files that could be read; HubError when several in a row could not."""
    failures = 0
    for got in every:
        with got:
            report.take(got)
            failures = failures + 1 if got.unread else 0
            if got.empty and not got.days:
                report.empty.append(got.part.revision)
            if got.unread:
                report.unread.append(f"{got.part.revision}: {got.unread}")
            else:
                yield got
            if failures == _IN_A_ROW:
                raise HubError(f"{_IN_A_ROW} files in a row could not be read: {got.unread}")


def _taken(
    db: Database, plan: Plan, got: Fetched, described: Callable[[], pl.DataFrame | None], report: Report
) -> Iterator[Snapshot]:
    """Write the days of one file, each as it is written."""
    if got.problem:
        for day in got.days or plan.wanted(got.part, got.part.days)[:1]:
            yield _kept(db, plan, got, day, (), lambda models: models, report)
        return
    for day in got.days:
        yield _kept(db, plan, got, day, got.tables, _mending(got, day, described()), report)


def _mending(got: Fetched, day: date, described: pl.DataFrame | None) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """What is to be done to the rows of a day: descriptions that are in another file, and a 0 that means not known."""

    def mended(models: pl.DataFrame) -> pl.DataFrame:
        models = _with_descriptions(models, described)
        if day < ALL_TIME_SINCE and got.part.address:
            models = models.with_columns(pl.col("downloads_all_time").replace(0, None))
        return models

    return mended


def _kept(
    db: Database,
    plan: Plan,
    got: Fetched,
    day: date,
    tables: Sequence[Table],
    mended: Callable[[pl.DataFrame], pl.DataFrame],
    report: Report,
) -> Snapshot:
    """Write one day: all or nothing."""
    look = keeping.Look(
        plan.name, got.part.moment(day), day, plan.revision(got.part), got.tally.requests, got.seconds
    )  # fmt: skip
    asked = None if plan.publishers is None else [Listing(name, (), None) for name in plan.publishers]
    with staging.room(db) as room:
        staged = keeping.stage(db, tables, room, publishers=plan.publishers, day=day, mended=mended)
        if got.problem:
            staged = replace(staged, problem=got.problem)
        with db.transaction():
            snapshot = keeping.keep(db, look, staged, room, asked)
            db.execute(sql("drop_unchanged_versions"), {"snapshot_id": snapshot.snapshot_id})
    report.written.append(snapshot)
    return snapshot


def _descriptions(plan: Plan, fetcher: Fetcher, report: Report) -> pl.DataFrame | None:
    """What a source says of its models in a file of their own; None where there is none. Raises HubError."""
    if not (plan.describing and plan.parts):
        return None
    with local_copy(fetcher.folder) as local:
        try:
            remote = datasets.open_table(fetcher.reader, plan.describing, DESCRIBING, local)
            groups = remote.table.row_groups(plan.publishers)
            remote.fetch(groups)
        except (MissingError, DamagedError) as error:
            report.unread.append(f"{plan.describing}: {error}: the models come without what it says of them")
            return None
        except UnreadableError as error:
            raise HubError(f"{plan.describing}: {error}") from None
        return remote.table.rows(publishers=plan.publishers).models.drop("hub_id", "publisher", *COUNTERS)


def _with_descriptions(models: pl.DataFrame, described: pl.DataFrame | None) -> pl.DataFrame:
    if described is None:
        return models
    bare = models.select("hub_id", "repo_id", "publisher", *COUNTERS)
    return bare.join(described, on="repo_id", how="left", maintain_order="left").select(list(store.MODEL_SCHEMA))


def _conclude(db: Database, plan: Plan, registry: Registry, boards: Sequence[Board], report: Report) -> None:
    """Attribute and rank once for all days, and say what is here now."""
    with db.transaction():
        rank.run(db, boards, registry, seen=bool(report.written or db.value(sql("models_unattributed"))))
    known = [(day, verdict) for day, _, verdict, _ in db.rows(sql("history_of"), {"source": plan.name})]
    report.covered = sorted({day for day, _ in known if plan.since <= day <= plan.until})
    report.incomplete = len(set(report.covered) - {day for day, verdict in known if verdict == "complete"})
    report.gaps = gaps(report.covered, plan.step)
    if report.covered:
        keys = {"first": report.covered[0], "last": report.covered[-1]}
        report.flips = db.records(sql("flips_between"), keys)


def gaps(days: Sequence[date], step: int) -> list[tuple[date, date]]:
    """First and last days of what is missing between days in order, where one is due every `step` days."""
    one = timedelta(days=1)
    return [(a + one, b - one) for a, b in pairwise(days) if b - a > step * one]
