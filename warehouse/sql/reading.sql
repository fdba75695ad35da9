-- name: board_ranked_on
-- The last day a board was ranked for, if only to find that nothing can stand on it.
SELECT max(day) FROM rankings WHERE board = $board;

-- name: board_on_day
-- A board's standing on the last day up to one.
SELECT s.rank, s.entity, s.value, s.share, s.previous_rank, s.day, s.snapshot_id
FROM standings AS s
WHERE s.board = $board AND s.rank <= $top
    AND s.day = (SELECT max(day) FROM rankings WHERE board = $board AND day <= $at AND checksum IS NOT NULL)
ORDER BY s.rank, s.entity;

-- name: board_first
-- Who leads a board on its last day up to one: of equals who has been first for longer without a break, as the flips have
-- it; several where they have been for as long.
WITH firsts AS (
    SELECT entity, dense_rank() OVER (ORDER BY day DESC) AS place,
        row_number() OVER (PARTITION BY entity ORDER BY day DESC) AS nth
    FROM standings WHERE board = $board AND day <= $at AND rank = 1
),
led AS (SELECT entity, count(*) AS days FROM firsts WHERE place = nth GROUP BY entity)
SELECT entity FROM led WHERE days = (SELECT max(days) FROM led) ORDER BY entity;

-- name: board_last_day
-- The last day of a board up to one.
SELECT max(day) FROM rankings WHERE board = $board AND day <= $at AND checksum IS NOT NULL;

-- name: board_trend
-- The values of some entities of a board in the days up to one, oldest first.
SELECT entity, list(value ORDER BY day)
FROM standings
WHERE board = $board AND day <= $at AND list_contains($entities, entity)
GROUP BY entity;

-- name: board_values
-- The values of some entities of a board, day by day.
SELECT day, entity, value FROM standings WHERE board = $board AND list_contains($entities, entity) ORDER BY day, entity;

-- name: board_kind
-- What a board ranks, and by what.
SELECT entity, measure FROM boards WHERE board = $board;

-- name: board_history
-- The values, up to a day, of everybody who was among the first of a board on a day from another one on.
SELECT day, entity, value FROM standings
WHERE board = $board AND day <= $at AND entity IN (
    SELECT entity FROM standings WHERE board = $board AND day BETWEEN $first AND $at AND rank <= $top
)
ORDER BY day, rank, entity;

-- name: board_definitions
-- What each board means.
SELECT board, definition FROM boards ORDER BY board;

-- name: board_entities
-- What each board ranks.
SELECT board, entity FROM boards;

-- name: found_flips
-- Lead changes and overtakes found, oldest first.
SELECT flip_id, board, kind, entity, rival, day, value, rival_value, margin, verdict, panel_holds
FROM flips
WHERE ($board IS NULL OR board = $board) AND day >= $since
ORDER BY day, board, kind, entity, rival;

-- name: found_alerts
-- What the rules said, oldest first.
SELECT alert_id, rule, board, kind, entity, rival, state, day, confirmed_day, title
FROM alerts
ORDER BY coalesce(confirmed_day, day), rule, entity, rival;

-- name: found_deliveries
-- What was sent, what failed and why, and what is held because its channel refuses everything.
SELECT alert_id, channel, status, attempts, d.last_error, sent_at,
    CASE WHEN status IN ('pending', 'sending') THEN refused_since END AS held_since
FROM deliveries AS d LEFT JOIN channel_health AS h USING (channel)
ORDER BY queued_at, channel, alert_id;

-- name: found_snapshots
-- Every look at a source, oldest first.
SELECT snapshot_id, source, taken_at, day, verdict, verdict_reason, models, requests, seconds
FROM snapshots WHERE $source IS NULL OR source = $source ORDER BY taken_at, snapshot_id;

-- name: own_looks
-- Our own looks at the Hub, newest first, and why one is not judged by: which of them a wrong clock has dated, only who
-- knows the time can tell.
SELECT snapshot_id, source, taken_at, verdict, CASE WHEN verdict <> 'complete' THEN verdict_reason END
FROM snapshots WHERE source IN ('hub', 'census') ORDER BY taken_at DESC, snapshot_id DESC;

-- name: oldest_open_delivery
-- Since when the oldest open delivery waits.
SELECT min(queued_at) FROM deliveries WHERE status IN ('pending', 'sending');
