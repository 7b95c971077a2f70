-- Question: Which single trades moved at least LARGE_TRADE_NOTIONAL of the quote currency?
-- Sinks:    alerts
-- Late:     no window waits: every trade is judged, whenever it comes
-- State:    none
SELECT
    MD5(CONCAT_WS('|', 'large_trade', exchange, symbol, trade_id)) AS alert_id,
    'large_trade' AS rule,
    CASE WHEN price * size >= 10 * ${LARGE_TRADE_NOTIONAL} THEN 'critical' ELSE 'warning' END AS severity,
    exchange,
    symbol,
    event_time,
    CAST(price * size AS DECIMAL(38, 10)) AS observed,
    CAST(${LARGE_TRADE_NOTIONAL} AS DECIMAL(38, 10)) AS threshold,
    CONCAT(
        symbol, ' on ', exchange, ': trade ', trade_id,
        ' of ', TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(size AS STRING))),
        ' at ', TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(price AS STRING)))
    ) AS message
FROM trades
WHERE price * size >= ${LARGE_TRADE_NOTIONAL}
