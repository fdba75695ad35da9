-- A model was looked for among all models of each run. Those with neighbouring numbers stand together now; what was packed
-- before answers as it did, and stays in its order until it is packed anew.
COMMENT ON TABLE observation_runs IS 'One model''s counts in all snapshots of a run: blocks of neighbouring numbers, the largest models of each first; see observations.';
