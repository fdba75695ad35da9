CREATE TABLE schema_migrations (version INTEGER NOT NULL, name VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL);

-- Facts: appended, never changed. They carry their own ids and rely on no key, sequence or index,
-- so that they can move to a lake that has none.

CREATE TABLE snapshots (
    snapshot_id    BIGINT NOT NULL,
    source         VARCHAR NOT NULL,
    taken_at       TIMESTAMPTZ NOT NULL,
    day            DATE NOT NULL,
    verdict        VARCHAR NOT NULL,
    verdict_reason VARCHAR NOT NULL,
    models         BIGINT NOT NULL,
    requests       BIGINT NOT NULL,
    seconds        DOUBLE NOT NULL,
    revision       VARCHAR,
    measured       VARCHAR
);
COMMENT ON TABLE snapshots IS 'One look at a source, with the verdict on whether it may be judged by. Written once, never changed.';
COMMENT ON COLUMN snapshots.snapshot_id IS 'UTC time of the look as yyyymmddhhmmssnnn; sorts by time';
COMMENT ON COLUMN snapshots.source IS 'hub, series:NAME, or the name of an imported history';
COMMENT ON COLUMN snapshots.taken_at IS 'When the look began';
COMMENT ON COLUMN snapshots.day IS 'UTC day the counts belong to';
COMMENT ON COLUMN snapshots.verdict IS 'complete, partial, suspect or failed; only complete snapshots are ranked';
COMMENT ON COLUMN snapshots.verdict_reason IS 'Why, in words, with the measured figures';
COMMENT ON COLUMN snapshots.models IS 'Models seen (entities, for a series)';
COMMENT ON COLUMN snapshots.requests IS 'Requests sent to the source';
COMMENT ON COLUMN snapshots.seconds IS 'Seconds the look took';
COMMENT ON COLUMN snapshots.revision IS 'Revision, file or endpoint the counts were read from';
COMMENT ON COLUMN snapshots.measured IS 'The figures behind the verdict, as JSON';

CREATE TABLE observations (
    snapshot_id        BIGINT NOT NULL,
    day                DATE NOT NULL,
    hub_id             VARCHAR NOT NULL,
    repo_id            VARCHAR NOT NULL,
    downloads_30d      BIGINT,
    downloads_all_time BIGINT,
    likes              BIGINT
);
COMMENT ON TABLE observations IS 'One model''s counts in one snapshot. NULL means not known, never 0.';
COMMENT ON COLUMN observations.snapshot_id IS 'The snapshot, see snapshots';
COMMENT ON COLUMN observations.day IS 'UTC day of the snapshot';
COMMENT ON COLUMN observations.hub_id IS 'The Hub''s _id, which survives renames';
COMMENT ON COLUMN observations.repo_id IS 'publisher/name at that moment';
COMMENT ON COLUMN observations.downloads_30d IS 'Downloads of the 30 days before, as the Hub counts them';
COMMENT ON COLUMN observations.downloads_all_time IS 'Downloads since creation, as the Hub counts them';
COMMENT ON COLUMN observations.likes IS 'Likes on the Hub';

CREATE TABLE listings (
    snapshot_id BIGINT NOT NULL,
    publisher   VARCHAR NOT NULL,
    listed      BIGINT NOT NULL,
    num_models  BIGINT,
    rejected    BIGINT NOT NULL,
    problem     VARCHAR
);
COMMENT ON TABLE listings IS 'What one publisher listed in one snapshot, and whether that was all.';
COMMENT ON COLUMN listings.snapshot_id IS 'The snapshot, see snapshots';
COMMENT ON COLUMN listings.publisher IS 'Hub namespace asked for';
COMMENT ON COLUMN listings.listed IS 'Models listed';
COMMENT ON COLUMN listings.num_models IS 'The Hub''s own count; NULL for a user account or an unknown name';
COMMENT ON COLUMN listings.rejected IS 'Rows that could not be believed and were set aside';
COMMENT ON COLUMN listings.problem IS 'Why the listing is not complete; NULL when it is';

