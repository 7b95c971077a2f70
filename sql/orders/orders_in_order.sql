-- Question: In what order did the orders happen, whatever the order they came in?
-- Sinks:    kafka-append
-- Delivery: exactly-once
-- Late:     an order may come WATERMARK_DELAY late and still find its place; one that comes later
--           has none any more: it is left out and told in market.late-events
-- State:    the orders of the last WATERMARK_DELAY, and the position
--
-- One order for all means one task that sees all: this step has parallelism 1 whatever the job has,
-- and its topic one partition. position counts from the start of the job's state; orders of the
-- same millisecond stand in the order of their coming.
SELECT
    COUNT(*) OVER (ORDER BY event_time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS `position`,
    order_id,
    customer_id,
    amount,
    category,
    event_time
FROM orders
