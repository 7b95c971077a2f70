-- Question: What do longer windows need of each minute bar?
-- Sinks:    none
-- Late:     as bars_1m, whose rows it reads
-- State:    none of its own
--
-- The columns of the bar's own window have other names, and open and close are texts in the order
-- of the minutes, so that MIN and MAX hold the first and the last.
SELECT
    exchange,
    symbol,
    window_time AS minute_time,
    CAST(window_start AS STRING) || '|' || CAST(`open` AS STRING) AS open_in_order,
    high,
    low,
    CAST(window_start AS STRING) || '|' || CAST(`close` AS STRING) AS close_in_order,
    volume,
    notional,
    trade_count,
    buy_volume,
    sell_volume
FROM bars_1m
