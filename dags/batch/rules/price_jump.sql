-- Question: Which bars lie outside the daily price limit of the exchange, counted from the close before?
-- Up to four times the limit is a warning: after two sessions at the limit without a trade the
-- exchange widens it so far. Bars with a split are judged by the rule unadjusted_split.
-- Limits: jpx.co.jp, Equities, Trading Rules of Domestic Stocks, Daily Price Limits (the base price
-- is below the first number, in yen; the price may move by the second). They hold for prices as
-- they were traded, so later splits are taken out of the stored ones first.
WITH
price_limits (below, move) AS (
    VALUES
    (100, 30), (200, 50), (500, 80), (700, 100), (1000, 150), (1500, 300), (2000, 400),
    (3000, 500), (5000, 700), (7000, 1000), (10000, 1500), (15000, 3000), (20000, 4000),
    (30000, 5000), (50000, 7000), (70000, 10000), (100000, 15000), (150000, 30000),
    (200000, 40000), (300000, 50000), (500000, 70000), (700000, 100000), (1000000, 150000),
    (1500000, 300000), (2000000, 400000), (3000000, 500000), (5000000, 700000),
    (7000000, 1000000), (10000000, 1500000), (15000000, 3000000), (20000000, 4000000),
    (30000000, 5000000), (50000000, 7000000), ('Infinity'::double precision, 10000000)
),
moves AS (
    SELECT
        check_bars.symbol,
        check_bars.trade_date,
        check_bars.later_splits * check_bars.previous_close AS base,
        check_bars.later_splits * greatest(
            check_bars.high - check_bars.previous_close,
            check_bars.previous_close - check_bars.low
        ) AS moved
    FROM check_bars
    WHERE
        check_bars.n = check_bars.previous_n + 1
        AND check_bars.splits IN (0, 1)
        AND check_bars.previous_close > 0
        -- No limit is narrower than 14 % of its base: spares most rows the look-up below.
        AND greatest(check_bars.high / check_bars.previous_close - 1, 1 - check_bars.low / check_bars.previous_close) > 0.13
)
SELECT
    CASE WHEN moves.moved > 4 * price_limits.move * 1.01 THEN 'error' ELSE 'warning' END AS severity,
    moves.symbol,
    moves.trade_date,
    moves.moved AS value,
    format(
        'moved by %s from %s, the limit is %s',
        round(moves.moved::numeric, 2), round(moves.base::numeric, 2), price_limits.move
    ) AS message
FROM moves
CROSS JOIN LATERAL (
    SELECT limits.move FROM price_limits AS limits WHERE moves.base < limits.below ORDER BY limits.below LIMIT 1
) AS price_limits
-- One percent of tolerance: adjusted prices are rounded.
WHERE moves.moved > price_limits.move * 1.01
