"""History that does not know the Hub's `_id`: joined to the models it is of, by name and dates.

An imported row without `_id` belongs to the model that is called so, or was, if the dates allow it. A name that nobody
is known by becomes `name:publisher/name`; once a look shows that name with an `_id`, `adopt` joins what is there to it.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from warehouse.db import Database
from warehouse.queries import sql
from warehouse.store import MODEL_SCHEMA

_DESCRIPTIONS = ("created_at", "parameters", "pipeline_tag", "library", "license", "gated", "disabled", "parents")


def identify(db: Database, models: pl.DataFrame, day: date) -> tuple[pl.DataFrame, int]:
    """Say whose the rows of an imported day are. Run inside a transaction.

    Args:
        db: the warehouse.
        models: of `store.MODEL_SCHEMA`, hub_id null where the source has none; each repo_id once.
        day: the day they show.

    Returns:
        The models, each once and with a hub_id, and with what is known where their source is silent; and how many were
        joined to a model of the Hub by name.
    """
    names = models.select("hub_id", "repo_id", "created_at").with_row_index("row")
    with db.view_of("incoming", names):
        found = db.frame(sql("identify_models"), {"day": day})
    identified = models.with_columns(hub_id=found["hub_id"])
    if found["hub_id"].n_unique() < found.height:
        identified = identified.unique("hub_id", keep="first", maintain_order=True)
    return _filled(db, identified), int(found["joined"].sum())


def _filled(db: Database, models: pl.DataFrame) -> pl.DataFrame:
    """The models, with what is known in those columns of which their source says nothing of anybody."""
    silent = [name for name in _DESCRIPTIONS if models[name].null_count() == models.height]
    for name in silent:
        known = db.frame(sql("known_descriptions", column=name))
        models = models.drop(name).join(known, on="hub_id", how="left", maintain_order="left")
    return models.select(pl.col(name).cast(kind) for name, kind in MODEL_SCHEMA.items())


def adopt(db: Database, models: pl.DataFrame) -> int:
    """Join what is known by name only to the models of a look, before it is written; how many were joined.

    Run inside a transaction. `models` is of `store.MODEL_SCHEMA`.
    """
    if not models.height or not db.value(sql("known_by_name_only")):
        return 0
    with db.view_of("incoming", models.select("hub_id", "repo_id", "created_at")):
        db.execute(sql("find_adoptions"))
    adopted = int(db.value(sql("count_adoptions")))
    if adopted:
        steps = ("adopt_names", "adopt_versions", "adopt_days", "drop_adopted", "adopt_models")
        for step in steps:
            db.execute(sql(step))
    db.execute(sql("drop_adoptions"))
    return adopted


def in_words(joined: int, of: int | None = None) -> str:
    """The end of a verdict's reason: how many models were joined by name; nothing when none were."""
    if not joined:
        return ""
    return f"; {joined:,}{f' of {of:,}' if of else ''} models joined by name to their history"
