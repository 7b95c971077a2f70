-- Question: How much has each user bought up to now?
-- Key:      user_id
-- Sinks:    kafka, postgres
-- Late:     no window waits: every purchase counts, whenever it comes
-- State:    the sums of each user, and the ids of events seen, for the year that the job remembers
SELECT
    user_id,
    COUNT(*) AS total_purchases,
    SUM(amount) AS total_amount,
    MAX(event_time) AS last_purchase
FROM events
WHERE event_type = 'purchase'
GROUP BY user_id