CREATE TABLE model_versions (
    snapshot_id  BIGINT NOT NULL,
    hub_id       VARCHAR NOT NULL,
    repo_id      VARCHAR NOT NULL,
    publisher    VARCHAR NOT NULL,
    created_at   TIMESTAMPTZ,
    parameters   BIGINT,
    pipeline_tag VARCHAR,
    library      VARCHAR,
    license      VARCHAR,
    gated        VARCHAR,
    disabled     BOOLEAN,
    parents      STRUCT(relation VARCHAR, repo_id VARCHAR)[]
);
COMMENT ON TABLE model_versions IS 'A model''s description whenever it changed: renames, gating, lineage tags, with the snapshot that showed it first.';
COMMENT ON COLUMN model_versions.snapshot_id IS 'The snapshot that showed this description first';
COMMENT ON COLUMN model_versions.hub_id IS 'The Hub''s _id';
COMMENT ON COLUMN model_versions.repo_id IS 'publisher/name at that moment';
COMMENT ON COLUMN model_versions.publisher IS 'Hub namespace at that moment';
COMMENT ON COLUMN model_versions.created_at IS 'Creation on the Hub';
COMMENT ON COLUMN model_versions.parameters IS 'Parameter count as the Hub knows it; packed tensors may count as one';
COMMENT ON COLUMN model_versions.pipeline_tag IS 'Task, as declared';
COMMENT ON COLUMN model_versions.library IS 'Library, as declared';
COMMENT ON COLUMN model_versions.license IS 'Licence tag, as declared';
COMMENT ON COLUMN model_versions.gated IS 'auto, manual or no';
COMMENT ON COLUMN model_versions.disabled IS 'Disabled by the Hub';
COMMENT ON COLUMN model_versions.parents IS 'base_model tags: how it descends, and from what';

CREATE TABLE series_values (
    snapshot_id BIGINT NOT NULL,
    series      VARCHAR NOT NULL,
    day         DATE NOT NULL,
    entity      VARCHAR NOT NULL,
    value       DOUBLE NOT NULL
);
COMMENT ON TABLE series_values IS 'Published totals imported by `leadchange backfill series`.';
COMMENT ON COLUMN series_values.snapshot_id IS 'The import of this day, see snapshots';
COMMENT ON COLUMN series_values.series IS 'Name given at import';
COMMENT ON COLUMN series_values.day IS 'Day the total belongs to';
COMMENT ON COLUMN series_values.entity IS 'Whose total';
COMMENT ON COLUMN series_values.value IS 'The total, in the unit of its source';

-- Derived: can be made again from the facts and the configuration.

CREATE TABLE models (
    hub_id       VARCHAR NOT NULL,
    repo_id      VARCHAR NOT NULL,
    publisher    VARCHAR NOT NULL,
    family       VARCHAR,
    relation     VARCHAR,
    root_repo_id VARCHAR,
    created_at   TIMESTAMPTZ,
    parameters   BIGINT,
    pipeline_tag VARCHAR,
    library      VARCHAR,
    license      VARCHAR,
    gated        VARCHAR,
    first_seen   DATE NOT NULL,
    last_seen    DATE NOT NULL,
    own          BOOLEAN,
    depth        INTEGER,
    disabled     BOOLEAN,
    parents      STRUCT(relation VARCHAR, repo_id VARCHAR)[],
    former_names VARCHAR[],
    gone_on      DATE
);
COMMENT ON TABLE models IS 'Every model ever seen, as last seen.';
COMMENT ON COLUMN models.hub_id IS 'The Hub''s _id, which survives renames; the key to join on';
COMMENT ON COLUMN models.repo_id IS 'publisher/name as last seen';
COMMENT ON COLUMN models.publisher IS 'Hub namespace as last seen';
COMMENT ON COLUMN models.family IS 'Family of its root, whoever publishes it; NULL when no known family';
COMMENT ON COLUMN models.relation IS 'own, finetune, adapter, merge or quantized, as declared on the Hub';
COMMENT ON COLUMN models.root_repo_id IS 'What it descends from in the end; itself when from nothing';
COMMENT ON COLUMN models.created_at IS 'Creation on the Hub';
COMMENT ON COLUMN models.parameters IS 'Parameter count as the Hub knows it; packed tensors may count as one';
COMMENT ON COLUMN models.pipeline_tag IS 'Task, as declared';
COMMENT ON COLUMN models.library IS 'Library, as declared';
COMMENT ON COLUMN models.license IS 'Licence tag, as declared';
COMMENT ON COLUMN models.gated IS 'auto, manual or no';
COMMENT ON COLUMN models.first_seen IS 'First day this monitor saw it';
COMMENT ON COLUMN models.last_seen IS 'Last day this monitor saw it';
COMMENT ON COLUMN models.own IS 'Published by its family''s own publishers: counts in boards of scope own';
COMMENT ON COLUMN models.depth IS 'Steps of descent to its root';
COMMENT ON COLUMN models.disabled IS 'Disabled by the Hub';
COMMENT ON COLUMN models.parents IS 'base_model tags: how it descends, and from what';
COMMENT ON COLUMN models.former_names IS 'Other publisher/name it was seen under; NULL when none';
COMMENT ON COLUMN models.gone_on IS 'Day of the first complete look at its publisher that did not show it; NULL while it is listed';

