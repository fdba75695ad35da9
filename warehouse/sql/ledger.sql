-- name: judged_days
-- The days each rule has judged, by which snapshot, as which version of itself.
SELECT rule, board, day, snapshot_id, fingerprint FROM rule_states ORDER BY rule, day;

-- name: all_ranked_days
-- The days each board is ranked on, and from which snapshot.
SELECT DISTINCT board, day, snapshot_id FROM standings ORDER BY board, day;

-- name: rule_state_before
-- What the engine knew of a rule before a day.
SELECT state FROM rule_states WHERE rule = $rule AND board = $board AND day < $start ORDER BY day DESC LIMIT 1;

-- name: forget_rule_states
-- Forget what the engine knew from a day on, because it will be judged again.
DELETE FROM rule_states WHERE rule = $rule AND day >= $start;

-- name: insert_rule_states
-- Write what the engine knows after each day judged.
INSERT INTO rule_states (rule, board, day, snapshot_id, fingerprint, state)
SELECT rule, board, day, snapshot_id, fingerprint, state FROM incoming_states;

-- name: retire_rules
-- Forget what the engine knew of rules that are no longer configured.
DELETE FROM rule_states WHERE NOT list_contains($rules, rule);

-- name: retire_pending
-- Forget what was about to be told by rules that are no longer configured.
DELETE FROM alerts WHERE state = 'pending' AND NOT list_contains($rules, rule);

-- name: standings_since
-- A board's values from a day on; deep down only entities that somebody watches.
SELECT day, snapshot_id, entity, value
FROM standings
WHERE board = $board AND day >= $start AND (rank <= $depth OR list_contains($watched, entity))
ORDER BY day, rank, entity;

-- name: alerts_since
-- Alerts of a rule that were confirmed, or are pending, on a day or later; and whether somebody was told.
SELECT a.alert_id, a.slot, a.kind, a.entity, a.rival, a.state, a.day, a.confirmed_day, a.created_at, a.why,
    coalesce(bool_or(d.status IN ('sent', 'sending')), false) AS told
FROM alerts AS a LEFT JOIN deliveries AS d USING (alert_id)
WHERE a.rule = $rule AND (a.state = 'pending' OR a.confirmed_day >= $start) AND a.kind NOT IN ('correction', 'mass_change')
GROUP BY ALL
ORDER BY a.confirmed_day, a.alert_id;

-- name: count_pending
-- How many alerts are about to fire.
SELECT count(*) FROM alerts WHERE state = 'pending';

-- name: forget_alerts
-- Forget alerts that nobody was told of.
DELETE FROM alerts WHERE list_contains($alerts, alert_id);

-- name: forget_deliveries
-- Forget deliveries of alerts that are forgotten.
DELETE FROM deliveries WHERE list_contains($alerts, alert_id) AND status IN ('pending', 'dead');

-- name: set_alert_state
-- Change the state of alerts.
UPDATE alerts SET state = $state WHERE list_contains($alerts, alert_id);

-- name: supersede_alerts
-- An earlier alert of a slot no longer describes who leads.
UPDATE alerts SET state = 'reverted'
WHERE rule = $rule AND slot = $slot AND state = 'firing' AND alert_id <> $alert_id AND confirmed_day <= $confirmed_day;

-- name: end_trouble
-- A source that works again is no trouble any more.
UPDATE alerts SET state = 'reverted' WHERE rule = $rule AND state = 'firing';

-- name: insert_alert
-- Write an alert.
INSERT INTO alerts (alert_id, rule, board, kind, entity, rival, state, day, confirmed_day, title, value, rival_value, margin,
    confirm, snapshot_id, slot, why, quality, changes, thread_of, folded_into, created_at)
VALUES ($alert_id, $rule, $board, $kind, $entity, $rival, $state, $day, $confirmed_day, $title, $value, $rival_value, $margin,
    $confirm, $snapshot_id, $slot, $why, $quality, $changes, $thread_of, '', $created_at);

-- name: update_alert
-- Write an alert anew; when it was first written and by whose message it is told stay.
UPDATE alerts SET rule = $rule, board = $board, kind = $kind, entity = $entity, rival = $rival, state = $state, day = $day,
    confirmed_day = $confirmed_day, title = $title, value = $value, rival_value = $rival_value, margin = $margin,
    confirm = $confirm, snapshot_id = $snapshot_id, slot = $slot, why = $why, quality = $quality, changes = $changes,
    thread_of = $thread_of
WHERE alert_id = $alert_id;

-- name: knows_alert
-- Whether an alert was written before.
SELECT count(*) > 0 FROM alerts WHERE alert_id = $alert_id;

-- name: fold_alert
-- Let another alert's message tell this one too.
UPDATE alerts SET folded_into = $into WHERE alert_id = $alert_id;

-- name: folded_alerts
-- The alerts that a message tells beside its own.
SELECT alert_id FROM alerts WHERE folded_into = $alert_id ORDER BY board, entity;

-- name: held_alerts
-- Alerts held back, with their rule; those that are true of the list only are not among them.
SELECT alert_id, rule FROM alerts WHERE state = 'held' AND why = $why ORDER BY confirmed_day, alert_id;

-- name: model_families
-- Family of each model.
SELECT repo_id, family FROM models WHERE list_contains($entities, repo_id) AND family IS NOT NULL;

-- name: family_countries
-- Country of each family.
SELECT family, country FROM families WHERE list_contains($entities, family);

-- name: alert_by_id
-- An alert with its board's definition.
SELECT a.alert_id, a.rule, a.board, a.kind, a.entity, a.rival, a.state, a.day, a.confirmed_day, a.title, a.value, a.rival_value,
    a.margin, coalesce(b.definition, '') AS definition, a.snapshot_id, a.quality, a.why, a.confirm, a.changes, a.thread_of
FROM alerts AS a LEFT JOIN boards AS b USING (board)
WHERE a.alert_id = $alert_id;

-- name: pair_history
-- The values of two entities of a board in the days up to one, newest first.
SELECT day, max(value) FILTER (WHERE entity = $entity) AS value, max(value) FILTER (WHERE entity = $rival) AS rival_value
FROM standings
WHERE board = $board AND entity IN ($entity, $rival) AND day <= $day
GROUP BY day
HAVING count(*) = 2
ORDER BY day DESC LIMIT 120;

-- name: snapshot_quality
-- What is to be said about the data of a snapshot.
SELECT verdict || ': ' || verdict_reason FROM snapshots WHERE snapshot_id = $snapshot_id;

-- name: last_trouble
-- Why the last look that is not complete is not.
SELECT verdict || ': ' || verdict_reason FROM snapshots
WHERE verdict <> 'complete' ORDER BY taken_at DESC, snapshot_id DESC LIMIT 1;
