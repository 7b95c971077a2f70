-- What connectors say about their feeds.
CREATE TEMPORARY VIEW feed_status AS
SELECT
    COALESCE(exchange, 'unknown') AS exchange,
    COALESCE(symbol, 'unknown') AS symbol,
    kind,
    channel,
    cause,
    from_id,
    to_id,
    seconds,
    event_time
FROM status_events
WHERE event_type = 'status';
