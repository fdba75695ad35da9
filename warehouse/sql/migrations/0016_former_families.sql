-- Who was told of a family under a former name looks for it under that one.
ALTER TABLE families ADD COLUMN formerly VARCHAR[];
COMMENT ON COLUMN families.formerly IS 'Names that it had in earlier registries';
