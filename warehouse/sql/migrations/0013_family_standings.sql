-- Boards of families stood among fifty thousand publishers a day: whoever asked for all their days read all of these.
CREATE TABLE family_standings (
    board VARCHAR NOT NULL, day DATE NOT NULL, snapshot_id BIGINT NOT NULL, rank BIGINT NOT NULL,
    entity VARCHAR NOT NULL, value DOUBLE NOT NULL, share DOUBLE, previous_rank BIGINT
);
COMMENT ON TABLE family_standings IS 'The rows of standings about families, countries and imported series; see there.';
COMMENT ON COLUMN family_standings.board IS 'Name of the board, see boards';
COMMENT ON COLUMN family_standings.day IS 'UTC day';
COMMENT ON COLUMN family_standings.snapshot_id IS 'The snapshot it was ranked from';
COMMENT ON COLUMN family_standings.rank IS '1 is first; equal values share a rank';
COMMENT ON COLUMN family_standings.entity IS 'Family, country, or whom a series is about';
COMMENT ON COLUMN family_standings.value IS 'The measure, in its unit';
COMMENT ON COLUMN family_standings.share IS 'Value over the sum of all values of this board on this day';
COMMENT ON COLUMN family_standings.previous_rank IS 'Rank on the board''s previous day; NULL when not ranked then';
INSERT INTO family_standings
SELECT board, day, snapshot_id, rank, entity, value, share, previous_rank FROM named_standings
WHERE board NOT IN (
    SELECT board FROM boards WHERE entity IN ('publisher', 'model') AND NOT starts_with(measure, 'series:'))
ORDER BY board, day, rank;
DELETE FROM named_standings WHERE board IN (SELECT board FROM family_standings);
COMMENT ON TABLE named_standings IS 'The rows of standings about publishers, and about models that others descend from; see there.';
COMMENT ON COLUMN named_standings.entity IS 'Publisher or model';

CREATE OR REPLACE VIEW standings AS
SELECT board, day, snapshot_id, rank, entity, value, share, previous_rank FROM family_standings
UNION ALL
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
