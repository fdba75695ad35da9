"""The curated list of language models that boards with `scope = "curated"` count: the ATOM project's, as it stood.

Tracked model list: ATOM project, Interconnects AI (https://github.com/Interconnects-AI/tracked-models), Apache-2.0.
`data/atom_models.csv` is its `models.csv` followed by its `extra_models.csv`, otherwise unchanged.
"""

from __future__ import annotations

import csv
from datetime import date
from functools import cache
from importlib import resources

REVISION = "3cd80206db"
"""The commit the list was taken from; it belongs in the definition of every board that uses it."""
DAY = date(2026, 8, 17)
"""The day of that commit: models released later are not on the list."""


@cache
def curated() -> frozenset[str]:
    """The repo_ids on the list as they were spelt on its day (renamed later: the old name)."""
    text = resources.files("warehouse").joinpath("data/atom_models.csv").read_text(encoding="utf-8")
    return frozenset(row["modelId"] for row in csv.DictReader(text.splitlines()))
