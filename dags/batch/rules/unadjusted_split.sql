-- Question: At which splits does the price fall by the ratio, so that the bars before were not adjusted?
SELECT
    'error' AS severity,
    check_bars.symbol,
    check_bars.trade_date,
    check_bars.splits AS value,
    format('split %s, but the bars before are not adjusted for it', check_bars.splits) AS message
FROM check_bars
WHERE
    check_bars.splits > 0
    AND abs(check_bars.splits - 1) > 0.2
    AND check_bars.previous_close > 0
    AND check_bars.close > 0
    AND abs(check_bars.close / check_bars.previous_close * check_bars.splits - 1) < 0.15
    AND abs(check_bars.close / check_bars.previous_close - 1) > 0.15
