-- name: comments
-- What every published relation and column means.
SELECT 'TABLE', table_name, comment FROM duckdb_tables()
WHERE database_name = current_database() AND list_contains($relations, table_name) AND comment IS NOT NULL
UNION ALL
SELECT 'COLUMN', table_name || '.' || column_name, comment FROM duckdb_columns()
WHERE database_name = current_database() AND list_contains($relations, table_name) AND comment IS NOT NULL;
