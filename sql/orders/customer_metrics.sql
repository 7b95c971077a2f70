-- Question: How much has each customer ordered up to now?
-- Key:      customer_id
-- Sinks:    kafka, postgres
-- Topic:    customer-metrics
-- Late:     no window waits: every order counts, whenever it comes
-- State:    the sums of each customer, and the ids of orders seen, for the year that the job
--           remembers; a customer silent for longer starts anew
--
-- Read offsets and sums are saved together at each checkpoint, and rows replace the customer's row,
-- so after a crash the same totals come out again: nothing counts twice.
SELECT
    customer_id,
    COUNT(*) AS total_orders,
    SUM(amount) AS total_spent,
    MAX(event_time) AS last_order_time,
    AVG(amount) AS average_order_value,
    CURRENT_TIMESTAMP AS updated_at
FROM orders
GROUP BY customer_id
