"""What we know: the warehouse and everything that is decided from its rows alone. Imports nothing of ours.

    attribution   whose a model is: identity, lineage
    snapshots     what was seen, and whether it may be judged by
    ranking       boards -> standings
    changes       flips: what changed order, whether that is true, why, since when
    forecasts     what may come
    state         what the monitor did and decided
    published     everybody's copy

Each knows only those above it. `db` is the one door to DuckDB, `sql/` has every query, `registry` the families.
"""
