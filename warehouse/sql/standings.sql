-- name: hub_days
-- For each kind of board, and each day with a complete snapshot that it may be ranked from: the last one. There are looks
-- at the families and censuses of everything; a board has one kind that it prefers, and keeps to it on the days after one of
-- that kind, so that it does not jump when one is missing. What we saw ourselves goes before imported history; in the place
-- of a census only a table of everything is taken. Days whose counts were given up are not among them.
WITH looks AS (
    SELECT preferred, day, snapshot_id, (source = preferred, source IN ('hub', 'census'), taken_at, snapshot_id) AS place,
        source = preferred OR preferred = 'census' AND source = 'hub-stats' AND NOT ends_with(revision, '(families only)')
            OR preferred = 'hub' AND source <> 'census' AS alike,
        max(day) FILTER (source = preferred) OVER (PARTITION BY preferred ORDER BY day) AS last
    FROM snapshots, (VALUES ('hub'), ('census')) AS kinds (preferred)
    WHERE verdict = 'complete' AND source NOT LIKE 'series:%')
SELECT preferred, day, arg_max(snapshot_id, place)
FROM looks
WHERE alike OR last IS NULL OR last < day - $keeps::INTEGER
GROUP BY preferred, day HAVING arg_max(snapshot_id, place) NOT IN (SELECT snapshot_id FROM thinned)
ORDER BY preferred, day;

-- name: series_days
-- For each day of an imported series: the last import.
SELECT day, max(snapshot_id) FROM snapshots WHERE verdict = 'complete' AND source = $source GROUP BY day ORDER BY day;

-- name: all_series_days
-- For each day of every imported series: the last import.
SELECT source, day, max(snapshot_id) FROM snapshots
WHERE verdict = 'complete' AND source LIKE 'series:%' GROUP BY source, day ORDER BY source, day;

-- name: all_ranked_days
-- The days that boards were ranked for, and from which snapshot, where that can be done again.
SELECT board, day, snapshot_id FROM rankings WHERE snapshot_id NOT IN (SELECT snapshot_id FROM thinned);

-- name: given_up_days
-- The days that boards were ranked for, and from which snapshot, where that cannot be done again: its counts were given up.
SELECT board, day, snapshot_id FROM rankings WHERE snapshot_id IN (SELECT snapshot_id FROM thinned);

-- name: boards_made_under
-- What each board's standings were made under.
SELECT board, fingerprint, seen_until, members, definition FROM boards;

-- name: boards_as_declared
-- What boards rank, by which measure, over which models.
SELECT board, entity, measure, scope, condition FROM {file}boards;

-- name: departed_entities
-- Of the entities that are missing those whose models were all deleted, and the day that showed the last one gone.
SELECT w.entity, max(m.gone_on)
FROM ({members}) AS w JOIN models AS m USING (hub_id)
WHERE w.entity IN (SELECT entity FROM missing_entities)
GROUP BY w.entity HAVING count(*) = count(m.gone_on);

-- name: missing_models
-- The models, seen by then, of entities of a board that have no place on a day; whether each was deleted by what its snapshot
-- knew. NULL where it was seen on that day or later: what is known of it now is not what was known then.
SELECT e.entity, d.day, d.snapshot_id, m.hub_id, lower(m.publisher) AS publisher, m.created_at,
    CASE WHEN m.last_seen < d.day THEN coalesce(m.gone_on <= d.day, false) END AS gone
FROM missing_entities AS e
CROSS JOIN days_judged AS d
ANTI JOIN (
    SELECT entity, day FROM standings
    WHERE board = {board} AND entity IN (FROM missing_entities) AND day IN (SELECT day FROM days_judged)) AS s
    ON s.entity = e.entity AND s.day = d.day
JOIN ({members}) AS w ON w.entity = e.entity
JOIN models AS m ON m.hub_id = w.hub_id AND m.first_seen <= d.day

-- name: departures
-- The days on which entities have no place, and none of their models is known not to be deleted; of how many it is to be
-- asked.
SELECT entity, day, count(*) - count(gone) FROM ({missing})
GROUP BY entity, day HAVING bool_and(coalesce(gone, true));

-- name: not_deleted
-- Of `unsure` days of entities those on which some model was not deleted by what the snapshot knew: it had been seen since
-- the last complete look at its publisher, or census; or there was none whose counts are still there.
WITH complete AS (
    SELECT snapshot_id, source, day FROM snapshots
    WHERE verdict = 'complete' AND snapshot_id NOT IN (SELECT snapshot_id FROM thinned)),
