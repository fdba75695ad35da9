-- name: board_leaders
-- Who leads each board on its last day, by how much, and since which day without a break; and for which day it was ranked
-- last, if only to find that nothing can stand on it. Of equals who has been first for longer leads, as the flips have it;
-- where several have been for as long, they are first together, and nobody is the leader.
WITH tops AS MATERIALIZED (
    SELECT board, day, snapshot_id, rank, entity, value, share FROM standings WHERE rank <= 2
),
days AS (
    SELECT board, day, row_number() OVER (PARTITION BY board ORDER BY day DESC) AS place
    FROM (SELECT DISTINCT board, day FROM tops)
),
firsts AS (
    SELECT t.board, t.entity, t.day, d.place,
        row_number() OVER (PARTITION BY t.board, t.entity ORDER BY t.day DESC) AS nth
    FROM tops AS t JOIN days AS d USING (board, day) WHERE t.rank = 1
),
led AS (
    SELECT board, entity, min(day) AS since, count(*) AS days_led FROM firsts WHERE place = nth GROUP BY board, entity
),
placed AS (
    SELECT t.*, led.since, led.days_led,
        row_number() OVER (PARTITION BY t.board ORDER BY t.rank, led.since, t.entity) AS place
    FROM tops AS t JOIN days AS d ON d.board = t.board AND d.day = t.day AND d.place = 1
    LEFT JOIN led ON led.board = t.board AND led.entity = t.entity
),
together AS (
    SELECT board, list(entity ORDER BY place) AS leaders
    FROM placed JOIN (SELECT board, rank, since FROM placed WHERE place = 1) USING (board, rank, since) GROUP BY board
)
SELECT
    b.board, b.entity AS kind, b.measure, b.scope, b.definition, b.fingerprint, l.day,
    CASE WHEN len(t.leaders) = 1 THEN l.entity END AS leader, l.value, l.share,
    rival.entity AS runner_up, rival.value AS runner_up_value, (l.value - rival.value) / nullif(l.value, 0) AS margin,
    l.since, l.days_led, coalesce(l.since = o.day, true) AS since_first_day, l.snapshot_id, sn.source, sn.taken_at, k.ranked_on,
    t.leaders[:$most] AS leaders
FROM boards AS b
LEFT JOIN placed AS l ON l.board = b.board AND l.place = 1
LEFT JOIN together AS t ON t.board = b.board
LEFT JOIN placed AS rival ON rival.board = b.board AND rival.place = 1 + len(t.leaders)
LEFT JOIN (SELECT board, min(day) AS day FROM days GROUP BY board) AS o ON o.board = b.board
LEFT JOIN snapshots AS sn ON sn.snapshot_id = l.snapshot_id
LEFT JOIN (SELECT board, max(day) AS ranked_on FROM rankings GROUP BY board) AS k ON k.board = b.board
ORDER BY b.rowid;

-- name: last_looks
-- The last look at each source with its verdict, when it was last complete, and how often it was looked at; without what a
-- wrong clock has dated ahead.
SELECT
    source, max(taken_at) AS taken_at, arg_max(day, snapshot_id) AS day, arg_max(verdict, snapshot_id) AS verdict,
    arg_max(verdict_reason, snapshot_id) AS verdict_reason, arg_max(models, snapshot_id) AS models,
    max(taken_at) FILTER (WHERE verdict = 'complete') AS last_complete,
    max(day) FILTER (WHERE verdict = 'complete') AS last_complete_day, count(*) AS looks,
    count(*) FILTER (WHERE verdict = 'complete') AS complete_looks
FROM snapshots WHERE taken_at <= $until GROUP BY source ORDER BY source LIKE 'series:%', source;

-- name: unjudged_days
-- Days on which a source was looked at and not once completely, with the last verdict.
SELECT day, arg_max(verdict, snapshot_id) AS verdict, arg_max(verdict_reason, snapshot_id) AS verdict_reason
FROM snapshots WHERE source = $source
GROUP BY day HAVING NOT bool_or(verdict = 'complete') ORDER BY day;

