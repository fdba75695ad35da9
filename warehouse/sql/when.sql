-- name: names_of_families
-- Families, and the publishers of each.
SELECT family, publishers FROM families ORDER BY family;

-- name: names_of_publishers
-- Publishers of models.
SELECT DISTINCT publisher FROM models ORDER BY publisher;

-- name: names_of_countries
-- Countries of families.
SELECT DISTINCT country FROM families ORDER BY country;

-- name: names_of_series
-- The imported series, and whose totals each has.
SELECT series, list(DISTINCT entity ORDER BY entity) FROM series_values GROUP BY series ORDER BY series;

-- name: inexact_totals
-- The totals of a series that are not exact, and what their source says that they are.
SELECT snapshot_id, entity, exactness FROM series_values WHERE series = $series AND exactness IS NOT NULL;

-- name: pair_by_day
-- The values of two entities, or of two groups of them added up, on the days for which both are known.
SELECT d.day, sum(v.value) FILTER (WHERE list_contains($ones, v.entity)) AS one,
    sum(v.value) FILTER (WHERE list_contains($others, v.entity)) AS other
FROM ({values}) AS v JOIN days_to_rank AS d USING (snapshot_id)
WHERE list_contains($ones, v.entity) OR list_contains($others, v.entity)
GROUP BY d.day
HAVING one IS NOT NULL AND other IS NOT NULL
ORDER BY d.day;
