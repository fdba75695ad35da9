-- Most counters change little from day to day. Counts of days that are over are kept as runs: one row for a model and a
-- span of days, its counters as lists, rows ordered by size, so that what lies together packs together. Of 25 bytes that a
-- plain row takes 1.4 are left, and everything is still plain DuckDB in one file.

ALTER TABLE observations RENAME TO recent_observations;
COMMENT ON TABLE recent_observations IS 'One model''s counts in one snapshot that is not yet part of a run; see observations.';

CREATE TABLE model_names (name INTEGER NOT NULL, hub_id VARCHAR NOT NULL, repo_id VARCHAR NOT NULL);
COMMENT ON TABLE model_names IS 'Every model under every name that it was counted under, with a number for the runs.';
COMMENT ON COLUMN model_names.name IS 'The number; a renamed model has several';
COMMENT ON COLUMN model_names.hub_id IS 'The Hub''s _id';
COMMENT ON COLUMN model_names.repo_id IS 'publisher/name at that time';

CREATE TABLE run_days (
    run INTEGER NOT NULL, position INTEGER NOT NULL, snapshot_id BIGINT NOT NULL, day DATE NOT NULL,
    models BIGINT NOT NULL, checksum UBIGINT NOT NULL
);
COMMENT ON TABLE run_days IS 'Which snapshot stands at which place of the lists of a run.';
COMMENT ON COLUMN run_days.run IS 'Number of the run';
COMMENT ON COLUMN run_days.position IS 'Place in the lists, from 1';
COMMENT ON COLUMN run_days.snapshot_id IS 'The snapshot, see snapshots';
COMMENT ON COLUMN run_days.day IS 'UTC day of the snapshot';
COMMENT ON COLUMN run_days.models IS 'Models that the snapshot showed';
COMMENT ON COLUMN run_days.checksum IS 'bit_xor(hash(name, downloads_30d, downloads_all_time, likes)) of its rows, as they were when they were packed';

CREATE TABLE observation_runs (
    run INTEGER NOT NULL, name INTEGER NOT NULL, unseen INTEGER[],
    downloads_30d BIGINT[] NOT NULL, downloads_all_time BIGINT[] NOT NULL, likes BIGINT[] NOT NULL
);
COMMENT ON TABLE observation_runs IS 'One model''s counts in all snapshots of a run, largest models first; see observations.';
COMMENT ON COLUMN observation_runs.run IS 'The run, see run_days';
COMMENT ON COLUMN observation_runs.name IS 'The model under its name, see model_names';
COMMENT ON COLUMN observation_runs.unseen IS 'Places whose snapshot did not show the model under this name; NULL when all did';
COMMENT ON COLUMN observation_runs.downloads_30d IS 'Downloads of the 30 days before each snapshot, as the Hub counts them';
COMMENT ON COLUMN observation_runs.downloads_all_time IS 'Downloads since creation at each snapshot, as the Hub counts them';
COMMENT ON COLUMN observation_runs.likes IS 'Likes on the Hub at each snapshot';

CREATE TABLE thinned (snapshot_id BIGINT NOT NULL, thinned_at TIMESTAMPTZ NOT NULL);
COMMENT ON TABLE thinned IS 'Snapshots whose counts were given up, because daily detail is kept for a while only.';
COMMENT ON COLUMN thinned.snapshot_id IS 'The snapshot, see snapshots';
COMMENT ON COLUMN thinned.thinned_at IS 'When its counts were given up';

-- Counts are taken out of the lists before their names are looked up, and a run without names would still be listed:
-- both keep DuckDB from carrying whole lists through a join.
CREATE VIEW observations AS
SELECT snapshot_id, day, hub_id, repo_id, downloads_30d, downloads_all_time, likes
FROM recent_observations
UNION ALL
SELECT c.snapshot_id, c.day, n.hub_id, n.repo_id, c.downloads_30d, c.downloads_all_time, c.likes
FROM (
    SELECT d.snapshot_id, d.day, r.name, r.downloads_30d[d.position] AS downloads_30d,
        r.downloads_all_time[d.position] AS downloads_all_time, r.likes[d.position] AS likes
    FROM observation_runs AS r JOIN run_days AS d USING (run)
    WHERE r.unseen IS NULL OR NOT list_contains(r.unseen, d.position)) AS c
LEFT JOIN model_names AS n USING (name);
COMMENT ON VIEW observations IS 'One model''s counts in one snapshot. NULL means not known, never 0.';
COMMENT ON COLUMN observations.snapshot_id IS 'The snapshot, see snapshots';
COMMENT ON COLUMN observations.day IS 'UTC day of the snapshot';
COMMENT ON COLUMN observations.hub_id IS 'The Hub''s _id, which survives renames';
COMMENT ON COLUMN observations.repo_id IS 'publisher/name at that moment';
COMMENT ON COLUMN observations.downloads_30d IS 'Downloads of the 30 days before, as the Hub counts them';
COMMENT ON COLUMN observations.downloads_all_time IS 'Downloads since creation, as the Hub counts them';
COMMENT ON COLUMN observations.likes IS 'Likes on the Hub';
