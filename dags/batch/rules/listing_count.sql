-- Question: How many of the stocks that were to be fetched have a bar for the session?
SELECT
    CASE
        WHEN counted.stored < counted.expected * 0.9 THEN 'error'
        WHEN counted.stored < counted.expected * 0.99 THEN 'warning'
        ELSE 'info'
    END AS severity,
    NULL::text AS symbol,
    counted.session_date AS trade_date,
    counted.stored::double precision AS value,
    format('%s of %s stocks have a bar for %s', counted.stored, counted.expected, counted.session_date) AS message
FROM (
    SELECT
        check_scope.session_date,
        count(*) AS expected,
        count(check_bars.symbol) AS stored
    FROM check_scope
    CROSS JOIN check_stocks
    LEFT JOIN check_bars
        ON check_bars.symbol = check_stocks.symbol AND check_bars.trade_date = check_scope.session_date
    GROUP BY check_scope.session_date
) AS counted
