-- Question: When did each symbol trade without a pause of more than 30 seconds, and how long?
-- Key:      exchange, symbol, window_start
-- Sinks:    kafka, postgres
-- Late:     a row whose session has closed is left out and told in market.late-events
-- State:    the sums of each symbol's open session; a symbol that never pauses keeps one open
SELECT
    exchange,
    symbol,
    window_start,
    window_end,
    COUNT(*) AS trade_count,
    SUM(size) AS volume,
    SUM(price * size) AS notional,
    MIN(event_time) AS first_trade_at,
    MAX(event_time) AS last_trade_at,
    CAST(30 + (MAX(ts_event / 1000) - MIN(ts_event / 1000)) / 1000.0 AS DECIMAL(18, 3)) AS duration_seconds,
    CAST((MAX(ts_event / 1000) - MIN(ts_event / 1000)) / 1000.0 AS DECIMAL(18, 3)) AS active_seconds
FROM TABLE(SESSION(TABLE trades PARTITION BY (exchange, symbol), DESCRIPTOR(event_time), INTERVAL '30' SECOND)) -- noqa
GROUP BY exchange, symbol, window_start, window_end
