-- A chain's clock says nothing of events that came into the log after it: after a fork their times may lie before it. A
-- replay meets a kept clock with the place that it had in the log.
ALTER TABLE partition_clocks ADD COLUMN clock_seq bigint NOT NULL DEFAULT 0;
UPDATE partition_clocks SET clock_seq = met_seq;
COMMENT ON COLUMN partition_clocks.clock_seq IS 'up to this seq the log had come at that time';
