ALTER TABLE channel_health ADD COLUMN refused_since TIMESTAMPTZ;
COMMENT ON COLUMN channel_health.refused_since IS 'When the attempt began since which it refuses whatever it is sent; NULL when it does not';
ALTER TABLE channel_health ADD COLUMN refused_at TIMESTAMPTZ;
COMMENT ON COLUMN channel_health.refused_at IS 'When it refused last; it is asked again an hour later';
ALTER TABLE deliveries ADD COLUMN told_in VARCHAR;
COMMENT ON COLUMN deliveries.told_in IS 'Of what was muted: the alert whose message tells it when the silence is over, empty until then; NULL when it is told by itself or not at all';
ALTER TABLE silences ADD COLUMN afterwards BOOLEAN;
COMMENT ON COLUMN silences.afterwards IS 'Whether what it muted is told as one summary when it is over; NULL counts as true';
