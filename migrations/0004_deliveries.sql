-- The durable queue (delivery.md; protocol P21-P25).

CREATE TABLE deliveries (
    id              uuid        PRIMARY KEY,
    organization_id uuid        NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    trigger_id      uuid        NOT NULL,
    action_id       uuid        NOT NULL,
    event_id        uuid        NOT NULL,
    event_seq       bigint      NOT NULL,
    type            text        NOT NULL DEFAULT 'trigger.fired' CHECK (type IN ('trigger.fired', 'trigger.retracted')),
    channel         text        NOT NULL,
    destination     text        NOT NULL,
    lane            text        NOT NULL,
    priority        smallint    NOT NULL DEFAULT 0,
    status          text        NOT NULL CHECK (status IN (
        'pending', 'delivering', 'retrying', 'delivered', 'dead', 'held', 'suppressed', 'cancelled')),
    status_code     text,
    status_reason   text,
    attempt_count   integer     NOT NULL DEFAULT 0,
    attempt_base    integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    lease_token     uuid,
    lease_until     timestamptz,
    retracted       boolean     NOT NULL DEFAULT false,
    ambiguous       boolean     NOT NULL DEFAULT false,
    context         jsonb       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    delivered_at    timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1);
COMMENT ON COLUMN deliveries.attempt_base IS 'attempts before it was replayed; the retry schedule counts from there';
COMMENT ON COLUMN deliveries.retracted IS 'its event was retracted while an attempt was under way (P24)';
COMMENT ON COLUMN deliveries.ambiguous IS 'an attempt timed out after the request was sent: the receiver may know it';
CREATE INDEX deliveries_due ON deliveries (lane, destination, next_attempt_at) WHERE status IN ('pending', 'retrying');
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE status = 'delivering';
CREATE INDEX deliveries_organization ON deliveries (organization_id, created_at DESC, id DESC);
CREATE INDEX deliveries_trigger ON deliveries (trigger_id, event_seq);
CREATE INDEX deliveries_open_action ON deliveries (action_id) WHERE status IN ('pending', 'retrying', 'delivering', 'held');
CREATE INDEX deliveries_held ON deliveries (action_id) WHERE status = 'held';

CREATE TABLE delivery_attempts (
    delivery_id      uuid        NOT NULL,
    organization_id  uuid        NOT NULL,
    number           integer     NOT NULL,
    started_at       timestamptz NOT NULL DEFAULT now(),
    lease_token      uuid        NOT NULL,
    duration_ms      integer,
    outcome          text        CHECK (outcome IN (
        'success', 'http', 'timeout', 'connect', 'dns', 'tls', 'blocked', 'rejected')),
    http_status      integer,
    error_class      text,
    error_message    text,
    response_excerpt text,
    request          jsonb,
    PRIMARY KEY (delivery_id, number, started_at)
) PARTITION BY RANGE (started_at);
CREATE TABLE delivery_attempts_default PARTITION OF delivery_attempts DEFAULT;

-- As events_ensure_month (0002), for the months of attempts.
CREATE FUNCTION attempts_ensure_month(moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', moment AT TIME ZONE 'UTC')::date;
    part  text := 'delivery_attempts_' || to_char(first, 'YYYY_MM');
BEGIN
    IF to_regclass(part) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(8004, 3);
    IF to_regclass(part) IS NOT NULL OR EXISTS (
        SELECT FROM delivery_attempts_default
        WHERE started_at >= first::timestamp AT TIME ZONE 'UTC'
          AND started_at < (first + interval '1 month') AT TIME ZONE 'UTC'
    ) THEN
        RETURN;  -- rows of that month stand in the default partition already; it goes on there
    END IF;
    EXECUTE format(
        'CREATE TABLE %I PARTITION OF delivery_attempts FOR VALUES FROM (%L) TO (%L)'
        ' WITH (fillfactor = 70)',  -- an attempt is written twice; the second time in place
        part, first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC'
    );
END $$;

-- A lane is a host: the deliverer that leases it keeps its caps, rates and breakers in memory (P22, P23).
CREATE TABLE lanes (
    lane        text        PRIMARY KEY,
    owner       text        NOT NULL DEFAULT '',
    owner_token uuid,
    lease_until timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);
CREATE INDEX lanes_owner ON lanes (owner_token);

-- Who delivers now: among these the lanes are divided.
CREATE TABLE deliverers (
    token       uuid        PRIMARY KEY,
    name        text        NOT NULL,
    lease_until timestamptz NOT NULL
);

CREATE TABLE webhook_secrets (
    id              uuid        PRIMARY KEY,
    organization_id uuid        NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    sealed          bytea       NOT NULL,
    hint            text        NOT NULL,
    created_by      uuid        REFERENCES users (id) ON DELETE SET NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz,
    last_used_at    timestamptz
);
COMMENT ON COLUMN webhook_secrets.expires_at IS 'set when a rotation replaced it; it signs until then';
CREATE INDEX webhook_secrets_organization ON webhook_secrets (organization_id, created_at);
