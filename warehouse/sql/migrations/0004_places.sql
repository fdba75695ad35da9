COMMENT ON TABLE standings IS 'A board''s ranking on a day, from the last complete snapshot of that day: the first 50,000 places, ties at the last included.';
COMMENT ON COLUMN standings.share IS 'Value over the sum of all values of this board on this day, those of lower places too; what no entity accounts for is in neither';
COMMENT ON COLUMN standings.previous_rank IS 'Rank on the board''s previous day; NULL when not ranked then, or lower than the places that are kept';
