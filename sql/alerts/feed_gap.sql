-- Question: Which feeds have lost at least the threshold of events for good?
-- Sinks:    alerts
-- Late:     no window waits: every row is judged once, whenever it comes, by the rule of that moment
-- State:    none
--
-- A gap whose end is not known yet is told with the value 0.
SELECT
    rule.rule_id,
    rule.severity,
    judged.subject,
    judged.event_time,
    CAST(COALESCE(judged.to_id - judged.from_id + 1, 0) AS DECIMAL(38, 10)) AS `value`,
    rule.threshold,
    rule.cool_down,
    CONCAT(
        judged.exchange, ' ', judged.channel, ' ', judged.symbol, ': missing from ',
        COALESCE(CAST(judged.from_id AS STRING), '?'), ' to ',
        COALESCE(CAST(judged.to_id AS STRING), '?'),
        ', ', judged.cause
    ) AS message,
    JSON_OBJECT(
        'exchange' VALUE judged.exchange, -- noqa: CP02, RF02
        'symbol' VALUE judged.symbol, -- noqa: CP02, RF02
        'channel' VALUE judged.channel -- noqa: CP02, RF02
    ) AS detail
FROM (
    SELECT
        *,
        exchange || '|' || symbol AS subject,
        CASE WHEN event_time IS NULL THEN '' ELSE 'feed_gap' END AS rule_key,
        PROCTIME() AS proc_time
    FROM feed_status
) AS judged
INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.proc_time AS rule
    ON judged.rule_key = rule.rule_id
    AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
WHERE judged.kind = 'gap' AND COALESCE(judged.to_id - judged.from_id + 1, rule.threshold) >= rule.threshold
