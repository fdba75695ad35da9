CREATE TABLE census_rows (
    hub_id VARCHAR NOT NULL, repo_id VARCHAR NOT NULL, publisher VARCHAR NOT NULL,
    downloads_30d BIGINT, downloads_all_time BIGINT, likes BIGINT, created_at TIMESTAMPTZ, parameters BIGINT,
    pipeline_tag VARCHAR, library VARCHAR, license VARCHAR, gated VARCHAR, disabled BOOLEAN,
    parents STRUCT(relation VARCHAR, repo_id VARCHAR)[]
);
COMMENT ON TABLE census_rows IS 'What the census that is under way has read so far; empty between two.';
COMMENT ON COLUMN census_rows.hub_id IS 'The Hub''s _id';
COMMENT ON COLUMN census_rows.repo_id IS 'publisher/name';
COMMENT ON COLUMN census_rows.publisher IS 'Hub namespace';
COMMENT ON COLUMN census_rows.downloads_30d IS 'Downloads of the 30 days before, as the Hub counts them';
COMMENT ON COLUMN census_rows.downloads_all_time IS 'Downloads since creation, as the Hub counts them';
COMMENT ON COLUMN census_rows.likes IS 'Likes on the Hub';
COMMENT ON COLUMN census_rows.created_at IS 'Creation on the Hub';
COMMENT ON COLUMN census_rows.parameters IS 'Parameter count as the Hub knows it';
COMMENT ON COLUMN census_rows.pipeline_tag IS 'Task, as declared';
COMMENT ON COLUMN census_rows.library IS 'Library, as declared';
COMMENT ON COLUMN census_rows.license IS 'Licence tag, as declared';
COMMENT ON COLUMN census_rows.gated IS 'auto, manual or no';
COMMENT ON COLUMN census_rows.disabled IS 'Disabled by the Hub';
COMMENT ON COLUMN census_rows.parents IS 'base_model tags: how it descends, and from what';

CREATE TABLE census_progress (
    began_at TIMESTAMPTZ NOT NULL, endpoint VARCHAR NOT NULL, next_page VARCHAR, pages BIGINT NOT NULL,
    rejected BIGINT NOT NULL, requests BIGINT NOT NULL, seconds DOUBLE NOT NULL
);
COMMENT ON TABLE census_progress IS 'How far the census that is under way has come; no row between two.';
COMMENT ON COLUMN census_progress.began_at IS 'When it began; its counts belong to that day';
COMMENT ON COLUMN census_progress.endpoint IS 'Which Hub';
COMMENT ON COLUMN census_progress.next_page IS 'Address of the page to read next; NULL when the last one was read';
COMMENT ON COLUMN census_progress.pages IS 'Pages read';
COMMENT ON COLUMN census_progress.rejected IS 'Rows that could not be believed and were set aside';
COMMENT ON COLUMN census_progress.requests IS 'Requests sent';
COMMENT ON COLUMN census_progress.seconds IS 'Seconds of reading, without the time between two goes';
COMMENT ON COLUMN snapshots.source IS 'hub (the families polled), census (everything on the Hub), series:NAME, or the name of an imported history';
