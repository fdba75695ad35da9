-- name: table_names
-- Tables of this file.
SELECT table_name FROM duckdb_tables() WHERE NOT internal;

-- name: applied_migrations
-- Numbers of the migrations this file has seen.
SELECT version FROM schema_migrations;

-- name: record_migration
-- Note that a migration was applied, in its own transaction.
INSERT INTO schema_migrations (version, name, applied_at) VALUES ($version, $name, $applied_at);
