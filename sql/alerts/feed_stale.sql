-- Question: Which feeds fell silent or lost their connection, or had been so for the threshold in seconds?
-- Sinks:    alerts
-- Late:     no window waits: every row is judged once, whenever it comes, by the rule of that moment
-- State:    none
SELECT
    rule.rule_id,
    rule.severity,
    judged.subject,
    judged.event_time,
    CAST(COALESCE(judged.seconds, 0) AS DECIMAL(38, 10)) AS `value`,
    rule.threshold,
    rule.cool_down,
    CONCAT(
        judged.exchange, ' ', judged.channel, ' ', judged.symbol, ': ', judged.kind, ', ', judged.cause
    ) AS message,
    JSON_OBJECT(
        'exchange' VALUE judged.exchange, -- noqa: CP02, RF02
        'symbol' VALUE judged.symbol, -- noqa: CP02, RF02
        'kind' VALUE judged.kind, -- noqa: CP02, RF02
        'channel' VALUE judged.channel -- noqa: CP02, RF02
    ) AS detail
FROM (
    SELECT
        *,
        exchange || '|' || symbol AS subject,
        CASE WHEN event_time IS NULL THEN '' ELSE 'feed_stale' END AS rule_key,
        PROCTIME() AS proc_time
    FROM feed_status
) AS judged
INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.proc_time AS rule
    ON judged.rule_key = rule.rule_id
    AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
WHERE judged.kind IN ('stale', 'disconnected', 'recovered')
    AND COALESCE(judged.seconds, CASE WHEN judged.kind = 'recovered' THEN -1 ELSE rule.threshold END) >= rule.threshold
