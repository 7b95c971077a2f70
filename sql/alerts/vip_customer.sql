-- Question: Which users have bought for more than VIP_TOTAL in all, told when they cross it?
-- Sinks:    alerts
-- Late:     no window waits: purchases count in the order they come, so none is too late
-- State:    the total of each user, and the ids of events seen, for the year that the job remembers
SELECT
    MD5(CONCAT_WS('|', 'vip_customer', user_id, event_id)) AS alert_id,
    'vip_customer' AS rule,
    'info' AS severity,
    'purchases' AS exchange,
    user_id AS symbol,
    event_time,
    CAST(lifetime_value AS DECIMAL(38, 10)) AS observed,
    CAST(${VIP_TOTAL} AS DECIMAL(38, 10)) AS threshold,
    CONCAT(
        'VIP customer ', user_id, ': lifetime value ', CAST(lifetime_value AS STRING), ' with event ', event_id
    ) AS message
FROM (
    SELECT
        *,
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
) AS totals
WHERE lifetime_value > ${VIP_TOTAL} AND lifetime_value - amount <= ${VIP_TOTAL}
