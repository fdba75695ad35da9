-- name: digest_boards
-- The boards in their configured order, with the last day each stands on up to a day, and the last before the period.
SELECT b.board, b.definition, b.entity, max(r.day) FILTER (WHERE r.day <= $until) AS now,
    max(r.day) FILTER (WHERE r.day <= $since) AS before
FROM boards AS b JOIN rankings AS r USING (board)
WHERE r.checksum IS NOT NULL
GROUP BY b.board, b.definition, b.entity
HAVING now > $since
ORDER BY min(b.rowid);

-- name: digest_standing
-- The first places of a board on a day.
SELECT snapshot_id, entity, value FROM standings WHERE board = $board AND day = $day AND rank <= $top ORDER BY rank, entity;

-- name: digest_alerts
-- What was told in a period.
SELECT alert_id FROM alerts
WHERE confirmed_day > $since AND confirmed_day <= $until AND state IN ('firing', 'reverted') AND kind NOT IN ('digest', 'silence_over', 'history', 'contested')
ORDER BY confirmed_day, alert_id;

-- name: digest_contested
-- The contests that nobody has settled yet.
SELECT alert_id FROM alerts AS c
WHERE c.kind = 'contested' AND c.state = 'firing' AND NOT EXISTS (
    SELECT 1 FROM alerts AS s
    WHERE s.kind = 'settled' AND s.rule = c.rule AND s.slot = c.slot AND s.confirmed_day >= c.confirmed_day)
ORDER BY c.confirmed_day, c.alert_id;

-- name: digest_trouble
-- Days of a period without a complete snapshot of the Hub, and why.
SELECT day, arg_max(verdict || ': ' || verdict_reason, taken_at)
FROM snapshots
WHERE source NOT LIKE 'series:%' AND day > $since AND day <= $until
GROUP BY day
HAVING count(*) FILTER (WHERE verdict = 'complete') = 0
ORDER BY day;
