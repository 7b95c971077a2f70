-- Question: Where is each symbol's price heading, by its EMA (20) and MACD (12, 26, 9)?
-- Key:      exchange, symbol, window_start
-- Sinks:    kafka, postgres
-- Late:     as bars_1m, whose rows it reads; they come in the order of their minutes
-- State:    the last 500 bars of each symbol
--
-- Bars are counted, not minutes: a minute without a trade has no bar. The values are TA-Lib's of
-- the last 500 bars; each is NULL until its own bars have come, all are there from 34 bars on.
SELECT
    exchange,
    symbol,
    window_start,
    window_end,
    close_price AS `close`,
    ema_of(price) OVER last_500 AS ema_20,
    macd_of(price) OVER last_500 AS macd,
    macd_signal_of(price) OVER last_500 AS macd_signal,
    bars_of(price) OVER last_500 AS bars
FROM (
    SELECT
        exchange,
        symbol,
        window_start,
        window_end,
        `close` AS close_price,
        CAST(high AS DOUBLE) AS high,
        CAST(low AS DOUBLE) AS low,
        CAST(`close` AS DOUBLE) AS price,
        PROCTIME() AS proc_time
    FROM bars_1m
) AS arriving
WINDOW last_500 AS (
    PARTITION BY exchange, symbol ORDER BY proc_time ROWS BETWEEN 499 PRECEDING AND CURRENT ROW
)
