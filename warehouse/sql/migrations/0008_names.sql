-- What publishers were called that nothing is listed under any more, and how sure a published total is.

CREATE TABLE former_publishers (former VARCHAR NOT NULL, present VARCHAR NOT NULL, day DATE NOT NULL, merged BOOLEAN NOT NULL);
COMMENT ON TABLE former_publishers IS 'Publishers under whose name nothing is listed any more, because their models are another''s now.';
COMMENT ON COLUMN former_publishers.former IS 'The name that was given up';
COMMENT ON COLUMN former_publishers.present IS 'Whose its models are now';
COMMENT ON COLUMN former_publishers.day IS 'The day that showed the last of its models elsewhere';
COMMENT ON COLUMN former_publishers.merged IS 'It was merged into a publisher that was there before; false: it was renamed';

ALTER TABLE series_values ADD COLUMN exactness VARCHAR;
COMMENT ON COLUMN series_values.exactness IS 'What its source says that the total is (estimated, interpolated, ...); NULL: exact, or nothing was said';
