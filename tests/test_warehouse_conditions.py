"""What a board's `where` may say, and what would make of the same facts another standing."""

from __future__ import annotations

from pathlib import Path

import pytest
from spine import warehouse

from warehouse.errors import QueryRefusedError
from warehouse.ranking import conditions


@pytest.mark.parametrize(
    "condition",
    [
        "pipeline_tag = 'text-generation' AND parameters > 1e9",
        "repo_id ILIKE '%instruct%' OR regexp_matches(repo_id, '-[0-9]+b$') -- with a comment",
        "year(created_at) >= 2025 AND date_trunc('month', created_at) > TIMESTAMPTZ '2025-01-01 00:00:00Z'",
        "strftime(created_at, '%Y') = '2025' AND (created_at AT TIME ZONE 'UTC')::DATE < DATE '2026-01-01'",
        "created_at + INTERVAL 30 DAYS < last_seen AND age(last_seen, created_at) > INTERVAL 1 YEAR",
        "len(list_filter([1, 2], lambda x: x > 1)) = 1 AND coalesce(license, '') <> '{x}'",
        "publisher IN (SELECT unnest(publishers) FROM families WHERE country = 'CN')",
        "hub_id IN (SELECT o.hub_id FROM observations AS o JOIN snapshots USING (snapshot_id) WHERE o.likes > 100)",
        "models.library IS NULL AND license ~ 'apache.*' AND NOT gated IN ('auto', 'manual')",
    ],
)
def test_a_condition_may_say_whatever_follows_from_what_was_collected(condition: str) -> None:
    with warehouse() as db:
        conditions.refuse(db, condition)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("random() < 0.5", "random() is another whenever"),
        ("main.RANDOM() < 0.5", "random() is another whenever"),
        ("len(list_transform([1], lambda x: x + random())) > 0", "random() is another whenever"),
        ("uuid()::VARCHAR > 'a'", "uuid() is another whenever"),
        ("created_at > now() - INTERVAL 30 DAYS", "now() is another whenever"),
        ("created_at > ago(INTERVAL 30 DAYS)", "ago() is another whenever"),
        ("created_at > Current_Date", "Current_Date is another whenever"),
        ('created_at > "current_timestamp"', "current_timestamp is another whenever"),
        ("created_at::TIMESTAMP > localtimestamp", "localtimestamp is another whenever"),
        ("today() > created_at", "today() is another whenever"),
        ("age(created_at) > INTERVAL 1 YEAR", "age() is another whenever"),
        ("current_setting('threads')::INT > 1", "current_setting() is another whenever"),
        ("getvariable('x') IS NULL", "getvariable() is another whenever"),
        ("user = 'duckdb'", "user is another whenever"),
        ("current_schema() = 'main'", "current_schema() is another whenever"),
        ("rowid % 2 = 0", "rowid is another whenever"),
        ("models.rowid % 2 = 0", "rowid is another whenever"),
        ("repo_id IN (SELECT repo_id FROM read_csv('{list}'))", "it reads read_csv"),
        ("repo_id IN (FROM '{list}')", "list.csv': it may look up models, observations, snapshots, families"),
        ("EXISTS (FROM glob('*'))", "it reads glob"),
        ("EXISTS (FROM duckdb_settings())", "it reads duckdb_settings"),
        ("EXISTS (FROM (SHOW TABLES))", "it reads"),
        ("family IN (SELECT entity FROM standings WHERE rank = 1)", "it reads 'standings'"),
        ("repo_id IN (SELECT repo_id FROM models USING SAMPLE 10 ROWS)", "it takes a sample"),
        ("repo_id IN (SELECT repo_id FROM models TABLESAMPLE 10%)", "it takes a sample"),
        ("nothing = 1", "nothing"),
    ],
)
def test_a_condition_that_may_be_another_tomorrow_is_refused_in_one_line(
    tmp_path: Path, condition: str, said: str
) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("repo_id\nalpha-lab/alpha-1\n")
    with warehouse() as db, pytest.raises(QueryRefusedError) as caught:
        conditions.refuse(db, condition.replace("{list}", str(listed)))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_function_of_chance_or_of_the_moment_that_duckdb_knows_of_is_refused() -> None:
    """Also one that a later version of it brings."""
    with warehouse() as db:
        moving = db.rows(
            "SELECT DISTINCT function_name FROM duckdb_functions() GROUP BY function_name, parameter_types "
            "HAVING bool_and(stability <> 'CONSISTENT') AND len(parameter_types) = 0"
        )
        assert {"now", "random", "uuid", "today"} <= {name for (name,) in moving}
        for (name,) in moving:
            with pytest.raises(QueryRefusedError, match="whenever it is asked"):
                conditions.refuse(db, f"{name}() IS NOT NULL")
