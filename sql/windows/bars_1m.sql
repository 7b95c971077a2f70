-- Question: How did each symbol trade, minute by minute?
-- Key:      exchange, symbol, window_start
-- Sinks:    kafka, postgres
-- Late:     rows behind the watermark are left out and told in market.late-events
-- State:    the sums of each symbol's open minutes; dropped when the minute closes
SELECT
    exchange,
    symbol,
    window_start,
    window_end,
    window_time,
    CAST(SPLIT_INDEX(MIN(price_in_order), '|', 1) AS DECIMAL(19, 10)) AS `open`,
    MAX(price) AS high,
    MIN(price) AS low,
    CAST(SPLIT_INDEX(MAX(price_in_order), '|', 1) AS DECIMAL(19, 10)) AS `close`,
    SUM(size) AS volume,
    SUM(price * size) AS notional,
    CAST(SUM(price * size) / NULLIF(SUM(size), 0) AS DECIMAL(38, 10)) AS vwap,
    COUNT(*) AS trade_count,
    CAST(COALESCE(SUM(size) FILTER (WHERE side = 'buy'), 0) AS DECIMAL(38, 8)) AS buy_volume,
    CAST(COALESCE(SUM(size) FILTER (WHERE side = 'sell'), 0) AS DECIMAL(38, 8)) AS sell_volume
FROM TABLE(TUMBLE(TABLE trades, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY exchange, symbol, window_start, window_end, window_time
