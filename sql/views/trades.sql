-- Trades with exact numbers, without heartbeats.
--
-- price_in_order is the event time, then the venue's sequence, each in 19 digits, then the price:
-- its MIN() holds the first price of a group, its MAX() the last, by event time and never by
-- arrival, and partial aggregates stay possible. SPLIT_INDEX(…, '|', 1) takes the price out again.
-- The columns of a key are never NULL: a record without them is seen as `unknown`.
CREATE TEMPORARY VIEW trades AS
SELECT
    COALESCE(exchange, 'unknown') AS exchange,
    COALESCE(symbol, 'unknown') AS symbol,
    COALESCE(trade_id, 'unknown') AS trade_id,
    trade_seq,
    CAST(price AS DECIMAL(19, 10)) AS price,
    CAST(size AS DECIMAL(18, 8)) AS size,
    side,
    COALESCE(ts_event, 0) AS ts_event,
    ts_recv,
    CAST(5000000000000000000 + COALESCE(ts_event, 0) AS STRING)
    || CAST(5000000000000000000 + COALESCE(trade_seq, 0) AS STRING)
    || '|' || price AS price_in_order,
    event_time
FROM trade_events
WHERE event_type = 'trade';
