"""Published figures, recomputed from the recordings and printed beside what was published (`pytest -s` shows it).

Tolerance: the month of every change of order is the published one, exactly; monthly figures lie within 3 % of the
published ones or within their rounding (0.05 million). On the recorded looks of 2026 there are the eight lead changes
against meta-llama of the table that came with the recording, with its verdicts, and every sum lies within rounding.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, date

import polars as pl
import pytest
from small_hub import REGISTRY
from spine import warehouse

from jobs import rank
from monitor.demo.recordings import DATA, snapshots
from warehouse.changes import panel
from warehouse.changes.explain import of_flip
from warehouse.changes.flips import Day, OrderChange
from warehouse.changes.when import Passage, crossing, crossings
from warehouse.db import Database
from warehouse.ranking.boards import Board
from warehouse.records import Snapshot
from warehouse.snapshots import store

TOLERANCE = 0.03
ROUNDING = 0.05

MONTHLY = Board(name="monthly", entity="publisher", measure="series:monthly")
PUBLISHERS = Board(name="publishers", entity="publisher")

CHANGES = {
    ("Qwen", "meta-llama"): ("2024-10 Qwen", "2024-12 meta-llama", "2025-04 Qwen"),
    ("deepseek-ai", "meta-llama"): ("2026-05 deepseek-ai",),
    ("google", "meta-llama"): ("2026-05 google",),
    ("nvidia", "meta-llama"): ("2026-07 nvidia",),
    ("nvidia", "deepseek-ai"): ("2026-07 nvidia",),
    ("zai-org", "moonshotai"): ("2025-08 zai-org", "2026-04 moonshotai", "2026-06 zai-org"),
    ("zai-org", "mistralai"): ("2025-09 zai-org", "2025-10 mistralai", "2026-02 zai-org"),
}
"""A pair -> the months in which its order changed and who was ahead then, as Model Pulse published them."""

FIGURES = {
    ("2024-10", "Qwen"): 61.6,
    ("2024-10", "meta-llama"): 38.3,
    ("2024-12", "Qwen"): 14.7,
    ("2024-12", "meta-llama"): 20.7,
    ("2025-03", "Qwen"): 25.1,
    ("2025-03", "meta-llama"): 26.6,
    ("2025-04", "Qwen"): 29.2,
    ("2025-04", "meta-llama"): 23.8,
    ("2026-02", "Qwen"): 172.4,
    ("2026-05", "deepseek-ai"): 36.6,
    ("2026-05", "google"): 43.4,
    ("2026-05", "meta-llama"): 33.8,
}
"""Million downloads a month, as published (rounded to 0.1)."""

LEAD_CHANGES = (
    # until, who passed, whom; both on all that was listed and on the same repositories (M, at the later end); stands?
    ("2026-03-04", "openai", "meta-llama", (11.2, 8.6), (4.2, 8.6), False),
    ("2026-03-21", "meta-llama", "openai", (30.9, 11.9), (10.8, 11.9), False),
    ("2026-05-06", "deepseek-ai", "meta-llama", (32.4, 32.0), (29.8, 32.0), False),
    ("2026-05-06", "google", "meta-llama", (32.6, 32.0), (32.5, 32.0), True),
    ("2026-05-27", "meta-llama", "deepseek-ai", (33.5, 31.4), (33.5, 31.3), True),
    ("2026-06-23", "deepseek-ai", "meta-llama", (36.1, 31.6), (36.1, 30.5), True),
    ("2026-06-23", "openai", "meta-llama", (36.0, 31.6), (11.0, 30.5), False),
    ("2026-08-04", "nvidia", "meta-llama", (41.4, 32.4), (36.8, 32.4), True),
)
"""The lead changes against meta-llama between neighbouring usable looks, as the table beside the recording has them."""

AUTHORS = frozenset(
    "Qwen meta-llama deepseek-ai zai-org MiniMaxAI moonshotai google openai mistralai microsoft nvidia".split()  # noqa: SIM905
)
"""The publishers that the table was made from."""


# Monthly totals, two years


def monthly(column: str) -> pl.DataFrame:
    """day, entity, value of the published file; what was not restated stands as it was."""
    table = pl.read_csv(DATA / "publisher_monthly.csv")
    value = pl.col("downloads") if column == "downloads" else pl.coalesce(column, "downloads")
    day = (pl.col("month") + "-01").str.to_date().dt.month_end()
    exactness = pl.col("exactness").replace({"exact": None, "est": "estimated"})
    return table.select(day=day, entity="publisher", value=value.cast(pl.Float64), exactness=exactness)


@pytest.fixture(scope="module", params=["downloads", "downloads_restated"])
def series(request: pytest.FixtureRequest) -> Iterator[Database]:
    with warehouse() as db, db.transaction():
        store.write_series(db, "monthly", monthly(request.param), revision="publisher_monthly.csv")
        rank.run(db, [MONTHLY], REGISTRY)
        yield db


@pytest.mark.parametrize("pair", CHANGES, ids="/".join)
def test_a_pair_changed_order_in_the_months_that_were_published(series: Database, pair: tuple[str, str]) -> None:
    """Also by the figures as their source restated them later."""
    query = (
        "SELECT strftime(day, '%Y-%m') || ' ' || entity FROM flips "
        "WHERE list_contains($pair, entity) AND list_contains($pair, rival) ORDER BY day"
    )
    found = tuple(row[0] for row in series.rows(query, {"pair": list(pair)}))
    print(f"\n{' / '.join(pair):28} found {', '.join(found):60} published {', '.join(CHANGES[pair])}")  # noqa: T201

    assert found == CHANGES[pair]


def test_when_answers_with_the_published_months(series: Database) -> None:
    (found,) = crossings(series, "Qwen", "meta-llama")

    assert found.crossing.first == Passage(date(2024, 9, 30), date(2024, 10, 31), "estimated")
    assert found.crossing.for_good == Passage(date(2025, 3, 31), date(2025, 4, 30), "as published")
    assert found.crossing.changes == 3


def test_the_monthly_figures_are_the_published_ones_within_the_tolerance() -> None:
    with (DATA / "publisher_monthly.csv").open(encoding="utf-8") as file:
        known = {(row["month"], row["publisher"]): int(row["downloads"]) / 1e6 for row in csv.DictReader(file)}
    for (month, publisher), published in FIGURES.items():
        found = known[month, publisher]
        print(f"\n{month} {publisher:12} found {found:7.2f} M  published {published:7.1f} M", end="")  # noqa: T201

        assert found == pytest.approx(published, rel=TOLERANCE, abs=ROUNDING)


def test_three_months_in_a_row_say_once_what_a_naive_reader_sees_three_times() -> None:
    rows = {(day, entity): value for day, entity, value, _ in monthly("downloads").iter_rows()}
    days = sorted({day for day, _ in rows})
    ahead = [rows[day, "Qwen"] > rows[day, "meta-llama"] for day in days]
    confirmed = [days[n] for n in range(3, len(days)) if all(ahead[n - 2 : n + 1]) and not all(ahead[n - 3 : n])]

    naive = crossing([(day, rows[day, "Qwen"], rows[day, "meta-llama"]) for day in days])
    assert naive is not None
    assert naive.changes == 3
    assert confirmed == [date(2025, 6, 30)]


# Recorded looks, 2026


@pytest.fixture(scope="module")
def recorded() -> Iterator[Database]:
    """The 21 usable looks at eleven publishers."""
    with warehouse() as db:
        with db.transaction():
            for taken_at, models in snapshots(only_usable=True):
                moment = taken_at.astimezone(UTC)
                own = [model for model in models if model.publisher in AUTHORS]
                snapshot_id = store.next_snapshot_id(db, moment)
                head = Snapshot(snapshot_id, "hub", moment, moment.date(), "complete", "usable", len(own))
                store.write_snapshot(db, head, store.model_frame(own))
            rank.run(db, [PUBLISHERS], REGISTRY)
        yield db


def found_changes(db: Database) -> list[Mapping[str, object]]:
    return db.records("SELECT * FROM flips WHERE 'meta-llama' IN (entity, rival)")


def test_the_eight_lead_changes_of_2026_come_out_with_their_verdicts(recorded: Database) -> None:
    found = {(str(flip["day"]), flip["entity"], flip["rival"]): flip for flip in found_changes(recorded)}
    for day, entity, rival, _, _, stands in LEAD_CHANGES:
        verdict = found[day, entity, rival]["verdict"]
        print(f"\n{day} {entity:12} passed {rival:12} {verdict}", end="")  # noqa: T201

        assert found[day, entity, rival]["panel_holds"] is stands
        assert str(verdict).startswith("stands" if stands else "list growth")
    assert len(found) == len(LEAD_CHANGES)


def test_their_sums_are_those_of_the_table(recorded: Database) -> None:
    flips = {(str(flip["day"]), flip["entity"], flip["rival"]): flip for flip in found_changes(recorded)}
    for day, entity, rival, listed, same, _ in LEAD_CHANGES:
        flip = flips[day, entity, rival]
        assert flip["value"] / 1e6 == pytest.approx(listed[0], abs=ROUNDING)  # type: ignore[operator]
        assert flip["rival_value"] / 1e6 == pytest.approx(listed[1], abs=ROUNDING)  # type: ignore[operator]
        before, after = ends(recorded, flip)
        (known,) = panel.panels(recorded, PUBLISHERS, [OrderChange("overtake", entity, rival, before, after)])
        assert known is not None
        assert known[entity].same / 1e6 == pytest.approx(same[0], abs=ROUNDING)
        assert known[rival].same / 1e6 == pytest.approx(same[1], abs=ROUNDING)


def ends(db: Database, flip: Mapping[str, object]) -> tuple[Day, Day]:
    query = "SELECT any_value(snapshot_id) FROM standings WHERE day = $day"
    days = (flip["previous_day"], flip["day"])
    before, after = (Day(day, db.value(query, {"day": day}), {}, {}) for day in days)  # type: ignore[arg-type]
    return before, after


def test_what_the_list_brought_outweighs_what_the_models_did_in_each_that_does_not_stand(recorded: Database) -> None:
    for flip in found_changes(recorded):
        found = of_flip(recorded, str(flip["flip_id"]))
        parts = {part.name: part.gap_change for part in found.parts}

        assert sum(parts.values()) == found.gap - found.gap_before
        if not found.panel_holds:
            assert parts["newly listed though old"] > parts["seen at both ends"]
        assert "newly created" not in parts, (
            "the recording has a date of creation for few models, and none launched here"
        )
