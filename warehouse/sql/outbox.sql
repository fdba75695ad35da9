-- name: queue_deliveries
-- Queue the alerts `wanted` for their channels, unless they already are or were.
INSERT INTO deliveries (alert_id, channel, status, attempts, queued_at)
SELECT alert_id, channel, 'pending', 0, $queued_at
FROM wanted ANTI JOIN deliveries USING (alert_id, channel);

-- name: copy_deliveries
-- Let an alert stand in the outbox as another does, on all channels (`everywhere`), or those of a list and those that were
-- sent it.
INSERT INTO deliveries (alert_id, channel, status, attempts, last_error, sent_at, not_before, last_attempt_at, lease_until,
    receipt, settled, queued_at, told_in)
SELECT $to, channel, status, attempts, last_error, sent_at, not_before, last_attempt_at, lease_until, receipt, settled, queued_at,
    told_in
FROM deliveries
WHERE alert_id = $of AND ($everywhere OR status = 'sent' OR list_contains($channels, channel))
    AND channel NOT IN (SELECT channel FROM deliveries WHERE alert_id = $to);

-- name: told_messages
-- Which channels took the message of an alert, or may have taken it, and which alerts those tell that were to be told by
-- themselves: (alert_id, channel).
WITH taken AS (
    SELECT alert_id, channel FROM deliveries WHERE status IN ('sent', 'sending') OR len(settled) > 0
)
SELECT alert_id, channel FROM taken
UNION
SELECT m.alert_id, t.channel
FROM deliveries AS m JOIN taken AS t ON t.alert_id = m.told_in
WHERE m.channel = t.channel OR NOT EXISTS (
    -- The fallback channel tells what another was to tell.
    SELECT 1 FROM deliveries AS o WHERE o.told_in = t.alert_id AND o.channel = t.channel);

-- name: channels_told
-- The channels that were told the alerts `asked`, or may have been, be it within another's message.
WITH told AS ({told_messages})
SELECT a.alert_id, t.channel
FROM asked JOIN alerts AS a USING (alert_id) JOIN told AS t ON t.alert_id = coalesce(nullif(a.folded_into, ''), a.alert_id)
ORDER BY a.alert_id, t.channel;

-- name: open_deliveries
-- What is not yet delivered, oldest first within each channel; what was wrong is taken back before the next is told.
SELECT d.alert_id, d.channel, d.status, d.attempts, d.last_error, d.sent_at, d.not_before, d.last_attempt_at, d.lease_until,
    coalesce(d.settled, []) AS settled, d.queued_at
FROM deliveries AS d JOIN alerts AS a USING (alert_id)
WHERE d.status IN ('pending', 'sending')
ORDER BY d.channel, a.confirmed_day, d.queued_at, a.kind <> 'correction', d.alert_id;

-- name: queue_instead
-- Queue for one channel what waits for channels that refuse everything.
INSERT INTO deliveries (alert_id, channel, status, attempts, queued_at)
SELECT DISTINCT alert_id, $channel, 'pending', 0, $queued_at::TIMESTAMPTZ
FROM deliveries JOIN channel_health USING (channel)
WHERE refused_since IS NOT NULL AND status IN ('pending', 'sending') AND channel <> $channel
    AND alert_id NOT IN (SELECT alert_id FROM deliveries WHERE channel = $channel);

-- name: retry_dead
-- Queue refused deliveries again; what was muted only when it is named. One attempt is remembered: what has waited for days
-- comes as one summary.
UPDATE deliveries
SET status = 'pending', attempts = least(attempts, 1), not_before = NULL, last_attempt_at = NULL, lease_until = NULL, told_in = NULL
WHERE status = 'dead' AND ($channel = '' OR channel = $channel) AND (alert_id = $alert_id OR (
    $alert_id = '' AND told_in IS NULL AND alert_id NOT IN (SELECT alert_id FROM alerts WHERE state = 'silenced')));

-- name: count_dead
-- How many deliveries were refused for good, or are held because their channel refuses everything.
SELECT count(*) FROM deliveries
WHERE ($channel = '' OR channel = $channel) AND CASE
    WHEN $alert_id <> '' THEN status = 'dead' AND alert_id = $alert_id
    WHEN status = 'dead' THEN told_in IS NULL AND alert_id NOT IN (SELECT alert_id FROM alerts WHERE state = 'silenced')
    ELSE status <> 'sent' AND channel IN (SELECT channel FROM channel_health WHERE refused_since IS NOT NULL)
END;

-- name: lease_delivery
-- Take a delivery, unless somebody else took it since it was looked at: committed before the message leaves.
UPDATE deliveries
SET status = 'sending', attempts = attempts + 1, last_attempt_at = $now, lease_until = $lease_until
WHERE alert_id = $alert_id AND channel = $channel AND status = $status AND attempts = $attempts
RETURNING attempts;

