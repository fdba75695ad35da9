-- name: counter_points
-- What every all-time counter showed in the snapshots that are looked at. Asked of plain rows and runs themselves, so that
-- runs of other days are not opened.
CREATE OR REPLACE TEMP TABLE points AS
WITH numbered AS MATERIALIZED (SELECT n.name, m.rowid AS model FROM model_names AS n JOIN models AS m USING (hub_id)
    WHERE {among})
SELECT n.model, s.day, o.downloads_all_time AS count
FROM recent_observations AS o JOIN span_days AS s USING (snapshot_id) JOIN numbered AS n USING (name)
WHERE o.downloads_all_time IS NOT NULL
UNION ALL
SELECT n.model, d.day, c.count
FROM (
    SELECT run, name, unnest(downloads_all_time) AS count, generate_subscripts(downloads_all_time, 1) AS position
    FROM observation_runs
    WHERE run IN (SELECT run FROM run_days WHERE snapshot_id IN (SELECT snapshot_id FROM span_days))) AS c
JOIN (SELECT run, position, s.day FROM run_days AS r JOIN span_days AS s USING (snapshot_id)) AS d USING (run, position)
JOIN numbered AS n USING (name)
WHERE c.count IS NOT NULL;

-- name: counter_falls
-- The days on which a counter showed less than before.
CREATE OR REPLACE TEMP TABLE falls AS
SELECT model, day
FROM (SELECT model, day, count < lag(count) OVER (PARTITION BY model ORDER BY day) AS fell FROM points)
WHERE fell;

-- name: counter_ends
-- The last points of the spans to measure; `fell`: the counter fell on one of the days that are looked at.
CREATE OR REPLACE TEMP TABLE ends AS
SELECT p.model, p.day, p.count, p.day - $span::INTEGER AS start, s.snapshot_id, s.covered_from,
    (p.model, p.day) IN (
        SELECT (f.model, d.day) FROM falls AS f JOIN span_days AS d ON d.day BETWEEN f.day AND f.day + $reach::INTEGER) AS fell
FROM points AS p JOIN span_days AS s USING (day)
WHERE s.covered_from IS NOT NULL;

-- name: plain_growth
-- Growth over exactly the span of counters that did not fall: from the first day's point, or from the line over that day.
CREATE OR REPLACE TEMP TABLE moved AS
WITH exact AS (
    SELECT e.model, e.day, e.count, e.start, e.snapshot_id, e.covered_from, p.count AS level
    FROM ends AS e LEFT JOIN points AS p ON p.model = e.model AND p.day = e.start
    WHERE NOT e.fell
),
around AS (
    SELECT e.model, e.day,
        max(p.day) FILTER (WHERE p.day < e.start) AS left_day,
        arg_max(p.count, p.day) FILTER (WHERE p.day < e.start) AS left_count,
        min(p.day) FILTER (WHERE p.day > e.start) AS right_day,
        arg_min(p.count, p.day) FILTER (WHERE p.day > e.start) AS right_count
    FROM exact AS e JOIN points AS p ON p.model = e.model AND p.day BETWEEN e.day - $reach::INTEGER AND e.day
    WHERE e.level IS NULL
    GROUP BY e.model, e.day
),
bridged AS (
    SELECT e.*, m.hub_id, m.created_at::DATE AS created, a.right_day, a.right_count,
        coalesce(a.left_day, CASE WHEN m.created_at::DATE >= e.covered_from THEN m.created_at::DATE END) AS left_day,
        coalesce(a.left_count, 0) AS left_count, a.left_day IS NULL AS is_first
    FROM exact AS e JOIN models AS m ON m.rowid = e.model LEFT JOIN around AS a ON a.model = e.model AND a.day = e.day
)
SELECT snapshot_id, hub_id, (count - CASE
        WHEN level IS NOT NULL THEN level
        WHEN is_first AND created >= start THEN 0
        WHEN right_day - left_day <= 2 * $span::INTEGER
            THEN left_count + (right_count - left_count) * (start - left_day) // (right_day - left_day)
    END)::DOUBLE AS value
FROM bridged
WHERE value IS NOT NULL;

-- name: fallen_points
-- The points of counters that fell, oldest first.
SELECT model, day, count FROM points WHERE model IN (SELECT model FROM ends WHERE fell) ORDER BY model, day;

-- name: fallen_ends
-- The spans to measure of counters that fell.
SELECT e.model, m.hub_id, e.snapshot_id, e.day, m.created_at::DATE, e.covered_from
FROM ends AS e JOIN models AS m ON m.rowid = e.model
WHERE e.fell;

-- name: add_fallen_growth
-- Write the growth of counters that fell.
INSERT INTO moved (snapshot_id, hub_id, value) SELECT snapshot_id, hub_id, value FROM fallen_growth;

-- name: forget_counters
-- Forget what growth was measured from.
DROP TABLE IF EXISTS points;
DROP TABLE IF EXISTS falls;
DROP TABLE IF EXISTS ends;

-- name: forget_growth
-- Forget what was measured.
DROP TABLE IF EXISTS moved;