-- name: board_days
-- The days of a board, newest first.
SELECT day FROM rankings WHERE board = $board AND checksum IS NOT NULL ORDER BY day DESC;

-- name: board_lines
-- Value, share and rank of some entities of a board, day by day.
SELECT day, entity, value, share, rank FROM standings
WHERE board = $board AND entity IN (SELECT unnest($entities)) ORDER BY day, rank, entity;

-- name: flips_newest_first
-- Flips, newest first, the lead changes of a day before its overtakes.
SELECT
    f.flip_id, f.board, f.kind, f.entity, f.rival, f.day, f.previous_day, f.value, f.rival_value, f.margin, f.verdict,
    f.panel_holds, f.snapshot_id, b.entity AS entity_kind, b.measure, s.taken_at
FROM flips AS f JOIN boards AS b USING (board) LEFT JOIN snapshots AS s USING (snapshot_id)
WHERE ($board IS NULL OR f.board = $board) AND ($kind IS NULL OR f.kind = $kind)
    AND ($entity IS NULL OR f.entity = $entity OR f.rival = $entity) AND f.day >= $since
    AND ($ranked IS NULL OR b.entity = $ranked)
ORDER BY f.day DESC, f.kind, f.board, f.value DESC, f.flip_id LIMIT $most OFFSET $skip;

-- name: notable_flips
-- Flips among the first five of a board that are true of the models, newest first, three of each board.
WITH fifth AS (
    SELECT board, day, min(value) AS least FROM standings WHERE rank <= 5 GROUP BY board, day
)
SELECT
    f.flip_id, f.board, f.kind, f.entity, f.rival, f.day, f.value, f.rival_value, f.margin, f.verdict, f.panel_holds,
    b.entity AS entity_kind
FROM flips AS f JOIN boards AS b USING (board) JOIN fifth ON fifth.board = f.board AND fifth.day = f.day
WHERE f.panel_holds IS DISTINCT FROM false AND f.value >= fifth.least
QUALIFY row_number() OVER (PARTITION BY f.board ORDER BY f.day DESC, f.kind, f.value DESC, f.flip_id) <= 3
ORDER BY f.day DESC, f.kind, f.board, f.value DESC, f.flip_id LIMIT $most;

-- name: flips_counted
-- How many flips there are.
SELECT count(*) FROM flips AS f JOIN boards AS b USING (board)
WHERE ($board IS NULL OR f.board = $board) AND ($kind IS NULL OR f.kind = $kind)
    AND ($entity IS NULL OR f.entity = $entity OR f.rival = $entity) AND f.day >= $since
    AND ($ranked IS NULL OR b.entity = $ranked);

-- name: flip_by_id
-- One flip, with its board's definition and the snapshot that showed it.
SELECT
    f.flip_id, f.board, f.kind, f.entity, f.rival, f.day, f.previous_day, f.value, f.rival_value, f.margin, f.verdict,
    f.panel_holds, f.snapshot_id, b.entity AS entity_kind, b.measure, b.scope, b.definition, b.fingerprint,
    s.source, s.taken_at, s.verdict AS snapshot_verdict, s.verdict_reason
FROM flips AS f
JOIN boards AS b USING (board)
LEFT JOIN snapshots AS s USING (snapshot_id)
WHERE f.flip_id = $flip_id;

