-- name: reference_look
-- The last complete look at a source before a moment: what a new one is held against.
SELECT snapshot_id, day, taken_at FROM snapshots
WHERE source = $source AND verdict = 'complete' AND taken_at <= $taken_at
ORDER BY taken_at DESC, snapshot_id DESC LIMIT 1;

-- name: looks_since
-- The looks after the reference, and whether each broke off on the day of the new one: a value that one of them showed is not
-- new. But what a part of a day's table showed is, when the table comes whole or another of that day does.
SELECT snapshot_id, verdict = 'partial' AND day = $day AS part FROM snapshots
WHERE source = $source AND models > 0 AND taken_at <= $taken_at AND (taken_at, snapshot_id) > ($reference_at, $reference)
    AND NOT (part AND source <> 'hub')
ORDER BY taken_at DESC, snapshot_id DESC LIMIT $most;

-- name: earlier_days
-- What was measured on each day before a look, newest first; a complete look speaks for its day.
SELECT day, max(verdict = 'complete') AS complete, arg_max(measured, (verdict = 'complete', taken_at, snapshot_id)) AS measured
FROM snapshots
WHERE source = $source AND day < $day
GROUP BY day ORDER BY day DESC LIMIT $most;

-- name: earlier_listings
-- What each publisher listed on the last days before a look, newest first; the last look speaks for its day.
WITH days AS (
    SELECT day, arg_max(snapshot_id, (taken_at, snapshot_id)) AS snapshot_id
    FROM snapshots WHERE source = $source AND day < $day
    GROUP BY day ORDER BY day DESC LIMIT $most)
SELECT publisher, listed + rejected, num_models, problem
FROM listings JOIN days USING (snapshot_id)
ORDER BY publisher, day DESC;

-- name: rows_gone
-- Models of the reference and what is gone of them, by publisher, of the publishers that were asked again; of one that has
-- another name by now, which nobody asks for by itself, those under that name, too.
WITH names AS (
    FROM asked
    UNION ALL
    SELECT lower(f.present), min(a.publisher) FROM former_publishers AS f JOIN asked AS a ON a.name = lower(f.former)
    WHERE lower(f.present) NOT IN (SELECT name FROM asked) GROUP BY ALL)
SELECT a.publisher, count(*) AS before, count(*) FILTER (WHERE i.hub_id IS NULL) AS lost,
    sum(o.size)::BIGINT AS downloads_before, coalesce(sum(o.size) FILTER (WHERE i.hub_id IS NULL), 0)::BIGINT AS downloads_lost
FROM (
    SELECT hub_id, {publisher} AS name, coalesce(downloads_30d, downloads_all_time / 12, 0) AS size
    FROM observations WHERE snapshot_id = $reference) AS o
JOIN names AS a USING (name)
LEFT JOIN (SELECT hub_id FROM incoming) AS i USING (hub_id)
GROUP BY a.publisher;

-- name: count_shown
-- Of the large models those whose new value a look after the reference showed already.
SELECT count(DISTINCT hub_id) FROM large AS l
JOIN (SELECT * FROM observations WHERE list_contains($since, snapshot_id)) AS o USING (hub_id)
WHERE l.changed AND o.downloads_30d IS NOT DISTINCT FROM l.window_now
    AND o.downloads_all_time IS NOT DISTINCT FROM l.total_now

-- name: compare_counters
-- The counters of a look beside those of the reference, as the figures of warehouse.snapshots.counters.Comparison.
WITH pairs AS (
    SELECT hub_id, i.repo_id, i.created_at, o.downloads_30d AS window_before, i.downloads_30d AS window_now,
        o.downloads_all_time AS total_before, i.downloads_all_time AS total_now,
        coalesce(o.downloads_30d, o.downloads_all_time / 12) >= $large AS large
    FROM (SELECT * FROM incoming) AS i
    JOIN (SELECT * FROM observations WHERE snapshot_id = $reference) AS o USING (hub_id)),
large AS (
    SELECT *, split_part(repo_id, '/', 1) AS publisher,
        coalesce(total_now = total_before, window_now = window_before, false) AS still,
        window_now < $dip * window_before AS dipped,
        window_now IS NULL AND total_now IS NULL AS blank,
        (window_now, total_now) IS DISTINCT FROM (window_before, total_before) AS changed,
        ntile(4) OVER (ORDER BY created_at DESC NULLS LAST, hub_id DESC) = 1 AND created_at IS NOT NULL AS newest
    FROM pairs WHERE large),
of_publishers AS (
    SELECT count(*) AS publishers, count(*) FILTER (WHERE 2 * dipped >= windows) AS publishers_dipped
    FROM (
        SELECT count(dipped) AS windows, count(*) FILTER (WHERE dipped) AS dipped
        FROM large GROUP BY publisher HAVING count(dipped) > 0)),
of_all AS (
    SELECT count(total_now) FILTER (WHERE total_before >= $large) AS totals,
        count(*) FILTER (WHERE total_before >= $large AND total_now < total_before) AS fell,
        sum(greatest(total_now - total_before, 0)) FILTER (WHERE total_before IS NOT NULL)::BIGINT AS movement
    FROM pairs),
of_large AS (
    SELECT count(*) AS large, count(*) FILTER (WHERE still) AS still, count(*) FILTER (WHERE blank) AS blank,
        count(*) FILTER (WHERE changed AND NOT blank) - ({shown}) AS fresh,
        count(total_now - total_before) AS by_all_time,
        count(*) FILTER (WHERE newest) AS newest, count(*) FILTER (WHERE newest AND still) AS newest_still,
        count(dipped) AS windows, count(*) FILTER (WHERE dipped) AS dipped
    FROM large)
SELECT * FROM of_large, of_all, of_publishers;
