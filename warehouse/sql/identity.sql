-- name: find_renamed_versions
-- How every model that ever had another name was described: looked for once among millions, and asked for twice.
CREATE OR REPLACE TEMP TABLE renamed_versions AS
SELECT v.snapshot_id, hub_id, v.repo_id, v.publisher, m.model, v.repo_id <> m.repo_id AS is_former
FROM model_versions AS v
JOIN (SELECT rowid AS model, hub_id, repo_id FROM models WHERE former_names IS NOT NULL) AS m USING (hub_id);

-- name: former_names
-- Names that models had before, and whose they were; a name that somebody has now is not among them.
SELECT repo_id, arg_max(model, (snapshot_id, hub_id))
FROM renamed_versions
ANTI JOIN (SELECT repo_id FROM models WHERE repo_id IN (SELECT repo_id FROM renamed_versions WHERE is_former)) USING (repo_id)
WHERE is_former
GROUP BY repo_id;

-- name: forget_renamed_versions
-- Forget how they were described.
DROP TABLE renamed_versions;

-- name: publisher_steps
-- Which models went from one publisher to another, of publishers that nothing is listed under any more: how many, in which
-- snapshot first, on which day last, and whether others' models were there before them.
WITH versions AS (
    SELECT hub_id, snapshot_id, publisher, lag(publisher) OVER (PARTITION BY hub_id ORDER BY snapshot_id) AS former
    FROM renamed_versions
),
left_for AS MATERIALIZED (FROM versions WHERE former <> publisher),
steps AS (
    SELECT former, publisher AS present, count(DISTINCT hub_id) AS models, min(snapshot_id) AS first, max(snapshot_id) AS last
    FROM left_for ANTI JOIN (
        SELECT publisher AS former FROM models
        WHERE gone_on IS NULL AND publisher IN (SELECT former FROM left_for)) USING (former)
    GROUP BY ALL
),
earlier AS (
    SELECT DISTINCT s.former, s.present
    FROM steps AS s JOIN model_versions AS v ON v.publisher = s.present AND v.snapshot_id < s.first
    WHERE NOT EXISTS (FROM versions AS w WHERE w.hub_id = v.hub_id AND w.publisher = s.former)
)
SELECT s.former, s.present, s.models, s.first, h.day, e.former IS NOT NULL AS older
FROM steps AS s JOIN snapshots AS h ON h.snapshot_id = s.last
LEFT JOIN earlier AS e ON e.former = s.former AND e.present = s.present
ORDER BY s.former, s.present;

-- name: former_publishers
-- What became of publishers that are others now.
SELECT former, present, day, merged FROM former_publishers ORDER BY former;

-- name: clear_former_publishers
-- Make room for what is known now of publishers that are others now.
DELETE FROM former_publishers;

-- name: fill_former_publishers
-- Write what is known now of publishers that are others now.
INSERT INTO former_publishers (former, present, day, merged) SELECT former, present, day, merged FROM moves;

-- name: publishers_named
-- Publishers by these names, whatever their case; who is called so now goes first, who was called so comes last.
SELECT name, present FROM (
    SELECT publisher AS name, publisher AS present, 1 AS place FROM models WHERE gone_on IS NULL
    UNION ALL SELECT former, present, 2 FROM former_publishers
    UNION ALL SELECT publisher, publisher, 3 FROM models)
WHERE list_contains($names, lower(name))
GROUP BY name, present ORDER BY min(place), name, present;

-- name: repositories_named
-- Repositories by these names, whatever their case; who is called so now goes first, then who was seen last.
SELECT name, repo_id FROM (
    SELECT repo_id AS name, repo_id, 1 AS place, last_seen FROM models
    UNION ALL SELECT unnest(former_names), repo_id, 2, last_seen FROM models WHERE former_names IS NOT NULL)
WHERE list_contains($names, lower(name))
ORDER BY place, last_seen DESC, name, repo_id;

-- name: renamed_repositories
-- Former name of a repository -> its name now; a name that somebody has now is not among them.
SELECT former, arg_max(repo_id, last_seen)
FROM (SELECT unnest(former_names) AS former, repo_id, last_seen FROM models WHERE former_names IS NOT NULL)
ANTI JOIN (SELECT repo_id AS former FROM models) USING (former)
GROUP BY former ORDER BY former;

-- name: last_states
-- What the engine knew last of every rule about boards of one kind of entity.
SELECT s.rule, s.board, arg_max(s.state, s.day) AS state
FROM rule_states AS s JOIN boards AS b USING (board)
WHERE b.entity = $entity
GROUP BY ALL;

-- name: states_of_rule
-- All that the engine knew of a rule.
SELECT day, state FROM rule_states WHERE rule = $rule AND board = $board;

-- name: rewrite_states
-- Write what the engine knew of a rule under new names.
UPDATE rule_states SET state = r.state FROM rewritten_states AS r
WHERE rule_states.rule = $rule AND rule_states.board = $board AND rule_states.day = r.day;

-- name: alerts_naming
-- Alerts about entities that have other names now.
SELECT a.alert_id, a.entity, a.rival, a.slot
FROM alerts AS a JOIN boards AS b USING (board)
WHERE b.entity = $entity AND (list_contains($former, a.entity) OR list_contains($former, a.rival));

-- name: rewrite_alerts
-- Write alerts under new names.
UPDATE alerts SET entity = r.entity, rival = r.rival, slot = r.slot FROM rewritten_alerts AS r WHERE alerts.alert_id = r.alert_id;

-- name: names_then_and_now
-- Names that models had, and what they are called now.
SELECT unnest(former_names), repo_id FROM models WHERE former_names IS NOT NULL ORDER BY ALL;

-- name: publishers_heard_of
-- Publishers of models, and of what models say they descend from.
SELECT publisher FROM models
UNION
SELECT split_part(parent.repo_id, '/', 1) FROM (SELECT unnest(parents) AS parent FROM models) WHERE contains(parent.repo_id, '/')
ORDER BY ALL;

-- name: models_to_follow
-- A few models that a publisher had and that are not known to be gone, as they are called now: where they are, it is.
SELECT repo_id FROM models
WHERE gone_on IS NULL AND (publisher = $publisher
    OR list_bool_or(list_transform(former_names, lambda name: split_part(name, '/', 1) = $publisher)))
ORDER BY last_seen DESC, repo_id LIMIT 3;
