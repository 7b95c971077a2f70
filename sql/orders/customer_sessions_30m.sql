-- Question: When did each customer order without a pause of more than 30 minutes, and for how much?
-- Key:      customer_id, window_start
-- Sinks:    kafka, postgres
-- Late:     a row whose session has closed is left out and told in market.late-events
-- State:    the sums of each customer's open session; dropped when the session closes
--
-- session_duration_minutes is the session's end minus its start, so it includes the gap of 30
-- minutes that ends it; active_minutes is the last order minus the first. Both in whole seconds.
SELECT
    customer_id,
    window_start,
    window_end,
    MIN(event_time) AS session_start,
    COUNT(*) AS orders_in_session,
    SUM(amount) AS session_total,
    CAST(TIMESTAMPDIFF(SECOND, window_start, window_end) / 60.0 AS DECIMAL(18, 3)) AS session_duration_minutes,
    CAST(TIMESTAMPDIFF(SECOND, MIN(event_time), MAX(event_time)) / 60.0 AS DECIMAL(18, 3)) AS active_minutes
FROM TABLE(SESSION(TABLE orders PARTITION BY customer_id, DESCRIPTOR(event_time), INTERVAL '30' MINUTE)) -- noqa
GROUP BY customer_id, window_start, window_end
