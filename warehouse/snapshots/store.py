"""Facts in: snapshots, observations, descriptions, imported series, and the registry's view of them.

Everything here runs inside the caller's transaction, so that a snapshot is there as a whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

import polars as pl

from warehouse.attribution import changed, identity, kin, lineage, renames
from warehouse.db import Database
from warehouse.queries import sql
from warehouse.records import HubModel, Listing, Snapshot
from warehouse.registry import Registry

_PARENTS = pl.List(pl.Struct({"relation": pl.String, "repo_id": pl.String}))

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)

MODEL_SCHEMA: dict[str, Any] = {
    "hub_id": pl.String,
    "repo_id": pl.String,
    "publisher": pl.String,
    "downloads_30d": pl.Int64,
    "downloads_all_time": pl.Int64,
    "likes": pl.Int64,
    "created_at": pl.Datetime("us", "UTC"),
    "parameters": pl.Int64,
    "pipeline_tag": pl.String,
    "library": pl.String,
    "license": pl.String,
    "gated": pl.String,
    "disabled": pl.Boolean,
    "parents": _PARENTS,
}
"""Columns of the frame that a snapshot's models travel in."""


Models = pl.DataFrame | str
"""A snapshot's models: a frame of MODEL_SCHEMA; where they are too many to hold at once, a query with these columns."""


