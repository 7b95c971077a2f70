-- Question: What does each event of a user say, flat, and when and by what was it processed?
-- Sinks:    kafka-append
-- Topic:    processed_events
-- Late:     no window waits: every event is passed on, whenever it comes
-- State:    the ids of events seen, for the day that the job remembers
--
-- A topic with a name of its own is a contract with its readers: it has just these columns.
SELECT
    event_id AS id,
    event_type AS type,
    created_at AS `timestamp`,
    user_id,
    amount,
    DATE_FORMAT(CURRENT_TIMESTAMP, 'yyyy-MM-dd''T''HH:mm:ss.SSS''Z''') AS processed_at,
    '${PROCESSOR_VERSION}' AS processor_version
FROM events
