-- Question: What was each symbol's average price over the last hour, every ten minutes?
-- Key:      exchange, symbol, window_start
-- Sinks:    kafka, postgres
-- Late:     a row may be late for some of its six windows; each lost pair is told
-- State:    the sums of each symbol's open ten-minute slices, at most seven
SELECT
    exchange,
    symbol,
    window_start,
    window_end,
    CAST(SUM(price) / COUNT(price) AS DECIMAL(38, 10)) AS average_price,
    CAST(SUM(price * size) / NULLIF(SUM(size), 0) AS DECIMAL(38, 10)) AS vwap,
    SUM(size) AS volume,
    COUNT(*) AS trade_count
FROM TABLE(HOP(TABLE trades, DESCRIPTOR(event_time), INTERVAL '10' MINUTE, INTERVAL '1' HOUR))
GROUP BY exchange, symbol, window_start, window_end
