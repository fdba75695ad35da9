-- name: recent_snapshots
-- Snapshots whose days are over and whose counts are plain rows still, oldest first.
SELECT snapshot_id, day FROM (SELECT DISTINCT snapshot_id, day FROM recent_observations) WHERE day < $today ORDER BY snapshot_id;

-- name: next_run
-- A number that no run has.
SELECT coalesce(max(run), 0) + 1 FROM run_days;

-- name: close_snapshot
-- Write a snapshot's plain rows as a run of its own, in the order in which runs are.
INSERT INTO observation_runs (run, name, unseen, downloads_30d, downloads_all_time, likes)
SELECT $run, name, NULL, [downloads_30d], [downloads_all_time], [likes]
FROM recent_observations
WHERE snapshot_id = $snapshot_id
ORDER BY name // $block, floor(log2(greatest(coalesce(downloads_30d, 0), 0) + 1)) DESC, coalesce(downloads_all_time, 0) DESC,
    name;

-- name: insert_run_day
-- Note which snapshot a run of one snapshot holds, and what its plain rows were.
INSERT INTO run_days (run, position, snapshot_id, day, models, checksum)
SELECT $run, 1, $snapshot_id, $day, count(*), coalesce(bit_xor(hash(name, downloads_30d, downloads_all_time, likes)), 0)
FROM recent_observations
WHERE snapshot_id = $snapshot_id;

-- name: forget_recent
-- Forget the plain rows of a snapshot that is a run now.
DELETE FROM recent_observations WHERE snapshot_id = $snapshot_id;

-- name: falsified
-- Snapshots of a run that it does not hold as their plain rows were.
SELECT d.snapshot_id
FROM run_days AS d
LEFT JOIN (
    SELECT position, count(*) AS models, bit_xor(hash(name, downloads_30d, downloads_all_time, likes)) AS checksum
    FROM (
        SELECT d.position, r.name, r.downloads_30d[d.position] AS downloads_30d,
            r.downloads_all_time[d.position] AS downloads_all_time, r.likes[d.position] AS likes
        FROM observation_runs AS r JOIN run_days AS d USING (run)
        WHERE r.run = $run AND (r.unseen IS NULL OR NOT list_contains(r.unseen, d.position)))
    GROUP BY position) AS held USING (position)
WHERE d.run = $run AND (d.models, d.checksum) <> (coalesce(held.models, 0), coalesce(held.checksum, 0));

-- name: known_runs
-- Every run with its snapshots, in their places.
SELECT d.run, s.source, d.snapshot_id, d.day
FROM run_days AS d JOIN snapshots AS s USING (snapshot_id)
ORDER BY d.run, d.position;

