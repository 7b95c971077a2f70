-- Best bid and ask with exact numbers, without heartbeats.
CREATE TEMPORARY VIEW quotes AS
SELECT
    COALESCE(exchange, 'unknown') AS exchange,
    COALESCE(symbol, 'unknown') AS symbol,
    CAST(bid_price AS DECIMAL(19, 10)) AS bid_price,
    CAST(bid_size AS DECIMAL(18, 8)) AS bid_size,
    CAST(ask_price AS DECIMAL(19, 10)) AS ask_price,
    CAST(ask_size AS DECIMAL(18, 8)) AS ask_size,
    `sequence`,
    ts_event,
    ts_recv,
    event_time
FROM quote_events
WHERE event_type = 'quote';
