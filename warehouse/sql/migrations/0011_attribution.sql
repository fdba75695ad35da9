-- Whose models are was read anew for all of them after every look, though on a day few are new or changed: only these are
-- read now, as long as they are read in the same way.
CREATE TABLE attribution (reading VARCHAR NOT NULL);
COMMENT ON TABLE attribution IS 'How models were attributed last; no row before they are.';
COMMENT ON COLUMN attribution.reading IS 'Changes when the definition of lineage, the registry or a publisher''s name does; all models are then attributed again';
COMMENT ON COLUMN models.relation IS 'own, finetune, adapter, merge or quantized, as declared on the Hub; NULL until it is read';
