-- One row for each level that an update of an order book changed; size 0: the level is gone.
-- Snapshots are left out.
CREATE TEMPORARY VIEW book_levels AS
SELECT
    COALESCE(updates.exchange, 'unknown') AS exchange,
    COALESCE(updates.symbol, 'unknown') AS symbol,
    sides.side,
    CAST(changed.level_text[1] AS DECIMAL(19, 10)) AS price,
    CAST(changed.level_text[2] AS DECIMAL(18, 8)) AS size,
    updates.event_time
FROM book_events AS updates
CROSS JOIN UNNEST(ARRAY[ROW('bid', updates.bids), ROW('ask', updates.asks)]) AS sides (side, levels)
CROSS JOIN UNNEST(sides.levels) AS changed (level_text)
WHERE updates.event_type = 'book' AND updates.is_snapshot IS NOT TRUE;
