-- Question: Which events happened, each told once, however often producers sent it?
-- Key:      event_id
-- Sinks:    kafka
-- Late:     no window waits: every event is passed on, whenever it comes
-- State:    the ids of events seen, for the day that the job remembers
--
-- The log is written at least once; after a crash an event may be written again, as the same row
-- under the same key.
SELECT
    event_id,
    event_type,
    user_id,
    amount,
    event_time
FROM events
