"""The published file: everybody's read-only copy of the contract relations, replaced atomically.

A reader of the warehouse itself would block its writer and the writer every reader; so readers get a copy. It is
written beside its target and moved over it: who has the old one open keeps it undisturbed.

A small copy is written anew. A large one begins as the one before the last, or as a copy of the last where somebody
still reads that (`warehouse.published.spare`), and only what differs is replaced in it:

    spare, or a copy of the old file --> draft --changed parts of each relation--> checkpoint --moved over--> old file
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

from warehouse.db import STORAGE_VERSION, Database
from warehouse.errors import WarehouseError
from warehouse.published import carried, slices, spare
from warehouse.queries import literal, sql
from warehouse.ranking.made import declared
from warehouse.ranking.places import TABLES as TABLES_OF_PLACES
from warehouse.ranking.places import kept_in


class Carried(NamedTuple):
    """A table that is published, and how to see what has changed in it."""

    relation: str
    part: str = "0"
    """Expressions over a row `t`: which part of the table it belongs to; parts are replaced as wholes. One expression
    alone where parts are `held` or `remembered`, which go by the column `part`.
    """
    sign: str = "sum(hash(t))"
    """Aggregate that is another when anything in a part is."""
    told_by: str = ""
    """Smaller table with the same parts, which changes when this one does; its own rows when empty."""
    held: str = ""
    """SELECT of parts that are not to be replaced, because a run is on its way."""
    remembered: bool = False
    """Whether the copy remembers what its parts are, for it takes long to tell."""


_BY_AGE = "left(hub_id, 5)"
"""Models created within the same hour: what is new is in few parts, and what is edited in small ones."""

_NEIGHBOURS = "coalesce(number // 32, -1)"
"""A few models: what changes on a day is spread over all ages, and would touch nearly every part that is larger."""

_RANKINGS = "rankings"
"""What tells of standings: of each table of them those of its own boards."""

TABLES = (
    Carried("snapshots", "snapshot_id // 1000000000"),
    Carried("models", _NEIGHBOURS, "sum(hash(*COLUMNS(* EXCLUDE (last_seen))))", remembered=True),
    Carried("recent_observations", "snapshot_id", "sum(hash(name))", held=slices.HELD),
    Carried("observation_runs", "run", told_by="run_days", held=slices.BROUGHT),
    Carried("run_days", "run", held=slices.UNNAMED),
    Carried("model_names", "name // 100000", "sum(hash(name, hub_id))", remembered=True),  # what one is called stays
    Carried("thinned"),
    Carried("families"),
    Carried("shares", _BY_AGE, remembered=True),
    Carried("boards", sign="hash(list(t ORDER BY t.rowid))"),  # they are shown in the order in which they lie
    *(Carried(places, "board, day", told_by=_RANKINGS) for places in TABLES_OF_PLACES),
    Carried("ranked_models", "model // 1000"),
    Carried("rankings", "board, day"),
    Carried("flips"),
    Carried("alerts"),
    Carried("deliveries"),
    Carried("silences"),
    Carried("channel_health"),
    Carried("listings", "snapshot_id // 1000000000"),
    Carried("series_values", "snapshot_id // 1000000000"),
    Carried("former_publishers"),
)

VIEWS = ("observations", "standings")

RELATIONS = (*(table.relation for table in TABLES), *VIEWS)
"""What is published; everything else is the daemon's own."""

TOLD = ("alerts", "deliveries", "silences", "channel_health")
"""Those of them that telling changes."""

SMALL = 16 * 2**20
"""Bytes up to which a copy is sooner written anew than compared."""

WASTE = 0.5
"""Share of free blocks from which on a copy is written anew."""


