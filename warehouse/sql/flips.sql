-- name: top_days
-- The upper part of a board, day by day. In two parts, so that of deep boards hardly more than the ranks is read.
SELECT day, snapshot_id, entity, rank, value
FROM (
    FROM standings WHERE board = $board AND rank <= $depth AND day >= $since
    UNION ALL FROM standings WHERE board = $board AND previous_rank <= $depth AND rank > $depth AND day >= $since)
ORDER BY day, rank, entity;

-- name: risen
-- Who came into the upper part of a board from below it, and the day before.
SELECT entity, before
FROM standings JOIN (SELECT day, lag(day) OVER (ORDER BY day) AS before FROM rankings WHERE board = $board) USING (day)
WHERE board = $board AND rank <= $depth AND previous_rank > $depth AND before >= $since;

-- name: days_before_rise
-- Where those `risen` stood on the day before.
SELECT day, snapshot_id, entity, rank, value FROM standings SEMI JOIN risen USING (entity, day) WHERE board = $board;

-- name: places_of
-- Where some stand on a board, however far down.
SELECT day, entity, rank, value FROM standings
WHERE board = $board AND list_contains($entities, entity) AND day >= $since;

-- name: leader_by
-- Who took the lead last by a day.
SELECT arg_max(entity, day) FROM flips WHERE board = $board AND kind = 'lead_change' AND day <= $day;

-- name: first_leader
-- Who was first alone on the first day on which anybody stood.
SELECT any_value(entity) FROM standings
WHERE board = $board AND rank = 1
    AND day = (SELECT min(day) FROM rankings WHERE board = $board AND checksum IS NOT NULL)
HAVING count(*) = 1;

-- name: known_flips
-- Flips of a board that stand already, of days after one.
SELECT flip_id FROM flips WHERE board = $board AND day > $since;

-- name: delete_flips
-- Forget flips of a board that no longer follow from its standings.
DELETE FROM flips WHERE board = $board AND list_contains($flips, flip_id);

-- name: flip_panels
-- What the flips of a board were judged on: of the newcomer and of the rival, on models that both days showed, on models
-- created in between, on models listed without a count, and before.
SELECT f.flip_id, f.entity, [p.same, p.created, p.blank, p.before],
    f.rival, [p.rival_same, p.rival_created, p.rival_blank, p.rival_before]
FROM flips AS f JOIN flip_panels AS p USING (flip_id)
WHERE f.board = $board;

-- name: delete_flip_panels
-- Forget what flips were judged on.
DELETE FROM flip_panels WHERE list_contains($flips, flip_id);

-- name: insert_flips
-- Write flips.
INSERT INTO flips (flip_id, board, kind, entity, rival, day, value, rival_value, margin, verdict, panel_holds, snapshot_id,
    previous_day)
SELECT flip_id, board, kind, entity, rival, day, value, rival_value, margin, verdict, panel_holds, snapshot_id, previous_day
FROM incoming_flips;

-- name: insert_flip_panels
-- Write what flips were judged on.
INSERT INTO flip_panels (flip_id, same, created, blank, before, rival_same, rival_created, rival_blank, rival_before)
SELECT flip_id, same, created, blank, before, rival_same, rival_created, rival_blank, rival_before
FROM incoming_flips WHERE same IS NOT NULL;

-- name: last_pair_flip
-- The flip that began the current lead of one entity over another; none where that was not recorded.
SELECT flip_id, verdict, panel_holds FROM flips
WHERE board = $board AND entity = $entity AND rival = $rival AND day <= $day AND day > coalesce((
    SELECT max(day) FROM standings AS a JOIN standings AS b USING (board, day)
    WHERE board = $board AND day <= $day AND a.entity = $entity AND b.entity = $rival AND b.value > a.value), '-infinity')
ORDER BY day DESC LIMIT 1;

-- name: last_pair_flips
-- Of each of `pairs` the flip that began the current lead of entity over rival, as of a day.
SELECT p.board, p.entity, p.rival, p.day, last.verdict, last.panel_holds
FROM (
    SELECT p.board, p.entity, p.rival, p.day,
        arg_max({'verdict': f.verdict, 'panel_holds': f.panel_holds}, f.day) AS last
    FROM pairs AS p JOIN flips AS f ON (f.board, f.entity, f.rival) = (p.board, p.entity, p.rival) AND f.day <= p.day
    GROUP BY ALL) AS p;

