-- Question: On which sessions did Tokyo trade, although a stock has no bar between others of its own?
-- What two earlier executions refilled in vain is known not to exist (no trade that day): info.
WITH
missing AS (
    SELECT check_stocks.symbol, check_sessions.session_date
    FROM check_stocks
    INNER JOIN check_sessions ON check_sessions.session_date > check_stocks.oldest
    WHERE
        check_stocks.status = 'completed'
        AND check_stocks.is_listed
        AND NOT EXISTS (
            SELECT FROM check_bars
            WHERE check_bars.symbol = check_stocks.symbol AND check_bars.trade_date = check_sessions.session_date
        )
),
known AS (
    SELECT
        batch_findings.symbol,
        batch_findings.trade_date,
        count(DISTINCT batch_findings.batch_execution_id) AS times
    FROM batch_findings
    CROSS JOIN check_scope
    WHERE
        batch_findings.rule = 'missing_session'
        AND batch_findings.batch_execution_id < check_scope.execution_id
        AND batch_findings.trade_date >= check_scope.first_session
    GROUP BY batch_findings.symbol, batch_findings.trade_date
)
SELECT
    CASE WHEN known.times >= 2 THEN 'info' ELSE 'warning' END AS severity,
    missing.symbol,
    missing.session_date AS trade_date,
    coalesce(known.times, 0)::double precision AS value,
    CASE
        WHEN known.times >= 2 THEN 'no bar, and refilled in vain before: probably no trade that day'
        ELSE 'no bar although Tokyo traded'
    END AS message
FROM missing
LEFT JOIN known ON known.symbol = missing.symbol AND known.trade_date = missing.session_date
