-- name: note_changing
-- Note what models are, and whose, before they change; only what they were when boards were last ranked, not in between.
INSERT INTO changed_models (hub_id, was, shares)
WITH changing AS MATERIALIZED (
    SELECT hub_id FROM ({changing})
    WHERE hub_id NOT IN (SELECT hub_id FROM changed_models))
SELECT m.hub_id, m, s.shares
FROM models AS m
LEFT JOIN (
    SELECT hub_id, list({'family': family, 'share': share}) AS shares FROM shares
    WHERE hub_id IN (FROM changing) GROUP BY hub_id) AS s USING (hub_id)
WHERE m.hub_id IN (FROM changing) AND m.first_seen <= (SELECT max(seen_until) FROM boards);

-- name: forget_changed_models
-- Forget what models were: all boards are ranked by what they are.
DELETE FROM changed_models;

-- name: models_as_they_were
-- Models that changed, as they were.
(SELECT unnest(was) FROM changed_models)

-- name: shares_as_they_were
-- Their shares, as they were.
(SELECT hub_id, unnest(shares, recursive := true) FROM changed_models)

-- name: find_moved
-- By which share models that changed count more, or less, for whom on a board than they did. In one number each, what went
-- and what came. The few that changed are picked first: otherwise millions are joined with their shares before.
CREATE OR REPLACE TEMP TABLE moved_members AS
WITH models_as_they_are AS MATERIALIZED (FROM models WHERE hub_id IN (SELECT hub_id FROM changed_models)),
shares_as_they_are AS MATERIALIZED (FROM shares WHERE hub_id IN (SELECT hub_id FROM changed_models)),
was AS MATERIALIZED ({was}), now AS MATERIALIZED ({now})
SELECT hub_id, entity, sum(part) AS share, bool_or(part < 0) AS left_some, bit_xor(sign) AS sign
FROM (
    SELECT hub_id, entity, -share AS part, hash(hash(hub_id, entity, share)) AS sign FROM (FROM was EXCEPT FROM now)
    UNION ALL
    SELECT hub_id, entity, share, hash(hash(hub_id, entity, share)) FROM (FROM now EXCEPT FROM was))
GROUP BY hub_id, entity;

-- name: moved_sign
-- Of all that went and came, as `members_fingerprint` has it.
SELECT coalesce(bit_xor(sign), 0) FROM moved_members;

-- name: moved_entities
-- For whom any model counts otherwise.
SELECT DISTINCT entity FROM moved_members;

-- name: count_moved
-- How many models count otherwise.
SELECT count(DISTINCT hub_id) FROM moved_members;

-- name: find_moved_counts
-- What these models had in the snapshots that stand.
CREATE OR REPLACE TEMP TABLE moved_counts AS
SELECT snapshot_id, hub_id, value FROM ({counts}) SEMI JOIN moved_members USING (hub_id);

-- name: moved_counts_now
-- What they had, as it was found.
FROM moved_counts

-- name: moved_members_now
-- Members that some have more, or less.
SELECT hub_id, entity, share FROM moved_members

-- name: find_moved_values
-- What everybody gains or loses by it on the days that stand.
CREATE OR REPLACE TEMP TABLE moved_values AS {values};

-- name: count_left_empty
-- On how many days somebody who lost a model has nothing now, by which it cannot be told who has no count any more.
SELECT count(*)
FROM moved_values AS v
LEFT JOIN {standings} AS s ON s.board = $board AND (s.snapshot_id, s.entity) = (v.snapshot_id, v.entity)
WHERE coalesce(s.value, 0) + v.value = 0 AND v.entity IN (SELECT entity FROM moved_members WHERE left_some);

-- name: moved_snapshots
-- The snapshots in which anybody has another value.
SELECT DISTINCT snapshot_id FROM moved_values;

-- name: added_values
-- Value of every entity on days that stand already, with what some gain or lose.
SELECT snapshot_id, entity, coalesce(s.value, 0) + coalesce(v.value, 0) AS value
FROM (
    SELECT snapshot_id, entity, value FROM {standings}
    WHERE board = {board} AND day IN (SELECT day FROM days_to_rank)) AS s
FULL JOIN (FROM moved_values WHERE snapshot_id IN (SELECT snapshot_id FROM days_to_rank)) AS v USING (snapshot_id, entity)
