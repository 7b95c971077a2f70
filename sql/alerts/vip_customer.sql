-- Question: Which users have bought for more than the threshold in all, told when they cross it?
-- Sinks:    alerts
-- Late:     no window waits: purchases count in the order they come, so none is too late
-- State:    the total of each user, and the ids of events seen, for the year that the job remembers
SELECT
    rule.rule_id,
    rule.severity,
    judged.subject,
    judged.event_time,
    CAST(judged.lifetime_value AS DECIMAL(38, 10)) AS `value`,
    rule.threshold,
    rule.cool_down,
    CONCAT(
        'VIP customer ', judged.user_id, ': lifetime value ', CAST(judged.lifetime_value AS STRING),
        ' with event ', judged.event_id
    ) AS message,
    JSON_OBJECT(
        'user_id' VALUE judged.user_id, -- noqa: CP02, RF02
        'event_id' VALUE judged.event_id -- noqa: CP02, RF02
    ) AS detail
FROM (
    SELECT
        *,
        'user|' || user_id AS subject,
        CASE WHEN event_time IS NULL THEN '' ELSE 'vip_customer' END AS rule_key,
        SUM(amount) OVER (
            PARTITION BY user_id
            ORDER BY arrival
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS lifetime_value
    FROM (
        SELECT
            *,
            PROCTIME() AS arrival
        FROM events
        WHERE event_type = 'purchase' AND amount IS NOT NULL
    ) AS purchases
) AS judged
INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.arrival AS rule
    ON judged.rule_key = rule.rule_id
    AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
WHERE judged.lifetime_value > rule.threshold AND judged.lifetime_value - judged.amount <= rule.threshold
