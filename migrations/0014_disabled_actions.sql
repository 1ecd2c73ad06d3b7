-- Actions that the system disabled: since when, and who was told (delivery.md). Whoever switches one off, in whatever
-- way, is heard here, in the transaction that does it.

ALTER TABLE trigger_actions ADD COLUMN disabled_at timestamptz;
UPDATE trigger_actions SET disabled_at = updated_at WHERE NOT enabled;

CREATE TABLE disabled_actions (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid        NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    trigger_id      uuid        NOT NULL,
    action_id       uuid        NOT NULL REFERENCES trigger_actions (id) ON DELETE CASCADE,
    reason          text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    told_at         timestamptz,
    mailing_until   timestamptz,
    mailed_at       timestamptz,
    settled_at      timestamptz
);
COMMENT ON COLUMN disabled_actions.told_at IS 'its fallback action has its delivery, if it names one';
COMMENT ON COLUMN disabled_actions.mailing_until IS 'an API replica is writing the mails; after this another one may';
COMMENT ON COLUMN disabled_actions.settled_at IS 'mailed, or nobody is left to be told';
-- Not concurrently: the table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX disabled_actions_untold ON disabled_actions (created_at) WHERE told_at IS NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX disabled_actions_unsettled ON disabled_actions (action_id, created_at) WHERE settled_at IS NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX disabled_actions_action ON disabled_actions (action_id, mailed_at);

CREATE FUNCTION actions_note_disabling() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.enabled THEN
        NEW.disabled_at := NULL;
    ELSIF TG_OP = 'INSERT' THEN
        NEW.disabled_at := now();
    ELSIF OLD.enabled THEN
        NEW.disabled_at := now();
        IF NEW.disabled_by = 'system' THEN
            INSERT INTO disabled_actions (organization_id, trigger_id, action_id, reason)
            VALUES (NEW.organization_id, NEW.trigger_id, NEW.id, coalesce(NEW.disabled_reason, ''));
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER actions_disabled BEFORE INSERT OR UPDATE ON trigger_actions FOR EACH ROW
    EXECUTE FUNCTION actions_note_disabling();

-- What a fallback action is told.
-- squawk-ignore ban-drop-constraint
ALTER TABLE deliveries DROP CONSTRAINT deliveries_type_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_type_check
    CHECK (type IN ('trigger.fired', 'trigger.retracted', 'action.disabled')) NOT VALID;
