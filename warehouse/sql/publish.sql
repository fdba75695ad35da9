-- name: comments
-- What every published relation and column means.
SELECT 'TABLE', table_name, comment FROM duckdb_tables()
WHERE database_name = current_database() AND list_contains($relations, table_name) AND comment IS NOT NULL
UNION ALL
SELECT 'VIEW', view_name, comment FROM duckdb_views()
WHERE database_name = current_database() AND list_contains($relations, view_name) AND comment IS NOT NULL
UNION ALL
SELECT 'COLUMN', table_name || '.' || column_name, comment FROM duckdb_columns()
WHERE database_name = current_database() AND list_contains($relations, table_name) AND comment IS NOT NULL;

-- name: view_definitions
-- How the published views are made.
SELECT sql FROM duckdb_views() WHERE database_name = current_database() AND list_contains($relations, view_name);

-- name: shape
-- Names, order, types and meanings of everything published, in one of the open files.
SELECT c.table_name, c.column_index, c.column_name, c.data_type, c.comment, coalesce(t.comment, v.comment), v.sql
FROM duckdb_columns() AS c
LEFT JOIN duckdb_tables() AS t USING (database_name, schema_name, table_name)
LEFT JOIN duckdb_views() AS v ON v.database_name = c.database_name AND v.schema_name = c.schema_name AND v.view_name = c.table_name
WHERE c.database_name = {database} AND NOT c.internal AND list_contains($relations, c.table_name)
ORDER BY ALL;

-- name: parts
-- The parts of a relation, by the last expression of their key, and what changes when one of them does.
SELECT {key} AS part, count(*) AS rows, {sign} AS sign FROM {relation} AS t GROUP BY ALL

-- name: rankings_of
-- The days for which some boards were ranked, in one of the open files.
(FROM {file}rankings WHERE board IN ({boards}))

-- name: note_present
-- Note what the parts of a relation of the warehouse are.
CREATE OR REPLACE TEMP TABLE present_parts AS {ours};

-- name: note_changed
-- Note which of them differ from those of the copy.
CREATE OR REPLACE TEMP TABLE changed_parts AS
SELECT DISTINCT * EXCLUDE (rows, sign, alone)
FROM (
    SELECT * EXCLUDE (ours), min(ours) = max(ours) AS alone
    FROM (SELECT *, true AS ours FROM present_parts UNION ALL SELECT *, false AS ours FROM ({theirs}))
    GROUP BY ALL)
WHERE alone;

-- name: count_changed
-- How many parts differ.
SELECT count(*) FROM changed_parts;

-- name: drop_changed
-- Take the parts that differ out of the copy.
DELETE FROM published.{relation} AS t WHERE ({key}) IN (FROM changed_parts);

-- name: bring_changed
-- Write the parts that differ into the copy.
INSERT INTO published.{relation} SELECT * FROM {relation} AS t WHERE ({key}) IN (FROM changed_parts);

-- name: forget_changed
-- Forget which parts differ.
DROP TABLE IF EXISTS changed_parts;

-- name: forget_present
-- Forget what the parts are.
DROP TABLE IF EXISTS present_parts;

-- name: newest_last_seen
-- The last day on which most models were seen.
SELECT max(last_seen) FROM models;

-- name: set_last_seen
-- Say of every model that was seen on the newest day that it was: nearly all were. By number, which is told apart in a
-- third of the time; those that have none are mended. And only of those that were seen since a day: who was not is gone,
-- nearly always for good.
UPDATE published.models SET last_seen = $day
WHERE last_seen <> $day AND last_seen >= $since AND number NOT IN (
    SELECT number FROM models WHERE last_seen <> $day AND last_seen >= $since AND number IS NOT NULL);

-- name: mend_last_seen
-- Say of the models that were not when they were.
UPDATE published.models SET last_seen = m.last_seen
FROM (SELECT number, last_seen FROM models WHERE last_seen <> $day) AS m
WHERE published.models.number = m.number AND published.models.last_seen <> m.last_seen;

-- name: mend_unnumbered_last_seen
-- And of those that have no number, because they were gone before models had one.
UPDATE published.models SET last_seen = m.last_seen
FROM (SELECT hub_id, last_seen FROM models WHERE number IS NULL) AS m
WHERE published.models.hub_id = m.hub_id AND published.models.last_seen <> m.last_seen;

-- name: lacks_returned
-- Whether somebody is back of whom the copy does not say so: it is right of all others by now.
SELECT (SELECT count(*) FROM models WHERE last_seen = $day) <> (SELECT count(*) FROM published.models WHERE last_seen = $day);

-- name: wasted_share
-- Which part of the copy's blocks is free.
SELECT free_blocks / greatest(total_blocks, 1) FROM pragma_database_size() WHERE database_name = 'published';
