-- name: hub_days
-- For each day with a complete snapshot of the Hub: the last one; what we saw ourselves goes before imported history.
SELECT day, arg_max(snapshot_id, (source = 'hub', taken_at, snapshot_id))
FROM snapshots
WHERE verdict = 'complete' AND source NOT LIKE 'series:%'
GROUP BY day ORDER BY day;

-- name: series_days
-- For each day of an imported series: the last import.
SELECT day, max(snapshot_id) FROM snapshots WHERE verdict = 'complete' AND source = $source GROUP BY day ORDER BY day;

-- name: ranked_days
-- The days a board is ranked on, and from which snapshot.
SELECT DISTINCT day, snapshot_id FROM standings WHERE board = $board;

-- name: board_fingerprint
-- What the board's standings were made under.
SELECT fingerprint FROM boards WHERE board = $board;

-- name: delete_board
-- Forget a definition before it is written anew.
DELETE FROM boards WHERE board = $board;

-- name: insert_board
-- Write a definition.
INSERT INTO boards (board, entity, measure, scope, definition, condition, fingerprint)
VALUES ($board, $entity, $measure, $scope, $definition, $condition, $fingerprint);

-- name: retire_standings
-- Forget the standings of boards that are no longer configured.
DELETE FROM standings WHERE NOT list_contains($boards, board);

-- name: retire_flips
-- Forget the flips of boards that are no longer configured.
DELETE FROM flips WHERE NOT list_contains($boards, board);

-- name: retire_boards
-- Forget boards that are no longer configured.
DELETE FROM boards WHERE NOT list_contains($boards, board);

-- name: delete_standings
-- Forget a board's standings from a day on, because they will be made again.
DELETE FROM standings WHERE board = $board AND day >= $start;

-- name: board_members
-- Which models count for whom.
SELECT m.hub_id, m.{entity} AS entity
FROM (SELECT * FROM models LEFT JOIN (SELECT family, country FROM families) USING (family) WHERE {condition}) AS m
WHERE m.{entity} IS NOT NULL

-- name: hub_board_values
-- Value of every entity in the snapshots to rank; NULL counts are left out, and an entity without any has no value.
SELECT o.snapshot_id, b.entity, sum({measure})::DOUBLE AS value
FROM observations AS o
JOIN ({members}) AS b USING (hub_id)
WHERE o.snapshot_id IN (SELECT snapshot_id FROM days_to_rank) AND {measure} IS NOT NULL
GROUP BY ALL

-- name: series_board_values
-- Value of every entity of an imported series in the snapshots to rank.
SELECT snapshot_id, entity, value
FROM series_values
WHERE series = $series AND snapshot_id IN (SELECT snapshot_id FROM days_to_rank)

-- name: rank_board
-- Rank the values of every day to rank, with share of the total and the rank of the day before.
INSERT INTO standings (board, day, snapshot_id, rank, entity, value, share, previous_rank)
WITH entity_values AS ({values}),
ranked AS (
    SELECT d.day, d.previous_day, d.snapshot_id, v.entity, v.value,
        rank() OVER (PARTITION BY d.day ORDER BY v.value DESC) AS rank,
        v.value / nullif(sum(v.value) OVER (PARTITION BY d.day), 0) AS share
    FROM entity_values AS v JOIN days_to_rank AS d USING (snapshot_id)
)
SELECT $board, r.day, r.snapshot_id, r.rank, r.entity, r.value, r.share, coalesce(p.rank, s.rank)
FROM ranked AS r
LEFT JOIN ranked AS p ON p.day = r.previous_day AND p.entity = r.entity
LEFT JOIN standings AS s ON s.board = $board AND s.day = r.previous_day AND s.entity = r.entity
ORDER BY r.day, r.rank, r.entity;
