-- Question: When did a trade cross the level that the rule names, up or down?
-- Sinks:    alerts
-- Late:     no window waits: every row is judged once, whenever it comes, by the rule of that moment;
--           the trade before is the one that came before
-- State:    the last price of each symbol
SELECT
    rule.rule_id,
    rule.severity,
    judged.subject,
    judged.event_time,
    CAST(judged.price AS DECIMAL(38, 10)) AS `value`,
    rule.threshold,
    rule.cool_down,
    CONCAT(
        judged.symbol, ' on ', judged.exchange, ' crossed ',
        TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(rule.threshold AS STRING))),
        ': from ', TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.price_before AS STRING))),
        ' to ', TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.price AS STRING)))
    ) AS message,
    JSON_OBJECT(
        'exchange' VALUE judged.exchange, -- noqa: CP02, RF02
        'symbol' VALUE judged.symbol, -- noqa: CP02, RF02
        'trade_id' VALUE judged.trade_id -- noqa: CP02, RF02
    ) AS detail
FROM (
    SELECT
        *,
        LAG(price) OVER (PARTITION BY exchange, symbol ORDER BY proc_time) AS price_before
    FROM (
        SELECT
            *,
            exchange || '|' || symbol AS subject,
            CASE WHEN event_time IS NULL THEN '' ELSE 'price_level' END AS rule_key,
            PROCTIME() AS proc_time
        FROM trades
    ) AS arriving
) AS judged
INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.proc_time AS rule
    ON judged.rule_key = rule.rule_id
    AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
WHERE (judged.price_before < rule.threshold AND judged.price >= rule.threshold)
    OR (judged.price_before > rule.threshold AND judged.price <= rule.threshold)