-- name: order_models
-- Put the models of each block of numbers of the runs to merge in the order in which neighbours are most alike: of twice
-- as many recent downloads, then of as many in all. By size alone a year takes a quarter more.
CREATE OR REPLACE TEMP TABLE places AS
SELECT name, row_number() OVER (
    ORDER BY name // $block, floor(log2(greatest(window_size, 0) + 1)) DESC, size DESC, name) AS place
FROM (
    SELECT name, coalesce(max(list_max(downloads_all_time)), 0) AS size, coalesce(max(list_max(downloads_30d)), 0) AS window_size
    FROM observation_runs JOIN parts USING (run)
    GROUP BY name);

-- name: count_places
-- How many models there are in the runs to merge.
SELECT count(*) FROM places;

-- name: merge_runs
-- Write one slice of the models of some runs as one run: lists joined, what one run did not show marked as unseen.
INSERT INTO observation_runs (run, name, unseen, downloads_30d, downloads_all_time, likes)
WITH slice AS (SELECT name, place FROM places WHERE place > $low AND place <= $high),
pieces AS (SELECT r.* FROM observation_runs AS r JOIN slice USING (name) WHERE r.run IN (SELECT run FROM parts)),
joined AS (
    SELECT s.name, s.place,
        flatten(list(CASE
            WHEN r.run IS NULL THEN p.positions
            WHEN r.unseen IS NULL THEN []
            ELSE list_filter(p.positions, lambda place: list_contains(r.unseen, p.kept[place - p.before]))
        END ORDER BY p.before)) AS unseen,
        flatten(list(coalesce(list_select(r.downloads_30d, p.kept), p.blank) ORDER BY p.before)) AS downloads_30d,
        flatten(list(coalesce(list_select(r.downloads_all_time, p.kept), p.blank) ORDER BY p.before)) AS downloads_all_time,
        flatten(list(coalesce(list_select(r.likes, p.kept), p.blank) ORDER BY p.before)) AS likes
    FROM slice AS s CROSS JOIN parts AS p LEFT JOIN pieces AS r ON r.name = s.name AND r.run = p.run
    GROUP BY s.name, s.place)
SELECT $run, name, nullif(unseen, []), downloads_30d, downloads_all_time, likes
FROM joined
WHERE len(unseen) < len(likes)
ORDER BY place;

-- name: insert_run_days
-- Note which snapshots a merged run holds.
INSERT INTO run_days (run, position, snapshot_id, day, models, checksum)
SELECT $run, p.before + k.position, d.snapshot_id, d.day, d.models, d.checksum
FROM parts AS p
CROSS JOIN LATERAL (SELECT unnest(p.kept) AS kept, generate_subscripts(p.kept, 1) AS position) AS k
JOIN run_days AS d ON d.run = p.run AND d.position = k.kept
ORDER BY 2;

-- name: forget_run_rows
-- Forget the rows of runs that were merged.
DELETE FROM observation_runs WHERE list_contains($runs, run);

-- name: forget_run_days
-- Forget what runs that were merged held.
DELETE FROM run_days WHERE list_contains($runs, run);

-- name: forget_places
-- Forget the order of the models.
DROP TABLE IF EXISTS places;

-- name: insert_thinned
-- Note of snapshots that their counts were given up.
INSERT INTO thinned (snapshot_id, thinned_at) SELECT unnest($snapshots::BIGINT[]), $now;

-- name: snapshots_to_thin
-- Snapshots of weeks that were over before a day: all but the last complete one of a source and week, and those at either
-- end of a flip or behind an alert, or of what an alert told. Where growth over one of the `spans` was told of, also the
-- looks around its start, between which the counter stood then.
WITH old AS (
    SELECT s.snapshot_id, s.day, s.verdict = 'complete' AND s.snapshot_id = max(s.snapshot_id) FILTER (WHERE s.verdict = 'complete')
        OVER (PARTITION BY s.source, date_trunc('week', s.day)) AS speaks
    FROM snapshots AS s
    WHERE date_trunc('week', s.day) + INTERVAL 7 DAY <= $before AND s.snapshot_id IN (SELECT snapshot_id FROM run_days)),
ends AS (
    SELECT board, day, snapshot_id FROM flips
    UNION SELECT r.board, r.day, r.snapshot_id FROM flips AS f JOIN rankings AS r ON r.board = f.board AND r.day = f.previous_day
    UNION SELECT a.board, s.day, snapshot_id FROM alerts AS a JOIN snapshots AS s USING (snapshot_id)
    UNION SELECT r.board, r.day, r.snapshot_id FROM alerts AS a ASOF JOIN rankings AS r ON r.board = a.board AND r.day <= a.day
    UNION SELECT r.board, r.day, r.snapshot_id FROM alerts AS a ASOF JOIN rankings AS r ON r.board = a.board AND r.day < a.day),
starts AS (SELECT e.board, e.day - p.span::INTEGER AS day FROM ends AS e JOIN boards USING (board) JOIN spans AS p USING (measure)),
told AS (
    SELECT snapshot_id FROM ends
    UNION SELECT r.snapshot_id FROM starts AS s ASOF JOIN rankings AS r ON r.board = s.board AND r.day <= s.day
    UNION SELECT r.snapshot_id FROM starts AS s ASOF JOIN rankings AS r ON r.board = s.board AND r.day >= s.day)
SELECT snapshot_id FROM old WHERE NOT coalesce(speaks, false) AND snapshot_id NOT IN (SELECT snapshot_id FROM told) ORDER BY snapshot_id;
