-- Triggers, and their versions in the log (protocol P7).

CREATE TABLE triggers (
    id               uuid        PRIMARY KEY,
    organization_id  uuid        NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    created_by       uuid        REFERENCES users (id) ON DELETE SET NULL,
    name             text        NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    description      text        NOT NULL DEFAULT '',
    chain_id         bigint,
    registry         text        CHECK (registry IN ('identity', 'reputation', 'validation')),
    enabled          boolean     NOT NULL DEFAULT true,
    disabled_reason  text,
    match_all        boolean     NOT NULL DEFAULT false,
    fire             text        NOT NULL DEFAULT 'every' CHECK (fire IN ('every', 'on_change')),
    cooldown_seconds integer     NOT NULL DEFAULT 0 CHECK (cooldown_seconds BETWEEN 0 AND 604800),
    is_stateful      boolean     NOT NULL DEFAULT false,
    partition        smallint    NOT NULL CHECK (partition BETWEEN 0 AND 63),
    fired_count      bigint      NOT NULL DEFAULT 0,
    last_fired_at    timestamptz,
    error_count      integer     NOT NULL DEFAULT 0,
    last_error       text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN triggers.error_count IS 'evaluation errors in a row; ten disable the trigger (P4)';
CREATE INDEX triggers_organization ON triggers (organization_id, created_at DESC, id);

CREATE TABLE trigger_conditions (
    id              uuid        PRIMARY KEY,
    trigger_id      uuid        NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    organization_id uuid        NOT NULL,
    position        integer     NOT NULL,
    condition_type  text        NOT NULL,
    field           text,
    operator        text,
    value           jsonb,
    config          jsonb       NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX trigger_conditions_trigger ON trigger_conditions (trigger_id, position);

CREATE TABLE trigger_actions (
    id              uuid        PRIMARY KEY,
    trigger_id      uuid        NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    organization_id uuid        NOT NULL,
    action_type     text        NOT NULL CHECK (action_type IN ('rest', 'telegram', 'mcp')),
    priority        smallint    NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 100),
    enabled         boolean     NOT NULL DEFAULT true,
    disabled_by     text        CHECK (disabled_by IN ('user', 'system')),
    disabled_reason text,
    config          jsonb       NOT NULL,
    destination     text        NOT NULL,
    lane            text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN trigger_actions.config IS 'secrets in it are sealed (store/vault.py)';
CREATE INDEX trigger_actions_trigger ON trigger_actions (trigger_id, priority, id);

CREATE TABLE trigger_versions (
    trigger_id      uuid        NOT NULL,
    from_seq        bigint      NOT NULL,
    organization_id uuid        NOT NULL,
    partition       smallint    NOT NULL,
    definition      jsonb,
    keeps_state     boolean     NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trigger_id, from_seq)
);
COMMENT ON COLUMN trigger_versions.keeps_state IS 'false: outcomes need no earlier event, so no replay (P15)';
COMMENT ON TABLE trigger_versions IS 'What a trigger was from from_seq on; a null definition: it was off or gone';
CREATE INDEX trigger_versions_seq ON trigger_versions (from_seq);
CREATE INDEX trigger_versions_stateful ON trigger_versions (partition, from_seq) WHERE keeps_state;
CREATE INDEX trigger_versions_partition ON trigger_versions (partition, trigger_id, from_seq DESC);

CREATE FUNCTION log_number_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(8004, 1);
    NEW.from_seq := nextval('log_seq');
    RETURN NEW;
END $$;
CREATE TRIGGER trigger_versions_number BEFORE INSERT ON trigger_versions
    FOR EACH ROW EXECUTE FUNCTION log_number_version();
ALTER TABLE trigger_versions ENABLE ALWAYS TRIGGER trigger_versions_number;
CREATE TRIGGER trigger_versions_ring AFTER INSERT ON trigger_versions
    FOR EACH STATEMENT EXECUTE FUNCTION log_ring('trigger_changed');

-- The 64 partitions of triggers: who evaluates them, and up to where (P13, P14).
CREATE TABLE partitions (
    partition   smallint    PRIMARY KEY,
    owner       text        NOT NULL DEFAULT '',
    owner_token bigint      NOT NULL DEFAULT 0,
    last_seq    bigint      NOT NULL DEFAULT 0,
    updated_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
INSERT INTO partitions (partition) SELECT generate_series(0, 63);

-- Moves progress, and ends the whole statement unless every row is still its owner's and where it was.
CREATE FUNCTION partitions_advance(parts smallint[], tokens bigint[], previous bigint[], reached bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    moved bigint;
BEGIN
    UPDATE partitions AS p SET last_seq = reached, updated_at = now()
    FROM unnest(parts, tokens, previous) AS mine (partition, token, previous)
    WHERE p.partition = mine.partition AND p.owner_token = mine.token AND p.last_seq = mine.previous;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved <> cardinality(parts) THEN
        RAISE EXCEPTION '% of % partitions are still ours', moved, cardinality(parts) USING ERRCODE = 'AUF01';
    END IF;
    RETURN moved;
END $$;

-- Whole snapshots of a partition's state; added, never replaced (P17).
CREATE TABLE trigger_state (
    partition   smallint    NOT NULL,
    last_seq    bigint      NOT NULL,
    owner_token bigint      NOT NULL,
    state       bytea       NOT NULL,
    keys        integer     NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (partition, last_seq)
);

-- The one listener that leads (P11).
CREATE TABLE listener (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch  bigint  NOT NULL DEFAULT 0,
    leader text    NOT NULL DEFAULT ''
);
INSERT INTO listener DEFAULT VALUES;

-- Per trigger, day and outcome: what matched, what a cool-down silenced, what fired.
CREATE TABLE trigger_ledger (
    trigger_id      uuid   NOT NULL,
    organization_id uuid   NOT NULL,
    day             date   NOT NULL,
    matched         bigint NOT NULL DEFAULT 0,
    cooled_down     bigint NOT NULL DEFAULT 0,
    fired           bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (trigger_id, day)
);
