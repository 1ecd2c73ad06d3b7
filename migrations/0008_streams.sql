-- Streams of deliveries, and counts of events that stay cheap however long the log grows.

-- Which transaction last changed what is shown of a delivery. Transactions commit in another order than they begin, so
-- no clock orders changes; but which of them a snapshot has seen is exact, so a reader asks for what its last snapshot
-- had not seen. Costs each change of a row one more index entry: a tenth of its WAL.
ALTER TABLE deliveries ADD COLUMN changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id();
COMMENT ON COLUMN deliveries.changed_xid IS 'the transaction that last changed status, its code, or the attempts';
CREATE FUNCTION deliveries_mark_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_xid := pg_current_xact_id();
    RETURN NEW;
END $$;
CREATE TRIGGER deliveries_change BEFORE UPDATE ON deliveries FOR EACH ROW
    WHEN ((OLD.status, OLD.status_code, OLD.attempt_count)
        IS DISTINCT FROM (NEW.status, NEW.status_code, NEW.attempt_count))
    EXECUTE FUNCTION deliveries_mark_change();
-- Not concurrently: it belongs to the column, and migrations run before anything is delivered.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX deliveries_changes ON deliveries (organization_id, changed_xid, id);

-- Dead letters by organization; the rows that go through the queue as they should never enter it.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX deliveries_replayable ON deliveries (organization_id, created_at, id)
    WHERE status IN ('dead', 'suppressed', 'cancelled');

-- How many events of each kind the log has up to a place in it; added to in the background, never counted anew.
CREATE TABLE event_counts (
    chain_id   bigint NOT NULL,
    registry   text   NOT NULL,
    event_type text   NOT NULL CHECK (length(event_type) <= 255),
    stored     bigint NOT NULL DEFAULT 0,
    retracted  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (chain_id, registry, event_type)
);
COMMENT ON TABLE event_counts IS 'of all that was ever stored, months that retention dropped included';
CREATE TABLE event_counts_place (
    one        boolean     PRIMARY KEY DEFAULT true CHECK (one),
    seq        bigint      NOT NULL DEFAULT 0,
    counted_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO event_counts_place DEFAULT VALUES;
