-- Question: At each transaction, what were the amounts of the last 300 seconds, itself included?
-- Key:      id
-- Sinks:    kafka, postgres
-- Late:     a row of no later time than one that has left already is left out; rows behind the
--           watermark are told in market.late-events, those that still found a place among them
-- State:    the amounts of the last 300 seconds
--
-- The lower bound is inclusive: a transaction of just 300 seconds ago counts. Transactions of the
-- same millisecond see each other. One row leaves for each transaction once the watermark passes it.
SELECT
    id,
    event_time,
    COUNT(amount) OVER last_5_minutes AS `count`,
    SUM(amount) OVER last_5_minutes AS total,
    AVG(amount) OVER last_5_minutes AS average,
    MAX(amount) OVER last_5_minutes AS `max`,
    MIN(amount) OVER last_5_minutes AS `min`
FROM transactions
WINDOW last_5_minutes AS (ORDER BY event_time RANGE BETWEEN INTERVAL '5' MINUTE PRECEDING AND CURRENT ROW)
