-- Question: How many orders did each category get in every five minutes, and what were they worth?
-- Key:      category, window_start
-- Sinks:    kafka, postgres
-- Late:     rows behind the watermark are left out and told in market.late-events
-- State:    the sums of each category's open windows; dropped when the window closes
SELECT
    category,
    window_start,
    window_end,
    COUNT(*) AS order_count,
    SUM(amount) AS total_revenue,
    AVG(amount) AS avg_order_value
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '5' MINUTE))
GROUP BY category, window_start, window_end
