-- Question: Which stock was set aside for which order, each told exactly once?
-- Sinks:    kafka-append
-- Delivery: exactly-once
-- Late:     no window waits: every reservation is passed on, whenever it comes
-- State:    the ids of reservations seen, for the day that the job remembers
--
-- Readers need isolation.level=read_committed; see payments_settled.
SELECT
    reservation_id,
    order_id,
    sku,
    quantity,
    event_time
FROM reservations
