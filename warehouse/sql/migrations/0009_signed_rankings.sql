-- With a year of deep boards the copy for everybody would be compared row by row, more of them every day: what a day's
-- standing says is one number instead.
ALTER TABLE rankings ADD COLUMN checksum UBIGINT;
COMMENT ON COLUMN rankings.checksum IS 'bit_xor(hash(rank, entity, value, share, previous_rank)) of the board''s standing on the day; NULL when it is empty';
UPDATE rankings SET checksum = s.checksum
FROM (
    SELECT board, day, bit_xor(hash(rank, entity, value, share, previous_rank)) AS checksum FROM standings GROUP BY board, day) AS s
WHERE rankings.board = s.board AND rankings.day = s.day;
