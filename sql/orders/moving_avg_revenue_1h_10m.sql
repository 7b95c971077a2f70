-- Question: What was an order of each category worth on average over an hour, every ten minutes?
-- Key:      category, window_start
-- Sinks:    kafka, postgres
-- Late:     a row may be late for some of its six windows; each lost pair is told
-- State:    the sums of each category's open ten-minute slices, at most seven
SELECT
    category,
    window_start,
    window_end,
    AVG(amount) AS moving_avg_revenue,
    COUNT(*) AS order_count_1h
FROM TABLE(HOP(TABLE orders, DESCRIPTOR(event_time), INTERVAL '10' MINUTE, INTERVAL '1' HOUR))
GROUP BY category, window_start, window_end