-- name: unrecorded_passages
-- Of each of `pairs` the day on which entity came ahead of rival for the lead that it has, with the last day before on which
-- both were seen; where no flip says so, and the counts of both days are still there. Places of those named are picked
-- first: otherwise all places of all days are joined with each other.
WITH unrecorded AS MATERIALIZED (FROM pairs ANTI JOIN flips USING (board, entity, rival, day)),
named AS (SELECT board, entity FROM unrecorded UNION SELECT board, rival FROM unrecorded),
placed AS MATERIALIZED (
    SELECT board, entity, day, snapshot_id, value FROM standings SEMI JOIN named USING (board, entity)),
seen AS (
    SELECT p.*, a.day AS seen_on, a.snapshot_id, a.value, b.value AS rival_value,
        max(a.day) FILTER (b.value > a.value) OVER (PARTITION BY p.board, p.entity, p.rival, p.day) AS behind
    FROM unrecorded AS p
    JOIN placed AS a ON a.board = p.board AND a.entity = p.entity AND a.day <= p.day
    JOIN placed AS b ON b.board = p.board AND b.entity = p.rival AND b.day = a.day),
passed AS (
    SELECT board, entity, rival, day, min(seen_on) FILTER (seen_on > behind AND value > rival_value) AS passed_on
    FROM seen GROUP BY ALL)
SELECT board, entity, rival, s.day,
    max(seen_on) FILTER (seen_on < passed_on), arg_max(snapshot_id, seen_on) FILTER (seen_on < passed_on), passed_on,
    any_value(snapshot_id) FILTER (seen_on = passed_on), any_value(value) FILTER (seen_on = passed_on),
    any_value(rival_value) FILTER (seen_on = passed_on)
FROM seen AS s JOIN passed AS p USING (board, entity, rival, day)
WHERE snapshot_id NOT IN (SELECT snapshot_id FROM thinned)
    AND (board, entity, rival, passed_on) NOT IN (SELECT (board, entity, rival, day) FROM flips)
GROUP BY board, entity, rival, s.day, passed_on
HAVING count(*) FILTER (seen_on = passed_on) = 1 AND count(*) FILTER (seen_on < passed_on) > 0;

-- name: crossing_ends
-- Of each of `crossings` between which days of its board the line was crossed: the last one on which the entity was seen on
-- the other side, or the one before it was first seen, and the first one on this side; with whom it is to be held against:
-- who stood among the first places on either (whoever led, where the line is drawn behind), and on the later one among as
-- many again, at least ten, for who fell back may have made room for them; on the earlier one, too, who has no place on the
-- later one, for want of a count perhaps. Where the last of the first places is shared beyond them, nobody has come in by it.
-- Where the counts of both days are still there.
WITH shared AS (
    SELECT board, top, day, max(rank) AS place
    FROM (SELECT DISTINCT board, top FROM crossings WHERE inward) JOIN standings USING (board)
    WHERE rank <= top GROUP BY ALL HAVING count(*) > top),
days AS (
    SELECT DISTINCT board, day, snapshot_id, value AS most FROM standings
    WHERE rank = 1 AND board IN (SELECT board FROM crossings)),
stood AS MATERIALIZED (
    FROM standings SEMI JOIN (SELECT DISTINCT board, entity FROM crossings) USING (board, entity)),
placed AS (
    SELECT c.id, s.day AS seen_on,
        CASE WHEN c.within IS NOT NULL THEN s.value >= d.most - d.most * c.within
            WHEN c.top IS NULL THEN s.value >= c.number
            WHEN c.inward THEN s.rank <= c.top AND s.rank IS DISTINCT FROM h.place ELSE s.rank > c.top END AS across,
        max(s.day) FILTER (NOT across) OVER (PARTITION BY c.id) AS short
    FROM crossings AS c JOIN stood AS s ON s.board = c.board AND s.entity = c.entity AND s.day <= c.day
    JOIN days AS d ON d.board = s.board AND d.day = s.day
    LEFT JOIN shared AS h ON h.board = c.board AND h.top = c.top AND h.day = s.day),
seen AS (
    SELECT id, any_value(short) AS short, min(seen_on) FILTER (short IS NULL OR seen_on > short) AS across_on
    FROM placed GROUP BY id),
ends AS (
    SELECT c.id, c.board, CASE WHEN c.within IS NOT NULL THEN 1 ELSE c.top END AS top,
        coalesce(any_value(short), max(d.day) FILTER (d.day < across_on)) AS before,
        coalesce(any_value(across_on), min(d.day) FILTER (d.day > short)) AS after
    FROM crossings AS c JOIN seen USING (id) JOIN days AS d ON d.board = c.board AND d.day <= c.day
    GROUP BY ALL),
first_places AS (
    SELECT s.board, s.day, s.rank, s.entity FROM standings AS s
    JOIN (SELECT board, max(top + greatest(top, 10)) AS deep FROM ends GROUP BY board) USING (board)
    WHERE s.rank <= deep),
