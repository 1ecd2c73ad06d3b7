-- Logins at other services, and the refresh tokens of OAuth clients.

ALTER TABLE login_codes ADD COLUMN challenge text;
COMMENT ON COLUMN login_codes.challenge IS 'S256 of the verifier that the front end keeps; null: it sent none';

-- The states of logins that came back: each comes back once, whoever keeps the browser's cookie.
CREATE TABLE login_states (
    state_sha256 bytea       PRIMARY KEY,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX login_states_expires ON login_states (expires_at);

-- What an OAuth client was granted at once, and the family of refresh tokens that descends from it.
CREATE TABLE client_grants (
    id              uuid        PRIMARY KEY,
    client_id       uuid        NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
    organization_id uuid        NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    permissions     text[]      NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_used_at    timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    revoked_reason  text
);
COMMENT ON COLUMN client_grants.revoked_at IS 'its access tokens too are refused; an expired one merely renews no more';
CREATE INDEX client_grants_client ON client_grants (client_id, last_used_at);
CREATE INDEX client_grants_expires ON client_grants (expires_at);

CREATE TABLE client_refresh_tokens (
    token_sha256     bytea       PRIMARY KEY,
    grant_id         uuid        NOT NULL REFERENCES client_grants (id) ON DELETE CASCADE,
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    used_at          timestamptz,
    successor_sealed bytea
);
COMMENT ON COLUMN client_refresh_tokens.successor_sealed IS 'what a second use within ten seconds is answered with';
CREATE INDEX client_refresh_tokens_grant ON client_refresh_tokens (grant_id, created_at);

CREATE TRIGGER client_grants_access AFTER UPDATE OF revoked_at ON client_grants FOR EACH ROW
    WHEN (OLD.revoked_at IS DISTINCT FROM NEW.revoked_at) EXECUTE FUNCTION access_ring('client', 'client_id');
