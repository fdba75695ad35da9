-- name: snapshot_id_taken
-- The highest id already given to this second.
SELECT max(snapshot_id) FROM snapshots WHERE snapshot_id BETWEEN $low AND $high;

-- name: count_models
-- How many models are known.
SELECT count(*) FROM models;

-- name: insert_snapshot
-- Write a snapshot's head.
INSERT INTO snapshots (snapshot_id, source, taken_at, day, verdict, verdict_reason, models, requests, seconds, revision, measured)
VALUES ($snapshot_id, $source, $taken_at, $day, $verdict, $verdict_reason, $models, $requests, $seconds, $revision, $measured);

-- name: insert_observations
-- Write a snapshot's counts, under the number of each model's present name, or of the name that was described just now.
-- It is noted by now that these were seen: whoever is gone from the Hub is not looked through.
INSERT INTO recent_observations (snapshot_id, day, name, downloads_30d, downloads_all_time, likes)
SELECT $snapshot_id, $day, coalesce(d.name, m.number), i.downloads_30d, i.downloads_all_time, i.likes
FROM incoming AS i
LEFT JOIN described AS d USING (hub_id)
LEFT JOIN (SELECT hub_id, number FROM models WHERE last_seen >= $day) AS m USING (hub_id);

-- name: insert_listings
-- Write how complete each publisher's listing was.
INSERT INTO listings (snapshot_id, publisher, listed, num_models, rejected, problem)
SELECT $snapshot_id, publisher, listed, num_models, rejected, problem FROM incoming_listings;

-- name: lately
-- The day from which on models were seen lately: who was not seen since is not looked for, but described again when it is
-- back. Most are gone for good, and in a year they are as many as a sixth of all. And whether any was seen on a later day.
SELECT coalesce(max(last_seen) FILTER (last_seen <= $day), $day) - 28, coalesce(max(last_seen) > $day, false) FROM models;

-- name: find_described
-- Models whose description is not known to be the one last seen: new, changed, listed again, or of an older look. To
-- compare one number each spares comparing everything, which took longer than writing the counts.
CREATE OR REPLACE TEMP TABLE described AS
SELECT *, NULL::INTEGER AS name
FROM (
    SELECT * EXCLUDE (downloads_30d, downloads_all_time, likes),
        hash(repo_id, publisher, created_at, parameters, pipeline_tag, library, license, gated, disabled, parents) AS digest
    FROM incoming)
ANTI JOIN (
    SELECT hub_id, digest FROM models WHERE last_seen >= $lately)
USING (hub_id, digest);

-- name: count_described
-- How many there are; how many of them are known from a look that is not newer, and how many from a newer one; and how many
-- models are known.
SELECT count(*), count(*) FILTER (WHERE m.last_seen <= $day), count(*) FILTER (WHERE m.last_seen > $day),
    (SELECT count(*) FROM models)
FROM described LEFT JOIN models AS m USING (hub_id);

-- name: number_names
-- Give a number to every name that has none; in the order of creation, so that a model is found quickly.
INSERT INTO model_names (name, hub_id, repo_id)
SELECT (SELECT coalesce(max(name), 0) FROM model_names) + row_number() OVER (ORDER BY hub_id, repo_id), hub_id, repo_id
FROM (SELECT hub_id, repo_id FROM described) ANTI JOIN model_names USING (hub_id, repo_id)
ORDER BY hub_id, repo_id;

-- name: note_numbers
-- Note the number of every name described; of several the first, for what was known by name only may have had its own.
UPDATE described SET name = n.name
FROM (SELECT hub_id, min(m.name) AS name FROM described JOIN model_names AS m USING (hub_id, repo_id) GROUP BY hub_id) AS n
WHERE described.hub_id = n.hub_id;

-- name: insert_model_versions
-- Write the descriptions that are new or changed.
INSERT INTO model_versions
    (snapshot_id, hub_id, repo_id, publisher, created_at, parameters, pipeline_tag, library, license, gated, disabled, parents)
SELECT $snapshot_id, i.hub_id, i.repo_id, i.publisher, i.created_at, i.parameters, i.pipeline_tag, i.library, i.license,
    i.gated, i.disabled, i.parents
FROM described AS i LEFT JOIN models AS m USING (hub_id)
WHERE m.hub_id IS NULL OR (i.repo_id, i.publisher, i.created_at, i.parameters, i.pipeline_tag, i.library, i.license, i.gated,
        i.disabled, i.parents)
    IS DISTINCT FROM (m.repo_id, m.publisher, m.created_at, m.parameters, m.pipeline_tag, m.library, m.license, m.gated,
        m.disabled, m.parents);

