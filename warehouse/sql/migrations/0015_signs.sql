-- Two that exchanged what came last in a sign left it as it was: shares of two models, values of two families, former ranks.
-- The exclusive or of hashes of hashes is another then. What is told by members is ranked again once.
COMMENT ON COLUMN rankings.checksum IS 'bit_xor(hash(hash(rank, entity or model, value, share, previous_rank))) of the board''s standing on the day; NULL when it is empty';
UPDATE rankings SET checksum = s.checksum
FROM (
    SELECT board, day, bit_xor(hash(hash(rank, model, value, share, previous_rank))) AS checksum
    FROM model_standings GROUP BY board, day
    UNION ALL
    SELECT board, day, bit_xor(hash(hash(rank, entity, value, share, previous_rank)))
    FROM named_standings GROUP BY board, day
    UNION ALL
    SELECT board, day, bit_xor(hash(hash(rank, entity, value, share, previous_rank)))
    FROM family_standings GROUP BY board, day) AS s
WHERE rankings.board = s.board AND rankings.day = s.day;

UPDATE rule_states SET fingerprint = split_part(fingerprint, ':', 1) || ':' || c.counted
FROM (
    SELECT board, day, bit_xor(hash(hash(entity, round(value))))::VARCHAR AS counted,
        bit_xor(hash(entity, round(value)))::VARCHAR AS former
    FROM standings WHERE rank <= 100 GROUP BY board, day) AS c
WHERE rule_states.board = c.board AND rule_states.day = c.day AND split_part(rule_states.fingerprint, ':', 2) = c.former;
