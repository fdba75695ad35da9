-- name: forget_strays
-- Forget of those whose rows are not the beginning of a run any more, for it was merged into another meanwhile.
DELETE FROM published.carried.unnamed_runs
WHERE run NOT IN (
    SELECT t.run
    FROM published.carried.unnamed_runs AS t
    JOIN (
        SELECT run, min(rowid) AS first FROM observation_runs
        WHERE run IN (SELECT run FROM published.carried.unnamed_runs) GROUP BY run) AS f USING (run)
    JOIN observation_runs AS o ON o.run = t.run AND o.rowid < f.first + t.rows
    GROUP BY t.run, t.rows, t.names HAVING count(*) = t.rows AND sum(hash(o.name)) = t.names)
RETURNING run;

-- name: drop_strays
-- Take the rows of such runs out of the copy.
DELETE FROM published.observation_runs WHERE list_contains($runs, run);

-- name: note_new_runs
-- Note the runs that the copy does not name: where their rows that are missing there begin and end, how many these are, of
-- how many days they have counts, and whether all must come at once: the copy holds not all of these days otherwise, or
-- rows of other runs stand between.
CREATE OR REPLACE TEMP TABLE new_runs AS
WITH elsewhere AS (
    SELECT snapshot_id FROM run_days SEMI JOIN published.run_days USING (snapshot_id, models, checksum)
    UNION SELECT DISTINCT snapshot_id FROM published.recent_observations),
fresh AS (
    SELECT run, count(*) AS days, count(e.snapshot_id) AS held
    FROM (FROM run_days ANTI JOIN published.run_days USING (run)) LEFT JOIN elsewhere AS e USING (snapshot_id)
    GROUP BY run)
SELECT run, min(o.rowid) + coalesce(any_value(t.rows), 0) AS first, max(o.rowid) AS last,
    count(*) - coalesce(any_value(t.rows), 0) AS missing, any_value(f.days) AS days,
    any_value(f.held < f.days) OR max(o.rowid) - min(o.rowid) >= count(*) AS at_once
FROM observation_runs AS o JOIN fresh AS f USING (run) LEFT JOIN published.carried.unnamed_runs AS t USING (run)
GROUP BY run;

-- name: new_runs
-- The runs to bring, those of the fewest days first: a day is wanted sooner than what is packed anew.
SELECT run, first, last, missing, days, at_once FROM new_runs ORDER BY days, run;

-- name: bring_rows
-- Write some rows of a run into the copy, in their order.
INSERT INTO published.observation_runs SELECT * FROM observation_runs WHERE run = $run AND rowid BETWEEN $first AND $last;

-- name: note_brought
-- Note how many rows of a run were brought.
UPDATE new_runs SET missing = missing - $rows WHERE run = $run;

-- name: note_held_snapshots
-- Note the snapshots of runs that are on their way.
CREATE OR REPLACE TEMP TABLE held_snapshots AS
SELECT snapshot_id FROM run_days JOIN new_runs USING (run) WHERE missing > 0;

-- name: note_held_runs
-- Note the runs of the copy that hold these snapshots until then.
CREATE OR REPLACE TEMP TABLE held_runs AS
SELECT DISTINCT run FROM published.run_days WHERE snapshot_id IN (FROM held_snapshots);

-- name: count_on_their_way
-- How many runs are on their way.
SELECT count(*) FROM new_runs WHERE missing > 0;

-- name: keep_held
-- Leave parts of the copy as they are.
DELETE FROM changed_parts WHERE part IN ({held});
