-- Question: In which minutes did a price move by at least the threshold in percent, open to close?
-- Sinks:    alerts
-- Late:     as bars_1m, whose rows it reads
-- State:    none of its own
SELECT
    rule.rule_id,
    CASE WHEN ABS(judged.move_percent) >= 5 * rule.threshold THEN 'critical' ELSE rule.severity END AS severity,
    judged.subject,
    judged.window_end AS event_time,
    CAST(ABS(judged.move_percent) AS DECIMAL(38, 10)) AS `value`,
    rule.threshold,
    rule.cool_down,
    CONCAT(
        judged.symbol, ' on ', judged.exchange,
        ': from ', TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.`open` AS STRING))),
        ' to ', TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.`close` AS STRING))),
        ' in the minute from ', CAST(judged.window_start AS STRING)
    ) AS message,
    JSON_OBJECT(
        'exchange' VALUE judged.exchange, -- noqa: CP02, RF02
        'symbol' VALUE judged.symbol -- noqa: CP02, RF02
    ) AS detail
FROM (
    SELECT
        *,
        CAST(CAST((`close` - `open`) * 100 AS DECIMAL(28, 10)) / NULLIF(`open`, 0) AS DECIMAL(38, 10)) AS move_percent,
        exchange || '|' || symbol AS subject,
        CASE WHEN trade_count < 0 THEN '' ELSE 'price_move' END AS rule_key,
        PROCTIME() AS proc_time
    FROM bars_1m
) AS judged
INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.proc_time AS rule
    ON judged.rule_key = rule.rule_id
    AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
WHERE ABS(judged.move_percent) >= rule.threshold