CREATE TABLE shares (hub_id VARCHAR NOT NULL, family VARCHAR, share DOUBLE NOT NULL);
COMMENT ON TABLE shares IS 'How a model''s counts are divided among families: a merge of two families counts half for each.';
COMMENT ON COLUMN shares.hub_id IS 'The model, see models';
COMMENT ON COLUMN shares.family IS 'The family; NULL for what no known family accounts for';
COMMENT ON COLUMN shares.share IS 'Its part; the parts of a model sum to exactly 1';

CREATE TABLE families (family VARCHAR NOT NULL, vendor VARCHAR, country VARCHAR NOT NULL, publishers VARCHAR[] NOT NULL);
COMMENT ON TABLE families IS 'Models sold under one name, over one or more publishers.';
COMMENT ON COLUMN families.family IS 'Name of the family';
COMMENT ON COLUMN families.vendor IS 'Who makes it';
COMMENT ON COLUMN families.country IS 'ISO 3166 code of the vendor''s seat';
COMMENT ON COLUMN families.publishers IS 'Hub namespaces that publish it, former ones too';

CREATE TABLE boards (
    board VARCHAR NOT NULL, entity VARCHAR NOT NULL, measure VARCHAR NOT NULL, scope VARCHAR NOT NULL,
    definition VARCHAR NOT NULL, condition VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL, seen_until DATE, members VARCHAR
);
COMMENT ON TABLE boards IS 'Stated definitions of what is ranked.';
COMMENT ON COLUMN boards.board IS 'Name of the board';
COMMENT ON COLUMN boards.entity IS 'What is ranked: family, publisher, country or model';
COMMENT ON COLUMN boards.measure IS 'By what: downloads_30d, downloads_all_time, downloads_7d, likes, derivatives, ..., series:NAME';
COMMENT ON COLUMN boards.scope IS 'own, lineage or curated';
COMMENT ON COLUMN boards.definition IS 'The definition as one English sentence';
COMMENT ON COLUMN boards.condition IS 'SQL condition over models; empty for all';
COMMENT ON COLUMN boards.fingerprint IS 'Changes when the definition or the registry does; standings are then made again';
COMMENT ON COLUMN boards.seen_until IS 'Models first seen up to this day are in the fingerprint of members';
COMMENT ON COLUMN boards.members IS 'Fingerprint of which models count for whom; when it changes, standings are made again from the start';

CREATE TABLE rankings (board VARCHAR NOT NULL, day DATE NOT NULL, snapshot_id BIGINT NOT NULL);
COMMENT ON TABLE rankings IS 'The days each board was ranked for, also those for which nothing could be ranked.';
COMMENT ON COLUMN rankings.board IS 'Name of the board, see boards';
COMMENT ON COLUMN rankings.day IS 'UTC day';
COMMENT ON COLUMN rankings.snapshot_id IS 'The snapshot it was ranked from';

CREATE TABLE standings (
    board VARCHAR NOT NULL, day DATE NOT NULL, snapshot_id BIGINT NOT NULL, rank BIGINT NOT NULL,
    entity VARCHAR NOT NULL, value DOUBLE NOT NULL, share DOUBLE, previous_rank BIGINT
);
COMMENT ON TABLE standings IS 'A board''s ranking on a day, from the last complete snapshot of that day.';
COMMENT ON COLUMN standings.board IS 'Name of the board, see boards';
COMMENT ON COLUMN standings.day IS 'UTC day';
COMMENT ON COLUMN standings.snapshot_id IS 'The snapshot it was ranked from';
COMMENT ON COLUMN standings.rank IS '1 is first; equal values share a rank';
COMMENT ON COLUMN standings.entity IS 'Family, publisher, country or model';
COMMENT ON COLUMN standings.value IS 'The measure, in its unit';
COMMENT ON COLUMN standings.share IS 'Value over the sum of all values of this board on this day; what no entity accounts for is in neither';
COMMENT ON COLUMN standings.previous_rank IS 'Rank on the board''s previous day; NULL when not ranked then';

