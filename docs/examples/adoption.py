"""Who leads, from the published file to a chart: runs as a script, and cell by cell in Jupyter, VS Code or marimo.

python docs/examples/adoption.py leadchange-data/adoption.duckdb
"""

# %% Open the published file. Read-only: the daemon goes on, and so may you, for hours.
import sys

import altair as alt
import duckdb
import polars as pl

published = sys.argv[1] if len(sys.argv) > 1 else "leadchange-data/adoption.duckdb"
adoption = duckdb.connect(published, read_only=True)

# %% Who leads each board now?
leaders = adoption.sql("""
    SELECT board, day, entity, value, share FROM standings
    WHERE rank = 1 QUALIFY day = max(day) OVER (PARTITION BY board) ORDER BY board
""").pl()
print(leaders)

# %% The race of the families, as a frame with a column for each.
race = adoption.sql("SELECT day, entity, value FROM standings WHERE board = 'families' AND rank <= 5 ORDER BY day").pl()
wide = race.pivot("entity", index="day", values="value").sort("day")
print(wide.tail(3))

# %% How far is the leader ahead? NULL is not 0: where a value is not known, so is the lead.
lead = (
    race.sort("day", "value", descending=[False, True])
    .group_by("day", maintain_order=True)
    .agg(leader=pl.col("entity").first(), lead=1 - pl.col("value").get(1, null_on_oob=True) / pl.col("value").first())
)
print(lead.tail(3))

# %% Which days were not judged by, and why?
unjudged = adoption.sql(
    "SELECT day, verdict, verdict_reason FROM snapshots WHERE verdict <> 'complete' ORDER BY day"
).pl()
print(unjudged)

# %% A chart; in a notebook the last line shows it.
chart = alt.Chart(race).mark_line().encode(x="day:T", y="value:Q", color="entity:N").properties(title="The race")
chart
