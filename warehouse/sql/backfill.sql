-- name: history_of
-- The days of a source that are here, from which revisions, and whether nothing of such a revision could be read: a day
-- that holds no model has been measured.
SELECT day, revision, verdict, max(models) OVER (PARTITION BY revision) = 0 AND measured IS NULL AS unreadable
FROM snapshots WHERE source = $source;

-- name: identify_models
-- Whose the rows of an imported day are: by `_id` where the source has one, else by name and dates, else by name alone.
-- A name is that of the model called so (now or before) which was created by that day, as the row itself may say; an
-- unknown name is a renamed model's when the rest of the name and the very second of its creation agree.
CREATE OR REPLACE TEMP TABLE identified AS
WITH
named AS (
    SELECT lower(repo_id) AS name, hub_id, created_at FROM models
    UNION ALL
    SELECT lower(unnest(former_names)), hub_id, created_at FROM models WHERE former_names IS NOT NULL),
nameless AS (SELECT row, lower(repo_id) AS name, created_at FROM incoming WHERE hub_id IS NULL),
by_name AS (
    SELECT i.row, arg_max(n.hub_id, (NOT starts_with(n.hub_id, 'name:'), coalesce(n.created_at, '1970-01-01'), n.hub_id)) AS hub_id
    FROM nameless AS i JOIN named AS n USING (name)
    WHERE coalesce(n.created_at < $day::DATE + 1, true)
        AND coalesce(abs(date_diff('hour', i.created_at, n.created_at)) <= 24, true)
    GROUP BY i.row),
renamed AS (
    SELECT i.row, min(n.hub_id) AS hub_id
    FROM nameless AS i ANTI JOIN by_name USING (row)
    JOIN named AS n ON i.created_at = n.created_at AND split_part(i.name, '/', 2) = split_part(n.name, '/', 2)
    WHERE i.created_at > '2022-03-03' AND n.hub_id NOT IN (SELECT hub_id FROM by_name)
    GROUP BY i.row HAVING count(DISTINCT n.hub_id) = 1)
SELECT i.row, coalesce(i.hub_id, b.hub_id, r.hub_id, 'name:' || lower(i.repo_id)) AS hub_id,
    i.hub_id IS NULL AND NOT starts_with(coalesce(b.hub_id, r.hub_id, 'name:'), 'name:') AS joined
FROM incoming AS i LEFT JOIN by_name AS b USING (row) LEFT JOIN renamed AS r USING (row);

-- name: identify_once
-- Of rows that are the same model's, the first is taken; says how many were not.
DELETE FROM identified AS i
USING (SELECT hub_id, min(row) AS first FROM identified GROUP BY hub_id HAVING count(*) > 1) AS d
WHERE i.hub_id = d.hub_id AND i.row > d.first;

-- name: count_said
-- Of how many models a source says each thing that may be said of one.
SELECT count(created_at) AS created_at, count(parameters) AS parameters, count(pipeline_tag) AS pipeline_tag,
    count(library) AS library, count(license) AS license, count(gated) AS gated, count(disabled) AS disabled,
    count(parents) AS parents
FROM incoming;

-- name: write_identified
-- Write the rows with whose they are; what their source is silent about as it is known.
COPY (SELECT {columns} FROM incoming AS i JOIN identified AS d USING (row) LEFT JOIN models AS m ON m.hub_id = d.hub_id)
TO {file} (FORMAT parquet);

-- name: count_joined
-- How many rows were joined to a model of the Hub by name.
SELECT count(*) FROM identified WHERE joined;

-- name: forget_identified
-- Forget whose they are.
DROP TABLE identified;

-- name: numbered_rows
-- A file of models, each row with its number.
SELECT * EXCLUDE (file_row_number), file_row_number AS row FROM {relation}

-- name: count_rows
-- How many rows a relation has.
SELECT count(*) FROM {relation};

-- name: repeated_rows
-- How many rows there are, and how many of them have a name that a row before them has.
SELECT count(*), count(*) - count(DISTINCT repo_id) FROM incoming;

-- name: rows_once
-- Every name the first time it is there.
SELECT * FROM ({rows}) QUALIFY row_number() OVER (PARTITION BY repo_id ORDER BY row) = 1

-- name: drop_unchanged_versions
-- Keep of an imported day only those descriptions that differ from the one before: days are imported in any order.
DELETE FROM model_versions AS v
WHERE v.snapshot_id = $snapshot_id AND EXISTS (
    SELECT 1
    FROM (
        SELECT o.hub_id, arg_max(o, o.snapshot_id) AS last
        FROM model_versions AS o
        WHERE o.snapshot_id < $snapshot_id
            AND o.hub_id IN (SELECT hub_id FROM model_versions WHERE snapshot_id = $snapshot_id)
        GROUP BY o.hub_id) AS b
    WHERE b.hub_id = v.hub_id
        AND (v.repo_id, v.publisher, v.created_at, v.parameters, v.pipeline_tag, v.library, v.license, v.gated, v.disabled,
                v.parents)
            IS NOT DISTINCT FROM (b.last.repo_id, b.last.publisher, b.last.created_at, b.last.parameters,
                b.last.pipeline_tag, b.last.library, b.last.license, b.last.gated, b.last.disabled, b.last.parents));

