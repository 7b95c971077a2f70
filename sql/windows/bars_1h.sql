-- Question: How did each symbol trade, hour by hour?
-- Key:      exchange, symbol, window_start
-- Sinks:    kafka, postgres
-- Late:     made of minute bars: a row too late for its minute is missing here too, told under bars_1m
-- State:    the sums of each symbol's open window; trades themselves are counted once, in bars_1m
SELECT
    exchange,
    symbol,
    window_start,
    window_end,
    CAST(SPLIT_INDEX(MIN(open_in_order), '|', 1) AS DECIMAL(19, 10)) AS `open`,
    MAX(high) AS high,
    MIN(low) AS low,
    CAST(SPLIT_INDEX(MAX(close_in_order), '|', 1) AS DECIMAL(19, 10)) AS `close`,
    SUM(volume) AS volume,
    SUM(notional) AS notional,
    CAST(SUM(notional) / NULLIF(SUM(volume), 0) AS DECIMAL(38, 10)) AS vwap,
    SUM(trade_count) AS trade_count,
    SUM(buy_volume) AS buy_volume,
    SUM(sell_volume) AS sell_volume
FROM TABLE(TUMBLE(TABLE minutes, DESCRIPTOR(minute_time), INTERVAL '1' HOUR))
GROUP BY exchange, symbol, window_start, window_end
