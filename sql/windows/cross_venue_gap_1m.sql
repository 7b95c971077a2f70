-- Question: How far apart were two venues' closing prices of the same symbol, minute by minute?
-- Key:      symbol, window_start, exchange_a, exchange_b
-- Sinks:    kafka, postgres
-- Late:     as bars_1m, whose rows it reads
-- State:    the bars of each open minute; a minute that only one venue traded in gives no row
--
-- Each pair of venues once, in the order of their names; gap_percent is of venue a's price.
SELECT
    a.symbol,
    a.window_start,
    a.window_end,
    a.exchange AS exchange_a,
    b.exchange AS exchange_b,
    a.`close` AS close_a,
    b.`close` AS close_b,
    CAST(
        CAST((b.`close` - a.`close`) * 100 AS DECIMAL(28, 10)) / NULLIF(a.`close`, 0) AS DECIMAL(38, 10)
    ) AS gap_percent
FROM bars_1m AS a
INNER JOIN bars_1m AS b
    ON a.symbol = b.symbol AND a.window_start = b.window_start AND a.window_end = b.window_end
WHERE a.exchange < b.exchange
