-- Where an agent's registration file is: the newest event that says so, in one step however many events it has.
-- A partitioned table takes no concurrent index; few events are of these types, so it is made in one reading.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX events_agent_uri ON events (agent_id, chain_id, seq)
WHERE event_type IN ('Registered', 'URIUpdated') AND registry = 'identity' AND agent_id IS NOT NULL;
