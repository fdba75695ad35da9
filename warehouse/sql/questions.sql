-- name: ask_leaders
-- Who leads each board, by how much, and on which day was that?
SELECT board, day, entity, value, round(100 * share, 1) AS share_percent
FROM standings
WHERE rank = 1
QUALIFY day = max(day) OVER (PARTITION BY board)
ORDER BY board;

-- name: ask_countries
-- Which countries lead, by the downloads of their families?
SELECT rank, entity AS country, value AS downloads_30d, round(100 * share, 1) AS share_percent
FROM standings
WHERE board = 'countries' AND day = (SELECT max(day) FROM standings WHERE board = 'countries')
ORDER BY rank
LIMIT 6;

-- name: ask_sizes
-- How are a family's own downloads divided over model sizes?
SELECT
    CASE
        WHEN m.parameters < 1e9 THEN '1: under 1B'
        WHEN m.parameters < 10e9 THEN '2: 1 to 10B'
        WHEN m.parameters < 100e9 THEN '3: 10 to 100B'
        WHEN m.parameters >= 100e9 THEN '4: 100B and more'
        ELSE '5: not known'
    END AS size,
    count(*) AS models, sum(o.downloads_30d) AS downloads_30d,
    round(100 * sum(o.downloads_30d) / sum(sum(o.downloads_30d)) OVER (), 1) AS share_percent
FROM models AS m JOIN observations AS o USING (hub_id)
WHERE m.own AND o.snapshot_id = (
    SELECT max(snapshot_id) FROM snapshots WHERE verdict = 'complete' AND source NOT LIKE 'series:%')
GROUP BY size ORDER BY size;

-- name: ask_days_led
-- For how many months did each publisher lead, as published month by month?
SELECT entity, count(*) AS months_led, min(day) AS first_month, max(day) AS last_month
FROM standings
WHERE board = 'monthly' AND rank = 1
GROUP BY entity ORDER BY months_led DESC;

-- name: ask_days_led_by_families
-- On how many of the days on record did each family lead, and each country?
SELECT board, entity, count(*) AS days_led, round(100 * avg(share), 1) AS mean_share_percent
FROM standings
WHERE board IN ('families', 'countries') AND rank = 1
GROUP BY board, entity ORDER BY board, days_led DESC;

-- name: ask_risers
-- Which families have grown fastest since the first day on record, among those that had a million downloads then?
WITH ends AS (
    SELECT entity, first(value ORDER BY day) AS before, last(value ORDER BY day) AS after
    FROM standings WHERE board = 'families' GROUP BY entity
)
SELECT entity AS family, before, after, round(after / before, 1) AS times
FROM ends WHERE before >= 1e6 ORDER BY after / before DESC LIMIT 6;

-- name: ask_concentration
-- How concentrated are the downloads of families, as the Herfindahl-Hirschman index (10,000 is one family alone)?
SELECT day, round(10000 * sum(share * share)) AS hhi, count(*) AS families, arg_max(entity, share) AS largest
FROM standings WHERE board = 'families'
GROUP BY day ORDER BY day DESC LIMIT 6;

-- name: ask_lead_changes
-- When did the lead change, and was it true of the models?
SELECT day, board, entity, rival, round(100 * margin, 1) AS lead_percent, panel_holds
FROM flips WHERE kind = 'lead_change' ORDER BY day DESC, board LIMIT 8;

-- name: ask_list_growth
-- How many flips exist only because the list of repositories grew?
SELECT board, count(*) AS flips, count(*) FILTER (WHERE NOT panel_holds) AS of_the_list_only
FROM flips WHERE panel_holds IS NOT NULL GROUP BY board ORDER BY board;

-- name: ask_derivatives
-- How do the models on record descend from their families?
SELECT relation, count(*) AS models, count(DISTINCT family) AS families, count(*) FILTER (WHERE own) AS by_own_publishers
FROM models GROUP BY relation ORDER BY models DESC;

-- name: ask_top_models
-- Which models are downloaded most, and how much of their publisher's downloads are they?
SELECT
    o.repo_id, o.downloads_30d,
    round(100 * o.downloads_30d / sum(o.downloads_30d) OVER (PARTITION BY m.publisher), 1) AS percent_of_publisher
FROM observations AS o JOIN models AS m USING (hub_id)
WHERE o.snapshot_id = (
    SELECT max(snapshot_id) FROM snapshots WHERE verdict = 'complete' AND source NOT LIKE 'series:%')
ORDER BY o.downloads_30d DESC NULLS LAST, o.repo_id LIMIT 8;

-- name: ask_quality
-- How good is the data, look by look?
SELECT source, verdict, count(*) AS looks, min(day) AS first_day, max(day) AS last_day
FROM snapshots GROUP BY source, verdict ORDER BY source, verdict;

-- name: ask_told
-- What was told, to which channels, and how many days after the first of the days that confirmed it?
SELECT
    a.title, a.state, a.day AS first_of_the_days, a.confirmed_day, a.confirmed_day - a.day AS days_to_confirm,
    string_agg(d.channel, ', ' ORDER BY d.channel) AS channels
FROM alerts AS a LEFT JOIN deliveries AS d ON d.alert_id = a.alert_id AND d.status = 'sent'
GROUP BY ALL ORDER BY a.confirmed_day, a.title;
