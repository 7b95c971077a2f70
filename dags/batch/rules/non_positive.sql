-- Question: Which bars have a price of zero or less, or a negative volume?
SELECT
    'error' AS severity,
    check_bars.symbol,
    check_bars.trade_date,
    least(check_bars.open, check_bars.high, check_bars.low, check_bars.close, check_bars.volume) AS value,
    'a price that is not positive, or a negative volume' AS message
FROM check_bars
WHERE
    least(check_bars.open, check_bars.high, check_bars.low, check_bars.close) <= 0
    OR check_bars.volume < 0
