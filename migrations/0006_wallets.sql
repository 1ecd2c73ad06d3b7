-- Wallet sign-in: what somebody was given to sign. A row is deleted by the sign-in that uses it, so one nonce makes
-- one session.

CREATE TABLE login_nonces (
    nonce      text        PRIMARY KEY,
    address    text        NOT NULL,
    chain_id   bigint      NOT NULL,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON COLUMN login_nonces.issued_at IS 'whole milliseconds: the text is built again from the row, and compared';
CREATE INDEX login_nonces_expires ON login_nonces (expires_at);
