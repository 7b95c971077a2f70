-- Question: Which bars are a copy of the session before, volume included?
SELECT
    'warning' AS severity,
    check_bars.symbol,
    check_bars.trade_date,
    check_bars.volume::double precision AS value,
    'the same prices and volume as the session before' AS message
FROM check_bars
WHERE check_bars.volume > 0 AND check_bars.n = check_bars.previous_n + 1 AND check_bars.is_repeated
