-- Question: In which minutes was a symbol's spread the threshold times its own average?
-- Sinks:    alerts
-- Late:     as quote_spread_1m, whose rows it reads; they come in the order of their minutes
-- State:    the last 21 minutes of each symbol
--
-- The average is of the up to 20 minutes before it. The first five minutes of a symbol are not judged.
SELECT
    rule.rule_id,
    rule.severity,
    judged.subject,
    judged.window_end AS event_time,
    CAST(judged.average_spread / NULLIF(judged.usual, 0) AS DECIMAL(38, 10)) AS `value`,
    rule.threshold,
    rule.cool_down,
    CONCAT(
        judged.symbol, ' on ', judged.exchange, ': spread ',
        TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.average_spread AS STRING))),
        ' in the minute from ',
        CAST(judged.window_start AS STRING),
        ', usual ',
        TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.usual AS STRING)))
    ) AS message,
    JSON_OBJECT(
        'exchange' VALUE judged.exchange, -- noqa: CP02, RF02
        'symbol' VALUE judged.symbol -- noqa: CP02, RF02
    ) AS detail
FROM (
    SELECT
        *,
        COUNT(*) OVER before AS bars,
        CAST(
            (SUM(average_spread) OVER before - average_spread) / NULLIF(COUNT(*) OVER before - 1, 0) AS DECIMAL(38, 10)
        ) AS usual
    FROM (
        SELECT
            *,
            exchange || '|' || symbol AS subject,
            CASE WHEN quote_count < 0 THEN '' ELSE 'spread_widening' END AS rule_key,
            PROCTIME() AS proc_time
        FROM quote_spread_1m
    ) AS arriving
    WINDOW before AS (
        PARTITION BY exchange, symbol ORDER BY proc_time ROWS BETWEEN 20 PRECEDING AND CURRENT ROW
    )
) AS judged
INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.proc_time AS rule
    ON judged.rule_key = rule.rule_id
    AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
WHERE judged.bars > 5 AND judged.average_spread >= rule.threshold * judged.usual AND judged.usual > 0
