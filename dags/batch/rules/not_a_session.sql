-- Question: Which bars lie on a day on which Tokyo did not trade?
SELECT
    'warning' AS severity,
    check_bars.symbol,
    check_bars.trade_date,
    check_bars.close AS value,
    'a bar on a day without a session' AS message
FROM check_bars
WHERE check_bars.n IS NULL