def model_frame(models: Sequence[HubModel]) -> pl.DataFrame:
    """Models as a frame of MODEL_SCHEMA, one row a model."""
    columns: dict[str, Sequence[Any]] = dict.fromkeys(MODEL_SCHEMA, ())
    columns.update(zip(HubModel._fields, zip(*models, strict=True), strict=False))
    columns["parents"] = [[parent._asdict() for parent in parents] or None for parents in columns["parents"]]
    # Polars takes longer over moments with a zone than over all the rest; over whole numbers it does not.
    columns["created_at"] = [moment and (moment - _EPOCH) // _MICROSECOND for moment in columns["created_at"]]
    frame = pl.DataFrame(columns, schema=MODEL_SCHEMA | {"created_at": pl.Int64})
    return frame.with_columns(pl.col("created_at").cast(MODEL_SCHEMA["created_at"]))


def next_snapshot_id(db: Database, taken_at: datetime) -> int:
    """An id that sorts by time and that no other snapshot has: yyyymmddhhmmss and three digits to tell twins apart."""
    low = int(taken_at.astimezone(UTC).strftime("%Y%m%d%H%M%S")) * 1000
    taken = db.value(sql("snapshot_id_taken"), {"low": low, "high": low + 999})
    return low if taken is None else taken + 1


def write_snapshot(
    db: Database,
    snapshot: Snapshot,
    models: Models,
    *,
    listings: Sequence[Listing] = (),
    revision: str | None = None,
    measured: Mapping[str, object] | None = None,
) -> None:
    """Write one snapshot with its observations, listings and changed descriptions; `models` is of MODEL_SCHEMA.

    What is kept of a failed look is its head alone.
    """
    write_models(db, snapshot.snapshot_id, snapshot.day, models)
    write_head(db, snapshot, listings=listings, revision=revision, measured=measured)


def write_head(
    db: Database,
    snapshot: Snapshot,
    *,
    listings: Sequence[Listing] = (),
    revision: str | None = None,
    measured: Mapping[str, object] | None = None,
) -> None:
    """Write what is said of a snapshot, whose models are written, and how complete each publisher's listing was."""
    head = asdict(snapshot) | {"revision": revision, "measured": json.dumps(measured) if measured else None}
    db.execute(sql("insert_snapshot"), head)
    if listings:
        with db.view_of("incoming_listings", _listing_frame(listings)):
            db.execute(sql("insert_listings"), {"snapshot_id": snapshot.snapshot_id})
            if snapshot.verdict == "complete":
                db.execute(sql("note_gone"), {"day": snapshot.day})


def write_models(db: Database, snapshot_id: int, day: date, models: Models) -> None:
    """Write the models of a snapshot, whatever will be said of it: descriptions where they changed, which is a small
    part of a day's; counts as they are.
    """
    if not isinstance(models, str) and not models.height:
        return
    with db.view_of("incoming", models):
        lately, others_later = db.rows(sql("lately"), {"day": day})[0]
        db.execute(sql("find_described"), {"lately": lately})
        every, again, late, known = db.rows(sql("count_described"), {"day": day})[0]
        if every:
            if known >= changed.LARGE and again + late:
                changed.note(db, "FROM described")
            steps = {"describe_again": again, "fill_gaps": late, "insert_models": every - again - late}
            _describe(db, snapshot_id, day, [step for step, concerned in steps.items() if concerned])
        # What is known is compared with the day it was seen last, so that day is noted after the descriptions.
        db.execute(sql("note_seen"), {"day": day, "lately": lately})
        if every and others_later and db.value(sql("looked_later"), {"day": day}):
            db.execute(sql("note_gone_by_then"), {"day": day})
        db.execute(sql("insert_observations"), {"snapshot_id": snapshot_id, "day": day})
        db.execute(sql("forget_described"))


def _describe(db: Database, snapshot_id: int, day: date, steps: Sequence[str]) -> None:
    """Take in what may be new about models: the rows of `described`, by those `steps` that concern any of them."""
    db.execute(sql("number_names"))
    db.execute(sql("note_numbers"))
    db.execute(sql("insert_model_versions"), {"snapshot_id": snapshot_id})
    for step in steps:
        db.execute(sql(step), {"day": day})


def _listing_frame(listings: Sequence[Listing]) -> pl.DataFrame:
    """A row for each publisher asked for, and for each name that one has by now and that nobody asks for by itself."""
    asked = {listing.publisher.lower() for listing in listings}
    named = {one.called: one for one in listings if one.called and one.called.lower() not in asked}
    rows = [(one.publisher, one) for one in listings] + list(named.items())
    return pl.DataFrame(
        {
            "publisher": [name for name, _ in rows],
            "listed": [len(one.models) for _, one in rows],
            "num_models": [one.num_models for _, one in rows],
            "rejected": [len(one.rejected) for _, one in rows],
            "problem": [one.problem for _, one in rows],
            "called": [one.called for _, one in rows],
        },
        schema_overrides={"num_models": pl.Int64, "problem": pl.String, "publisher": pl.String},
    )


def attribute(db: Database, registry: Registry, *, small: int = kin.SMALL, most: float = kin.MOST) -> None:
    """Say of every model what it descends from, which family it belongs to, and how its counts are divided.

    What was said before stands where nothing that it follows from has changed; when more than a part of the models is
    affected (`most` of all beyond `small`), all are read. A publisher that was renamed and is not in the registry by
    its new name keeps its families by its old one.
    """
    known = kin.standing(db)
    with renames.looked_up(db, moving=known.renamed):  # in a young warehouse nobody moved: that is asked more quickly
        moved = renames.note(db) if known.renamed else {}
        # Somebody is every day; whose a model is follows from the names of those that the registry knows by the former.
        renamed = identity.known_names(registry, moved)
        reading = json.dumps([lineage.VERSION, registry.fingerprint(), renamed], sort_keys=True)
        if reading == known.reading and not known.unread:
            return
        former = renames.former_names(db) if known.renamed else {}
    families, large = _families(registry, renamed, former), known.models >= changed.LARGE
    if reading == known.reading:
        kindred = kin.find(db, known, families.publishers, most * (known.models - small))
        if kindred:
            _attribute_affected(db, families, *kindred, large=large)
            return
    else:
        write_registry(db, registry)  # whoever ranks next need not attribute again because it has changed
    _attribute_all(db, families, large=large)
    kin.note(db, reading)


def attributed_otherwise(db: Database, registry: Registry) -> bool:
    """Whether models were attributed by another registry: whose a name is follows from more than `families` holds."""
    reading = db.value(sql("attribution_reading"))
    return reading is not None and json.loads(reading)[:2] != [lineage.VERSION, registry.fingerprint()]


class _Families(NamedTuple):
    """Whose a name is."""

    publishers: Sequence[str]
    """Those who may have a family, in lower case: of millions of names only theirs are asked for."""
    of: Callable[[str], str | None]
    """The family of a name."""
    former: Mapping[str, int]
    """The names that models had before, and whose they were, by their place in the table."""


def _families(registry: Registry, renamed: Mapping[str, Sequence[str]], former: Mapping[str, int]) -> _Families:
    """Whose names are when publishers were `renamed` (`identity.known_names`) and models had `former` names."""
    publishers = {name for family in registry.families for name in family.publishers} | renamed.keys()
    return _Families([name.lower() for name in publishers], identity.family_of(registry, renamed), former)


def _attribute_all(db: Database, families: _Families, *, large: bool) -> None:
    """Read all declarations, and write what is otherwise than it was."""
    models = db.frame(sql("models_to_attribute"), {"publishers": families.publishers})
    frames = [models, db.frame(sql("declared_parents"))]
    del models
    with db.resting():
        traced = _traced(frames, families)
    with db.view_of("attributed", traced.lineage):
        db.execute(sql("find_attributed"))
        if large:
            changed.note(db, sql("reattributed_models"))
        for query in ("attribute_models", "forget_attributed"):
            db.execute(sql(query))
    with db.view_of("divided", traced.divided):
        for query in ("find_shares", "drop_shares", "add_shares", "forget_shares"):
            db.execute(sql(query))


def _attribute_affected(
    db: Database, families: _Families, models: pl.DataFrame, parents: pl.DataFrame, *, large: bool
) -> None:
    """Write what follows from what the kindred declare for those that are affected."""
    affected = models.filter("affected").select("model", "hub_id")
    traced = _traced([models, parents], families)
    lines = traced.lineage.join(affected, on="model")
    whole = lines.join(traced.divided, on="model", how="anti").select("hub_id", "family", share=pl.lit(1.0))
    parts = traced.divided.join(affected, on="model").select("hub_id", "family", "share")
    with db.view_of("attributed", lines):
        if large:
            changed.note(db, "FROM attributed")
        db.execute(sql("attribute_affected"))
    with db.view_of("divided", pl.concat([whole, parts])):
        db.execute(sql("drop_affected_shares"))
        db.execute(sql("add_affected_shares"))


def _traced(frames: list[pl.DataFrame], families: _Families) -> lineage.Lineage:
    """The lineage of models by their place in the table, and whether a family's own publisher published each (own).

    Args:
        frames: models and what they declare, as `models_to_attribute` and `declared_parents` have it; taken out, so
            that nothing but `trace` holds them: of millions of models they are what it needs room for.
        families: whose a name is.
    """
    models = frames.pop(0)
    places = models["ours"].arg_true()
    found = pl.Series([families.of(repo_id) for repo_id in models["repo_id"].gather(places)], dtype=pl.String)
    own = pl.repeat(None, models.height, dtype=pl.String, eager=True).scatter(places, found)
    frames.insert(0, models.select("model", "repo_id", own_family=own))
    del models
    traced = lineage.trace(frames.pop(0), frames.pop(), families.of, families.former)
    return traced._replace(lineage=traced.lineage.with_columns(own=own.is_not_null()))


def write_registry(db: Database, registry: Registry) -> bool:
    """Mirror the configured families into the file; whether that changed anything."""
    configured = sorted(registry.rows(), key=itemgetter("family"))
    if db.records(sql("known_families")) == configured:
        return False
    texts, lists = ("family", "vendor", "country"), ("publishers", "formerly")
    schema: dict[str, Any] = dict.fromkeys(texts, pl.String) | dict.fromkeys(lists, pl.List(pl.String))
    with db.view_of("registry_families", pl.DataFrame(configured, schema=schema)):
        db.execute(sql("clear_families"))
        db.execute(sql("fill_families"))
    return True


def write_series(db: Database, name: str, values: pl.DataFrame, *, revision: str) -> int:
    """Import a series of totals: columns day (Date), entity, value, and exactness if the source says how sure it is.

    Days that already stand so are left alone. In exactness null is exact. Who is written in several cases is one, for
    as two he would pass himself.

    Returns:
        How many days were written.
    """
    source = f"series:{name}"
    standing = db.frame(sql("series_latest"), {"source": source, "series": name})
    values = _one_spelling(values.select("day", "entity", "value", _exactness(values)), standing)
    days = _changed_days(values, standing)
    if not days:
        return 0
    fresh = values.filter(pl.col("day").is_in(days))
    ids = {day: next_snapshot_id(db, datetime(day.year, day.month, day.day, tzinfo=UTC)) for day in days}
    heads = fresh.group_by("day").agg(pl.len().alias("entities"), _unsure())
    heads = heads.with_columns(snapshot_id=pl.col("day").replace_strict(ids))
    with db.view_of("incoming_days", heads), db.view_of("incoming_values", fresh):
        head = {"source": source, "reason": f"imported from {revision}", "revision": revision}
        db.execute(sql("insert_series_snapshots"), head)
        db.execute(sql("insert_series_values"), {"series": name})
    return len(days)


def _one_spelling(values: pl.DataFrame, standing: pl.DataFrame) -> pl.DataFrame:
    """Totals with everybody spelt in one way: as the newest day that stands has it, or the newest that comes."""
    spelt = [each.sort("day", descending=True).select(pl.col("entity").cast(pl.String)) for each in (standing, values)]
    key = pl.col("entity").str.to_lowercase().alias("key")
    names = pl.concat(spelt).with_columns(key).unique("key", keep="first", maintain_order=True)
    one = values.select(pl.exclude("entity"), key).join(names, on="key", how="left", maintain_order="left")
    return one.select(values.columns)


def _unsure() -> pl.Expr:
    """What a day's import is to say of totals that are not exact; empty when all are."""
    words = pl.col("exactness").drop_nulls().unique().sort().str.join(", ")
    return pl.when(words != "").then(pl.lit("; totals ") + words).otherwise(pl.lit("")).alias("unsure")


def _exactness(values: pl.DataFrame) -> pl.Expr:
    named = pl.col("exactness") if "exactness" in values.columns else pl.lit(None).alias("exactness")
    return named.cast(pl.String)


def _changed_days(values: pl.DataFrame, standing: pl.DataFrame) -> list[date]:
    """Days whose set of (entity, value, exactness) is not what stands already."""
    key = ["day", "entity", "value", "exactness"]
    standing = standing.select(key).cast(
        {"day": pl.Date, "entity": pl.String, "value": pl.Float64, "exactness": pl.String}
    )
    new, old = values.select(key), standing.filter(pl.col("day").is_in(values["day"].unique().implode()))
    differing = pl.concat(
        [one.join(other, on=key, how="anti", nulls_equal=True) for one, other in ((new, old), (old, new))]
    )
    return sorted(differing["day"].unique().to_list())
