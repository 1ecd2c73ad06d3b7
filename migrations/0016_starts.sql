-- Triggers that begin in the past: how far it is worked off, and what they remember where they join the log.

-- A trigger's first version is in the log once its past is worked off (joined_seq); until then evaluators do not know it.
CREATE TABLE trigger_starts (
    trigger_id      uuid        PRIMARY KEY REFERENCES triggers (id) ON DELETE CASCADE,
    organization_id uuid        NOT NULL,
    partition       smallint    NOT NULL,
    definition      jsonb       NOT NULL,
    after_seq       bigint      NOT NULL,
    first_block     bigint,
    position        bigint      NOT NULL,
    until_seq       bigint      NOT NULL,
    met_seq         bigint      NOT NULL,
    status          text        NOT NULL DEFAULT 'working' CHECK (status IN ('working', 'joined', 'ended')),
    joined_seq      bigint,
    state           bytea,
    changes         bytea,
    base_seq        bigint,
    base_state      bytea,
    token           bigint      NOT NULL DEFAULT 0,
    lease_until     timestamptz,
    worked_at       timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
COMMENT ON COLUMN trigger_starts.after_seq IS 'it meets events above this seq, and none of blocks before first_block';
COMMENT ON COLUMN trigger_starts.position IS 'worked off up to this seq, without what a retraction up to met_seq took out';
COMMENT ON COLUMN trigger_starts.until_seq IS 'the head of the log as it was last seen';
COMMENT ON COLUMN trigger_starts.status IS 'ended: the trigger was switched off before it joined the log';
COMMENT ON COLUMN trigger_starts.state IS 'what it remembers at position; where it joined, with changes over it';
COMMENT ON COLUMN trigger_starts.base_seq IS 'a place behind position, with its state: what is taken back above it is undone from there';
COMMENT ON COLUMN trigger_starts.token IS 'raised by each worker that takes it: an earlier one writes nothing more';
-- Not concurrently: the table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX trigger_starts_working ON trigger_starts (organization_id, worked_at) WHERE status = 'working';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX trigger_starts_partition ON trigger_starts (partition, joined_seq);

-- A clock was met by the triggers that were there: one that joined the log after this place has yet to meet it.
ALTER TABLE partition_clocks ADD COLUMN met_seq bigint NOT NULL DEFAULT 0;
