-- name: attribution_stands
-- By which reading models were attributed last, how many there are, of how many that must be said anew, and whether any
-- ever had another name.
SELECT (SELECT any_value(reading) FROM attribution), count(*), count(*) - count(relation), count(former_names) > 0 FROM models;

-- name: attribution_reading
-- By which reading models were attributed last; nothing where none was.
SELECT any_value(reading) FROM attribution;

-- name: forget_reading
-- Make room for the reading by which models are attributed now.
DELETE FROM attribution;

-- name: note_reading
-- Note by which reading models are attributed.
INSERT INTO attribution (reading) VALUES ($reading);

-- name: find_declared
-- Which names models declare as their parents'. Only what does not begin and end in print is trimmed, for trimming takes
-- longer than all the rest. They are looked up by hashes, which take a tenth of the time: where two are the same by
-- chance, a model too many is looked at.
CREATE OR REPLACE TEMP TABLE declared AS
SELECT model, name, hash(lower(name)) AS key
FROM (
    SELECT model, CASE
        WHEN strlen(name) > length(name) OR name < '!' OR right(name, 1) < '!' THEN trim(name, $blanks)
        ELSE name
    END AS name
    FROM (SELECT rowid AS model, unnest(parents).repo_id AS name FROM models WHERE parents IS NOT NULL));

-- name: find_fresh
-- How every model that is new or changed was ever described: looked for once among millions, and asked for three times.
CREATE OR REPLACE TEMP TABLE fresh AS
SELECT m.model, v.repo_id, v.parents
FROM (SELECT rowid AS model, hub_id FROM models WHERE relation IS NULL) AS m LEFT JOIN model_versions AS v USING (hub_id);

-- name: find_affected
-- Models whose lineage may be another than it was: those that are new or changed, and whatever declares the name that one
-- of these has, or ever was described under. And whatever declares a name that is not written in ASCII, whose small letters
-- are others to DuckDB than to `lineage.trace`.
CREATE OR REPLACE TEMP TABLE affected AS
SELECT model FROM fresh
UNION
SELECT model FROM declared WHERE strlen(name) > length(name) OR key IN (SELECT hash(lower(repo_id)) FROM fresh);

-- name: count_affected
-- How many there are, and whether one that is new or changed declares a parent, or ever did.
SELECT count(*), EXISTS (FROM fresh WHERE parents IS NOT NULL) FROM affected;

-- name: add_spelled
-- Models with a parent that nobody has listed, too, where one that is new or changed spells it in a way that goes before
-- everybody else's, now or formerly: it is called by the smallest.
INSERT INTO affected
WITH
spelled AS (
    SELECT hash(lower(name)) AS key, min(name) AS name
    FROM (SELECT trim(unnest(parents).repo_id, $blanks) AS name FROM fresh)
    GROUP BY key),
unlisted AS (FROM spelled ANTI JOIN (SELECT hash(lower(repo_id)) AS key FROM models) USING (key)),
keys AS (
    SELECT d.key FROM declared AS d JOIN unlisted AS u USING (key)
    WHERE d.model NOT IN (SELECT model FROM fresh)
    GROUP BY d.key HAVING min(u.name) < min(d.name))
SELECT DISTINCT model FROM declared WHERE key IN (FROM keys) AND model NOT IN (FROM affected);

-- name: add_descendants
-- And the descendants of whatever is, or ever was, called like one of these.
INSERT INTO affected
WITH RECURSIVE
heirs AS (
    SELECT model FROM affected
    UNION
    SELECT d.model
    FROM (
        SELECT hash(lower(unnest(list_append(coalesce(m.former_names, []), m.repo_id)))) AS key
        FROM heirs AS a JOIN models AS m ON m.rowid = a.model) AS n
    JOIN declared AS d USING (key))
FROM heirs WHERE model NOT IN (FROM affected);

-- name: find_kindred
-- The models affected with all their ancestors: every model that is, or ever was, called like what one of them declares.
-- And those not called in ASCII, which may be. Looked for, step by step, among those that anybody declares.
CREATE OR REPLACE TEMP TABLE kindred AS
WITH RECURSIVE
answers AS MATERIALIZED (
    FROM (
        SELECT rowid AS model, hash(lower(repo_id)) AS key FROM models
        UNION ALL
        SELECT rowid, hash(lower(unnest(former_names))) FROM models WHERE former_names IS NOT NULL)
    WHERE key IN (SELECT key FROM declared)),
kindred AS (
    (
        SELECT model FROM affected
        UNION
        SELECT rowid FROM models
        WHERE strlen(repo_id) > length(repo_id)
            OR (former_names IS NOT NULL AND strlen(former_names::VARCHAR) > length(former_names::VARCHAR)))
    UNION
    SELECT n.model FROM kindred JOIN declared USING (model) JOIN answers AS n USING (key))
SELECT model, model IN (FROM affected) AS affected FROM kindred;

-- name: kindred_to_attribute
-- What decides the kindred's own families, as `models_to_attribute` has it of all; and which of them are affected.
SELECT m.rowid AS model, m.hub_id, m.repo_id, list_contains($publishers, lower(split_part(m.repo_id, '/', 1))) AS ours,
    k.affected
FROM ({kindred}) AS k JOIN models AS m ON m.rowid = k.model
ORDER BY m.hub_id;

-- name: kindred_parents
-- What the kindred say they descend from; a parent that is none of them as it is spelled by the first in order of all that
-- declare it, kindred or not.
WITH
said AS MATERIALIZED (
    SELECT model, parent.relation AS relation, trim(parent.repo_id, $blanks) AS name, hash(lower(name)) AS key
    FROM (SELECT rowid AS model, unnest(parents) AS parent FROM models WHERE rowid IN (SELECT model FROM kindred))),
spelled AS (
    SELECT key, min(name) AS name FROM declared
    WHERE strlen(name) = length(name) AND key IN (SELECT key FROM said)
        AND key NOT IN (SELECT hash(lower(repo_id)) FROM models WHERE rowid IN (SELECT model FROM kindred))
    GROUP BY key)
SELECT d.model, d.relation, CASE WHEN strlen(d.name) > length(d.name) THEN d.name ELSE coalesce(s.name, d.name) END AS parent_repo_id
FROM said AS d LEFT JOIN spelled AS s USING (key);

-- name: attribute_affected
-- Write family and lineage of the models affected, where they are others now.
UPDATE models SET family = a.family, relation = a.relation, root_repo_id = a.root_repo_id, own = a.own, depth = a.depth
FROM attributed AS a
WHERE models.rowid = a.model AND (models.family, models.relation, models.root_repo_id, models.own, models.depth)
    IS DISTINCT FROM (a.family, a.relation, a.root_repo_id, a.own, a.depth::INTEGER);

-- name: drop_affected_shares
-- Forget whose the models affected were.
DELETE FROM shares WHERE hub_id IN (SELECT hub_id FROM divided);

-- name: add_affected_shares
-- Write whose they are.
INSERT INTO shares (hub_id, family, share) SELECT hub_id, family, share FROM divided;

-- name: forget_fresh
-- Forget how new and changed models were described.
DROP TABLE fresh;

-- name: forget_affected
-- Forget who is affected.
DROP TABLE affected;

-- name: forget_kindred
-- Forget the kindred.
DROP TABLE IF EXISTS kindred;

-- name: forget_declared
-- Forget who declares which names.
DROP TABLE declared;