-- name: describe_again
-- Describe models as a look shows them that is not older than what is known. Those that are called otherwise or declare
-- other parents are to be attributed anew, and so have no relation.
UPDATE models SET
    repo_id = i.repo_id, publisher = i.publisher, created_at = coalesce(i.created_at, models.created_at),
    parameters = i.parameters, pipeline_tag = i.pipeline_tag, library = i.library, license = i.license, gated = i.gated,
    disabled = i.disabled, parents = i.parents, gone_on = NULL, digest = i.digest, number = i.name,
    last_seen = $day,
    relation = CASE WHEN (i.repo_id, i.parents) IS NOT DISTINCT FROM (models.repo_id, models.parents) THEN relation END,
    former_names = CASE
        WHEN i.repo_id = models.repo_id THEN models.former_names
        ELSE list_sort(list_distinct(list_filter(
            list_append(coalesce(models.former_names, []), models.repo_id), lambda name: name <> i.repo_id)))
    END
FROM described AS i
WHERE models.hub_id = i.hub_id AND models.last_seen <= $day;

-- name: fill_gaps
-- Learn from an older look what is not known: when a model was created, and what it was called then.
UPDATE models SET
    created_at = coalesce(models.created_at, i.created_at),
    relation = CASE WHEN i.repo_id = models.repo_id THEN relation END,
    former_names = CASE
        WHEN i.repo_id = models.repo_id THEN models.former_names
        ELSE list_sort(list_distinct(list_append(coalesce(models.former_names, []), i.repo_id)))
    END
FROM described AS i
WHERE models.hub_id = i.hub_id AND models.last_seen > $day
    AND (i.repo_id <> models.repo_id OR (models.created_at IS NULL AND i.created_at IS NOT NULL));

-- name: insert_models
-- Write the models that were never seen before.
INSERT INTO models (hub_id, repo_id, publisher, created_at, parameters, pipeline_tag, library, license, gated, first_seen,
    last_seen, disabled, parents, digest, number)
SELECT hub_id, repo_id, publisher, created_at, parameters, pipeline_tag, library, license, gated, $day, $day, disabled, parents,
    digest, name
FROM described AS i WHERE NOT EXISTS (SELECT 1 FROM models AS m WHERE m.hub_id = i.hub_id);

-- name: forget_described
-- Forget the working copy.
DROP TABLE described;

-- name: note_seen
-- Note the day on which models were seen that were seen lately; of the others it was noted when they were described. Not
-- by a join, whose rows come in the order of the look: where models stand in another, DuckDB takes twenty times as long.
UPDATE models SET first_seen = least(first_seen, $day), last_seen = greatest(last_seen, $day)
WHERE last_seen >= $lately AND NOT ($day BETWEEN first_seen AND last_seen) AND hub_id IN (SELECT hub_id FROM incoming);

-- name: note_gone
-- Date the end of models that a complete look at their publisher no longer shows, or earlier than it was, where the look comes
-- late; should one come back, that is to be seen. What was left under the name that a publisher had between two renames is
-- shown under neither of the others.
UPDATE models SET gone_on = $day, digest = NULL
WHERE coalesce(gone_on > $day, true) AND last_seen < $day
    AND lower(publisher) IN (
        SELECT lower(publisher) FROM incoming_listings WHERE problem IS NULL
        UNION ALL
        SELECT lower(f.present) FROM former_publishers AS f JOIN incoming_listings AS l ON lower(l.publisher) = lower(f.former)
        WHERE l.problem IS NULL AND l.listed > 0 AND l.called <> ''
            AND lower(f.present) NOT IN (SELECT lower(publisher) FROM incoming_listings));

-- name: verdicts
-- What every snapshot is worth, and of which day it is.
SELECT snapshot_id, verdict, day FROM snapshots;

-- name: set_aside
-- Judge by a complete snapshot no longer; what was said of it stays to be read.
UPDATE snapshots SET verdict = 'suspect', verdict_reason = 'set aside: ' || $why || ' (it was complete: ' || verdict_reason || ')'
WHERE snapshot_id = $snapshot_id;

-- name: forget_days_to_come
-- Date models that a wrong clock has seen, or missed, on a day that is still to come by what was seen of them before: until
-- that day no look would say anything new of them.
UPDATE models SET
    first_seen = least(models.first_seen, s.day),
    last_seen = CASE WHEN models.last_seen > $today THEN s.day ELSE models.last_seen END,
    gone_on = CASE WHEN gone_on <= $today THEN gone_on END
FROM (
    SELECT hub_id, coalesce(max(day), $today) AS day
    FROM (SELECT hub_id FROM models WHERE greatest(last_seen, gone_on) > $today)
    LEFT JOIN (SELECT hub_id, day FROM observations WHERE day <= $today) USING (hub_id)
    GROUP BY hub_id) AS s
WHERE models.hub_id = s.hub_id;

-- name: looked_later
-- Whether a complete look of our own shows a later day, so that it may be known already who is gone.
SELECT count(*) > 0 FROM snapshots WHERE source IN ('hub', 'census') AND verdict = 'complete' AND day > $day;

