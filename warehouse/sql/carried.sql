-- name: remembers_sizes
-- Whether the copy remembers anything of itself.
SELECT count(*) > 0 FROM duckdb_tables()
WHERE database_name = 'published' AND schema_name = 'carried' AND table_name = 'sizes';

-- name: size_of
-- How many rows a relation of the copy has.
SELECT '{relation}' AS relation, count(*) AS rows FROM published.{relation}

-- name: other_sizes
-- Relations that have not as many rows as when that was noted.
({sizes}) EXCEPT FROM published.carried.sizes;

-- name: remember_sizes
-- Note how many rows all relations have now.
CREATE OR REPLACE TABLE published.carried.sizes AS {sizes};

-- name: forget_carried
-- Forget all that the copy remembers of itself.
DROP SCHEMA IF EXISTS published.carried CASCADE;

-- name: begin_carried
-- Make room for what it is to remember.
CREATE SCHEMA published.carried;

-- name: remember_parts
-- Note what the parts of a relation are that are there, unless that is known.
CREATE TABLE IF NOT EXISTS published.carried.parts_of_{relation} AS {parts};

-- name: remembered_parts
-- The parts of a relation, as they were noted.
FROM published.carried.parts_of_{relation}

-- name: forget_changed_parts
-- Forget what the parts of a relation were that are others now.
DELETE FROM published.carried.parts_of_{relation} WHERE part IN (FROM changed_parts);

-- name: remember_changed_parts
-- Note what they are.
INSERT INTO published.carried.parts_of_{relation} FROM present_parts WHERE part IN (FROM changed_parts);

-- name: remember_unnamed
-- Note of which runs the copy has rows without naming them: how many, and a number that is another if others are there.
CREATE OR REPLACE TABLE published.carried.unnamed_runs AS
SELECT run, count(*) AS rows, sum(hash(name)) AS names FROM published.observation_runs WHERE {unnamed} GROUP BY run;
