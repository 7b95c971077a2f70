-- Question: Which payments were made, each told exactly once?
-- Sinks:    kafka-append
-- Delivery: exactly-once
-- Late:     no window waits: every payment is passed on, whenever it comes
-- State:    the ids of payments seen, for the day that the job remembers
--
-- Exactly once has two halves: the ids remembered catch what a producer sent twice, and rows are
-- written in a Kafka transaction that commits together with the offsets read. Readers need
-- isolation.level=read_committed, and see a row when the next checkpoint is done.
SELECT
    payment_id,
    order_id,
    amount,
    event_time
FROM payments
