"""One look at a source into the warehouse, whoever looked: judged, and written as one snapshot.

A day's table of models goes there by a file, a row group at a time:

    tables --row group by row group--> a file beside the warehouse --whose is each row?--> verdict --> snapshot
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

from jobs.history.tables import Table, unreadable
from warehouse.db import Database
from warehouse.queries import sql
from warehouse.records import Listing, Snapshot
from warehouse.snapshots import adopt, history, staging, store, verdict
from warehouse.snapshots.verdict import REJECTED_SHARE, Judgement


@dataclass(frozen=True, slots=True)
class Look:
    """What a snapshot says of itself."""

    source: str
    taken_at: datetime
    day: date
    revision: str
    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Staged:
    """The models of a day, in a file beside the warehouse."""

    models: str
    """Query with the columns of `store.MODEL_SCHEMA`, and `row`; each name once."""
    rows: int
    rejected: int = 0
    """Rows set aside, because they could not be believed or repeated another."""
    problem: str | None = None
    """Why these are not all there are; None when they are."""
    repeated: int = 0
    """Of the rows set aside those whose name another row has."""


def stage(
    db: Database,
    tables: Sequence[Table],
    room: Path,
    *,
    publishers: Sequence[str] | None = None,
    day: date | None = None,
    mended: Callable[[pl.DataFrame], pl.DataFrame] = lambda models: models,
) -> Staged:
    """Write the models of a day into a file in `room`, a row group at a time, each as `mended` gives it back."""
    rejected, problems = 0, list[str | None]()

    def models() -> Iterator[pl.DataFrame]:
        nonlocal rejected
        for table in tables:
            for rows in table.batches(publishers=publishers, day=day):
                rejected += rows.rejected
                problems.append(rows.problem)
                yield mended(rows.models)

    query = staging.write(models(), room / "read.parquet")
    with db.view_of("incoming", query):
        every, repeated = db.rows(sql("repeated_rows"))[0]
    once = sql("rows_once", rows=query) if repeated else query
    return Staged(once, every - repeated, rejected + repeated, unreadable(problems), repeated)


def keep(db: Database, look: Look, staged: Staged, room: Path, listings: Sequence[Listing] | None = None) -> Snapshot:
    """Write a day: whose its models are, its verdict, its counts.

    Run inside a transaction. `listings` names the publishers that were asked for; None: everybody.
    """
    adopt.adopt(db, staged.models)
    joined, repeated = adopt.identify(db, staged.models, look.day, room / "identified.parquet")
    problem = staged.problem or _unbelievable(staged, repeated)
    models, count = staging.whole(db, room / "identified.parquet")
    before = history.before(db, look.source, models, taken_at=look.taken_at, day=look.day, listings=listings)
    judged = Judgement("partial" if count else "failed", problem) if problem else verdict.of_table(count, before)
    return write(db, look, models, count, lambda: judged, adopt.in_words(joined, count))


def write(
    db: Database,
    look: Look,
    models: store.Models,
    count: int,
    judged: Callable[[], Judgement],
    adopted: str,
    listings: Sequence[Listing] = (),
) -> Snapshot:
    """Write a look. Run inside a transaction.

    Args:
        db: the warehouse.
        look: what it says of itself.
        models: a frame of `store.MODEL_SCHEMA`, or a query that gives one.
        count: how many there are.
        judged: its verdict, not asked for before the models are written.
        adopted: in words, what was known by name only and has an `_id` now.
        listings: how complete each publisher's was.
    """
    snapshot_id = store.next_snapshot_id(db, look.taken_at)
    store.write_models(db, snapshot_id, look.day, models)
    judgement = judged()
    snapshot = Snapshot(
        snapshot_id=snapshot_id,
        source=look.source,
        taken_at=look.taken_at,
        day=look.day,
        verdict=judgement.verdict,
        verdict_reason=judgement.reason + adopted,
        models=count,
        requests=look.requests,
        seconds=round(look.seconds, 3),
    )
    store.write_head(db, snapshot, listings=listings, revision=look.revision, measured=judgement.measured)
    return snapshot


def _unbelievable(staged: Staged, repeated: int) -> str | None:
    """More rows set aside than a table may have; `repeated`: those of a model that a row of another name is of."""
    every, aside = staged.rejected + staged.rows, staged.rejected + repeated
    if aside <= REJECTED_SHARE * every:
        return None
    same = " or are of the same model" if repeated or staged.repeated else ""
    return f"{aside:,} of {every:,} rows could not be believed{same}"
