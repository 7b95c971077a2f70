-- Question: In which minutes did a price move by at least PRICE_MOVE_PERCENT, open to close?
-- Sinks:    alerts
-- Late:     as bars_1m, whose rows it reads
-- State:    none of its own
SELECT
    MD5(CONCAT_WS('|', 'price_move', exchange, symbol, CAST(window_start AS STRING))) AS alert_id,
    'price_move' AS rule,
    CASE WHEN ABS(move_percent) >= 5 * ${PRICE_MOVE_PERCENT} THEN 'critical' ELSE 'warning' END AS severity,
    exchange,
    symbol,
    window_end AS event_time,
    ABS(move_percent) AS observed,
    CAST(${PRICE_MOVE_PERCENT} AS DECIMAL(38, 10)) AS threshold,
    CONCAT(
        symbol, ' on ', exchange,
        ': from ', TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(`open` AS STRING))),
        ' to ', TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(`close` AS STRING))),
        ' in the minute from ', CAST(window_start AS STRING)
    ) AS message
FROM (
    SELECT
        *,
        CAST(CAST((`close` - `open`) * 100 AS DECIMAL(28, 10)) / NULLIF(`open`, 0) AS DECIMAL(38, 10)) AS move_percent
    FROM bars_1m
) AS moves
WHERE ABS(move_percent) >= ${PRICE_MOVE_PERCENT}
