-- Question: Where does each category stand in the five minutes that are still open?
-- Key:      category, window_start
-- Sinks:    kafka, postgres
-- Late:     a row may be late for the steps that have passed and still count in the next ones; each
--           lost pair is told
-- State:    the sums of each category's open five minutes, in steps of five seconds
--
-- The row of an open window is replaced every five seconds of event time (window_end says how far it
-- has come); with the last step it equals that of revenue_by_category_5m. It is seen WATERMARK_DELAY
-- after its step at the latest, while orders or heartbeats come.
SELECT
    category,
    window_start,
    window_end,
    COUNT(*) AS `count`,
    SUM(amount) AS total,
    AVG(amount) AS average
FROM TABLE(CUMULATE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '5' SECOND, INTERVAL '5' MINUTE))
GROUP BY category, window_start, window_end
