-- Question: At which prices was each symbol traded, minute by minute, in steps of PRICE_STEP?
-- Key:      exchange, symbol, window_start, price_from
-- Sinks:    kafka, postgres
-- Late:     rows behind the watermark are left out and told in market.late-events
-- State:    one sum for each price step that traded in each symbol's open minute
SELECT
    exchange,
    symbol,
    window_start,
    window_end,
    price_from,
    SUM(size) AS volume,
    SUM(price * size) AS notional,
    COUNT(*) AS trade_count
FROM (
    SELECT
        *,
        COALESCE(CAST(price - MOD(price, CAST(${PRICE_STEP} AS DECIMAL(19, 10))) AS DECIMAL(19, 10)), 0) AS price_from
    FROM TABLE(TUMBLE(TABLE trades, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
) AS stepped
GROUP BY exchange, symbol, window_start, window_end, price_from
