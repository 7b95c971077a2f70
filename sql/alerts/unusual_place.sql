-- Question: Which transactions were made elsewhere than where the account is usually used?
-- Sinks:    alerts
-- Late:     no window waits: every transaction is judged, whenever it comes
-- State:    the ids of transactions seen, for the day that the job remembers
SELECT
    MD5(CONCAT_WS('|', 'unusual_place', id)) AS alert_id,
    'unusual_place' AS rule,
    'warning' AS severity,
    'transactions' AS exchange,
    account_id AS symbol,
    event_time,
    CAST(amount AS DECIMAL(38, 10)) AS observed,
    CAST(NULL AS DECIMAL(38, 10)) AS threshold,
    CONCAT(
        'account ', account_id, ': transaction ', id, ' of ', CAST(amount AS STRING),
        ' in ', location, ', usually in ', usual_location
    ) AS message
FROM transactions
WHERE location <> usual_location
