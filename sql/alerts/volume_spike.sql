-- Question: In which minutes was a symbol's volume the threshold times its own average?
-- Sinks:    alerts
-- Late:     as bars_1m, whose rows it reads; they come in the order of their minutes
-- State:    the last 21 minute bars of each symbol
--
-- The average is of the up to 20 bars before it; minutes without a trade have no bar. The first five
-- bars of a symbol are not judged.
SELECT
    rule.rule_id,
    rule.severity,
    judged.subject,
    judged.window_end AS event_time,
    CAST(judged.volume / NULLIF(judged.usual, 0) AS DECIMAL(38, 10)) AS `value`,
    rule.threshold,
    rule.cool_down,
    CONCAT(
        judged.symbol, ' on ', judged.exchange, ': ',
        TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.volume AS STRING))),
        ' in the minute from ',
        CAST(judged.window_start AS STRING),
        ', usual ',
        TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(judged.usual AS STRING)))
    ) AS message,
    JSON_OBJECT(
        'exchange' VALUE judged.exchange, -- noqa: CP02, RF02
        'symbol' VALUE judged.symbol -- noqa: CP02, RF02
    ) AS detail
FROM (
    SELECT
        *,
        COUNT(*) OVER before AS bars,
        CAST((SUM(volume) OVER before - volume) / NULLIF(COUNT(*) OVER before - 1, 0) AS DECIMAL(38, 10)) AS usual
    FROM (
        SELECT
            *,
            exchange || '|' || symbol AS subject,
            CASE WHEN trade_count < 0 THEN '' ELSE 'volume_spike' END AS rule_key,
            PROCTIME() AS proc_time
        FROM bars_1m
    ) AS arriving
    WINDOW before AS (
        PARTITION BY exchange, symbol ORDER BY proc_time ROWS BETWEEN 20 PRECEDING AND CURRENT ROW
    )
) AS judged
INNER JOIN alert_rules FOR SYSTEM_TIME AS OF judged.proc_time AS rule
    ON judged.rule_key = rule.rule_id
    AND REGEXP(judged.subject, rule.fits) AND NOT REGEXP(judged.subject, rule.unless_fits)
WHERE judged.bars > 5 AND judged.volume >= rule.threshold * judged.usual AND judged.usual > 0
