-- Question: Which single transactions are over more than the threshold?
-- Sinks:    alerts
-- Late:     no window waits: every transaction is judged whenever it comes, by the rule of that moment
-- State:    the ids of transactions seen, for the day that the job remembers
SELECT
    rule.rule_id,
    CASE WHEN judged.amount > 10 * rule.threshold THEN 'critical' ELSE rule.severity END AS severity,
    judged.subject,
    judged.event_time,
    CAST(judged.amount AS DECIMAL(38, 10)) AS `value`,
    rule.threshold,
    rule.cool_down,
    CONCAT(
        'account ', judged.account_id, ': transaction ', judged.id, ' of ', CAST(judged.amount AS STRING)
    ) AS message,
    JSON_OBJECT(
        'account_id' VALUE judged.account_id, -- noqa: CP02, RF02
        'transaction_id' VALUE judged.id -- noqa: CP02, RF02
    ) AS detail
FROM (
    SELECT
        *,
        'account|' || account_id AS subject,
        CASE WHEN event_time IS NULL THEN '' ELSE 'large_transaction' END AS rule_key,
        PROCTIME() AS proc_time
    FROM transactions
) AS judged
INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.proc_time AS rule
    ON judged.rule_key = rule.rule_id
    AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
WHERE judged.amount > rule.threshold
