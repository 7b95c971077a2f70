-- Question: Which single trades moved at least the threshold of the quote currency?
-- Sinks:    alerts
-- Late:     no window waits: every row is judged once, whenever it comes, by the rule of that moment
-- State:    none
SELECT
    rule.rule_id,
    CASE WHEN judged.price * judged.size >= 10 * rule.threshold THEN 'critical' ELSE rule.severity END AS severity,
    judged.subject,
    judged.event_time,
    CAST(judged.price * judged.size AS DECIMAL(38, 10)) AS `value`,
    rule.threshold,
    rule.cool_down,
    CONCAT(
        judged.symbol, ' on ', judged.exchange, ': trade ', judged.trade_id,
        ' of ', TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.size AS STRING))),
        ' at ', TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.price AS STRING)))
    ) AS message,
    JSON_OBJECT(
        'exchange' VALUE judged.exchange, -- noqa: CP02, RF02
        'symbol' VALUE judged.symbol, -- noqa: CP02, RF02
        'trade_id' VALUE judged.trade_id -- noqa: CP02, RF02
    ) AS detail
FROM (
    SELECT
        *,
        exchange || '|' || symbol AS subject,
        CASE WHEN event_time IS NULL THEN '' ELSE 'large_trade' END AS rule_key,
        PROCTIME() AS proc_time
    FROM trades
) AS judged
INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.proc_time AS rule
    ON judged.rule_key = rule.rule_id
    AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
WHERE judged.price * judged.size >= rule.threshold
