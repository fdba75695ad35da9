-- name: top_days
-- The upper part of a board, day by day.
SELECT day, snapshot_id, entity, rank, value FROM standings
WHERE board = $board AND (rank <= $depth OR previous_rank <= $depth)
ORDER BY day, rank, entity;

-- name: known_flips
-- Flips of a board that stand already, and the ends they were judged by.
SELECT flip_id, snapshot_id, previous_day FROM flips WHERE board = $board;

-- name: delete_flips
-- Forget flips of a board that no longer follow from its standings.
DELETE FROM flips WHERE board = $board AND list_contains($flips, flip_id);

-- name: insert_flip
-- Write a flip.
INSERT INTO flips (flip_id, board, kind, entity, rival, day, value, rival_value, margin, verdict, panel_holds, snapshot_id,
    previous_day)
VALUES ($flip_id, $board, $kind, $entity, $rival, $day, $value, $rival_value, $margin, $verdict, $panel_holds, $snapshot_id,
    $previous_day);

-- name: last_pair_flip
-- The flip that began the current lead of one entity over another.
SELECT flip_id, verdict, panel_holds FROM flips
WHERE board = $board AND entity = $entity AND rival = $rival AND day <= $day
ORDER BY day DESC LIMIT 1;

-- name: panel
-- For every entity, its value at the later of two snapshots: on models that both saw, and on models created in between.
WITH members AS ({members}),
earlier AS (SELECT o.hub_id FROM observations AS o WHERE snapshot_id = $before AND {measure} IS NOT NULL),
later AS (SELECT o.hub_id, {measure} AS value FROM observations AS o WHERE snapshot_id = $after AND {measure} IS NOT NULL)
SELECT m.entity,
    coalesce(sum(later.value) FILTER (WHERE earlier.hub_id IS NOT NULL), 0)::DOUBLE AS same,
    coalesce(sum(later.value) FILTER (WHERE earlier.hub_id IS NULL AND known.created_at >= $since), 0)::DOUBLE AS created
FROM members AS m
JOIN later USING (hub_id)
LEFT JOIN earlier USING (hub_id)
LEFT JOIN (SELECT hub_id, created_at FROM models) AS known USING (hub_id)
GROUP BY m.entity;

-- name: snapshot_taken_at
-- When a snapshot was taken.
SELECT taken_at FROM snapshots WHERE snapshot_id = $snapshot_id;
