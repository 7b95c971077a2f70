-- Question: Which records of orders, events, transactions, payments and reservations cannot be read?
-- Key:      source_topic, source_partition, source_offset
-- Sinks:    kafka, postgres
-- Topic:    orders.dead-letters
-- Late:     no window waits: every corrupted record is told, whenever it comes
-- State:    none
--
-- One topic for all of them, as market.dead-letters is for all venues: whoever looks after the
-- pipeline watches one place, and source_topic says whose record it is. The key is the record's own
-- place, so that a repetition after a crash is the same row. body holds the bytes as they came
-- (base64 in the topic, bytea in PostgreSQL).
SELECT
    COALESCE(topic, '') AS source_topic,
    COALESCE(`partition`, -1) AS source_partition,
    COALESCE(`offset`, -1) AS source_offset,
    record_time,
    reason,
    body
FROM (
    SELECT topic, `partition`, `offset`, record_time, reason, body FROM order_records -- noqa: LT09
    UNION ALL
    SELECT topic, `partition`, `offset`, record_time, reason, body FROM raw_records -- noqa: LT09
    UNION ALL
    SELECT topic, `partition`, `offset`, record_time, reason, body FROM transaction_records -- noqa: LT09
    UNION ALL
    SELECT topic, `partition`, `offset`, record_time, reason, body FROM payment_records -- noqa: LT09
    UNION ALL
    SELECT topic, `partition`, `offset`, record_time, reason, body FROM reservation_records -- noqa: LT09
) AS records
WHERE reason IS NOT NULL
