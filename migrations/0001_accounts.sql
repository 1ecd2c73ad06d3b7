-- Who uses the service: users, the organizations that own everything, sessions, and the keys that sign tokens.

CREATE TABLE users (
    id                uuid        PRIMARY KEY,
    email             text        CHECK (length(email) BETWEEN 3 AND 254),
    email_verified_at timestamptz,
    username          text        CHECK (length(username) BETWEEN 3 AND 32),
    name              text        NOT NULL DEFAULT '' CHECK (length(name) <= 255),
    password_hash     text,
    disabled_at       timestamptz,
    last_login_at     timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN users.password_hash IS 'Argon2id; null: signs in another way';
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE UNIQUE INDEX users_username ON users (lower(username));

CREATE TABLE organizations (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    personal_of uuid        REFERENCES users (id) ON DELETE CASCADE,
    plan        text        NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'starter', 'pro', 'enterprise')),
    paused_at   timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN organizations.personal_of IS 'the user whose personal organization this is; never deleted on its own';
CREATE UNIQUE INDEX organizations_personal ON organizations (personal_of);

CREATE TABLE members (
    organization_id uuid        NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id         uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role            text        NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX members_user ON members (user_id);

-- A session is one login and the family of refresh tokens that descends from it.
CREATE TABLE sessions (
    id             uuid        PRIMARY KEY,
    user_id        uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    method         text        NOT NULL DEFAULT 'password',
    ip             text        NOT NULL DEFAULT '',
    user_agent     text        NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL DEFAULT now(),
    last_used_at   timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    revoked_reason text
);
CREATE INDEX sessions_live ON sessions (user_id, last_used_at) WHERE revoked_at IS NULL;

CREATE TABLE refresh_tokens (
    token_sha256     bytea       PRIMARY KEY,
    session_id       uuid        NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    used_at          timestamptz,
    successor_sealed bytea
);
COMMENT ON COLUMN refresh_tokens.successor_sealed IS 'what a second use within ten seconds is answered with';
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id, created_at);

-- The Ed25519 keys of access tokens; the newest whose time has come signs, all that have not expired verify.
CREATE TABLE signing_keys (
    kid         text        PRIMARY KEY,
    public      jsonb       NOT NULL,
    sealed      bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    signs_from  timestamptz NOT NULL,
    signs_until timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX signing_keys_expires ON signing_keys (expires_at);
