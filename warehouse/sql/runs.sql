-- name: last_run
-- The last slot of a job that was begun.
SELECT slot, ended_at, ok, tries FROM job_runs WHERE job = $job ORDER BY slot DESC LIMIT 1;

-- name: begin_run
-- Note that a slot is being tried.
INSERT INTO job_runs (job, slot, tries, started_at, ended_at, ok, outcome)
VALUES ($job, $slot, $tries, $now, NULL, false, 'running');

-- name: forget_run
-- Forget an earlier try of a slot before the next is noted, and what a clock that was wrong has noted for later ones.
DELETE FROM job_runs WHERE job = $job AND slot >= $slot;

-- name: end_run
-- Note what came of a try.
UPDATE job_runs SET ended_at = $now, ok = $ok, outcome = $outcome WHERE job = $job AND slot = $slot;

-- name: prune_runs
-- Forget runs that nobody asks about any more; the last of each job stays.
DELETE FROM job_runs WHERE slot < $before AND slot < (SELECT max(slot) FROM job_runs AS last WHERE last.job = job_runs.job);
