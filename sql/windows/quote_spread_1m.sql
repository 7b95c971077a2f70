-- Question: How wide was the gap between best bid and best ask, minute by minute?
-- Key:      exchange, symbol, window_start
-- Sinks:    kafka, postgres
-- Late:     rows behind the watermark are left out and told in market.late-events
-- State:    the sums of each symbol's open minute
--
-- Averages are of quotes, not of time. Basis points are of the middle between bid and ask.
SELECT
    exchange,
    symbol,
    window_start,
    window_end,
    MIN(ask_price - bid_price) AS min_spread,
    MAX(ask_price - bid_price) AS max_spread,
    CAST(SUM(ask_price - bid_price) / NULLIF(COUNT(ask_price - bid_price), 0) AS DECIMAL(38, 10)) AS average_spread,
    CAST(SUM(ask_price - bid_price) * 20000 / NULLIF(SUM(ask_price + bid_price), 0) AS DECIMAL(38, 6)) AS spread_bps,
    COUNT(*) FILTER (WHERE bid_price >= ask_price) AS crossed_count,
    COUNT(*) AS quote_count
FROM TABLE(TUMBLE(TABLE quotes, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY exchange, symbol, window_start, window_end
