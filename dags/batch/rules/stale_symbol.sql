-- Question: Which listed stocks have had no new bar for several sessions?
SELECT
    'warning' AS severity,
    check_stocks.symbol,
    check_stocks.newest AS trade_date,
    (
        SELECT count(*) FROM check_sessions WHERE check_sessions.session_date > check_stocks.newest
    )::double precision AS value,
    format('the newest bar is of %s', check_stocks.newest) AS message
FROM check_stocks
CROSS JOIN check_scope
WHERE check_stocks.is_listed AND check_stocks.newest < check_scope.stale_before