looks AS (
    SELECT lower(publisher) AS publisher, snapshot_id, day FROM listings JOIN complete USING (snapshot_id)
    WHERE problem IS NULL),
asked AS (
    SELECT *, greatest(
        (SELECT max(l.day) FROM looks AS l WHERE l.publisher = m.publisher AND l.snapshot_id <= m.snapshot_id),
        (SELECT max(c.day) FROM complete AS c WHERE c.source = 'census' AND c.snapshot_id <= m.snapshot_id
            AND coalesce(m.created_at < c.day - INTERVAL 2 DAY, true))) AS looked
    FROM ({missing}) AS m SEMI JOIN unsure USING (entity, day) WHERE gone IS NULL)
SELECT DISTINCT entity, day FROM asked AS a
WHERE looked IS NULL OR EXISTS (
    SELECT 1 FROM observations AS o WHERE o.hub_id = a.hub_id AND o.day >= a.looked AND o.snapshot_id <= a.snapshot_id);

-- name: models_seen
-- The last day on which a model was seen for the first time, how many models are known, whether any had another name, and
-- of how many it is noted what they were.
SELECT max(first_seen), count(*), count(former_names) > 0, (SELECT count(*) FROM changed_models) FROM models;

-- name: members_fingerprint
-- Which models, first seen up to a day, count for whom, as one number; whatever the order. Of hashes of hashes, for what a
-- hash takes in last could be exchanged between two models without a trace. And of which of them it is not known when they
-- were created: flips are judged by that.
SELECT xor(bit_xor(hash(hash(hub_id, {entity}, share))), coalesce(bit_xor(hash(hub_id)) FILTER (undated), 0))
FROM (SELECT *, hub_id IN (SELECT hub_id FROM models WHERE created_at IS NULL) AS undated FROM ({members}))
WHERE {whose};

-- name: derivatives_fingerprint
-- The same where models are counted, not their counters: with the days from which and until which they are. Who is gone
-- since changes no day that stands.
SELECT bit_xor(hash(hash(hub_id, {entity}, share, first_seen, created_at::DATE, CASE WHEN gone_on <= $until THEN gone_on END)))
FROM ({members}) JOIN (SELECT hub_id, first_seen, created_at, gone_on FROM models) USING (hub_id)
WHERE {whose};

-- name: delete_board
-- Forget a definition before it is written anew.
DELETE FROM boards WHERE board = $board;

-- name: insert_board
-- Write a definition.
INSERT INTO boards (board, entity, measure, scope, definition, condition, fingerprint, seen_until, members)
VALUES ($board, $entity, $measure, $scope, $definition, $condition, $fingerprint, $seen_until, $members);

-- name: boards_in_order
-- The definitions as they lie, which is how they are shown.
SELECT * FROM boards ORDER BY rowid;

-- name: delete_boards
-- Forget all definitions before they are written in another order.
DELETE FROM boards;

-- name: retire_rankings
-- Forget what boards that are no longer configured were ranked for.
DELETE FROM rankings WHERE NOT list_contains($boards, board);

-- name: retire_standings
-- Forget the standings of boards that are no longer configured.
DELETE FROM {standings} WHERE NOT list_contains($boards, board);

-- name: retire_followed
-- Forget the models that boards follow which are no longer configured.
DELETE FROM followed_models WHERE NOT list_contains($boards, board);

-- name: retire_flip_panels
-- Forget what the flips were judged on of boards that are no longer configured.
DELETE FROM flip_panels WHERE flip_id IN (SELECT flip_id FROM flips WHERE NOT list_contains($boards, board));

-- name: retire_flips
-- Forget the flips of boards that are no longer configured.
DELETE FROM flips WHERE NOT list_contains($boards, board);

-- name: retire_boards
-- Forget boards that are no longer configured.
DELETE FROM boards WHERE NOT list_contains($boards, board);

-- name: delete_standings
-- Forget a board's standings from a day on, because they will be made again; all of them when it is made anew.
DELETE FROM {standings}
WHERE board = $board AND ($anew OR day >= $start AND snapshot_id NOT IN (SELECT snapshot_id FROM thinned));

-- name: delete_rankings
-- Forget that a board was ranked from a day on, or at all.
DELETE FROM rankings
WHERE board = $board AND ($anew OR day >= $start AND snapshot_id NOT IN (SELECT snapshot_id FROM thinned));