CREATE TABLE flips (
    flip_id VARCHAR NOT NULL, board VARCHAR NOT NULL, kind VARCHAR NOT NULL, entity VARCHAR NOT NULL, rival VARCHAR NOT NULL,
    day DATE NOT NULL, value DOUBLE NOT NULL, rival_value DOUBLE NOT NULL, margin DOUBLE NOT NULL,
    verdict VARCHAR NOT NULL, panel_holds BOOLEAN, snapshot_id BIGINT NOT NULL, previous_day DATE NOT NULL
);
COMMENT ON TABLE flips IS 'Two entities changing order between two neighbouring days of a board.';
COMMENT ON COLUMN flips.flip_id IS 'Short id, stable over recomputation';
COMMENT ON COLUMN flips.board IS 'Name of the board, see boards';
COMMENT ON COLUMN flips.kind IS 'lead_change (about rank 1) or overtake';
COMMENT ON COLUMN flips.entity IS 'Who is ahead now';
COMMENT ON COLUMN flips.rival IS 'Who was ahead before';
COMMENT ON COLUMN flips.day IS 'First day the newcomer led at all';
COMMENT ON COLUMN flips.value IS 'Value of the newcomer on that day';
COMMENT ON COLUMN flips.rival_value IS 'Value of the rival on that day';
COMMENT ON COLUMN flips.margin IS '(leader - rival) / leader on that day';
COMMENT ON COLUMN flips.verdict IS 'What the flip is worth, in words';
COMMENT ON COLUMN flips.panel_holds IS 'The lead also holds on models seen at both ends plus those created in between; NULL where models are not known';
COMMENT ON COLUMN flips.snapshot_id IS 'The snapshot that showed it';
COMMENT ON COLUMN flips.previous_day IS 'The board''s day before, the other end of the comparison';

-- State and outbox: the daemon's own, in the same file so that one transaction holds them together.

CREATE TABLE rule_states (
    rule VARCHAR NOT NULL, board VARCHAR NOT NULL, day DATE NOT NULL, snapshot_id BIGINT NOT NULL,
    fingerprint VARCHAR NOT NULL, state VARCHAR NOT NULL
);
COMMENT ON TABLE rule_states IS 'What the engine knew of a rule after each day it judged; a late or second look judges again from the day before.';
COMMENT ON COLUMN rule_states.rule IS 'Name of the rule';
COMMENT ON COLUMN rule_states.board IS 'Its board';
COMMENT ON COLUMN rule_states.day IS 'Day judged';
COMMENT ON COLUMN rule_states.snapshot_id IS 'Snapshot judged by';
COMMENT ON COLUMN rule_states.fingerprint IS 'Of the rule, and after the colon of what its board counted on this day; when either is another, all days are judged again';
COMMENT ON COLUMN rule_states.state IS 'Slots of the rule, as JSON';

