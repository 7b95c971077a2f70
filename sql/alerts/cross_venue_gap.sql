-- Question: In which minutes did two venues close apart by at least the threshold in percent?
-- Sinks:    alerts
-- Late:     as bars_1m, whose rows cross_venue_gap_1m reads
-- State:    none of its own
SELECT
    rule.rule_id,
    rule.severity,
    judged.subject,
    judged.window_end AS event_time,
    CAST(ABS(judged.gap_percent) AS DECIMAL(38, 10)) AS `value`,
    rule.threshold,
    rule.cool_down,
    CONCAT(
        judged.symbol, ': ',
        TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.close_a AS STRING))), ' on ', judged.exchange_a,
        ', ',
        TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.close_b AS STRING))), ' on ', judged.exchange_b,
        ' at the end of the minute from ', CAST(judged.window_start AS STRING)
    ) AS message,
    JSON_OBJECT(
        'symbol' VALUE judged.symbol, -- noqa: CP02, RF02
        'exchange_a' VALUE judged.exchange_a, -- noqa: CP02, RF02
        'exchange_b' VALUE judged.exchange_b -- noqa: CP02, RF02
    ) AS detail
FROM (
    SELECT
        *,
        exchange_a || '|' || exchange_b || '|' || symbol AS subject,
        CASE WHEN close_a IS NULL THEN '' ELSE 'cross_venue_gap' END AS rule_key,
        PROCTIME() AS proc_time
    FROM cross_venue_gap_1m
) AS judged
INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.proc_time AS rule
    ON judged.rule_key = rule.rule_id
    AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
WHERE ABS(judged.gap_percent) >= rule.threshold