def publish(
    db: Database, target: Path, *, small: int = SMALL, most: int = slices.SLICE, believing: bool = True
) -> bool:
    """Bring the published file up to date with the warehouse `db`, and move it over `target`.

    Args:
        db: the warehouse.
        target: the published file.
        small: bytes up to which it is written anew.
        most: counts that are carried of what was packed anew.
        believing: whether the copy is believed what it remembers of itself (`warehouse.published.carried`).

    Returns:
        Whether it holds its counts as the warehouse does; what they are, it says in any case.

    Raises:
        WarehouseError: the disk is full or the folder cannot be written; the old file stays.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _forget_drafts(target)
        with db.writing:
            waiting = _renewed(db, target, draft, small, most, believing=believing)
            if waiting is not None:
                spare.keep(target)
            else:
                spare.forget(target)
                draft.unlink(missing_ok=True)
                _write(db, draft, target)
        draft.replace(target)
    except OSError as error:
        raise WarehouseError(f"cannot publish to {target}: {error.strerror}") from None
    finally:
        _forget_drafts(target)
    return not waiting


def publish_both(db: Database, target: Path, *, small: int = SMALL, most: int = slices.SLICE) -> int:
    """Publish until all that was packed is in the copy, and in the one before, with which the next publication begins.

    A month takes longer to carry than all the rest of a day: this is for the night, when nobody waits for it. Then both
    are read as a whole, too, so that what somebody else wrote in one does not stay there.

    Returns:
        How many times it published.

    Raises:
        WarehouseError: as `publish`.
    """
    times = whole = 0
    while whole < 1 + spare.kept(target):
        whole = whole + 1 if publish(db, target, small=small, most=most, believing=times > 1) else 0
        times += 1
    return times


def is_behind(db: Database, target: Path) -> bool:
    """Whether the published file says otherwise about what was told than the warehouse `db` does.

    Also when there is none that can be read.
    """
    if not target.is_file():
        return True
    try:
        with _attached(db, target, " (READ_ONLY)"):
            return any(_sign(db, name) != _sign(db, f"published.{name}") for name in TOLD)
    except WarehouseError:
        return True


def _sign(db: Database, relation: str) -> list[tuple[object, ...]]:
    """What is another when anything in a relation is."""
    return db.rows(sql("parts", key="0", sign="sum(hash(t))", relation=relation))


def _forget_drafts(target: Path) -> None:
    """Remove drafts, also those of a process that was killed: only one has the warehouse open."""
    for draft in target.parent.glob(f".{glob.escape(target.name)}.*.draft*"):
        draft.unlink(missing_ok=True)


@contextmanager
def _attached(db: Database, file: Path, options: str = "", *, name: str = "published") -> Iterator[None]:
    db.execute(f"ATTACH {literal(str(file))} AS {name}{options}")
    try:
        yield
    finally:
        db.execute(f"DETACH {name}")


def _write(db: Database, draft: Path, mould: Path) -> None:
    """Everything anew; its relations like those of the last copy, where that has what this version publishes."""
    with _attached(db, draft, f" (STORAGE_VERSION '{STORAGE_VERSION}')"):
        if not _moulded(db, mould):
            _declare(db)
        for table in TABLES:
            db.execute(f"INSERT INTO published.{table.relation} FROM {table.relation}")
        db.execute("CHECKPOINT published")


def _moulded(db: Database, mould: Path) -> bool:
    """Make the relations of another copy in one statement: to comment two hundred columns takes longer than to copy."""
    if not mould.is_file():
        return False
    try:
        with _attached(db, mould, " (READ_ONLY)", name="mould"):
            if _shape(db, "'mould'") != _shape(db, "current_database()"):
                return False
            db.execute("COPY FROM DATABASE mould TO published (SCHEMA)")
            return True
    except WarehouseError:
        # Damaged, or of another program: it is replaced like any other.
        return False


def _declare(db: Database) -> None:
    """The relations and what they mean, without their rows."""
    for table in TABLES:
        db.execute(f"CREATE TABLE published.{table.relation} AS FROM {table.relation} LIMIT 0")
    for (definition,) in db.rows(sql("view_definitions"), {"relations": list(VIEWS)}):
        db.execute(definition.replace("CREATE VIEW ", "CREATE VIEW published.", 1))
    with db.transaction():  # one by one they would wait for the disk longer than all the rest
        for comment in _comments(db):
            db.execute(comment)


def _renewed(db: Database, target: Path, draft: Path, small: int, most: int, *, believing: bool) -> int | None:
    """Make the draft of a copy there is and what has changed since; None where that is not worth while or possible.

    The warehouse's own file is never copied so: closing any descriptor of it would release DuckDB's lock on it.

    Returns:
        How many runs are on their way to the copy.
    """
    if not target.is_file() or target.stat().st_size <= small:
        return None
    spare.begin(target, draft)
    try:
        with _attached(db, draft):
            if _shape(db, "'published'") != _shape(db, "current_database()"):
                return None
            tables = [table.relation for table in TABLES]
            carried.begin(db, tables, believing=believing)
            waiting = slices.bring(db, most)
            # Boards last: they tell which places are whose.
            for table in sorted(TABLES, key=lambda table: table.relation == "boards"):
                _bring(db, table)
            for query in ("forget_changed", "forget_present"):
                db.execute(sql(query))
            _bring_last_seen(db)
            carried.seal(db, tables)
            db.execute("CHECKPOINT published")
            return waiting if db.value(sql("wasted_share")) < WASTE else None
    except WarehouseError:
        # Damaged, or of another program: it is replaced like any other.
        return None


def _shape(db: Database, database: str) -> list[tuple[object, ...]]:
    return db.rows(sql("shape", database=database), {"relations": list(RELATIONS)})


def _bring(db: Database, table: Carried) -> None:
    """Replace what has changed of one table."""
    ours, theirs = (
        sql("parts", key=table.part, sign=table.sign, relation=_telling(db, table, file)) for file in ("", "published.")
    )
    if table.remembered:
        theirs = carried.parts_of(db, table.relation, theirs)
    db.execute(sql("note_present", ours=ours))
    changed = db.value(sql("note_changed", theirs=theirs))
    if table.held:
        db.execute(sql("keep_held", held=table.held))
        changed = db.value(sql("count_changed"))
    if changed:
        for query in ("drop_changed", "bring_changed"):
            db.execute(sql(query, relation=table.relation, key=table.part))
        if table.remembered:
            carried.note_changed(db, table.relation)


def _telling(db: Database, table: Carried, file: str) -> str:
    """What tells of a table's parts in the warehouse, or in the copy (`file`).

    Boards of families are ranked again on all their days whenever a card is edited: for that millions of places of
    publishers are not to be read.
    """
    if table.told_by != _RANKINGS:
        return f"{file}{table.told_by or table.relation}"
    boards = [literal(name) for name, board in declared(db, file).items() if kept_in(board) == table.relation]
    return sql("rankings_of", file=file, boards=", ".join(boards) or "NULL")


def _bring_last_seen(db: Database) -> None:
    """The one column that changes every day of every model."""
    newest = db.value(sql("newest_last_seen"))
    if newest is not None:
        lately = db.value(sql("lately"), {"day": newest})
        db.execute(sql("set_last_seen"), {"day": newest, "since": lately})
        db.execute(sql("mend_last_seen"), {"day": newest})
        db.execute(sql("mend_unnumbered_last_seen"))
        if db.value(sql("lacks_returned"), {"day": newest}):
            db.execute(sql("set_last_seen"), {"day": newest, "since": date.min})


def _comments(db: Database) -> list[str]:
    """COMMENT ON statements that carry every meaning and unit over."""
    found = db.rows(sql("comments"), {"relations": list(RELATIONS)})
    return [f"COMMENT ON {what} published.{name} IS {literal(text)}" for what, name, text in found]
