-- Two names a row were most of what a look cost to write, and most of what it took on disk until it was packed: plain
-- rows name models by number, as runs do. And descriptions are compared by a number each, for hardly one changes in a day.

INSERT INTO model_names (name, hub_id, repo_id)
SELECT (SELECT coalesce(max(name), 0) FROM model_names) + row_number() OVER (ORDER BY hub_id, repo_id), hub_id, repo_id
FROM (SELECT DISTINCT hub_id, repo_id FROM recent_observations)
ANTI JOIN model_names USING (hub_id, repo_id)
ORDER BY hub_id, repo_id;

CREATE TABLE numbered_observations (
    snapshot_id BIGINT NOT NULL, day DATE NOT NULL, name INTEGER NOT NULL,
    downloads_30d BIGINT, downloads_all_time BIGINT, likes BIGINT
);
INSERT INTO numbered_observations
SELECT o.snapshot_id, o.day, n.name, o.downloads_30d, o.downloads_all_time, o.likes
FROM recent_observations AS o
LEFT JOIN (SELECT hub_id, repo_id, min(name) AS name FROM model_names GROUP BY hub_id, repo_id) AS n USING (hub_id, repo_id)
ORDER BY o.snapshot_id, n.name;

DROP VIEW observations;
DROP TABLE recent_observations;
ALTER TABLE numbered_observations RENAME TO recent_observations;
COMMENT ON TABLE recent_observations IS 'One model''s counts in one snapshot that is not yet part of a run; see observations.';
COMMENT ON COLUMN recent_observations.snapshot_id IS 'The snapshot, see snapshots';
COMMENT ON COLUMN recent_observations.day IS 'UTC day of the snapshot';
COMMENT ON COLUMN recent_observations.name IS 'The model under its name, see model_names';
COMMENT ON COLUMN recent_observations.downloads_30d IS 'Downloads of the 30 days before, as the Hub counts them';
COMMENT ON COLUMN recent_observations.downloads_all_time IS 'Downloads since creation, as the Hub counts them';
COMMENT ON COLUMN recent_observations.likes IS 'Likes on the Hub';

-- Counts are taken out of the lists before their names are looked up, and a row without a name would still be listed:
-- both keep DuckDB from carrying whole lists through a join.
CREATE VIEW observations AS
SELECT c.snapshot_id, c.day, n.hub_id, n.repo_id, c.downloads_30d, c.downloads_all_time, c.likes
FROM (
    SELECT snapshot_id, day, name, downloads_30d, downloads_all_time, likes FROM recent_observations
    UNION ALL
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

ALTER TABLE models ADD COLUMN digest UBIGINT;
COMMENT ON COLUMN models.digest IS 'Hash of its description as last seen: one that has the same is not compared again; NULL when it must be';
ALTER TABLE models ADD COLUMN number INTEGER;
COMMENT ON COLUMN models.number IS 'The number of its present name, see model_names';
