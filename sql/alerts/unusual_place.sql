-- Question: Which transactions of at least the threshold were made elsewhere than the account is usually used?
-- Sinks:    alerts
-- Late:     no window waits: every transaction is judged whenever it comes, by the rule of that moment
-- State:    the ids of transactions seen, for the day that the job remembers
SELECT
    rule.rule_id,
    rule.severity,
    judged.subject,
    judged.event_time,
    CAST(judged.amount AS DECIMAL(38, 10)) AS `value`,
    rule.threshold,
    rule.cool_down,
    CONCAT(
        'account ', judged.account_id, ': transaction ', judged.id, ' of ', CAST(judged.amount AS STRING),
        ' in ', judged.location, ', usually in ', judged.usual_location
    ) AS message,
    JSON_OBJECT(
        'account_id' VALUE judged.account_id, -- noqa: CP02, RF02
        'transaction_id' VALUE judged.id, -- noqa: CP02, RF02
        'location' VALUE judged.location, -- noqa: CP02, RF02
        'usual_location' VALUE judged.usual_location -- noqa: CP02, RF02
    ) AS detail
FROM (
    SELECT
        *,
        'account|' || account_id AS subject,
        CASE WHEN event_time IS NULL THEN '' ELSE 'unusual_place' END AS rule_key,
        PROCTIME() AS proc_time
    FROM transactions
    WHERE location <> usual_location
) AS judged
INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.proc_time AS rule
    ON judged.rule_key = rule.rule_id
    AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
WHERE judged.amount >= rule.threshold
