-- Question: What is the average of each symbol's last 20 closing prices?
-- Key:      exchange, symbol, window_start
-- Sinks:    kafka, postgres
-- Late:     as bars_1m, whose rows it reads; they come in the order of their minutes
-- State:    the last 20 bars of each symbol
--
-- Bars are counted, not minutes: a minute without a trade has no bar. `warm` is false, and the
-- average that of fewer bars, until 20 have come.
SELECT
    exchange,
    symbol,
    window_start,
    window_end,
    `close`,
    CAST(SUM(`close`) OVER last_20 / COUNT(`close`) OVER last_20 AS DECIMAL(38, 10)) AS sma_20,
    COUNT(*) OVER last_20 AS bars,
    COUNT(*) OVER last_20 >= 20 AS warm
FROM (
    SELECT
        *,
        PROCTIME() AS proc_time
    FROM bars_1m
) AS arriving
WINDOW last_20 AS (
    PARTITION BY exchange, symbol ORDER BY proc_time ROWS BETWEEN 19 PRECEDING AND CURRENT ROW
)
