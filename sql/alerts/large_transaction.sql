-- Question: Which single transactions are over more than LARGE_TRANSACTION_AMOUNT?
-- Sinks:    alerts
-- Late:     no window waits: every transaction is judged, whenever it comes
-- State:    the ids of transactions seen, for the day that the job remembers
SELECT
    MD5(CONCAT_WS('|', 'large_transaction', id)) AS alert_id,
    'large_transaction' AS rule,
    CASE WHEN amount > 10 * ${LARGE_TRANSACTION_AMOUNT} THEN 'critical' ELSE 'warning' END AS severity,
    'transactions' AS exchange,
    account_id AS symbol,
    event_time,
    CAST(amount AS DECIMAL(38, 10)) AS observed,
    CAST(${LARGE_TRANSACTION_AMOUNT} AS DECIMAL(38, 10)) AS threshold,
    CONCAT('account ', account_id, ': transaction ', id, ' of ', CAST(amount AS STRING)) AS message
FROM transactions
WHERE amount > ${LARGE_TRANSACTION_AMOUNT}
