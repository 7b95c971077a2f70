-- Question: Which trades were off the usual price by at least the threshold in percent?
-- Sinks:    alerts
-- Late:     no window waits: every row is judged once, whenever it comes, by the rule of that moment
-- State:    the last 21 trades of each symbol
--
-- Usual is the average of the up to 20 trades that came before; the first five are not judged.
SELECT
    rule.rule_id,
    rule.severity,
    judged.subject,
    judged.event_time,
    CAST(judged.off_percent AS DECIMAL(38, 10)) AS `value`,
    rule.threshold,
    rule.cool_down,
    CONCAT(
        judged.symbol, ' on ', judged.exchange, ': trade ', judged.trade_id,
        ' at ',
        TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.price AS STRING))),
        ', usual ',
        TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.usual AS STRING)))
    ) AS message,
    JSON_OBJECT(
        'exchange' VALUE judged.exchange, -- noqa: CP02, RF02
        'symbol' VALUE judged.symbol, -- noqa: CP02, RF02
        'trade_id' VALUE judged.trade_id -- noqa: CP02, RF02
    ) AS detail
FROM (
    SELECT
        *,
        CAST(CAST(ABS(price - usual) * 100 AS DECIMAL(28, 10)) / NULLIF(usual, 0) AS DECIMAL(38, 10)) AS off_percent
    FROM (
        SELECT
            *,
            COUNT(*) OVER before AS ticks,
            CAST((SUM(price) OVER before - price) / NULLIF(COUNT(*) OVER before - 1, 0) AS DECIMAL(19, 10)) AS usual
        FROM (
            SELECT
                *,
                exchange || '|' || symbol AS subject,
                CASE WHEN event_time IS NULL THEN '' ELSE 'bad_tick' END AS rule_key,
                PROCTIME() AS proc_time
            FROM trades
        ) AS arriving
        WINDOW before AS (
            PARTITION BY exchange, symbol ORDER BY proc_time ROWS BETWEEN 20 PRECEDING AND CURRENT ROW
        )
    ) AS averaged
) AS judged
INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.proc_time AS rule
    ON judged.rule_key = rule.rule_id
    AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
WHERE judged.ticks > 5 AND judged.off_percent >= rule.threshold