-- name: lost_flip
-- What was told of a flip that is not on record any more, what took it back, and the flip of the pair that is on record
-- now, if it is near. A flip's id follows from what it is (`warehouse.changes.flips`), so the ids of the days around what
-- was told are made again, under the names that the two have and had: data that comes late moves a flip by some days, and
-- one that led by little was long on record before it was told.
WITH alike AS (
    SELECT alert_id, board, entity, rival, day FROM alerts
    WHERE rival <> '' AND state NOT IN ('pending', 'held') AND kind <> 'correction'
),
called AS (
    SELECT present AS name, former AS known_as FROM former_publishers
    UNION ALL SELECT family, unnest(formerly) FROM families
    UNION ALL SELECT repo_id, unnest(former_names) FROM models
    WHERE former_names IS NOT NULL AND repo_id IN (SELECT entity FROM alike UNION ALL SELECT rival FROM alike)
    UNION ALL SELECT entity, entity FROM alike
    UNION ALL SELECT rival, rival FROM alike
),
told AS MATERIALIZED (
    SELECT t.*, back
    FROM alike AS t
    JOIN (SELECT DISTINCT * FROM called) AS one ON one.name = t.entity
    JOIN (SELECT DISTINCT * FROM called) AS other ON other.name = t.rival,
    range(-31, 101) AS days (back), (VALUES ('lead_change'), ('overtake')) AS kinds (kind)
    WHERE $flip_id = left(sha256(
        concat_ws(chr(10), t.board, kinds.kind, one.known_as, other.known_as, t.day - CAST(back AS INTEGER))), 10)
)
SELECT a.title, a.day, a.confirmed_day, a.value, a.rival_value, c.created_at AS corrected_at, c.why AS corrected_why,
    f.flip_id AS now_id, f.day AS now_day
FROM told AS t JOIN alerts AS a USING (alert_id)
LEFT JOIN alerts AS c ON c.kind = 'correction' AND c.thread_of = t.alert_id
LEFT JOIN flips AS f ON f.board = t.board AND f.entity = t.entity AND f.rival = t.rival AND abs(f.day - t.day) <= 31
ORDER BY abs(t.back), c.created_at IS NULL, abs(f.day - t.day), t.alert_id LIMIT 1;

-- name: values_on_day
-- What some entities of a board had on a day.
SELECT entity, value FROM standings WHERE board = $board AND day = $day AND list_contains($entities, entity);

-- name: alerts_newest_first
-- What the rules said, newest first, with how many channels have it.
SELECT
    alert_id, rule, board, kind, entity, rival, state, day, confirmed_day, title, value, rival_value, margin, why, quality,
    (SELECT count(*) FROM deliveries AS d WHERE d.alert_id = a.alert_id AND d.status = 'sent') AS sent,
    (SELECT count(*) FROM deliveries AS d WHERE d.alert_id = a.alert_id) AS queued
FROM alerts AS a
ORDER BY coalesce(confirmed_day, day) DESC, alert_id LIMIT $most;

-- name: family_by_name
-- A family of the registry.
SELECT family, vendor, country, publishers FROM families WHERE family = $family;

-- name: family_names
-- The families of the registry.
SELECT family FROM families ORDER BY family;

-- name: family_places
-- Where a family stands on the last day of each board that ranks families.
SELECT s.board, s.day, s.rank, s.value, s.share, s.previous_rank
FROM standings AS s JOIN boards AS b USING (board)
WHERE b.entity = 'family' AND s.entity = $family AND s.day = (SELECT max(day) FROM standings WHERE board = s.board)
ORDER BY b.rowid;

-- name: last_counts
-- What the last complete look counted of every model, by number: pages have little memory, and numbers take little of it.
WITH look AS (
    SELECT max(snapshot_id) FROM snapshots WHERE verdict = 'complete' AND source NOT LIKE 'series:%')
SELECT name, downloads_30d, downloads_all_time, likes FROM recent_observations WHERE snapshot_id = (FROM look)
UNION ALL
SELECT r.name, r.downloads_30d[d.position], r.downloads_all_time[d.position], r.likes[d.position]
FROM observation_runs AS r JOIN run_days AS d USING (run)
WHERE d.snapshot_id = (FROM look) AND (r.unseen IS NULL OR NOT list_contains(r.unseen, d.position))

-- name: family_models
-- The models of a family as counted in the last complete look, most downloaded first; described once it is known which.
WITH most AS MATERIALIZED (
    SELECT m.hub_id, o.downloads_30d, o.downloads_all_time, o.likes
    FROM models AS m LEFT JOIN (model_names JOIN ({counts}) USING (name)) AS o USING (hub_id)
    WHERE m.family = $family
    ORDER BY o.downloads_30d DESC NULLS LAST, m.repo_id LIMIT $most)