CREATE TABLE alerts (
    alert_id VARCHAR NOT NULL, rule VARCHAR NOT NULL, board VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    entity VARCHAR NOT NULL, rival VARCHAR NOT NULL, state VARCHAR NOT NULL, day DATE NOT NULL, confirmed_day DATE,
    title VARCHAR NOT NULL, value DOUBLE NOT NULL, rival_value DOUBLE NOT NULL, margin DOUBLE NOT NULL,
    confirm INTEGER NOT NULL, snapshot_id BIGINT NOT NULL, slot VARCHAR NOT NULL, why VARCHAR NOT NULL, quality VARCHAR NOT NULL,
    changes INTEGER NOT NULL, thread_of VARCHAR NOT NULL, folded_into VARCHAR NOT NULL, created_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE alerts IS 'Rules satisfied, or about to be (pending).';
COMMENT ON COLUMN alerts.alert_id IS 'Short id, on every message about it';
COMMENT ON COLUMN alerts.rule IS 'Name of the rule';
COMMENT ON COLUMN alerts.board IS 'Name of the board, see boards';
COMMENT ON COLUMN alerts.kind IS 'What the rule watches (lead_change, overtake, ...), or contested, settled, mass_change, correction';
COMMENT ON COLUMN alerts.entity IS 'Who is ahead now';
COMMENT ON COLUMN alerts.rival IS 'Who was ahead before';
COMMENT ON COLUMN alerts.state IS 'pending (not yet confirmed), firing (told), reverted (the lead has changed again), held (true of the list, not of the models: not told), silenced';
COMMENT ON COLUMN alerts.day IS 'First of the days that confirm it';
COMMENT ON COLUMN alerts.confirmed_day IS 'Day the rule was satisfied; NULL while pending';
COMMENT ON COLUMN alerts.title IS 'One line';
COMMENT ON COLUMN alerts.value IS 'Value of the leader on the last day judged';
COMMENT ON COLUMN alerts.rival_value IS 'Value of the rival on that day';
COMMENT ON COLUMN alerts.margin IS '(leader - rival) / leader on that day';
COMMENT ON COLUMN alerts.confirm IS 'Complete days in a row the rule asks for';
COMMENT ON COLUMN alerts.snapshot_id IS 'The snapshot that satisfied the rule';
COMMENT ON COLUMN alerts.slot IS 'What the rule watches on its board: the lead, or a pair';
COMMENT ON COLUMN alerts.why IS 'What moved, in one line; empty where models are not known';
COMMENT ON COLUMN alerts.quality IS 'How good the data is, in words';
COMMENT ON COLUMN alerts.changes IS 'For contested and settled: how often the lead changed';
COMMENT ON COLUMN alerts.thread_of IS 'The alert that this one continues; empty for a story of its own';
COMMENT ON COLUMN alerts.folded_into IS 'The alert whose message tells this one too; empty when it is told by itself';
COMMENT ON COLUMN alerts.created_at IS 'When this row was first written';

CREATE TABLE deliveries (
    alert_id VARCHAR NOT NULL, channel VARCHAR NOT NULL, status VARCHAR NOT NULL, attempts INTEGER NOT NULL,
    last_error VARCHAR, sent_at TIMESTAMPTZ, not_before TIMESTAMPTZ, last_attempt_at TIMESTAMPTZ, lease_until TIMESTAMPTZ,
    receipt VARCHAR, settled VARCHAR[], queued_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE deliveries IS 'The outbox: one alert on its way to one channel.';
COMMENT ON COLUMN deliveries.alert_id IS 'The alert, see alerts';
COMMENT ON COLUMN deliveries.channel IS 'Name of the channel';
COMMENT ON COLUMN deliveries.status IS 'pending, sending, sent or dead (refused for good)';
COMMENT ON COLUMN deliveries.attempts IS 'Attempts begun';
COMMENT ON COLUMN deliveries.last_error IS 'What the provider said last';
COMMENT ON COLUMN deliveries.sent_at IS 'When the provider accepted it';
COMMENT ON COLUMN deliveries.not_before IS 'The provider asked not to be called before';
COMMENT ON COLUMN deliveries.last_attempt_at IS 'When the last attempt began';
COMMENT ON COLUMN deliveries.lease_until IS 'While sending: a sender that has not reported by then is dead';
COMMENT ON COLUMN deliveries.receipt IS 'The provider''s own id for the message';
COMMENT ON COLUMN deliveries.settled IS 'Recipients who need no further attempt';
COMMENT ON COLUMN deliveries.queued_at IS 'When it was queued';

CREATE TABLE silences (
    silence_id VARCHAR NOT NULL, rule VARCHAR NOT NULL, board VARCHAR NOT NULL, entity VARCHAR NOT NULL,
    starts_at TIMESTAMPTZ NOT NULL, ends_at TIMESTAMPTZ NOT NULL, author VARCHAR NOT NULL, reason VARCHAR NOT NULL
);
COMMENT ON TABLE silences IS 'What is not to be told for a while; looked up at the moment of sending.';
COMMENT ON COLUMN silences.silence_id IS 'Short id';
COMMENT ON COLUMN silences.rule IS 'Rule it mutes; empty for every rule';
COMMENT ON COLUMN silences.board IS 'Board it mutes; empty for every board';
COMMENT ON COLUMN silences.entity IS 'Entity it mutes, as newcomer or as rival; empty for all';
COMMENT ON COLUMN silences.starts_at IS 'When it begins';
COMMENT ON COLUMN silences.ends_at IS 'When it ends';
COMMENT ON COLUMN silences.author IS 'Who asked for it';
COMMENT ON COLUMN silences.reason IS 'Why';

CREATE TABLE channel_health (
    channel VARCHAR NOT NULL, failing_since TIMESTAMPTZ, failures INTEGER NOT NULL, last_error VARCHAR, last_sent_at TIMESTAMPTZ
);
COMMENT ON TABLE channel_health IS 'How each channel is doing.';
COMMENT ON COLUMN channel_health.channel IS 'Name of the channel';
COMMENT ON COLUMN channel_health.failing_since IS 'When the present run of failures began; NULL when the last attempt was taken';
COMMENT ON COLUMN channel_health.failures IS 'Failures in a row';
COMMENT ON COLUMN channel_health.last_error IS 'What the provider said last';
COMMENT ON COLUMN channel_health.last_sent_at IS 'When it last took a message';
