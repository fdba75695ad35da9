-- name: unjudged
-- For each of the rules `watching` boards that has something to judge: the first day it has not judged, or judged by
-- another snapshot; the last day it has judged; and whether it, or what its board counts, was another then.
WITH judged AS (
    SELECT rule, s.board, day, snapshot_id, split_part(s.fingerprint, ':', 1) AS fingerprint,
        split_part(s.fingerprint, ':', 2) AS counted, w.board AS board_now, w.fingerprint AS fingerprint_now
    FROM rule_states AS s JOIN watching AS w USING (rule)
),
last_days AS (
    SELECT rule, max(day) AS day, arg_max(counted, day) AS counted, any_value(board_now) AS board,
        bool_or(board <> board_now OR fingerprint <> fingerprint_now) AS other_rule
    FROM judged GROUP BY rule
),
counted_now AS (
    SELECT board, day, {counted} AS counted
    FROM standings SEMI JOIN last_days USING (board, day) WHERE rank <= 100 GROUP BY ALL
),
pasts AS (
    SELECT rule, day, other_rule, coalesce(n.counted, '') <> l.counted AS other_counts
    FROM last_days AS l LEFT JOIN counted_now AS n USING (board, day)
),
starts AS (
    SELECT rule, min(day) AS start
    FROM (SELECT w.rule, r.day, r.snapshot_id FROM watching AS w JOIN rankings AS r USING (board)) AS wanted
    FULL JOIN (SELECT rule, day, snapshot_id FROM judged) AS had USING (rule, day)
    WHERE wanted.snapshot_id IS DISTINCT FROM had.snapshot_id
    GROUP BY rule
)
-- Counts that are other from a day on that is to be judged again are no other way of counting.
SELECT rule, start, p.day, coalesce(p.other_rule OR (p.other_counts AND (start IS NULL OR start > p.day)), false) AS other
FROM starts FULL JOIN pasts AS p USING (rule)
WHERE start IS NOT NULL OR other
ORDER BY rule;

-- name: last_ranked_days
-- The last day up to today that each board was ranked for: what a wrong clock has dated ahead would hide that nothing comes.
SELECT board, max(day) FROM rankings WHERE day <= $today GROUP BY board;

-- name: rule_states_before
-- What the engine knew of the rules `judging` before the first day of each, if it watched the same board.
SELECT rule, arg_max(state, day) FROM rule_states JOIN judging USING (rule, board) WHERE day < start GROUP BY rule;

-- name: forget_rule_states
-- Forget what the engine knew of the rules `judging` from the first day of each on, because it will be judged again.
DELETE FROM rule_states USING judging WHERE rule_states.rule = judging.rule AND day >= start;

-- name: insert_rule_states
-- Write what the engine knows after each day judged, and what the board counted on it.
INSERT INTO rule_states (rule, board, day, snapshot_id, fingerprint, state)
SELECT rule, board, day, snapshot_id, fingerprint || ':' || coalesce(counted, ''), state
FROM incoming_states LEFT JOIN (
    SELECT board, day, {counted} AS counted
    FROM standings SEMI JOIN incoming_states USING (board, day) WHERE rank <= 100 GROUP BY ALL
) USING (board, day);

-- name: retire_rules
-- Forget what the engine knew of rules that are no longer configured.
DELETE FROM rule_states WHERE NOT list_contains($rules, rule);

-- name: retire_pending
-- Forget what was about to be told by rules that are no longer configured.
DELETE FROM alerts WHERE state = 'pending' AND NOT list_contains($rules, rule);

-- name: ranked_days_of_boards
-- The days from a day on for which the boards `wanted` were looked at, oldest first.
SELECT board, day, snapshot_id FROM rankings JOIN wanted USING (board) WHERE day >= start ORDER BY board, day;

-- name: standings_of_boards
-- The values of the boards `wanted` from a day on; deep down only entities `watched`, and who stood among the first on any of
-- them.
SELECT s.board, s.day, s.entity, s.value
FROM standings AS s JOIN wanted USING (board)
WHERE s.day >= start AND (s.rank <= $depth OR (s.board, s.entity) IN (
    SELECT (board, entity) FROM watched
    UNION ALL SELECT (board, entity) FROM standings JOIN wanted USING (board) WHERE day >= start AND rank <= $first))
ORDER BY s.board, s.day, s.rank, s.entity;

-- name: count_ranked_days
-- For how many days from a day on the boards `wanted` were looked at.
SELECT board, count(*) FROM rankings JOIN wanted USING (board) WHERE day >= start GROUP BY board;

