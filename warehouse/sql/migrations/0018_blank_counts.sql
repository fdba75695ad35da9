-- A model that is listed without a count took what it had from whose it is, and a lead that came of that was said to stand.
ALTER TABLE flip_panels ADD COLUMN blank DOUBLE DEFAULT 0;
ALTER TABLE flip_panels ADD COLUMN rival_blank DOUBLE DEFAULT 0;
COMMENT ON COLUMN flip_panels.blank IS 'What it had on models that both days listed, one of them without a count: as much as on the other';
COMMENT ON COLUMN flip_panels.rival_blank IS 'What the rival had on such models';
