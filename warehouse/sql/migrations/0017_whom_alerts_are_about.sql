-- Alerts are about more than leads: what their columns mean was written when there was nothing else.
COMMENT ON COLUMN alerts.entity IS 'Who it is about: who is ahead now, came near the lead, entered, left or reached a number';
COMMENT ON COLUMN alerts.rival IS 'Who was ahead before, leads (approaches), or is next across the line; of a milestone the number';
COMMENT ON COLUMN alerts.value IS 'Value of the entity on the last day judged';
COMMENT ON COLUMN alerts.rival_value IS 'Value of the rival on that day; of a milestone the number';
COMMENT ON COLUMN alerts.margin IS '(leader - rival) / leader on that day; of who approaches, how far it is behind';
COMMENT ON COLUMN alerts.slot IS 'What the rule watches on its board: the lead, a pair, or an entity against a line';