SELECT
    m.repo_id, m.relation, m.parameters, m.pipeline_tag, o.downloads_30d, o.downloads_all_time, o.likes,
    CAST(m.created_at AS DATE) AS created, m.first_seen, m.last_seen
FROM most AS o JOIN models AS m USING (hub_id)
ORDER BY o.downloads_30d DESC NULLS LAST, m.repo_id;

-- name: family_relations
-- How the models of a family descend from it: how many, and what they are downloaded.
SELECT
    coalesce(m.relation, 'unknown') AS relation, coalesce(m.own, false) AS own, count(*) AS models,
    sum(o.downloads_30d) AS downloads_30d
FROM models AS m LEFT JOIN (model_names JOIN ({counts}) USING (name)) AS o USING (hub_id)
WHERE m.family = $family
GROUP BY ALL ORDER BY own DESC, downloads_30d DESC NULLS LAST, relation;

-- name: family_publishers
-- Who publishes models of a family, the most downloaded first.
SELECT m.publisher, count(*) AS models, sum(o.downloads_30d) AS downloads_30d, bool_or(coalesce(m.own, false)) AS own
FROM models AS m LEFT JOIN (model_names JOIN ({counts}) USING (name)) AS o USING (hub_id)
WHERE m.family = $family
GROUP BY m.publisher ORDER BY downloads_30d DESC NULLS LAST, m.publisher LIMIT $most;

-- name: snapshots_counted
-- How many snapshots of each source have which verdict.
SELECT source, verdict, count(*) FROM snapshots GROUP BY source, verdict ORDER BY source, verdict;

-- name: last_complete_times
-- When each source was last read completely.
SELECT source, epoch(max(taken_at)) FROM snapshots WHERE verdict = 'complete' GROUP BY source ORDER BY source;

-- name: deliveries_counted
-- How many deliveries have which status.
SELECT status, count(*) FROM deliveries GROUP BY status ORDER BY status;

-- name: alerts_counted
-- How many alerts are in which state.
SELECT state, count(*) FROM alerts GROUP BY state ORDER BY state;

-- name: flips_by_board
-- How many flips of which kind each board has.
SELECT board, kind, count(*) FROM flips GROUP BY board, kind ORDER BY board, kind;

-- name: board_values_top
-- Values of the first ten places of each board on its last day.
SELECT s.board, s.entity, s.value FROM standings AS s
JOIN (SELECT board, max(day) AS day FROM rankings WHERE checksum IS NOT NULL GROUP BY board) USING (board, day)
WHERE s.rank <= 10 ORDER BY s.board, s.rank, s.entity;

-- name: board_ranks_top
-- Ranks of the first ten places of each board on its last day.
SELECT s.board, s.entity, s.rank FROM standings AS s
JOIN (SELECT board, max(day) AS day FROM rankings WHERE checksum IS NOT NULL GROUP BY board) USING (board, day)
WHERE s.rank <= 10 ORDER BY s.board, s.rank, s.entity;

-- name: described_columns
-- Every relation and column with its comment, in order.
SELECT c.table_name AS relation, r.comment AS meaning, c.column_name, c.data_type, c.comment
FROM duckdb_columns() AS c
JOIN (
    SELECT database_name, schema_name, table_name, table_oid, comment FROM duckdb_tables()
    UNION ALL
    SELECT database_name, schema_name, view_name, view_oid, comment FROM duckdb_views()) AS r
    USING (database_name, schema_name, table_name)
WHERE c.database_name = current_database() AND c.schema_name = 'main' AND NOT c.internal
ORDER BY r.table_oid, c.column_index;

-- name: whole_relation
-- Everything of a relation.
FROM {relation};

-- name: relation_as_json
-- Every row of a relation as a JSON object.
SELECT CAST(to_json(r) AS VARCHAR) AS line FROM {relation} AS r;

-- name: relation_as_text
-- Every row of a relation, as a spreadsheet may have it.
SELECT {columns} FROM {relation};
