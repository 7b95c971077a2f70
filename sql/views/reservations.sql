-- Stock set aside for orders, each once.
-- See orders.sql for the rules that all such views share.
-- The linter does not know JSON_QUERY.
-- noqa: disable=all
CREATE TEMPORARY VIEW reservation_records AS
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
        WHEN REGEXP(reservation_id, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'reservation_id is no plain text of 1 to 200 characters and no whole number'
        WHEN REGEXP(order_id, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'order_id is no plain text of 1 to 200 characters and no whole number'
        WHEN REGEXP(sku, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'sku is no plain text of 1 to 200 characters and no whole number'
        WHEN REGEXP(quantity, '^\[("?)[0-9]{1,9}\1\]$') IS NOT TRUE
            THEN 'quantity is no whole number of at most 9 digits'
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
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.reservation_id' WITH UNCONDITIONAL WRAPPER) AS reservation_id,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.order_id' WITH UNCONDITIONAL WRAPPER) AS order_id,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.sku' WITH UNCONDITIONAL WRAPPER) AS sku,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.quantity' WITH UNCONDITIONAL WRAPPER) AS quantity,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.event_time' WITH UNCONDITIONAL WRAPPER) AS time_text,
        ENCODE(DECODE(body, 'UTF-8'), 'UTF-8') = body AS is_utf8,
        DECODE(body, 'UTF-8') IS JSON OBJECT
        AND CONCAT('[', DECODE(body, 'UTF-8'), ']') IS JSON ARRAY
        AND CONCAT('{"one":', DECODE(body, 'UTF-8'), '}') IS JSON OBJECT AS is_object,
        REGEXP(
            DECODE(body, 'UTF-8'),
            '${HALF_PAIR}'
        ) AS has_half_pair
    FROM reservation_events
) AS decoded;
-- noqa: enable=all

CREATE TEMPORARY VIEW reservations AS
SELECT
    reservation_id,
    order_id,
    sku,
    quantity,
    event_time
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY reservation_id ORDER BY PROCTIME() ASC) AS copy
    FROM (
        SELECT
            COALESCE(JSON_VALUE(reservation_id, '$[0]'), 'unknown') AS reservation_id,
            COALESCE(JSON_VALUE(order_id, '$[0]'), 'unknown') AS order_id,
            COALESCE(JSON_VALUE(sku, '$[0]'), 'unknown') AS sku,
            TRY_CAST(JSON_VALUE(quantity, '$[0]') AS INT) AS quantity,
            event_time
        FROM reservation_records
        WHERE reason IS NULL AND NOT is_heartbeat
    ) AS typed
) AS copies
WHERE copy = 1;
