-- name: flip_to_explain
-- A flip with its board, and the snapshots at its two ends.
SELECT f.board, f.entity, f.rival, f.day, f.snapshot_id, f.previous_day, f.verdict, f.panel_holds, b.definition,
    b.entity AS board_entity, b.measure, b.scope, b.condition, r.snapshot_id AS previous_id
FROM flips AS f JOIN boards AS b USING (board) LEFT JOIN rankings AS r ON r.board = f.board AND r.day = f.previous_day
WHERE f.flip_id = $flip_id;

-- name: ends_by_name
-- What every model of the entities compared had at both ends, with its name; NULL where that is not known.
SELECT e.entity, m.repo_id, e.part, e.before, e.after
FROM ({ends}) AS e JOIN models AS m USING (hub_id)

-- name: series_ends
-- What two entities of an imported series had at both ends.
SELECT v.entity, v.entity AS repo_id, 'published' AS part,
    coalesce(max(v.value) FILTER (WHERE v.snapshot_id = $before), 0) AS before,
    coalesce(max(v.value) FILTER (WHERE v.snapshot_id = $after), 0) AS after
FROM series_values AS v
WHERE v.series = $series AND list_contains($entities, v.entity) AND v.snapshot_id IN ($before, $after)
GROUP BY v.entity
