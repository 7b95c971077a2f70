-- Question: How is each symbol trading in the minute that is still open?
-- Key:      exchange, symbol, window_start
-- Sinks:    kafka, postgres
-- Late:     a row behind the watermark misses the steps that have passed; each lost pair is told
-- State:    the sums of each symbol's open minute, in twelve steps
--
-- Every 5 s of event time the row of the minute is written anew; its window_end says how far it
-- goes. The last one, at the full minute, is the row of bars_1m.
SELECT
    exchange,
    symbol,
    window_start,
    window_end,
    CAST(SPLIT_INDEX(MIN(price_in_order), '|', 1) AS DECIMAL(19, 10)) AS `open`,
    MAX(price) AS high,
    MIN(price) AS low,
    CAST(SPLIT_INDEX(MAX(price_in_order), '|', 1) AS DECIMAL(19, 10)) AS `close`,
    SUM(size) AS volume,
    COUNT(*) AS trade_count
FROM TABLE(CUMULATE(TABLE trades, DESCRIPTOR(event_time), INTERVAL '5' SECOND, INTERVAL '1' MINUTE))
GROUP BY exchange, symbol, window_start, window_end
