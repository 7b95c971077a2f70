-- Question: Which accounts made FAST_REPEATS transactions over the threshold within ten minutes?
-- Sinks:    alerts
-- Late:     rows behind the watermark are not looked at; large_transaction judges them all the same
-- State:    each account's large transactions of the last ten minutes
--
-- Smaller transactions in between do not matter. After an alert the count starts anew, so a burst of
-- twice as many is told twice. The message names the transactions that the pattern began and ended with.
SELECT
    rule_id,
    severity,
    'account|' || account_id AS subject,
    last_time AS event_time,
    CAST(total AS DECIMAL(38, 10)) AS `value`,
    threshold,
    cool_down,
    CONCAT(
        'account ', account_id, ': ${FAST_REPEATS} large transactions over ', CAST(total AS STRING),
        ' from ', first_id, ' to ', last_id
    ) AS message,
    JSON_OBJECT(
        'account_id' VALUE account_id, -- noqa: CP02, RF02
        'first_id' VALUE first_id, -- noqa: CP02, RF02
        'last_id' VALUE last_id -- noqa: CP02, RF02
    ) AS detail
FROM ( -- noqa
    SELECT
        judged.id,
        judged.account_id,
        judged.amount,
        judged.event_time,
        rule.rule_id,
        rule.severity,
        rule.threshold,
        rule.cool_down
    FROM (
        SELECT
            *,
            'account|' || account_id AS subject,
            CASE WHEN event_time IS NULL THEN '' ELSE 'fast_repeats' END AS rule_key,
            PROCTIME() AS proc_time
        FROM transactions
    ) AS judged
    INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.proc_time AS rule
        ON judged.rule_key = rule.rule_id
        AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
    WHERE judged.amount > rule.threshold
) MATCH_RECOGNIZE (
    PARTITION BY account_id
    ORDER BY event_time
    MEASURES
        FIRST(a.id) AS first_id,
        LAST(a.id) AS last_id,
        LAST(a.event_time) AS last_time,
        SUM(a.amount) AS total,
        LAST(a.rule_id) AS rule_id,
        LAST(a.severity) AS severity,
        LAST(a.threshold) AS threshold,
        LAST(a.cool_down) AS cool_down
    ONE ROW PER MATCH
    AFTER MATCH SKIP PAST LAST ROW
    PATTERN (a{${FAST_REPEATS}}) WITHIN INTERVAL '10' MINUTE
    DEFINE a AS TRUE
)
