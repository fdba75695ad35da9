"""A board's definition -> the SQL of what everybody on it had.

counts (what each model had in each snapshot)  x  members (which model counts for whom, by which share)  -> values
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from warehouse.curated import curated
from warehouse.db import Database
from warehouse.queries import literal, sql
from warehouse.ranking import movement
from warehouse.ranking.boards import DERIVATIVES, SPANS, Board

Days = dict[date, int]
"""Day -> the snapshot that speaks for it."""

_ENTITIES = {
    "family": "family",
    "publisher": sql("present_publisher", publisher="publisher"),
    "country": "country",
    "model": "repo_id",
}

_ROOTS = {
    "publisher": sql("present_publisher", publisher="split_part(root_repo_id, '/', 1)"),
    "model": "root_repo_id",
}
"""Whom a derivative counts for, where that is not its family: entity -> expression over models."""


@contextmanager
def counted(
    db: Database,
    board: Board,
    chosen: Days,
    wanted: Sequence[date],
    *,
    among: str | None = None,
    stands: Collection[date] | None = None,
) -> Iterator[str]:
    """Within the block: the SELECT of (snapshot_id, hub_id, value), what each model had on each of the wanted days.

    A model whose count is not known has no row. The view `days_to_rank` has the wanted days: day, snapshot_id,
    previous_day. For an imported series the SELECT has (snapshot_id, entity, value) instead.

    Args:
        db: the warehouse, or a published file.
        board: whose measure.
        chosen: as `days_of`; growth over a span needs the days before those wanted.
        wanted: some of the chosen days, oldest first.
        among: SELECT of the hub_id of models that matter; others may have rows all the same. None: of all that do.
        stands: the days on which the board stands, among which the previous one is looked for. None: those chosen.
    """
    with days_to_rank(db, chosen, wanted, stands):
        if board.measure in SPANS:
            with movement.measured(db, chosen, wanted, SPANS[board.measure], among=among) as counts:
                yield counts
        elif board.series is not None:
            yield sql("series_counts").replace("$series", literal(board.series))
        elif board.measure in DERIVATIVES:
            yield sql(f"{board.measure}_counts")
        else:
            few = {"held": "MATERIALIZED", "among": f"hub_id IN ({among})"}
            every = {"held": "NOT MATERIALIZED", "among": "true"}
            packed = _in_runs(db, "packed_counts", board)
            yield sql("observed_counts", measure=board.measure, packed=packed, **(few if among else every))


def blank_sql(db: Database, board: Board, snapshots: str, among: str) -> str:
    """The SELECT of (snapshot_id, hub_id): models that a snapshot lists without the count behind a board.

    Args:
        db: the warehouse, or a published file.
        board: whose measure; what is no counter of the Hub's is never without a count.
        snapshots: SELECT of the snapshot_id to ask.
        among: SELECT of the hub_id to ask of.
    """
    measure = "downloads_all_time" if board.measure in SPANS else board.measure
    if board.series is not None or measure in DERIVATIVES:
        return sql("never_blank")
    return sql("blank", measure=measure, snapshots=snapshots, among=among)


@contextmanager
def days_to_rank(
    db: Database, chosen: Days, wanted: Sequence[date], stands: Collection[date] | None = None
) -> Iterator[None]:
    """Within the block the view `days_to_rank` has the wanted days: day, snapshot_id, previous_day (see `counted`)."""
    days = sorted(chosen if stands is None else stands)
    before = dict(zip(days[1:], days, strict=False))
    rows = [(day, chosen[day], before.get(day)) for day in wanted]
    with db.rows_as("days_to_rank", rows, {"day": date, "snapshot_id": int, "previous_day": date}):
        yield


def values_sql(db: Database, board: Board, counts: str, members: str | None = None) -> str:
    """The SELECT of (snapshot_id, entity, value) behind a board, from what `counted` gave, within its block.

    Args:
        db: the warehouse, or a published file.
        board: which.
        counts: what models had.
        members: the SELECT of whom models count for, by default `members_sql`.
    """
    members = members or members_sql(board)
    if board.series is not None:
        return counts
    if board.measure in SPANS or board.measure in DERIVATIVES:
        return sql("board_values_now", counts=counts, members=members)
    packed = _in_runs(db, "packed_values", board)
    return sql("observed_values", measure=board.measure, members=members, packed=packed)


def _in_runs(db: Database, query: str, board: Board) -> str:
    """The part of a query that asks runs: where none of the days wanted is in one it takes as long as all the rest."""
    return sql(query, measure=board.measure) if db.value(sql("count_packed")) else ""


def members_sql(
    board: Board,
    only: str = "true",
    entity: str | None = None,
    *,
    since: date | None = None,
    models: str = "models",
    shares: str = "shares",
) -> str:
    """The SELECT of (hub_id, entity, share): which models count for whom on a board, and by which part.

    A model has at most one row an entity; its shares sum to 1 less what no known family accounts for. `only` is one
    more SQL condition over models, `entity` an expression over them in place of the board's own; `since` leaves out who
    can have no value on this day or later; `models` and `shares` are relations in place of the warehouse's.
    """
    condition = f"({board.where}\n) AND {only}" if board.where else only
    condition = f"{condition} AND {_population(board)}"
    if since is not None and board.measure not in DERIVATIVES:  # which count as long as nobody knows them to be gone
        seen = sql("seen_since", day=literal(str(since)))
        condition = f"{condition} AND {seen}"
    if board.scope == "lineage":
        return sql(f"{board.entity}_members", condition=condition, models=models, shares=shares)
    derived = board.measure in DERIVATIVES
    own = (_ROOTS.get(board.entity) if derived else None) or _ENTITIES[board.entity]
    families = "JOIN (SELECT family, country FROM families) USING (family)" if board.entity == "country" else ""
    return sql("whole_members", entity=entity or own, condition=condition, families=families, models=models)


def _population(board: Board) -> str:
    """Which models count at all, as an SQL condition."""
    by_family = board.entity in ("family", "country")
    if board.measure in DERIVATIVES:
        others = "NOT coalesce(own, false)" if by_family else f"{_ENTITIES['publisher']} <> {_ROOTS['publisher']}"
        conditions, on_list = ["depth > 0", others], _ROOT_ON_LIST
    else:
        conditions, on_list = ["own"] if by_family and board.scope != "lineage" else [], _ON_LIST
    if board.scope == "curated":
        conditions.append(on_list.replace("{list}", _curated_sql()))
    return " AND ".join(["true", *conditions])


_ROOT_ON_LIST = "lower(root_repo_id) IN {list}"

_ON_LIST = (
    "(lower(repo_id) IN {list}"
    " OR (former_names IS NOT NULL AND list_bool_or(list_transform(former_names, lambda name: lower(name) IN {list}))))"
)
"""The list has names as they were on its day; who was renamed since is still on it."""


def _curated_sql() -> str:
    """The names of the curated list, in lower case, as an SQL list."""
    return "(" + ", ".join(literal(name.lower()) for name in sorted(curated())) + ")"