-- name: known_by_name_only
-- Whether there is any model that is known by its name only.
SELECT count(*) > 0 FROM models WHERE starts_with(hub_id, 'name:');

-- name: find_adoptions
-- Models known by name only whose name a look shows with an `_id`, unless their dates or another look contradict.
CREATE OR REPLACE TEMP TABLE adopted AS
WITH named AS (
    SELECT hub_id, lower(repo_id) AS name, created_at, first_seen FROM models WHERE starts_with(hub_id, 'name:')
    UNION
    SELECT hub_id, substr(hub_id, 6), created_at, first_seen FROM models WHERE starts_with(hub_id, 'name:')),
found AS (
    SELECT DISTINCT m.hub_id AS former, i.hub_id
    FROM named AS m
    JOIN (SELECT hub_id, lower(repo_id) AS name, created_at FROM incoming WHERE NOT starts_with(hub_id, 'name:')) AS i USING (name)
    WHERE coalesce(i.created_at < m.first_seen + 1, true)
        AND coalesce(abs(date_diff('hour', i.created_at, m.created_at)) <= 24, true)),
once AS (SELECT min(former) AS former, hub_id FROM found GROUP BY hub_id)
SELECT former, hub_id FROM once
WHERE former NOT IN (
    SELECT a.former
    FROM once AS a JOIN observations AS one ON one.hub_id = a.former
    JOIN observations AS other ON other.hub_id = a.hub_id AND other.snapshot_id = one.snapshot_id)
QUALIFY count(*) OVER (PARTITION BY former) = 1;

-- name: count_adoptions
-- How many there are.
SELECT count(*) FROM adopted;

-- name: adopt_names
-- Give their counts to the models they are of.
UPDATE model_names SET hub_id = a.hub_id FROM adopted AS a WHERE model_names.hub_id = a.former;

-- name: adopt_versions
-- Give their descriptions to the models they are of.
UPDATE model_versions SET hub_id = a.hub_id FROM adopted AS a WHERE model_versions.hub_id = a.former;

-- name: adopt_descriptions
-- Where the model is known already and was seen later by name only, it is called as it was then, and described so as far
-- as that says anything.
UPDATE models SET
    repo_id = n.repo_id, publisher = n.publisher, created_at = coalesce(models.created_at, n.created_at),
    parameters = coalesce(n.parameters, models.parameters), pipeline_tag = coalesce(n.pipeline_tag, models.pipeline_tag),
    library = coalesce(n.library, models.library), license = coalesce(n.license, models.license),
    gated = coalesce(n.gated, models.gated), disabled = coalesce(n.disabled, models.disabled),
    parents = coalesce(n.parents, models.parents), gone_on = n.gone_on, digest = NULL, number = n.number,
    former_names = nullif(list_sort(list_distinct(list_filter(
        [models.repo_id] || coalesce(models.former_names, []) || coalesce(n.former_names, []),
        lambda name: name <> n.repo_id))), [])
FROM adopted AS a JOIN models AS n ON n.hub_id = a.former
WHERE models.hub_id = a.hub_id AND n.last_seen > models.last_seen;

-- name: adopt_days
-- Where the model is known already, it was seen on the days of both, and is to be attributed again.
UPDATE models SET first_seen = least(models.first_seen, n.first_seen), last_seen = greatest(models.last_seen, n.last_seen),
    relation = NULL
FROM adopted AS a JOIN models AS n ON n.hub_id = a.former
WHERE models.hub_id = a.hub_id;

-- name: drop_adopted_shares
-- Whose those are that were known by name only is to be said anew, under their `_id`.
DELETE FROM shares WHERE hub_id IN (SELECT former FROM adopted);

-- name: drop_adopted
-- Where the model is known already, what was known by name only is nobody else.
DELETE FROM models WHERE hub_id IN (SELECT a.former FROM adopted AS a JOIN models AS m USING (hub_id));

-- name: adopt_models
-- Where it is not known yet, what was known by name is the model.
UPDATE models SET hub_id = a.hub_id, relation = NULL FROM adopted AS a WHERE models.hub_id = a.former;

-- name: drop_adoptions
-- Forget the working copy.
DROP TABLE adopted;

-- name: models_unattributed
-- Whether some model was written and never attributed to a family.
SELECT count(*) > 0 FROM models WHERE relation IS NULL;

-- name: flips_between
-- Lead changes and overtakes found in some days, oldest first.
SELECT flip_id, day, board, kind, entity, rival, value, rival_value, margin, verdict
FROM flips WHERE day BETWEEN $first AND $last
ORDER BY day, board, kind, entity, rival;
