-- Question: In which bars is the high not the highest price, or the low not the lowest?
-- The source rounds each price by itself, hence the tolerance.
SELECT
    'error' AS severity,
    check_bars.symbol,
    check_bars.trade_date,
    check_bars.close AS value,
    format(
        'open %s high %s low %s close %s are out of order',
        check_bars.open, check_bars.high, check_bars.low, check_bars.close
    ) AS message
FROM check_bars
WHERE
    greatest(check_bars.open, check_bars.close, check_bars.low) > check_bars.high * 1.00001
    OR least(check_bars.open, check_bars.close) < check_bars.low * 0.99999
