-- Logins that failed, and the tokens that mails carry.

-- Failures in a row of an account or a client's address (agentauri/accounts/lockout.py); hashes, never names.
CREATE TABLE lockouts (
    subject      bytea       PRIMARY KEY,
    failures     integer     NOT NULL,
    locked_until timestamptz NOT NULL DEFAULT '-infinity',
    updated_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX lockouts_updated ON lockouts (updated_at);

-- Of a client's failures those at one account: a success there takes back these, and no others.
CREATE TABLE lockout_pairs (
    account    bytea       NOT NULL,
    client     bytea       NOT NULL,
    failures   integer     NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, client)
) WITH (fillfactor = 70);
CREATE INDEX lockout_pairs_updated ON lockout_pairs (updated_at);

CREATE TABLE mail_tokens (
    token_sha256 bytea       PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose      text        NOT NULL CHECK (purpose IN ('verify', 'change', 'reset')),
    email        text        NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
COMMENT ON COLUMN mail_tokens.email IS 'where it was sent: whoever has the token reads mail of this address';
CREATE INDEX mail_tokens_user ON mail_tokens (user_id, purpose, created_at);
CREATE INDEX mail_tokens_expires ON mail_tokens (expires_at);