-- name: insert_rankings
-- Note the days that a board was ranked for, and in one number what its standings say.
INSERT INTO rankings (board, day, snapshot_id, checksum)
SELECT $board, d.day, d.snapshot_id, s.checksum
FROM days_to_rank AS d LEFT JOIN (
    SELECT day, bit_xor(hash(hash(rank, {entity}, value, share, previous_rank))) AS checksum
    FROM {standings} WHERE board = $board AND day IN (SELECT day FROM days_to_rank) GROUP BY day) AS s USING (day);

-- name: whole_members
-- Which models count for whom, each as a whole.
SELECT hub_id, {entity} AS entity, 1.0::DOUBLE AS share
FROM (SELECT * FROM {models} WHERE {condition}) AS m {families}
WHERE {entity} IS NOT NULL

-- name: present_publisher
-- What a publisher is called now. What it had deleted before it was renamed is listed under no other name than it had then.
coalesce((SELECT p.present FROM former_publishers AS p WHERE p.former = {publisher} AND NOT p.merged), {publisher})

-- name: family_members
-- Which models count for which family, each divided by descent; what no known family accounts for is nobody's.
SELECT m.hub_id, s.family AS entity, s.share
FROM (SELECT * FROM {models} WHERE {condition}) AS m
JOIN {shares} AS s USING (hub_id)
WHERE s.family IS NOT NULL

-- name: country_members
-- Which models count for which country, as those of its families together.
SELECT m.hub_id, f.country AS entity, sum(s.share) AS share
FROM (SELECT * FROM {models} WHERE {condition}) AS m
JOIN {shares} AS s USING (hub_id)
JOIN families AS f ON f.family = s.family
WHERE f.country IS NOT NULL
GROUP BY ALL

-- name: seen_since
-- Whether a model was seen on a day or later, as a condition: of those that were not, nothing was counted since.
last_seen >= {day}::DATE

-- name: observed_counts
-- What each of some models had in the snapshots to rank, as the Hub counts; not where the Hub did not say. Asked of plain
-- rows and runs themselves, so that of millions of models only these are looked at.
WITH numbered AS {held} (SELECT name, hub_id FROM model_names WHERE {among})
SELECT o.snapshot_id, n.hub_id, o.{measure}::DOUBLE AS value
FROM recent_observations AS o JOIN numbered AS n USING (name)
WHERE o.snapshot_id IN (SELECT snapshot_id FROM days_to_rank) AND o.{measure} IS NOT NULL {packed}

-- name: count_packed
-- How many of the snapshots to rank are in runs.
SELECT count(*) FROM run_days WHERE snapshot_id IN (SELECT snapshot_id FROM days_to_rank);

-- name: packed_counts
-- The part of them that is in runs, of each from the first day wanted to the last.
UNION ALL
SELECT d.snapshot_id, r.hub_id, r.value
FROM (
    SELECT r.run, n.hub_id, unnest(r.{measure}[w.low : w.high])::DOUBLE AS value, unnest(range(w.low, w.high + 1)) AS position
    FROM observation_runs AS r JOIN numbered AS n USING (name)
    JOIN (
        SELECT run, min(position) AS low, max(position) AS high FROM run_days
        WHERE snapshot_id IN (SELECT snapshot_id FROM days_to_rank) GROUP BY run) AS w USING (run)) AS r
JOIN run_days AS d USING (run, position)
WHERE d.snapshot_id IN (SELECT snapshot_id FROM days_to_rank) AND r.value IS NOT NULL

-- name: blank
-- The models, of some, that some snapshots list without a count.
WITH numbered AS MATERIALIZED (SELECT name, hub_id FROM model_names WHERE hub_id IN ({among}))
SELECT o.snapshot_id, n.hub_id
FROM recent_observations AS o JOIN numbered AS n USING (name)
WHERE o.snapshot_id IN ({snapshots}) AND o.{measure} IS NULL
UNION ALL
SELECT d.snapshot_id, n.hub_id
FROM observation_runs AS r JOIN run_days AS d USING (run) JOIN numbered AS n USING (name)
WHERE d.snapshot_id IN ({snapshots}) AND r.{measure}[d.position] IS NULL
    AND NOT coalesce(list_contains(r.unseen, d.position), false)

-- name: never_blank
-- None: what is looked up is no counter of the Hub's.
SELECT snapshot_id, NULL::VARCHAR AS hub_id FROM snapshots WHERE false

-- name: observed_values
-- Value of every entity in the snapshots to rank, as the Hub counts.
WITH numbered AS MATERIALIZED (SELECT n.name, w.entity, w.share FROM model_names AS n JOIN ({members}) AS w USING (hub_id))
SELECT snapshot_id, entity, sum(value) AS value
FROM (
    SELECT o.snapshot_id, n.entity, o.{measure} * n.share AS value
    FROM recent_observations AS o JOIN numbered AS n USING (name)
    WHERE o.snapshot_id IN (SELECT snapshot_id FROM days_to_rank) {packed})
