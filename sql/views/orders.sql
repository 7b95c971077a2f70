-- Orders: order_records says of each record what is wrong with it, orders holds the sound ones, once.
--
-- Fields are taken out as JSON in an array, `["books"]` or `[12.5]`, so that a text, a number and
-- NULL stay apart, and numbers keep every digit; then a pattern says what is wanted. Numbers may
-- come as text. Text of keys holds no control character: PostgreSQL refuses U+0000 for ever.
-- One record holds one object: `[…]` and `{"one":…}` around it show that nothing follows it.
-- Half a surrogate pair has no UTF-8: it would become `?`, so that two customers would be one.
-- The time is compared with its text, because 31 February would quietly become the 28th.
-- Producers send an order again when they are not sure: of equal order_ids the first to come counts,
-- for as long as the state lives (table.exec.state.ttl of the job).
-- The job's option reuse-optimize-block-with-digest makes Flink decode each record once for all
-- models; without it every model decodes for itself.
-- The linter does not know JSON_QUERY.
-- noqa: disable=all
CREATE TEMPORARY VIEW order_records AS
SELECT
    *,
    COALESCE(event_type, '') = '["heartbeat"]' AS is_heartbeat,
    CASE
        WHEN body IS NULL THEN 'no value'
        WHEN is_utf8 IS NOT TRUE THEN 'not UTF-8'
        WHEN is_object IS NOT TRUE THEN 'not one JSON object'
        WHEN has_half_pair THEN 'half of a surrogate pair'
        WHEN (SUBSTRING(REPLACE(time_text, 'T', ' '), 3, 19) = SUBSTRING(CAST(event_time AS STRING), 1, 19)) IS NOT TRUE
            THEN 'event_time is no ISO 8601 time in UTC, or lies ahead of the record'
        WHEN COALESCE(event_type, '') = '["heartbeat"]' THEN CAST(NULL AS STRING)
        WHEN REGEXP(order_id, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'order_id is no plain text of 1 to 200 characters and no whole number'
        WHEN REGEXP(customer_id, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'customer_id is no plain text of 1 to 200 characters and no whole number'
        WHEN REGEXP(amount, '^\[("?)-?[0-9]{1,8}(\.[0-9]{1,2}0{0,20})?\1\]$') IS NOT TRUE
            THEN 'amount is no decimal of at most 8 digits before the point and 2 after it'
        WHEN REGEXP(category, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'category is no plain text of 1 to 200 characters and no whole number'
    END AS reason
FROM (
    SELECT
        topic,
        `partition`,
        `offset`,
        record_time,
        event_time,
        body,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.event_type' WITH UNCONDITIONAL WRAPPER) AS event_type,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.order_id' WITH UNCONDITIONAL WRAPPER) AS order_id,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.customer_id' WITH UNCONDITIONAL WRAPPER) AS customer_id,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.amount' WITH UNCONDITIONAL WRAPPER) AS amount,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.category' WITH UNCONDITIONAL WRAPPER) AS category,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.event_time' WITH UNCONDITIONAL WRAPPER) AS time_text,
        ENCODE(DECODE(body, 'UTF-8'), 'UTF-8') = body AS is_utf8,
        DECODE(body, 'UTF-8') IS JSON OBJECT
        AND CONCAT('[', DECODE(body, 'UTF-8'), ']') IS JSON ARRAY
        AND CONCAT('{"one":', DECODE(body, 'UTF-8'), '}') IS JSON OBJECT AS is_object,
        REGEXP(
            DECODE(body, 'UTF-8'),
            '${HALF_PAIR}'
        ) AS has_half_pair
    FROM order_events
) AS decoded;
-- noqa: enable=all

CREATE TEMPORARY VIEW orders AS
SELECT
    order_id,
    customer_id,
    amount,
    category,
    event_time
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY PROCTIME() ASC) AS copy
    FROM (
        SELECT
            COALESCE(JSON_VALUE(order_id, '$[0]'), 'unknown') AS order_id,
            COALESCE(JSON_VALUE(customer_id, '$[0]'), 'unknown') AS customer_id,
            TRY_CAST(JSON_VALUE(amount, '$[0]') AS DECIMAL(10, 2)) AS amount,
            COALESCE(JSON_VALUE(category, '$[0]'), 'unknown') AS category,
            event_time
        FROM order_records
        WHERE reason IS NULL AND NOT is_heartbeat
    ) AS typed
) AS copies
WHERE copy = 1;
