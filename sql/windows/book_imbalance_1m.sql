-- Question: On which side of the order book was more size placed, minute by minute?
-- Key:      exchange, symbol, window_start
-- Sinks:    kafka, postgres
-- Late:     rows behind the watermark are left out and told in market.late-events
-- State:    the sums of each symbol's open minute
--
-- Of the levels that updates changed: their new sizes by side, and how many levels were emptied.
-- This is the flow of orders, not the standing book: that would need every level since the last
-- snapshot in state. Snapshots are left out, for they repeat the whole book at each reconnect.
-- imbalance = (bid_size - ask_size) / (bid_size + ask_size), from -1 (only asks) to 1 (only bids).
SELECT
    exchange,
    symbol,
    window_start,
    window_end,
    CAST(COALESCE(SUM(size) FILTER (WHERE side = 'bid'), 0) AS DECIMAL(38, 8)) AS bid_size,
    CAST(COALESCE(SUM(size) FILTER (WHERE side = 'ask'), 0) AS DECIMAL(38, 8)) AS ask_size,
    CAST(
        SUM(CASE WHEN side = 'bid' THEN size ELSE -size END) / NULLIF(SUM(size), 0) AS DECIMAL(38, 10)
    ) AS imbalance,
    COUNT(*) FILTER (WHERE side = 'bid') AS bid_levels,
    COUNT(*) FILTER (WHERE side = 'ask') AS ask_levels,
    COUNT(*) FILTER (WHERE size = 0) AS emptied_levels
FROM TABLE(TUMBLE(TABLE book_levels, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
GROUP BY exchange, symbol, window_start, window_end