-- name: note_gone_by_then
-- Of the models described by a look that comes late, date the end of those that a complete look at their publisher, or a
-- census, no longer showed on a day after they were seen last.
UPDATE models SET gone_on = e.day, digest = NULL
FROM (
    WITH shown AS (
        SELECT hub_id, lower(publisher) AS publisher, created_at, last_seen
        FROM models WHERE gone_on IS NULL AND hub_id IN (SELECT hub_id FROM described)),
    later AS (SELECT snapshot_id, source, day FROM snapshots WHERE verdict = 'complete' AND day > $day)
    SELECT hub_id, min(day) AS day
    FROM (
        SELECT m.hub_id, l.day
        FROM shown AS m
        JOIN (
            SELECT day, lower(publisher) AS publisher
            FROM listings JOIN later USING (snapshot_id) WHERE problem IS NULL) AS l
            ON l.publisher = m.publisher AND l.day > m.last_seen
        UNION ALL
        SELECT m.hub_id, l.day
        FROM shown AS m JOIN later AS l ON l.day > m.last_seen AND coalesce(m.created_at < l.day - INTERVAL 2 DAY, true)
        WHERE l.source = 'census')
    GROUP BY hub_id) AS e
WHERE models.hub_id = e.hub_id;

-- name: models_to_attribute
-- What decides a model's own family: its name; by its place in the table, in the order of creation, and whether one of
-- some publishers, in lower case, published it.
SELECT rowid AS model, repo_id, lower(split_part(repo_id, '/', 1)) IN (SELECT unnest($publishers)) AS ours
FROM models ORDER BY hub_id;

-- name: declared_parents
-- What every model says it descends from.
SELECT model, parent.relation AS relation, parent.repo_id AS parent_repo_id
FROM (SELECT rowid AS model, unnest(parents) AS parent FROM models);

-- name: find_attributed
-- Those whose family or lineage is another now. One number each is compared: it takes a tenth of the memory.
CREATE OR REPLACE TEMP TABLE reattributed AS
SELECT * EXCLUDE (sign)
FROM (SELECT *, hash(model, family, relation, root_repo_id, own, depth::INTEGER) AS sign FROM attributed)
WHERE sign NOT IN (SELECT hash(rowid, family, relation, root_repo_id, own, depth) FROM models);

-- name: reattributed_models
-- Who they are.
SELECT hub_id FROM models WHERE rowid IN (SELECT model FROM reattributed)

-- name: attribute_models
-- Write family and lineage where they are others now.
UPDATE models SET family = a.family, relation = a.relation, root_repo_id = a.root_repo_id, own = a.own, depth = a.depth
FROM reattributed AS a
WHERE models.rowid = a.model;

-- name: forget_attributed
-- Forget the working copy.
DROP TABLE reattributed;

-- name: find_shares
-- Whose every model is, as known now: its family's as a whole, but for those that are divided.
CREATE OR REPLACE TEMP VIEW present_shares AS
SELECT hub_id, family, 1.0::DOUBLE AS share FROM models WHERE rowid NOT IN (SELECT model FROM divided)
UNION ALL SELECT m.hub_id, d.family, d.share FROM divided AS d JOIN models AS m ON m.rowid = d.model;

-- name: drop_shares
-- Forget the shares that are others now.
DELETE FROM shares WHERE hash(hub_id, family, share) NOT IN (SELECT hash(hub_id, family, share) FROM present_shares);

-- name: add_shares
-- Write the shares that are new.
INSERT INTO shares (hub_id, family, share)
SELECT hub_id, family, share FROM present_shares
WHERE hash(hub_id, family, share) NOT IN (SELECT hash(hub_id, family, share) FROM shares);

-- name: forget_shares
-- Forget how they are found.
DROP VIEW present_shares;

-- name: clear_families
-- Make room for the registry as configured now.
DELETE FROM families;

-- name: fill_families
-- Write the registry as configured now.
INSERT INTO families (family, vendor, country, publishers, formerly)
SELECT family, vendor, country, publishers, formerly FROM registry_families;

-- name: known_families
-- The registry as it stands in the file.
SELECT family, vendor, country, publishers, formerly FROM families ORDER BY ALL;

-- name: series_latest
-- The values of a series as they stand: those of each day's last import.
SELECT v.day, v.entity, v.value, v.exactness
FROM series_values AS v
JOIN (SELECT day, max(snapshot_id) AS snapshot_id FROM snapshots WHERE source = $source GROUP BY day) USING (day, snapshot_id)
WHERE v.series = $series;

-- name: insert_series_snapshots
-- Write the heads of imported days.
INSERT INTO snapshots (snapshot_id, source, taken_at, day, verdict, verdict_reason, models, requests, seconds, revision)
SELECT snapshot_id, $source, day::TIMESTAMP AT TIME ZONE 'UTC', day, 'complete', $reason || unsure, entities, 0, 0, $revision
FROM incoming_days;

-- name: insert_series_values
-- Write the values of imported days.
INSERT INTO series_values (snapshot_id, series, day, entity, value, exactness)
SELECT d.snapshot_id, $series, v.day, v.entity, v.value, v.exactness FROM incoming_values AS v JOIN incoming_days AS d USING (day);