-- name: end_leases
-- Nobody is sending any more: what was being sent is open again, and nobody knows whether it was taken.
UPDATE deliveries SET lease_until = NULL WHERE lease_until IS NOT NULL;

-- name: settle_delivery
-- Write what became of an attempt.
UPDATE deliveries
SET status = $status, last_error = $last_error, sent_at = $sent_at, not_before = $not_before, lease_until = NULL, receipt = $receipt,
    settled = $settled, told_in = $told_in
WHERE alert_id = $alert_id AND channel = $channel;

-- name: delivery_receipt
-- The provider's own id for the message that told an alert, by itself or within another's.
SELECT d.receipt
FROM alerts AS a JOIN deliveries AS d ON d.alert_id = coalesce(nullif(a.folded_into, ''), a.alert_id)
WHERE a.alert_id = $alert_id AND d.channel = $channel AND d.status = 'sent';

-- name: insert_silence
-- Write a silence.
INSERT INTO silences (silence_id, rule, board, entity, starts_at, ends_at, author, reason, afterwards)
VALUES ($silence_id, $rule, $board, $entity, $starts_at, $ends_at, $author, $reason, $afterwards);

-- name: expire_silence
-- End a silence now.
UPDATE silences SET ends_at = $now WHERE silence_id = $silence_id AND ends_at > $now;

-- name: all_silences
-- Every silence, newest first.
SELECT silence_id, rule, board, entity, starts_at, ends_at, author, reason, coalesce(afterwards, true) AS afterwards
FROM silences ORDER BY starts_at DESC, silence_id;

-- name: write_health
-- Write how a channel is doing.
INSERT INTO channel_health (channel, failing_since, failures, last_error, last_sent_at, refused_since, refused_at)
VALUES ($channel, $failing_since, $failures, $last_error, $last_sent_at, $refused_since, $refused_at);

-- name: channel_health
-- How a channel is doing.
SELECT channel, failing_since, failures, last_error, last_sent_at, refused_since, refused_at
FROM channel_health WHERE channel = $channel;

-- name: refusing_channels
-- The channels that refuse whatever they are sent.
SELECT channel, failing_since, failures, last_error, last_sent_at, refused_since, refused_at
FROM channel_health WHERE refused_since IS NOT NULL ORDER BY channel;

-- name: revive_deliveries
-- Queue again what channels refused since they refuse everything.
UPDATE deliveries SET status = 'pending', not_before = NULL, last_attempt_at = NULL, lease_until = NULL
FROM channel_health AS h
WHERE h.channel = deliveries.channel AND ($channel = '' OR h.channel = $channel)
    AND status = 'dead' AND told_in IS NULL AND deliveries.last_attempt_at >= h.refused_since
    AND alert_id NOT IN (SELECT alert_id FROM alerts WHERE state = 'silenced');

-- name: readmit_channels
-- Let channels that refused everything be tried again.
UPDATE channel_health SET refused_since = NULL, refused_at = NULL WHERE $channel = '' OR channel = $channel;

-- name: muted_deliveries
-- What was muted and is to be told when nothing mutes it any more.
SELECT alert_id, channel FROM deliveries WHERE told_in = '' ORDER BY channel, alert_id;

-- name: tell_muted_in
-- Let an alert's message tell what was muted; when it is empty, it waits again.
UPDATE deliveries SET told_in = $told_in WHERE alert_id = $alert_id AND channel = $channel;

-- name: tell_all_in
-- Let an alert's message tell what was to be sent by itself.
UPDATE deliveries SET status = 'dead', told_in = $told_in, last_error = 'told by ' || $told_in || ', with others that are long past'
FROM pairs
WHERE (deliveries.alert_id, deliveries.channel) = (pairs.alert_id, pairs.channel) AND status = 'pending' AND attempts = 0;

-- name: told_in
-- The muted alerts that an alert's message tells a channel.
SELECT DISTINCT alert_id FROM deliveries
WHERE told_in = $alert_id AND (channel = $channel OR NOT EXISTS (
    -- The fallback channel tells what another was to tell.
    SELECT 1 FROM deliveries WHERE told_in = $alert_id AND channel = $channel))
ORDER BY alert_id;

-- name: settle_muted
-- What was muted is sent with the message that tells it.
UPDATE deliveries SET status = 'sent', sent_at = $sent_at, receipt = $receipt WHERE told_in = $alert_id AND channel = $channel;

-- name: forget_health
-- Forget how a channel was doing before it is written anew.
DELETE FROM channel_health WHERE channel = $channel;
