-- name: census_progress
-- How far the census under way has come.
SELECT began_at, endpoint, next_page, pages, rejected, requests, seconds FROM census_progress;

-- name: insert_census_rows
-- Keep what some pages showed.
INSERT INTO census_rows SELECT * FROM incoming;

-- name: forget_census_progress
-- Forget how far a census had come, before that is noted anew.
DELETE FROM census_progress;

-- name: insert_census_progress
-- Note how far the census has come.
INSERT INTO census_progress (began_at, endpoint, next_page, pages, rejected, requests, seconds)
VALUES ($began_at, $endpoint, $next_page, $pages, $rejected, $requests, $seconds);

-- name: forget_listed_twice
-- Of a model that was listed twice keep what was listed first.
DELETE FROM census_rows AS c
USING (SELECT hub_id, min(rowid) AS first FROM census_rows GROUP BY hub_id HAVING count(*) > 1) AS d
WHERE c.hub_id = d.hub_id AND c.rowid > d.first;

-- name: census_models
-- Every model that the census read.
SELECT * FROM census_rows

-- name: count_census_models
-- How many that are.
SELECT count(*) FROM census_rows;

-- name: censuses_of
-- How many censuses of a day there are.
SELECT count(*) FROM snapshots WHERE source = 'census' AND day = $day AND list_contains($verdicts, verdict);

-- name: forget_census_rows
-- Forget what a census read: it is a snapshot now, or too old.
DELETE FROM census_rows;

-- name: note_gone_of_census
-- Date the end of models that a complete census no longer shows, or earlier than it was, where it comes late. A table is read
-- for hours before it is written: what was created last may not be in it yet.
UPDATE models SET gone_on = $day, digest = NULL
WHERE coalesce(gone_on > $day, true) AND last_seen < $day AND coalesce(created_at < $day - INTERVAL 2 DAY, true);
