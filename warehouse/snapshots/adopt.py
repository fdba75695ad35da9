"""History that does not know the Hub's `_id`: joined to the models it is of, by name and dates.

An imported row without `_id` belongs to the model that is called so, or was, if the dates allow it. A name that nobody
is known by becomes `name:publisher/name`; once a look shows that name with an `_id`, `adopt` joins what is there to it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from warehouse.amounts import amount
from warehouse.db import Database
from warehouse.queries import literal, sql
from warehouse.snapshots.store import MODEL_SCHEMA, Models

_STEPS = (
    "adopt_names",
    "adopt_versions",
    "adopt_descriptions",
    "adopt_days",
    "drop_adopted_shares",
    "drop_adopted",
    "adopt_models",
)
"""Queries that join what is known by name only to a model; who was seen last is asked before the days become one."""


def identify(db: Database, models: str, day: date, target: Path) -> tuple[int, int]:
    """Say whose the rows of an imported day are. Run inside a transaction.

    Args:
        db: the warehouse.
        models: query with the columns of `store.MODEL_SCHEMA`, hub_id null where the source has none, and `row`; each
            repo_id once.
        day: the day they show.
        target: file to write: the models, each once and with a hub_id, and with what is known where their source is
            silent.

    Returns:
        How many were joined to a model of the Hub by name, and how many rows were left out, for one before them is of
        the same model.
    """
    with db.view_of("incoming", models):
        db.execute(sql("identify_models"), {"day": day})
        repeated = int(db.value(sql("identify_once")))
        silent = {name for name, rows in db.records(sql("count_said"))[0].items() if not rows}
        sources = {"hub_id": "d"} | dict.fromkeys(silent, "m")
        columns = ", ".join(f"{sources.get(name, 'i')}.{name}" for name in MODEL_SCHEMA)
        db.execute(sql("write_identified", columns=columns, file=literal(str(target))))
    joined = int(db.value(sql("count_joined")))
    db.execute(sql("forget_identified"))
    return joined, repeated


def adopt(db: Database, models: Models) -> int:
    """Join what is known by name only to the models of a look, before it is written; how many were joined.

    Run inside a transaction.
    """
    if not db.value(sql("known_by_name_only")):
        return 0
    with db.view_of("incoming", models):
        db.execute(sql("find_adoptions"))
    adopted = int(db.value(sql("count_adoptions")))
    if adopted:
        for step in _STEPS:
            db.execute(sql(step))
    db.execute(sql("drop_adoptions"))
    return adopted


def in_words(joined: int, of: int | None = None) -> str:
    """The end of a verdict's reason: how many models were joined by name; nothing when none were."""
    if not joined:
        return ""
    models = f"{joined:,} of {amount(of, 'model')}" if of else amount(joined, "model")
    return f"; {models} joined by name to their history"
