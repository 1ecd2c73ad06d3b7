-- Webhook secrets of two kinds: shared ones, and Ed25519 key pairs whose public half is shown (delivery.md).
ALTER TABLE webhook_secrets ADD COLUMN kind text NOT NULL DEFAULT 'hmac';
ALTER TABLE webhook_secrets ADD CONSTRAINT webhook_secrets_kind CHECK (kind IN ('hmac', 'ed25519')) NOT VALID;
ALTER TABLE webhook_secrets ADD COLUMN public_key text;
COMMENT ON COLUMN webhook_secrets.public_key IS 'whpk_ and base64, of ed25519 ones';
