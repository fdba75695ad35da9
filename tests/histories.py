"""Histories of observations for the tests of packing and publishing: models come, go, are renamed, are not counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from hypothesis import strategies as st
from spine import head

from warehouse.db import Database
from warehouse.records import HubModel
from warehouse.snapshots import store

START = date(2026, 1, 26)
"""A Monday; the month ends within the first week."""

Count = int | None
Seen = tuple[str, Count, Count, Count]
"""What a model is called, and its three counts."""
Look = tuple[int, str, Mapping[str, Seen]]
"""A day by its number, the source, and what it showed: hub_id -> what was seen of it."""

_COUNTS = st.one_of(st.none(), st.integers(0, 3), st.integers(0, 2**40))
_SEEN = st.tuples(st.sampled_from(["lab/one", "lab/two", "other/one"]), _COUNTS, _COUNTS, _COUNTS)
_SHOWN = st.dictionaries(st.sampled_from([f"id{number}" for number in range(5)]), _SEEN, max_size=5)

LOOKS = st.lists(st.tuples(st.integers(0, 75), st.sampled_from(["hub", "census"]), _SHOWN), max_size=14)


def keep(db: Database, looks: Sequence[Look], first: int = 1) -> None:
    """Write these looks; the number of a snapshot follows from its day and place, from `first` on."""
    for place, (number, source, shown) in enumerate(looks, start=first):
        day = START + timedelta(days=number)
        snapshot_id = int(day.strftime("%Y%m%d")) * 10**9 + place
        with db.transaction():
            one = head(snapshot_id, models=len(shown), day=day, source=source)
            store.write_snapshot(db, one, store.model_frame(_models(shown)))


def observations(db: Database, where: str = "true") -> list[tuple[object, ...]]:
    """All that was counted, in one order."""
    return db.rows(f"SELECT * FROM observations WHERE {where} ORDER BY ALL")


def _models(shown: Mapping[str, Seen]) -> list[HubModel]:
    return [
        HubModel(hub_id, f"{name}-{hub_id}", name.partition("/")[0], *counts)
        for hub_id, (name, *counts) in shown.items()
    ]