WHERE value IS NOT NULL
GROUP BY ALL

-- name: packed_values
-- The part of them that is in runs, which are summed before their days are looked up; of each run from the first day wanted
-- to the last.
UNION ALL
SELECT d.snapshot_id, r.entity, r.value
FROM (
    SELECT run, position, entity, sum(count * share) AS value
    FROM (
        SELECT r.run, n.entity, n.share, unnest(r.{measure}[w.low : w.high]) AS count,
            unnest(range(w.low, w.high + 1)) AS position
        FROM observation_runs AS r JOIN numbered AS n USING (name)
        JOIN (
            SELECT run, min(position) AS low, max(position) AS high FROM run_days
            WHERE snapshot_id IN (SELECT snapshot_id FROM days_to_rank) GROUP BY run) AS w USING (run))
    GROUP BY ALL) AS r
JOIN run_days AS d USING (run, position)
WHERE d.snapshot_id IN (SELECT snapshot_id FROM days_to_rank)

-- name: derivatives_counts
-- One for each model that was known and not yet gone on the days to rank.
SELECT d.snapshot_id, m.hub_id, 1.0::DOUBLE AS value
FROM models AS m
JOIN days_to_rank AS d
    ON m.first_seen <= d.day AND coalesce(m.created_at::DATE <= d.day, true) AND coalesce(m.gone_on > d.day, true)

-- name: derivatives_28d_counts
-- One for each model that was known, not yet gone, and created in the 28 days up to the days to rank.
SELECT d.snapshot_id, m.hub_id, 1.0::DOUBLE AS value
FROM models AS m
JOIN days_to_rank AS d
    ON m.first_seen <= d.day AND coalesce(m.gone_on > d.day, true)
    AND m.created_at::DATE <= d.day AND m.created_at::DATE > d.day - 28

-- name: series_counts
-- The values of an imported series in the snapshots to rank.
SELECT snapshot_id, entity, value
FROM series_values
WHERE series = $series AND snapshot_id IN (SELECT snapshot_id FROM days_to_rank)

-- name: board_values_now
-- Value of every entity in the snapshots to rank; an entity of which nothing is known has none.
SELECT c.snapshot_id, b.entity, sum(c.value * b.share) AS value
FROM ({counts}) AS c JOIN ({members}) AS b USING (hub_id)
GROUP BY ALL

-- name: ranked
-- The rank of every value on the days to rank, with its share of the total, and its rank on the day before where that is one
-- of them; no deeper than is kept.
WITH entity_values AS MATERIALIZED ({values}),
days AS (
    SELECT d.day, d.previous_day, d.snapshot_id, {total} AS total, {least} AS least
    FROM entity_values AS v JOIN days_to_rank AS d USING (snapshot_id)
    GROUP BY ALL
),
ranked AS MATERIALIZED (
    SELECT d.day, d.previous_day, d.snapshot_id, v.entity, v.value, v.value / nullif(d.total, 0) AS share,
        rank() OVER (PARTITION BY d.day ORDER BY v.value DESC) AS rank
    FROM entity_values AS v JOIN days AS d USING (snapshot_id)
    WHERE v.value >= d.least
)
SELECT r.*, p.rank AS previous_rank
FROM ranked AS r LEFT JOIN ranked AS p ON p.day = r.previous_day AND p.entity = r.entity

-- name: least_kept
-- The least value that is kept of a day on which many stand.
list_min(max(v.value, {kept}))

-- name: least_of_all
-- Where all are kept, the least there is: to look for the largest takes room for as many as could be kept, of each day.
min(v.value)

-- name: insert_standings
-- Write what was ranked, where it goes by its name.
INSERT INTO {standings} (board, day, snapshot_id, rank, entity, value, share, previous_rank)
SELECT $board, r.day, r.snapshot_id, r.rank, r.entity, r.value, r.share, coalesce(r.previous_rank, s.rank)
FROM ({ranked}) AS r
LEFT JOIN {standings} AS s ON s.board = $board AND s.day = r.previous_day AND s.entity = r.entity
ORDER BY r.day, r.rank, r.entity;

-- name: rank_places
-- Rank before what is ranked is written: models have no number yet, or what stands is ranked by.
CREATE OR REPLACE TEMP TABLE ranked_places AS {ranked};

