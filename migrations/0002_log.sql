-- The log: events, retractions and trigger versions share one sequence whose order is commit order (protocol P1).
-- Whoever inserts takes log_lock until commit, so a reader that has seen seq n has seen everything below n.

CREATE SEQUENCE log_seq AS bigint CACHE 1;

CREATE FUNCTION log_number_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(8004, 1);
    NEW.seq := nextval('log_seq');
    RETURN NEW;
END $$;

CREATE FUNCTION log_ring() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], '');
    RETURN NULL;
END $$;

CREATE TABLE events (
    id               uuid        NOT NULL DEFAULT gen_random_uuid(),
    seq              bigint      NOT NULL,
    chain_id         bigint      NOT NULL,
    registry         text        NOT NULL CHECK (registry IN ('identity', 'reputation', 'validation')),
    event_type       text        NOT NULL,
    agent_id         bigint      CHECK (agent_id >= 0),
    contract         text        NOT NULL DEFAULT '',
    block_number     bigint      NOT NULL,
    block_hash       text        NOT NULL,
    block_timestamp  timestamptz NOT NULL CHECK (
        block_timestamp >= '1970-01-01 00:00:00+00' AND block_timestamp < '9999-01-01 00:00:00+00'),
    transaction_hash text        NOT NULL,
    log_index        integer     NOT NULL,
    data             jsonb       NOT NULL DEFAULT '{}',
    retracted_at     timestamptz,
    retracted_seq    bigint,
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, block_timestamp)
) PARTITION BY RANGE (block_timestamp);
COMMENT ON COLUMN events.retracted_seq IS 'seq of the row of retractions that took this event out of the chain';

CREATE TABLE events_default PARTITION OF events DEFAULT;

CREATE TRIGGER events_number BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION log_number_row();
ALTER TABLE events ENABLE ALWAYS TRIGGER events_number;
CREATE TRIGGER events_ring AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION log_ring('new_event');

CREATE INDEX events_seq ON events (seq);
CREATE INDEX events_chain_block ON events (chain_id, block_number);
CREATE INDEX events_agent ON events (agent_id, seq) WHERE agent_id IS NOT NULL;
CREATE INDEX events_transaction ON events (left(transaction_hash, 66));

CREATE TABLE retractions (
    seq                 bigint      PRIMARY KEY,
    chain_id            bigint      NOT NULL,
    fork_block          bigint      NOT NULL,
    first_retracted_seq bigint      NOT NULL,
    retracted_count     bigint      NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE retractions IS 'Kind "retraction" of the log: the chain left the blocks above fork_block (protocol P6)';
CREATE TRIGGER retractions_number BEFORE INSERT ON retractions FOR EACH ROW EXECUTE FUNCTION log_number_row();
ALTER TABLE retractions ENABLE ALWAYS TRIGGER retractions_number;
CREATE TRIGGER retractions_ring AFTER INSERT ON retractions FOR EACH STATEMENT EXECUTE FUNCTION log_ring('new_event');

-- Months are made before they are written to (P10); a partition with rows is never attached (P1).
CREATE FUNCTION events_ensure_month(moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', moment AT TIME ZONE 'UTC')::date;
    part  text := 'events_' || to_char(first, 'YYYY_MM');
BEGIN
    IF to_regclass(part) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(8004, 2);
    IF to_regclass(part) IS NOT NULL OR EXISTS (
        SELECT FROM events_default
        WHERE block_timestamp >= first::timestamp AT TIME ZONE 'UTC'
          AND block_timestamp < (first + interval '1 month') AT TIME ZONE 'UTC'
    ) THEN
        RETURN;  -- rows of that month stand in the default partition already; it goes on there
    END IF;
    EXECUTE format(
        'CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
        part, first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC'
    );
END $$;

-- Where each chain stands. The indexer compare-and-sets (block_number, block_hash, owner_token) in the
-- transaction of a range's events (P8); confirmed_* are the chain's clock (P12).
CREATE TABLE chains (
    chain_id        bigint      PRIMARY KEY,
    name            text        NOT NULL,
    owner_token     bigint      NOT NULL DEFAULT 0,
    block_number    bigint      NOT NULL,
    block_hash      text        NOT NULL DEFAULT '',
    head_block      bigint,
    head_time       timestamptz,
    final_block     bigint      NOT NULL DEFAULT 0,
    confirmed_time  timestamptz,
    confirmed_seq   bigint      NOT NULL DEFAULT 0,
    last_event_at   timestamptz,
    provider        text        NOT NULL DEFAULT '',
    errors          bigint      NOT NULL DEFAULT 0,
    last_error      text        NOT NULL DEFAULT '',
    reorgs          bigint      NOT NULL DEFAULT 0,
    updated_at      timestamptz NOT NULL DEFAULT now()
);

-- Hashes of recent blocks, those with events and each committed range's end: where a fork is looked for.
CREATE TABLE chain_blocks (
    chain_id     bigint NOT NULL,
    block_number bigint NOT NULL,
    block_hash   text   NOT NULL,
    block_time   bigint NOT NULL,
    PRIMARY KEY (chain_id, block_number)
);