-- name: known_alerts
-- Alerts of the rules `judging` that are pending, or were confirmed on the first day of each or later; whether somebody was
-- told, and whether somebody was told that it was wrong.
WITH told AS (SELECT DISTINCT alert_id FROM ({told_messages})),
spoken AS (
    SELECT a.*, t.alert_id IS NOT NULL AS told
    FROM alerts AS a LEFT JOIN told AS t ON t.alert_id = coalesce(nullif(a.folded_into, ''), a.alert_id)
)
SELECT a.rule, a.alert_id, a.slot, a.kind, a.entity, a.rival, a.state, a.day, a.confirmed_day, a.created_at, a.why, a.told,
    CASE WHEN c.told THEN '' ELSE coalesce(c.alert_id, '') END AS correction, coalesce(c.told, false) AS withdrawn
FROM spoken AS a JOIN judging AS j USING (rule) LEFT JOIN spoken AS c ON c.kind = 'correction' AND c.thread_of = a.alert_id
WHERE (a.state = 'pending' OR a.confirmed_day >= j.start) AND a.kind NOT IN ('correction', 'mass_change', 'digest')
ORDER BY a.confirmed_day, a.alert_id;

-- name: confirmed_ids
-- The ids of everything that rules ever confirmed.
SELECT rule, alert_id FROM alerts WHERE list_contains($rules, rule) AND confirmed_day IS NOT NULL;

-- name: slot_alerts
-- What was confirmed about `slots`, oldest first, with the correction that took it back.
SELECT a.rule, a.slot, a.alert_id, a.kind, a.entity, a.rival, a.state, a.why, a.confirmed_day, a.created_at,
    coalesce(c.alert_id, '')
FROM alerts AS a JOIN slots USING (rule, slot)
LEFT JOIN alerts AS c ON c.kind = 'correction' AND c.thread_of = a.alert_id
WHERE a.confirmed_day IS NOT NULL AND a.kind <> 'correction'
ORDER BY a.rule, a.slot, a.confirmed_day, a.created_at;

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
-- Of what rules have told about a slot the last word fires, those before it are reverted; a settled contest leaves the alert
-- of the one who leads. What was held or taken back says nothing.
UPDATE alerts SET state = CASE WHEN over THEN 'reverted' ELSE 'firing' END
FROM (
    WITH words AS (
        SELECT alert_id, rule, slot, kind, entity, confirmed_day FROM alerts AS a
        WHERE list_contains($rules, rule) AND state IN ('firing', 'reverted', 'silenced') AND kind NOT IN ('correction', 'mass_change', 'digest')
            AND NOT EXISTS (SELECT 1 FROM alerts AS c WHERE c.kind = 'correction' AND c.thread_of = a.alert_id)
    )
    SELECT w.alert_id, EXISTS (
        SELECT 1 FROM words AS l
        WHERE (l.rule, l.slot) = (w.rule, w.slot) AND l.confirmed_day > w.confirmed_day AND w.kind <> 'settled' AND l.kind <> 'contested'
            AND (l.kind <> 'settled' OR w.kind = 'contested' OR w.entity <> l.entity)
    ) AS over
    FROM words AS w
) AS found
WHERE alerts.alert_id = found.alert_id AND state IN ('firing', 'reverted');

-- name: end_trouble
-- A source that works again is no trouble any more.
UPDATE alerts SET state = 'reverted' WHERE rule = $rule AND state = 'firing';

-- name: update_alerts
-- Write `incoming_alerts` anew that are there; when each was first written, by whose message it is told and that it was muted
-- stay.
UPDATE alerts SET rule = i.rule, board = i.board, kind = i.kind, entity = i.entity, rival = i.rival, day = i.day,
    state = CASE WHEN alerts.state = 'silenced' AND i.state = 'firing' THEN alerts.state ELSE i.state END,
    confirmed_day = i.confirmed_day, title = i.title, value = i.value, rival_value = i.rival_value, margin = i.margin,
    confirm = i.confirm, snapshot_id = i.snapshot_id, slot = i.slot, why = i.why, quality = i.quality, changes = i.changes,
    thread_of = i.thread_of
FROM incoming_alerts AS i WHERE alerts.alert_id = i.alert_id;

-- name: insert_alerts
-- Write those of `incoming_alerts` that are not there.
INSERT INTO alerts (alert_id, rule, board, kind, entity, rival, state, day, confirmed_day, title, value, rival_value, margin,
    confirm, snapshot_id, slot, why, quality, changes, thread_of, folded_into, created_at)
SELECT alert_id, rule, board, kind, entity, rival, state, day, confirmed_day, title, value, rival_value, margin,
    confirm, snapshot_id, slot, why, quality, changes, thread_of, '', $created_at
