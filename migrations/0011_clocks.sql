-- Up to which time of a chain absences were told in a partition (protocol P12, P20). A clock has no place in the log, so
-- a replay could not know it: it is kept in the transaction of what it led to, and met again, mutely, after a replay.
CREATE TABLE partition_clocks (
    partition smallint NOT NULL REFERENCES partitions (partition),
    chain_id  bigint   NOT NULL,
    time      bigint   NOT NULL,
    PRIMARY KEY (partition, chain_id)
);
COMMENT ON COLUMN partition_clocks.time IS 'seconds since 1970 of the chain''s confirmed head';
