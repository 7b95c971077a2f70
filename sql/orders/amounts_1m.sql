-- Question: How many transactions were there in every minute, and over what amounts?
-- Key:      window_start
-- Sinks:    kafka, postgres
-- Late:     rows behind the watermark are left out and told in market.late-events
-- State:    the sums of the open minutes
SELECT
    window_start,
    window_end,
    COUNT(*) AS event_count,
    SUM(amount) AS total_amount,
    AVG(amount) AS average_amount
FROM TABLE(TUMBLE(TABLE transactions, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end
