"""A few lines to write days of counts into a warehouse, without a Hub: for the tests of what is derived from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from jobs import rank
from warehouse.db import Database
from warehouse.ranking.boards import Board
from warehouse.records import HubModel, Listing, Parent, Snapshot, Verdict
from warehouse.registry import Family, Registry
from warehouse.snapshots import store

START = date(2026, 1, 1)

REGISTRY = Registry(
    [
        Family(name="Alpha", vendor="Alpha Lab", country="US", publishers=("alpha",)),
        Family(name="Beta", vendor="Beta AI", country="CN", publishers=("beta",)),
        Family(name="Gamma", vendor="Gamma", country="CN", publishers=("gamma",)),
    ]
)


def day(number: int) -> date:
    return START + timedelta(days=number)


def moment(number: int, hour: int = 10) -> datetime:
    return datetime(2026, 1, 1, hour, tzinfo=UTC) + timedelta(days=number)


def model(repo_id: str, count: int | None, *, hub_id: str | None = None, created: int = -500, **more: Any) -> HubModel:  # noqa: ANN401
    """A model with the same 30-day and all-time counter; its parents are all fine-tuned from."""
    parents = tuple(Parent("finetune", name) for name in more.pop("parents", ()))
    return HubModel(
        **{
            "hub_id": hub_id or f"id:{repo_id}",
            "repo_id": repo_id,
            "publisher": repo_id.partition("/")[0],
            "downloads_30d": count,
            "downloads_all_time": count,
            "likes": 1,
            "created_at": moment(created),
            "parents": parents,
        }
        | more
    )


def look(
    db: Database,
    number: int,
    models: Sequence[HubModel],
    *boards: Board,
    registry: Registry = REGISTRY,
    verdict: Verdict = "complete",
    hour: int = 10,
    short: Collection[str] = (),
    taken_at: datetime | None = None,
) -> int:
    """Keep a look at all of the registry's publishers, attribute, rank; its snapshot_id.

    Listings of those `short` broke off: what they do not show may be there. `taken_at` is not that day's where a source
    shows another day than today.
    """
    taken_at = taken_at or moment(number, hour)
    with db.transaction():
        snapshot_id = store.next_snapshot_id(db, taken_at)
        head = Snapshot(snapshot_id, "hub", taken_at, day(number), verdict, "", len(models))
        listings = [
            Listing(
                name,
                own := tuple(m for m in models if m.publisher == name),
                len(own),
                problem="broke off" if name in short else None,
            )
            for name in registry.publishers
        ]
        store.write_snapshot(db, head, store.model_frame(models), listings=listings)
        store.attribute(db, registry)
        rank.run(db, boards, registry)
    return snapshot_id


def standing(db: Database, board: str, number: int) -> dict[str, float]:
    """Entity -> value, first to last."""
    query = "SELECT entity, value FROM standings WHERE board = $board AND day = $day ORDER BY rank, entity"
    return dict(db.rows(query, {"board": board, "day": day(number)}))


def flips(db: Database, board: str) -> list[tuple[str, str, date, bool | None]]:
    """entity, rival, day, panel_holds; oldest first."""
    query = "SELECT entity, rival, day, panel_holds FROM flips WHERE board = $board ORDER BY day, entity, rival"
    return [tuple(row) for row in db.rows(query, {"board": board})]  # type: ignore[misc]


def series(
    db: Database,
    name: str,
    values: Iterable[tuple[date, str, float]],
    *boards: Board,
    exactness: dict[date, str] | None = None,
) -> None:
    """Import a series and rank it; `exactness` is what its source says of a day's totals."""
    frame = pl.DataFrame(list(values), schema={"day": pl.Date, "entity": pl.String, "value": pl.Float64}, orient="row")
    if exactness is not None:
        frame = frame.with_columns(exactness=pl.Series([exactness.get(day) for day in frame["day"]], dtype=pl.String))
    with db.transaction():
        store.write_series(db, name, frame, revision="a test")
        rank.run(db, boards, REGISTRY)