-- name: number_models
-- Give a number to each model that never stood on a board.
INSERT INTO ranked_models (model, hub_id, repo_id)
SELECT (SELECT coalesce(max(model), 0) FROM ranked_models) + row_number() OVER (ORDER BY hub_id), hub_id, m.repo_id
FROM (SELECT DISTINCT entity AS hub_id FROM ranked_places ANTI JOIN ranked_models ON hub_id = entity) JOIN models AS m USING (hub_id);

-- name: insert_model_standings
-- Write what was ranked, where it is a model.
INSERT INTO model_standings (board, day, snapshot_id, rank, model, value, share, previous_rank)
SELECT $board, r.day, r.snapshot_id, r.rank, m.model, r.value, r.share, coalesce(r.previous_rank, s.rank)
FROM ranked_places AS r
JOIN ranked_models AS m ON m.hub_id = r.entity
LEFT JOIN model_standings AS s ON s.board = $board AND s.day = r.previous_day AND s.model = m.model
ORDER BY r.day, r.rank, m.model;

-- name: rename_models
-- Call the models that ever stood on a board what they are called now; those that were called otherwise.
UPDATE ranked_models SET repo_id = m.repo_id FROM models AS m
WHERE ranked_models.hub_id = m.hub_id AND ranked_models.repo_id <> m.repo_id AND m.former_names IS NOT NULL
RETURNING ranked_models.model;

-- name: boards_led_by
-- The boards near whose top one of some models ever stood.
SELECT DISTINCT board FROM model_standings WHERE rank <= $top AND list_contains($models, model);

-- name: stands_near_top
-- Whether an entity stands near the top of a board on its last day, as a condition.
entity IN (FROM ({near_top}))

-- name: near_top
-- Who stands near the top of a board on its last day. Of all days it would be asked of more each day, and further down of
-- more than anybody asks about.
SELECT entity FROM standings
WHERE board = {board} AND rank <= {depth} AND day = (SELECT max(day) FROM rankings WHERE board = {board})

-- name: forget_followed
-- Forget which models a board follows.
DELETE FROM followed_models WHERE board = $board;

-- name: least_near_top
-- The least that anybody near the top of a board had on its last day.
SELECT min(value) FROM standings
WHERE board = $board AND rank <= $depth AND day = (SELECT max(day) FROM rankings WHERE board = $board);

-- name: follow
-- Follow the models that alone had as much on its last day, whether they count there or not. How much that is, is written
-- into the query: so that it is asked where counts are read, of millions of models, and not of what they were joined to.
INSERT INTO followed_models (board, hub_id, entity)
SELECT $board, c.hub_id, m.entity
FROM (FROM ({counts}) WHERE value >= {least}) AS c LEFT JOIN ({members}) AS m USING (hub_id);

-- name: is_followed
-- Whether a board follows a model, as a condition.
hub_id IN (SELECT hub_id FROM followed_models WHERE board = {board})

-- name: moves
-- For whom models that a board follows counted that count for others now, and for whom they do; those near its top that are
-- others now, and who.
SELECT f.entity, m.entity FROM followed_models AS f LEFT JOIN ({members}) AS m USING (hub_id)
WHERE f.board = $board AND f.entity IS DISTINCT FROM m.entity
UNION
SELECT former, present FROM former_publishers WHERE former IN ({near_top});

-- name: shifted_values
-- Value of every entity on days that stand already, and the sum of all, where only some entities had another one: those of
-- the others as they stood, as far down as was kept.
WITH stood AS MATERIALIZED (
    SELECT snapshot_id, entity, value, share FROM named_standings
    WHERE board = {board} AND day IN (SELECT day FROM days_to_rank)
),
floors AS (
    SELECT snapshot_id, arg_max(value / share, value) AS total, CASE WHEN count(*) >= {kept} THEN min(value) END AS least
    FROM stood GROUP BY snapshot_id
)
SELECT v.snapshot_id, v.entity, v.value, f.total
FROM (SELECT snapshot_id, entity, value FROM stood WHERE entity NOT IN {entities} UNION ALL FROM ({values})) AS v
JOIN floors AS f USING (snapshot_id)
WHERE v.value >= coalesce(f.least, v.value)

-- name: members_among
-- Of the models that count for somebody those that count for some.
FROM ({members}) WHERE entity IN {entities}

-- name: drop_days
-- Take what was ranked on some days of a board out, to be written again.
DELETE FROM {standings} WHERE board = $board AND day IN (SELECT day FROM days_to_rank);

-- name: count_members
-- How many models count for anybody.
SELECT count(*) FROM ({members});
