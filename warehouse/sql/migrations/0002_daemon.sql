CREATE TABLE job_runs (
    job VARCHAR NOT NULL, slot TIMESTAMPTZ NOT NULL, tries INTEGER NOT NULL, started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ, ok BOOLEAN NOT NULL, outcome VARCHAR NOT NULL
);
COMMENT ON TABLE job_runs IS 'What the daemon did when: one row for each moment at which a job was due.';
COMMENT ON COLUMN job_runs.job IS 'collect, deliver, or the name of a digest';
COMMENT ON COLUMN job_runs.slot IS 'The moment that its cron expression named';
COMMENT ON COLUMN job_runs.tries IS 'How often it was tried';
COMMENT ON COLUMN job_runs.started_at IS 'When the last try began';
COMMENT ON COLUMN job_runs.ended_at IS 'When the last try ended; NULL while it runs, or when the daemon died in it';
COMMENT ON COLUMN job_runs.ok IS 'Whether the last try did all there was to do';
COMMENT ON COLUMN job_runs.outcome IS 'What came of it, in one line';
