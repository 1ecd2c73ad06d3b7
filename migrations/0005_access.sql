-- Who may do what, beyond a user's password: identities, API keys, OAuth clients; what was done; and the doorbell that
-- tells every replica to forget what it remembers of a caller.

CREATE TABLE identities (
    provider     text        NOT NULL CHECK (provider IN ('wallet', 'google', 'github')),
    subject      text        NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email        text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, subject)
);
COMMENT ON COLUMN identities.subject IS 'wallet: the address in EIP-55 form; else the provider''s id of the account';
CREATE INDEX identities_user ON identities (user_id);

CREATE TABLE login_codes (
    code_sha256 bytea       PRIMARY KEY,
    user_id     uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    method      text        NOT NULL,
    ip          text        NOT NULL DEFAULT '',
    user_agent  text        NOT NULL DEFAULT '',
    expires_at  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE login_codes IS 'what a browser carries home from a social login, to be swapped for tokens once';
CREATE INDEX login_codes_expires ON login_codes (expires_at);

CREATE TABLE api_keys (
    id                uuid        PRIMARY KEY,
    organization_id   uuid        NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    created_by        uuid        REFERENCES users (id) ON DELETE SET NULL,
    name              text        NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    environment       text        NOT NULL DEFAULT 'live' CHECK (environment IN ('live', 'test')),
    prefix            text        NOT NULL,
    sha256            bytea       NOT NULL,
    previous_sha256   bytea,
    previous_until    timestamptz,
    permissions       text[]      NOT NULL,
    ip_allow          text[]      NOT NULL DEFAULT '{}',
    requests_per_hour integer     CHECK (requests_per_hour > 0),
    expires_at        timestamptz,
    revoked_at        timestamptz,
    revoked_reason    text,
    last_used_at      timestamptz,
    last_used_ip      text,
    use_count         bigint      NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN api_keys.previous_sha256 IS 'the text before the last rotation, which works until previous_until';
CREATE UNIQUE INDEX api_keys_sha256 ON api_keys (sha256);
CREATE UNIQUE INDEX api_keys_previous ON api_keys (previous_sha256);
CREATE INDEX api_keys_organization ON api_keys (organization_id, created_at DESC, id);

CREATE TABLE oauth_clients (
    id              uuid        PRIMARY KEY,
    organization_id uuid        NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    created_by      uuid        REFERENCES users (id) ON DELETE SET NULL,
    name            text        NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    prefix          text        NOT NULL,
    sha256          bytea       NOT NULL,
    permissions     text[]      NOT NULL,
    revoked_at      timestamptz,
    last_used_at    timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN oauth_clients.sha256 IS 'of the client secret; the client id is the id';
CREATE INDEX oauth_clients_organization ON oauth_clients (organization_id, created_at DESC, id);

CREATE TABLE audit_log (
    id              uuid        PRIMARY KEY,
    organization_id uuid,
    user_id         uuid,
    actor_kind      text        NOT NULL CHECK (actor_kind IN ('user', 'key', 'client', 'operator', 'system')),
    actor_id        uuid,
    action          text        NOT NULL,
    target          text        NOT NULL DEFAULT '',
    details         jsonb       NOT NULL DEFAULT '{}',
    ip              text        NOT NULL DEFAULT '',
    request_id      text        NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE audit_log IS 'what was done, by whom; it outlives the users and organizations that it names';
COMMENT ON COLUMN audit_log.organization_id IS 'null: of the user''s account alone';
CREATE INDEX audit_log_organization ON audit_log (organization_id, created_at DESC, id DESC);
CREATE INDEX audit_log_user ON audit_log (user_id, created_at DESC, id DESC);
CREATE INDEX audit_log_created ON audit_log (created_at);

-- Answers of requests that came with an Idempotency-Key, written in the transaction of their effect.
CREATE TABLE idempotency_keys (
    caller     text        NOT NULL,
    key        text        NOT NULL,
    request    bytea       NOT NULL,
    status     smallint    NOT NULL,
    media_type text        NOT NULL,
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
);
COMMENT ON COLUMN idempotency_keys.request IS 'SHA-256 of method, path and body';
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

-- Rings access_changed with what changed (user:<id>, session:<id>, …): replicas forget what they remember of it.
CREATE FUNCTION access_ring() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('access_changed', TG_ARGV[0] || ':' || (to_jsonb(coalesce(OLD, NEW)) ->> TG_ARGV[1]));
    RETURN NULL;
END $$;
CREATE TRIGGER users_access AFTER UPDATE OF disabled_at ON users FOR EACH ROW
    WHEN (OLD.disabled_at IS DISTINCT FROM NEW.disabled_at) EXECUTE FUNCTION access_ring('user', 'id');
CREATE TRIGGER users_gone AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION access_ring('user', 'id');
CREATE TRIGGER sessions_access AFTER UPDATE OF revoked_at ON sessions FOR EACH ROW
    WHEN (OLD.revoked_at IS DISTINCT FROM NEW.revoked_at) EXECUTE FUNCTION access_ring('session', 'id');
CREATE TRIGGER sessions_gone AFTER DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION access_ring('session', 'id');
CREATE TRIGGER members_access AFTER INSERT OR UPDATE OR DELETE ON members
    FOR EACH ROW EXECUTE FUNCTION access_ring('user', 'user_id');
CREATE TRIGGER organizations_access AFTER UPDATE ON organizations FOR EACH ROW
    WHEN ((OLD.plan, OLD.paused_at) IS DISTINCT FROM (NEW.plan, NEW.paused_at))
    EXECUTE FUNCTION access_ring('organization', 'id');
CREATE TRIGGER organizations_gone AFTER DELETE ON organizations
    FOR EACH ROW EXECUTE FUNCTION access_ring('organization', 'id');
CREATE TRIGGER api_keys_access AFTER UPDATE ON api_keys FOR EACH ROW
    WHEN ((OLD.sha256, OLD.previous_sha256, OLD.previous_until, OLD.permissions, OLD.ip_allow, OLD.requests_per_hour,
            OLD.expires_at, OLD.revoked_at)
        IS DISTINCT FROM (NEW.sha256, NEW.previous_sha256, NEW.previous_until, NEW.permissions, NEW.ip_allow,
            NEW.requests_per_hour, NEW.expires_at, NEW.revoked_at))
    EXECUTE FUNCTION access_ring('key', 'id');
CREATE TRIGGER api_keys_gone AFTER DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION access_ring('key', 'id');
CREATE TRIGGER oauth_clients_access AFTER UPDATE ON oauth_clients FOR EACH ROW
    WHEN ((OLD.permissions, OLD.revoked_at) IS DISTINCT FROM (NEW.permissions, NEW.revoked_at))
    EXECUTE FUNCTION access_ring('client', 'id');
CREATE TRIGGER oauth_clients_gone AFTER DELETE ON oauth_clients
    FOR EACH ROW EXECUTE FUNCTION access_ring('client', 'id');
