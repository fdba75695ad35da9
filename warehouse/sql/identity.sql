-- name: renamed_publishers
-- Former name of a publisher -> its name now: nothing is listed under the former one, most of its models are under the
-- new one, and nothing was under the new one before they were.
WITH changed AS (
    SELECT v.publisher AS former, m.publisher AS present, count(DISTINCT v.hub_id) AS models
    FROM model_versions AS v JOIN models AS m USING (hub_id)
    WHERE v.publisher <> m.publisher
    GROUP BY ALL
),
moved AS (
    SELECT former, arg_max(present, models) AS present
    FROM changed
    WHERE former NOT IN (SELECT publisher FROM models WHERE gone_on IS NULL)
    GROUP BY former
    HAVING 2 * max(models) > sum(models)
),
arrivals AS (
    SELECT m.former, m.present, min(v.snapshot_id) AS first,
        min(v.snapshot_id) FILTER (WHERE EXISTS (
            FROM model_versions AS w WHERE w.hub_id = v.hub_id AND w.publisher = m.former)) AS moved
    FROM moved AS m JOIN model_versions AS v ON v.publisher = m.present
    GROUP BY ALL
)
SELECT former, present FROM arrivals WHERE first = moved ORDER BY former;

-- name: renamed_repositories
-- Former name of a repository -> its name now; a name that somebody has now is not among them.
SELECT former, arg_max(repo_id, last_seen)
FROM (SELECT unnest(former_names) AS former, repo_id, last_seen FROM models)
WHERE former NOT IN (SELECT repo_id FROM models)
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