rivals AS (
    SELECT e.id, list(DISTINCT p.entity) AS rivals
    FROM (
        SELECT id, board, before AS day, top AS deep, after FROM ends
        UNION ALL SELECT id, board, after, top + greatest(top, 10), after FROM ends) AS e
    JOIN first_places AS p ON p.board = e.board AND p.day = e.day
    LEFT JOIN (FROM standings WHERE board IN (SELECT board FROM crossings) AND day IN (SELECT after FROM ends)) AS s
        ON s.board = e.board AND s.day = e.after AND s.entity = p.entity
    WHERE p.rank <= e.deep OR s.entity IS NULL
    GROUP BY e.id)
SELECT e.id, e.before, b.snapshot_id, e.after, a.snapshot_id, coalesce(r.rivals, []) AS rivals
FROM ends AS e
JOIN days AS b ON b.board = e.board AND b.day = e.before
JOIN days AS a ON a.board = e.board AND a.day = e.after
LEFT JOIN rivals AS r USING (id)
WHERE b.snapshot_id NOT IN (SELECT snapshot_id FROM thinned) AND a.snapshot_id NOT IN (SELECT snapshot_id FROM thinned)
ORDER BY e.id;

-- name: find_side_members
-- Which models count for the entities compared: looked for once among millions, and asked for twice.
CREATE OR REPLACE TEMP TABLE side_members AS
SELECT hub_id, entity, share FROM ({members}) WHERE entity IN (SELECT entity FROM sides);

-- name: count_side_members
-- How many models count for each entity.
SELECT entity, count(*) AS models FROM side_members GROUP BY entity;

-- name: side_members
-- Those of the entities that are compared at once.
FROM side_members WHERE entity IN (SELECT entity FROM sides)

-- name: forget_side_members
-- Forget them.
DROP TABLE side_members;

-- name: hub_ids
-- The models of a selection of members.
SELECT hub_id FROM ({members})

-- name: ends
-- What every model of the entities compared had at both ends, in parts; NULL where it had no known count. A look that shows
-- another day than its own is taken for one of the beginning of that day, as imported days are.
WITH known_ends AS MATERIALIZED (
    SELECT s.before_id, s.after_id, s.entity, m.hub_id,
        max(c.value * m.share) FILTER (WHERE c.snapshot_id = s.before_id) AS before,
        max(c.value * m.share) FILTER (WHERE c.snapshot_id = s.after_id) AS after
    FROM sides AS s
    JOIN side_members AS m USING (entity)
    JOIN ({counts}) AS c ON c.hub_id = m.hub_id AND c.snapshot_id IN (s.before_id, s.after_id)
    GROUP BY ALL),
blank AS ({blank})
SELECT e.*,
    CASE
        WHEN e.before IS NOT NULL AND e.after IS NOT NULL THEN 'both'
        WHEN b.hub_id IS NOT NULL THEN 'blank'
        WHEN e.after IS NULL THEN 'vanished'
        WHEN k.created_at >= CASE WHEN h.taken_at::DATE = h.day THEN h.taken_at ELSE h.day END THEN 'created'
        ELSE 'listed'
    END AS part
FROM known_ends AS e
JOIN snapshots AS h ON h.snapshot_id = e.before_id
LEFT JOIN blank AS b
    ON b.hub_id = e.hub_id AND b.snapshot_id = CASE WHEN e.after IS NULL THEN e.after_id ELSE e.before_id END
LEFT JOIN (
    SELECT hub_id, created_at FROM models
    WHERE created_at >= (
        SELECT min(least(taken_at, day)) FROM snapshots WHERE snapshot_id IN (SELECT before_id FROM sides))) AS k
    ON k.hub_id = e.hub_id

-- name: half_known
-- The models of which only one of both ends told a count.
SELECT hub_id FROM known_ends WHERE before IS NULL OR after IS NULL

-- name: side_snapshots
-- The snapshots that are compared.
SELECT before_id FROM sides UNION SELECT after_id FROM sides

-- name: panel
-- What every entity compared had at the later end: on models that both ends saw, on models created in between, and on models
-- listed at both, but without a count at one; and at the earlier end, with what these had later.
SELECT before_id, after_id, entity,
    coalesce(sum(after) FILTER (WHERE part = 'both'), 0) AS same,
    coalesce(sum(after) FILTER (WHERE part = 'created'), 0) AS created,
    coalesce(sum(coalesce(after, before)) FILTER (WHERE part = 'blank'), 0) AS blank,
    coalesce(sum(CASE WHEN part = 'blank' THEN coalesce(before, after) ELSE before END), 0) AS before
FROM ({ends})
GROUP BY ALL;
