-- name: queue_delivery
-- Queue an alert for a channel, unless it already is or was.
INSERT INTO deliveries (alert_id, channel, status, attempts, queued_at)
SELECT $alert_id, $channel, 'pending', 0, $queued_at
WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE alert_id = $alert_id AND channel = $channel);

-- name: channels_told
-- The channels that took an alert.
SELECT channel FROM deliveries WHERE alert_id = $alert_id AND status IN ('sent', 'sending') ORDER BY channel;

-- name: open_deliveries
-- What is not yet delivered, oldest first within each channel; what was wrong is taken back before the next is told.
SELECT d.alert_id, d.channel, d.status, d.attempts, d.last_error, d.sent_at, d.not_before, d.last_attempt_at, d.lease_until,
    coalesce(d.settled, []) AS settled, d.queued_at
FROM deliveries AS d JOIN alerts AS a USING (alert_id)
WHERE d.status IN ('pending', 'sending')
ORDER BY d.channel, a.confirmed_day, d.queued_at, a.kind <> 'correction', d.alert_id;

-- name: retry_dead
-- Queue refused deliveries again; what was muted only when it is named.
UPDATE deliveries SET status = 'pending', attempts = 0, not_before = NULL, last_attempt_at = NULL, lease_until = NULL
WHERE status = 'dead' AND ($channel = '' OR channel = $channel) AND (alert_id = $alert_id OR (
    $alert_id = '' AND alert_id NOT IN (SELECT alert_id FROM alerts WHERE state = 'silenced')));

-- name: count_dead
-- How many deliveries were refused for good.
SELECT count(*) FROM deliveries
WHERE status = 'dead' AND ($channel = '' OR channel = $channel) AND (alert_id = $alert_id OR (
    $alert_id = '' AND alert_id NOT IN (SELECT alert_id FROM alerts WHERE state = 'silenced')));

-- name: lease_delivery
-- Take a delivery, unless somebody else took it since it was looked at: committed before the message leaves.
UPDATE deliveries
SET status = 'sending', attempts = attempts + 1, last_attempt_at = $now, lease_until = $lease_until
WHERE alert_id = $alert_id AND channel = $channel AND status = $status AND attempts = $attempts
RETURNING attempts;

-- name: settle_delivery
-- Write what became of an attempt.
UPDATE deliveries
SET status = $status, last_error = $last_error, sent_at = $sent_at, not_before = $not_before, lease_until = NULL, receipt = $receipt,
    settled = $settled
WHERE alert_id = $alert_id AND channel = $channel;

-- name: delivery_receipt
-- The provider's own id for the message that told an alert, by itself or within another's.
SELECT d.receipt
FROM alerts AS a JOIN deliveries AS d ON d.alert_id = coalesce(nullif(a.folded_into, ''), a.alert_id)
WHERE a.alert_id = $alert_id AND d.channel = $channel AND d.status = 'sent';

-- name: insert_silence
-- Write a silence.
INSERT INTO silences (silence_id, rule, board, entity, starts_at, ends_at, author, reason)
VALUES ($silence_id, $rule, $board, $entity, $starts_at, $ends_at, $author, $reason);

-- name: expire_silence
-- End a silence now.
UPDATE silences SET ends_at = $now WHERE silence_id = $silence_id AND ends_at > $now;

-- name: all_silences
-- Every silence, newest first.
SELECT silence_id, rule, board, entity, starts_at, ends_at, author, reason FROM silences ORDER BY starts_at DESC, silence_id;

-- name: write_health
-- Write how a channel is doing.
INSERT INTO channel_health (channel, failing_since, failures, last_error, last_sent_at)
VALUES ($channel, $failing_since, $failures, $last_error, $last_sent_at);

-- name: channel_health
-- How a channel is doing.
SELECT channel, failing_since, failures, last_error, last_sent_at FROM channel_health WHERE channel = $channel;

-- name: forget_health
-- Forget how a channel was doing before it is written anew.
DELETE FROM channel_health WHERE channel = $channel;
