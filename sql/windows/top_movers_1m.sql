-- Question: Which five symbols moved most in each minute, open to close?
-- Key:      window_start, place
-- Sinks:    kafka, postgres
-- Late:     as bars_1m, whose rows it reads
-- State:    the five best of each open minute
--
-- Equal moves stand in the order of exchange and symbol.
SELECT
    window_start,
    window_end,
    place,
    exchange,
    symbol,
    `open`,
    `close`,
    move_percent
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY window_start, window_end
            ORDER BY ABS(move_percent) DESC, exchange ASC, symbol ASC
        ) AS place
    FROM (
        SELECT
            *,
            CAST(
                CAST((`close` - `open`) * 100 AS DECIMAL(28, 10)) / NULLIF(`open`, 0) AS DECIMAL(38, 10)
            ) AS move_percent
        FROM bars_1m
    ) AS moves
    WHERE move_percent IS NOT NULL
) AS ranked
WHERE place <= 5
