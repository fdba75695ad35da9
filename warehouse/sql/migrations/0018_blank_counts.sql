-- A model that is listed without a count took what it had from whose it is, and a lead that came of that was said to stand. Of
-- flips judged before it is not known what such models had.
ALTER TABLE flip_panels ADD COLUMN blank DOUBLE DEFAULT 0;
ALTER TABLE flip_panels ADD COLUMN before DOUBLE DEFAULT 0;
ALTER TABLE flip_panels ADD COLUMN rival_blank DOUBLE DEFAULT 0;
ALTER TABLE flip_panels ADD COLUMN rival_before DOUBLE DEFAULT 0;
COMMENT ON COLUMN flip_panels.blank IS 'What it had on models that both days listed, one of them without a count: as much as on the other';
COMMENT ON COLUMN flip_panels.before IS 'What it had on the day before, with what models had later that were listed without a count then';
COMMENT ON COLUMN flip_panels.rival_blank IS 'What the rival had on such models';
COMMENT ON COLUMN flip_panels.rival_before IS 'What the rival had on the day before, in the same way';