FROM incoming_alerts WHERE alert_id NOT IN (SELECT alert_id FROM alerts);

-- name: fold_alert
-- Let another alert's message tell this one too.
UPDATE alerts SET folded_into = $into WHERE alert_id = $alert_id;

-- name: folds_to_tell
-- Alerts that another's message tells too, with that one, where the message is still to be sent to somebody.
SELECT alert_id, folded_into FROM alerts
WHERE folded_into IN (
    SELECT alert_id FROM deliveries WHERE status IN ('pending', 'sending')
    UNION ALL
    SELECT m.alert_id FROM deliveries AS m JOIN deliveries AS t ON t.alert_id = m.told_in
    WHERE t.status IN ('pending', 'sending'))
ORDER BY folded_into, board, entity;

-- name: unfold_orphans
-- Alerts whose message is no longer to be told by another's, because that one is gone or held, are on their own again.
UPDATE alerts SET folded_into = ''
WHERE folded_into <> '' AND NOT EXISTS (
    SELECT 1 FROM alerts AS o WHERE o.alert_id = alerts.folded_into AND o.state NOT IN ('held', 'pending'))
RETURNING alert_id, rule;

-- name: folded_alerts
-- The alerts that a message tells beside its own.
SELECT alert_id FROM alerts WHERE folded_into = $alert_id ORDER BY board, entity;

-- name: hold_alerts
-- Hold alerts back, and say why.
UPDATE alerts SET state = 'held', why = $why WHERE alert_id IN (SELECT unnest($alerts::VARCHAR[]));

-- name: held_alerts
-- Alerts held back, with their rule; those that are true of the list only are not among them.
SELECT alert_id, rule FROM alerts WHERE state = 'held' AND why = $why ORDER BY confirmed_day, alert_id;

-- name: release_alert
-- Let an alert that was held back fire, with its own reason again.
UPDATE alerts SET state = 'firing', why = $why WHERE alert_id = $alert_id;

-- name: idle_mass_changes
-- Messages about alerts held back, not sent yet, that hold nothing any more.
SELECT alert_id FROM alerts AS m
WHERE kind = 'mass_change'
    AND NOT EXISTS (SELECT 1 FROM alerts AS h WHERE h.state = 'held' AND h.why = $why AND h.snapshot_id = m.snapshot_id)
    AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.alert_id = m.alert_id AND d.status IN ('sent', 'sending'));

-- name: model_families
-- Family of each model.
SELECT repo_id, family FROM models WHERE list_contains($entities, repo_id) AND family IS NOT NULL;

-- name: family_countries
-- Country of each family.
SELECT family, country FROM families WHERE list_contains($entities, family);

-- name: alert_by_id
-- An alert with its board's definition.
SELECT a.alert_id, a.rule, a.board, a.kind, a.entity, a.rival, a.state, a.day, a.confirmed_day, a.title, a.value, a.rival_value,
    a.margin, coalesce(b.definition, '') AS definition, a.snapshot_id, a.quality, a.why, a.confirm, a.changes,
    a.kind IN ('contested', 'settled') AND a.slot <> 'lead' AS pair, a.thread_of, coalesce(b.entity, '') AS entity_kind
FROM alerts AS a LEFT JOIN boards AS b USING (board)
WHERE a.alert_id = $alert_id;

-- name: why_set_aside
-- What somebody said when they set a snapshot aside.
SELECT regexp_extract(verdict_reason, '^set aside: (.*) \(it was complete: ', 1, 's') FROM snapshots
WHERE snapshot_id = $snapshot_id AND verdict = 'suspect' AND starts_with(verdict_reason, 'set aside: ');

-- name: pair_history
-- The values of two entities of a board in the days up to one, newest first.
SELECT day, max(value) FILTER (WHERE entity = $entity) AS value, max(value) FILTER (WHERE entity = $rival) AS rival_value
FROM standings
WHERE board = $board AND entity IN ($entity, $rival) AND day <= $day
GROUP BY day
HAVING count(*) = 2
ORDER BY day DESC LIMIT 120;

-- name: snapshot_qualities
-- What is to be said about the data of snapshots.
SELECT snapshot_id, verdict || ': ' || verdict_reason FROM snapshots WHERE list_contains($snapshots, snapshot_id);

-- name: given_up
-- The last day of which some counts were given up.
SELECT max(day) FROM snapshots WHERE snapshot_id IN (SELECT snapshot_id FROM thinned);

-- name: last_trouble
-- Why the last look after a day that is not complete is not.
SELECT verdict || ': ' || verdict_reason FROM snapshots
WHERE verdict <> 'complete' AND day > $after ORDER BY taken_at DESC, snapshot_id DESC LIMIT 1;
