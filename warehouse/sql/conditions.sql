-- name: with_condition
-- Somebody's condition where it will stand.
SELECT 1 FROM models WHERE ({condition}
);

-- name: syntax_tree
-- What DuckDB's parser makes of a query.
SELECT json_serialize_sql($query);

-- name: by_itself
-- An expression without any table to find it in.
SELECT {expression} LIMIT 0;

-- name: how_stable
-- Whether functions are ever the same for the same arguments (NULL: nothing is said of one), and what they are short for.
-- Some of their forms may hang on the time zone alone, which is always UTC here.
SELECT
    function_name, bool_or(stability = 'CONSISTENT'),
    coalesce(list(DISTINCT macro_definition) FILTER (WHERE macro_definition IS NOT NULL), [])
FROM duckdb_functions() WHERE list_contains($names, function_name) AND function_type <> 'table_macro'
GROUP BY function_name ORDER BY function_name;
