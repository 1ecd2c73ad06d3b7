-- What is asked of triggers afterwards, and their circuit breakers (agentauri/models/breaker.py).

-- No row: closed, nothing failed, settings as by default.
CREATE TABLE trigger_breakers (
    trigger_id               uuid        PRIMARY KEY,
    organization_id          uuid        NOT NULL,
    failure_count            integer     NOT NULL DEFAULT 0,
    opened_at                timestamptz,
    last_failure_at          timestamptz,
    failure_threshold        integer     NOT NULL DEFAULT 10 CHECK (failure_threshold BETWEEN 1 AND 1000),
    recovery_timeout_seconds integer     NOT NULL DEFAULT 3600 CHECK (recovery_timeout_seconds BETWEEN 60 AND 604800),
    half_open_max_calls      integer     NOT NULL DEFAULT 1 CHECK (half_open_max_calls BETWEEN 1 AND 10)
) WITH (fillfactor = 70);
COMMENT ON TABLE trigger_breakers IS 'no foreign key: whoever records attempts must never wait for an edit of a trigger';
COMMENT ON COLUMN trigger_breakers.opened_at IS 'null: closed; open until recovery_timeout_seconds later, half open then';
CREATE INDEX trigger_breakers_organization ON trigger_breakers (organization_id);

-- Events at or below this seq may be gone by retention: what happened then cannot be worked out again.
CREATE TABLE dropped_events (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    upto bigint  NOT NULL DEFAULT 0
);
INSERT INTO dropped_events DEFAULT VALUES;

-- The probes that are out: looked up for triggers alone whose breaker is half open.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX deliveries_probes ON deliveries (trigger_id) WHERE status_code = 'breaker_probe';

-- Tests of triggers over long stretches of the log: what was asked, and how far each part of the work is.
CREATE TABLE trigger_tests (
    id              uuid        PRIMARY KEY,
    organization_id uuid        NOT NULL,
    trigger_id      uuid,
    definition      jsonb       NOT NULL,
    actions         jsonb       NOT NULL,
    total           bigint      NOT NULL,
    cancelled_at    timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN trigger_tests.actions IS 'type and masked configuration of each: what a test renders';
CREATE INDEX trigger_tests_organization ON trigger_tests (organization_id, created_at);

CREATE TABLE trigger_test_parts (
    test_id     uuid        NOT NULL REFERENCES trigger_tests (id) ON DELETE CASCADE,
    number      smallint    NOT NULL,
    evaluated   bigint      NOT NULL DEFAULT 0,
    matched     bigint      NOT NULL DEFAULT 0,
    cooled_down bigint      NOT NULL DEFAULT 0,
    fired       bigint      NOT NULL DEFAULT 0,
    days        jsonb       NOT NULL DEFAULT '{}',
    matches     jsonb       NOT NULL DEFAULT '[]',
    error       text,
    ended_at    timestamptz,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (test_id, number)
) WITH (fillfactor = 70);
