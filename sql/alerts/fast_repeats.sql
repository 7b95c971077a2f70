-- Question: Which accounts made FAST_REPEATS large transactions within ten minutes?
-- Sinks:    alerts
-- Late:     rows behind the watermark are not looked at; large_transaction judges them all the same
-- State:    each account's large transactions of the last ten minutes
--
-- Smaller transactions in between do not matter. After an alert the count starts anew, so a burst of
-- twice as many is told twice. The message names the transaction that completed the pattern.
SELECT
    MD5(CONCAT_WS('|', 'fast_repeats', COALESCE(account_id, 'unknown'), COALESCE(last_id, 'unknown'))) AS alert_id,
    'fast_repeats' AS rule,
    'critical' AS severity,
    'transactions' AS exchange,
    COALESCE(account_id, 'unknown') AS symbol,
    last_time AS event_time,
    CAST(total AS DECIMAL(38, 10)) AS observed,
    CAST(${FAST_REPEATS_AMOUNT} AS DECIMAL(38, 10)) AS threshold,
    CONCAT(
        'account ', account_id, ': ${FAST_REPEATS} large transactions over ', CAST(total AS STRING),
        ' from ', first_id, ' to ', last_id
    ) AS message
FROM ( -- noqa
    SELECT * FROM transactions
    WHERE amount > ${FAST_REPEATS_AMOUNT}
) MATCH_RECOGNIZE (
    PARTITION BY account_id
    ORDER BY event_time
    MEASURES
        FIRST(a.id) AS first_id,
        LAST(a.id) AS last_id,
        LAST(a.event_time) AS last_time,
        SUM(a.amount) AS total
    ONE ROW PER MATCH
    AFTER MATCH SKIP PAST LAST ROW
    PATTERN (a{${FAST_REPEATS}}) WITHIN INTERVAL '10' MINUTE
    DEFINE a AS TRUE
)
