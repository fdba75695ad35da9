-- name: rule_days
-- The days a rule has judged, by which snapshot, as which version of itself.
SELECT day, snapshot_id, fingerprint FROM rule_states WHERE rule = $rule AND board = $board ORDER BY day;

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
-- Alerts of a rule that were confirmed, or are pending, on a day or later.
SELECT alert_id, state FROM alerts WHERE rule = $rule AND coalesce(confirmed_day, day) >= $start;

-- name: pending_alerts
-- Alerts of a rule that are about to fire.
SELECT alert_id FROM alerts WHERE rule = $rule AND state = 'pending';

-- name: forget_alerts
-- Forget alerts that nobody was told of.
DELETE FROM alerts WHERE list_contains($alerts, alert_id);

-- name: forget_deliveries
-- Forget deliveries of alerts that are forgotten.
DELETE FROM deliveries WHERE list_contains($alerts, alert_id);

-- name: told_alerts
-- Which of these alerts somebody was told of, or may have been.
SELECT DISTINCT alert_id FROM deliveries WHERE list_contains($alerts, alert_id) AND status IN ('sent', 'sending');

-- name: set_alert_state
-- Change the state of alerts.
UPDATE alerts SET state = $state WHERE list_contains($alerts, alert_id);

-- name: supersede_alerts
-- An earlier alert of a slot no longer describes who leads.
UPDATE alerts SET state = 'reverted'
WHERE rule = $rule AND slot = $slot AND state = 'firing' AND alert_id <> $alert_id AND confirmed_day <= $confirmed_day;

-- name: insert_alert
-- Write an alert.
INSERT INTO alerts (alert_id, rule, board, kind, entity, rival, state, day, confirmed_day, title, value, rival_value, margin,
    confirm, snapshot_id, slot, why, quality, created_at)
VALUES ($alert_id, $rule, $board, $kind, $entity, $rival, $state, $day, $confirmed_day, $title, $value, $rival_value, $margin,
    $confirm, $snapshot_id, $slot, $why, $quality, $created_at);

-- name: delete_alert
-- Forget an alert before it is written anew.
DELETE FROM alerts WHERE alert_id = $alert_id;

-- name: alert_created_at
-- When an alert was first written.
SELECT created_at FROM alerts WHERE alert_id = $alert_id;

-- name: queue_delivery
-- Queue an alert for a channel, unless it already is or was.
INSERT INTO deliveries (alert_id, channel, status, attempts, queued_at)
SELECT $alert_id, $channel, 'pending', 0, $queued_at
WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE alert_id = $alert_id AND channel = $channel);

-- name: open_deliveries
-- What is not yet delivered, oldest first within each channel.
SELECT d.alert_id, d.channel, d.status, d.attempts, d.last_error, d.sent_at, d.not_before, d.last_attempt_at, d.lease_until,
    coalesce(d.settled, []) AS settled
FROM deliveries AS d JOIN alerts AS a USING (alert_id)
WHERE d.status IN ('pending', 'sending')
ORDER BY d.channel, a.confirmed_day, d.queued_at, d.alert_id;

-- name: lease_delivery
-- Take a delivery: committed before the message leaves.
UPDATE deliveries
SET status = 'sending', attempts = attempts + 1, last_attempt_at = $now, lease_until = $lease_until
WHERE alert_id = $alert_id AND channel = $channel;

-- name: settle_delivery
-- Write what became of an attempt.
UPDATE deliveries
SET status = $status, last_error = $last_error, sent_at = $sent_at, not_before = $not_before, lease_until = NULL, receipt = $receipt,
    settled = $settled
WHERE alert_id = $alert_id AND channel = $channel;

-- name: alert_by_id
-- An alert with its board's definition.
SELECT a.alert_id, a.rule, a.board, a.kind, a.entity, a.rival, a.state, a.day, a.confirmed_day, a.title, a.value, a.rival_value,
    a.margin, coalesce(b.definition, '') AS definition, a.snapshot_id, a.quality, a.why, a.confirm
FROM alerts AS a LEFT JOIN boards AS b USING (board)
WHERE a.alert_id = $alert_id;

-- name: pair_history
-- The values of two entities of a board in the days up to one, oldest first.
SELECT day, max(value) FILTER (WHERE entity = $entity) AS value, max(value) FILTER (WHERE entity = $rival) AS rival_value
FROM standings
WHERE board = $board AND entity IN ($entity, $rival) AND day <= $day
GROUP BY day
HAVING count(*) = 2
ORDER BY day DESC LIMIT 120;

-- name: snapshot_quality
-- What is to be said about the data of a snapshot.
SELECT verdict || ': ' || verdict_reason FROM snapshots WHERE snapshot_id = $snapshot_id;
