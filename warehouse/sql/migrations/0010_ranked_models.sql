-- Among millions of models somebody who stands on a board is renamed every day. Standings kept under names had every day
-- of the board written again for it, more of them each day: models stand by number instead, and have their names once.
CREATE TABLE ranked_models (model INTEGER NOT NULL, hub_id VARCHAR NOT NULL, repo_id VARCHAR NOT NULL);
COMMENT ON TABLE ranked_models IS 'What the models that ever stood on a board are called now.';
COMMENT ON COLUMN ranked_models.model IS 'Its number in model_standings';
COMMENT ON COLUMN ranked_models.hub_id IS 'The Hub''s _id';
COMMENT ON COLUMN ranked_models.repo_id IS 'publisher/name as of now';
INSERT INTO ranked_models
SELECT row_number() OVER (ORDER BY repo_id), coalesce(m.hub_id, s.repo_id), s.repo_id
FROM (
    SELECT DISTINCT s.entity AS repo_id FROM standings AS s JOIN boards AS b USING (board)
    WHERE b.entity = 'model' AND NOT starts_with(b.measure, 'derivatives') AND NOT starts_with(b.measure, 'series:')) AS s
LEFT JOIN (SELECT repo_id, arg_max(hub_id, last_seen) AS hub_id FROM models GROUP BY repo_id) AS m USING (repo_id);

CREATE TABLE model_standings (
    board VARCHAR NOT NULL, day DATE NOT NULL, snapshot_id BIGINT NOT NULL, rank BIGINT NOT NULL,
    model INTEGER NOT NULL, value DOUBLE NOT NULL, share DOUBLE, previous_rank BIGINT
);
COMMENT ON TABLE model_standings IS 'The rows of standings about boards of models; see there.';
COMMENT ON COLUMN model_standings.board IS 'Name of the board, see boards';
COMMENT ON COLUMN model_standings.day IS 'UTC day';
COMMENT ON COLUMN model_standings.snapshot_id IS 'The snapshot it was ranked from';
COMMENT ON COLUMN model_standings.rank IS '1 is first; equal values share a rank';
COMMENT ON COLUMN model_standings.model IS 'Who stands there, see ranked_models';
COMMENT ON COLUMN model_standings.value IS 'The measure, in its unit';
COMMENT ON COLUMN model_standings.share IS 'Value over the sum of all values of this board on this day, those of lower places too';
COMMENT ON COLUMN model_standings.previous_rank IS 'Rank on the board''s previous day; NULL when not ranked then, or lower than the places that are kept';
INSERT INTO model_standings
SELECT s.board, s.day, s.snapshot_id, s.rank, m.model, s.value, s.share, s.previous_rank
FROM standings AS s JOIN boards AS b USING (board) JOIN ranked_models AS m ON m.repo_id = s.entity
WHERE b.entity = 'model' AND NOT starts_with(b.measure, 'derivatives') AND NOT starts_with(b.measure, 'series:')
ORDER BY s.board, s.day, s.rank;

DELETE FROM standings WHERE board IN (SELECT board FROM model_standings);
ALTER TABLE standings RENAME TO named_standings;
COMMENT ON TABLE named_standings IS 'The rows of standings about all other boards; see there.';
COMMENT ON COLUMN named_standings.entity IS 'Family, publisher or country, or whom a series is about';
CREATE VIEW standings AS
SELECT board, day, snapshot_id, rank, entity, value, share, previous_rank FROM named_standings
UNION ALL
SELECT s.board, s.day, s.snapshot_id, s.rank, m.repo_id AS entity, s.value, s.share, s.previous_rank
FROM model_standings AS s JOIN ranked_models AS m USING (model);
COMMENT ON VIEW standings IS 'A board''s ranking on a day, from the last complete snapshot of that day: the first 50,000 places, ties at the last included.';
COMMENT ON COLUMN standings.board IS 'Name of the board, see boards';
COMMENT ON COLUMN standings.day IS 'UTC day';
COMMENT ON COLUMN standings.snapshot_id IS 'The snapshot it was ranked from';
COMMENT ON COLUMN standings.rank IS '1 is first; equal values share a rank';
COMMENT ON COLUMN standings.entity IS 'Family, publisher, country or model';
COMMENT ON COLUMN standings.value IS 'The measure, in its unit';
COMMENT ON COLUMN standings.share IS 'Value over the sum of all values of this board on this day, those of lower places too; what no entity accounts for is in neither';
COMMENT ON COLUMN standings.previous_rank IS 'Rank on the board''s previous day; NULL when not ranked then, or lower than the places that are kept';

-- Somebody moves every day, too, which is no reason to rank all days of a deep board again unless it is somebody large.
CREATE TABLE followed_models (board VARCHAR NOT NULL, hub_id VARCHAR NOT NULL, entity VARCHAR);
COMMENT ON TABLE followed_models IS 'The models that alone would stand near the top of a board on its last day, of boards with more members than places.';
COMMENT ON COLUMN followed_models.board IS 'Name of the board, see boards';
COMMENT ON COLUMN followed_models.hub_id IS 'The Hub''s _id';
COMMENT ON COLUMN followed_models.entity IS 'For whom it counted; NULL: for nobody on this board';

COMMENT ON COLUMN rankings.checksum IS 'bit_xor(hash(rank, entity or model, value, share, previous_rank)) of the board''s standing on the day; NULL when it is empty';
UPDATE rankings SET checksum = s.checksum
FROM (
    SELECT board, day, bit_xor(hash(rank, model, value, share, previous_rank)) AS checksum
    FROM model_standings GROUP BY board, day) AS s
WHERE rankings.board = s.board AND rankings.day = s.day;
