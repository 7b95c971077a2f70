-- Question: Which listed stocks have no bar at all?
SELECT
    'warning' AS severity,
    check_stocks.symbol,
    NULL::date AS trade_date,
    NULL::double precision AS value,
    'listed, but not a single bar is stored: ' || coalesce(check_stocks.error, check_stocks.outcome, 'not fetched') AS message
FROM check_stocks
WHERE check_stocks.is_listed AND check_stocks.newest IS NULL
