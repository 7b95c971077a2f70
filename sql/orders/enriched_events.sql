-- Question: Which segment and country does the user of each event belong to?
-- Sinks:    kafka-append
-- Late:     no window waits: every event is passed on, whenever it comes
-- State:    the ids of events seen, for the day that the job remembers
--
-- The profile is the one known when the event is processed; a user without one is `unknown`.
SELECT
    event.event_id,
    event.event_type,
    event.user_id,
    COALESCE(profile.segment, 'unknown') AS segment,
    COALESCE(profile.country, 'unknown') AS country,
    event.amount,
    event.event_time
FROM (
    SELECT
        *,
        PROCTIME() AS proc_time
    FROM events
) AS event
LEFT JOIN user_profiles FOR SYSTEM_TIME AS OF event.proc_time AS profile
    ON event.user_id = profile.user_id
