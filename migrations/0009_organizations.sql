-- Organizations with more than one member: invitations; pausing, closing, and what a plan bounds.

CREATE TABLE invitations (
    id              uuid        PRIMARY KEY,
    organization_id uuid        NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    email           text        NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    role            text        NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    token_sha256    bytea       NOT NULL,
    created_by      uuid        REFERENCES users (id) ON DELETE CASCADE,
    expires_at      timestamptz NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE invitations IS 'open ones; accepting, revoking and replacing one deletes it, the audit log remembers';
COMMENT ON COLUMN invitations.created_by IS 'an invitation ends with the membership of who wrote it; null: an API key';
CREATE UNIQUE INDEX invitations_token ON invitations (token_sha256);
CREATE UNIQUE INDEX invitations_email ON invitations (organization_id, lower(email));
CREATE INDEX invitations_created_by ON invitations (created_by);
CREATE INDEX invitations_expires ON invitations (expires_at);

ALTER TABLE organizations ADD COLUMN closed_at timestamptz;
ALTER TABLE organizations ADD COLUMN queue_full_at timestamptz;
COMMENT ON COLUMN organizations.paused_at IS 'its triggers go on matching; their deliveries are held until it is resumed';
COMMENT ON COLUMN organizations.closed_at IS 'deleted: nobody reaches it, and maintenance takes its rows away';
COMMENT ON COLUMN organizations.queue_full_at IS 'more deliveries wait than its plan allows: new ones are suppressed';

-- What is counted by organization for its limits and its usage. Both tables hold some rows a trigger, and are indexed in
-- a moment: migrations run whole in one transaction, so not concurrently.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX trigger_actions_organization ON trigger_actions (organization_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX trigger_ledger_organization ON trigger_ledger (organization_id, day);
