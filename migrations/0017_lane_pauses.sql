-- A server that asked to be left alone is left alone by whoever looks after its lane next, too (delivery.md: Telegram's
-- retry_after holds for the whole bot).
ALTER TABLE lanes ADD COLUMN paused_until timestamptz;
COMMENT ON COLUMN lanes.paused_until IS 'the server asked for no request before; null: it never did';
