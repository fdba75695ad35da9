-- name: runs_of
-- Every run of the warehouse, or of the copy, the snapshots that it holds, and a number that is another if it holds others,
-- or other counts.
SELECT run, list(snapshot_id ORDER BY position), hash(list((position, snapshot_id, checksum) ORDER BY position))
FROM {file}run_days GROUP BY run;

-- name: count_run
-- How many models a run holds.
SELECT count(*) FROM observation_runs WHERE run = $run;

-- name: slices_missing
-- The slices of a run that the copy has not.
SELECT DISTINCT name % $slices FROM observation_runs WHERE run = $run
EXCEPT SELECT DISTINCT name % $slices FROM published.observation_runs WHERE run = $apart
ORDER BY ALL;

-- name: bring_slice
-- Write one slice of a run into the copy, apart from what is read.
INSERT INTO published.observation_runs (run, name, unseen, downloads_30d, downloads_all_time, likes)
SELECT $apart, name, unseen, downloads_30d, downloads_all_time, likes
FROM observation_runs WHERE run = $run AND name % $slices = $part;

-- name: number_slices
-- Let the slices of a run be the run, now that all are there.
UPDATE published.observation_runs SET run = $run WHERE run = $apart;

-- name: forget_slices
-- Forget the slices of runs that are not waited for any more.
DELETE FROM published.observation_runs WHERE run < 0 AND NOT list_contains($late::INTEGER[], run);

-- name: note_runs
-- Note some runs as what is to be dropped or brought.
CREATE OR REPLACE TEMP TABLE changed_parts AS SELECT unnest($runs::INTEGER[]) AS run;
