-- When a card is edited, its model counts for others, on the days that are over too. To add them all up again took longer
-- with every day kept: what models were when boards were last ranked is noted before it is overwritten, and only what they
-- brought and took is added. A later migration that gives `models` another column makes this table anew: it may be empty.
CREATE TABLE changed_models AS
SELECT m.hub_id, m AS was, [{'family': s.family, 'share': s.share}] AS shares FROM models AS m, shares AS s LIMIT 0;
COMMENT ON TABLE changed_models IS 'What models were when boards were last ranked, of those that are or may be something else by now; none in a small warehouse.';
COMMENT ON COLUMN changed_models.hub_id IS 'The Hub''s _id';
COMMENT ON COLUMN changed_models.was IS 'Its row of models as it was';
COMMENT ON COLUMN changed_models.shares IS 'Its rows of shares as they were';

CREATE TABLE flip_panels (
    flip_id VARCHAR NOT NULL, same DOUBLE NOT NULL, created DOUBLE NOT NULL, rival_same DOUBLE NOT NULL,
    rival_created DOUBLE NOT NULL
);
COMMENT ON TABLE flip_panels IS 'What flips were judged on, so that what single models change need not be asked of all.';
COMMENT ON COLUMN flip_panels.flip_id IS 'See flips';
COMMENT ON COLUMN flip_panels.same IS 'What the newcomer had on the flip''s day, on models that both of its days showed';
COMMENT ON COLUMN flip_panels.created IS 'What it had on models created in between';
COMMENT ON COLUMN flip_panels.rival_same IS 'What the rival had on models that both days showed';
COMMENT ON COLUMN flip_panels.rival_created IS 'What it had on models created in between';

COMMENT ON COLUMN boards.members IS 'Fingerprint of which models count for whom; when it changes, the days that are over are ranked again as far as that changes them';
