-- Events of users, flat: user.id and data.amount are nested in the record; an amount may be absent.
-- See orders.sql for the rules that all such views share.
-- The linter does not know JSON_QUERY.
-- noqa: disable=all
CREATE TEMPORARY VIEW raw_records AS
SELECT
    *,
    COALESCE(event_type, '') = '["heartbeat"]' AS is_heartbeat,
    CASE
        WHEN body IS NULL THEN 'no value'
        WHEN is_utf8 IS NOT TRUE THEN 'not UTF-8'
        WHEN is_object IS NOT TRUE THEN 'not one JSON object'
        WHEN has_half_pair THEN 'half of a surrogate pair'
        WHEN (SUBSTRING(REPLACE(time_text, 'T', ' '), 3, 19) = SUBSTRING(CAST(event_time AS STRING), 1, 19)) IS NOT TRUE
            THEN 'created_at is no ISO 8601 time in UTC, or lies ahead of the record'
        WHEN COALESCE(event_type, '') = '["heartbeat"]' THEN CAST(NULL AS STRING)
        WHEN REGEXP(event_id, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'event_id is no plain text of 1 to 200 characters and no whole number'
        WHEN REGEXP(event_type, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'event_type is no plain text of 1 to 200 characters and no whole number'
        WHEN REGEXP(user_id, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'user.id is no plain text of 1 to 200 characters and no whole number'
        WHEN COALESCE(amount, '[null]') <> '[null]' AND REGEXP(amount, '^\[("?)-?[0-9]{1,16}(\.[0-9]{1,2}0{0,20})?\1\]$') IS NOT TRUE
            THEN 'data.amount is no decimal of at most 16 digits before the point and 2 after it'
    END AS reason
FROM (
    SELECT
        topic,
        `partition`,
        `offset`,
        record_time,
        event_time,
        body,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.event_id' WITH UNCONDITIONAL WRAPPER) AS event_id,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.event_type' WITH UNCONDITIONAL WRAPPER) AS event_type,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.user.id' WITH UNCONDITIONAL WRAPPER) AS user_id,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.data.amount' WITH UNCONDITIONAL WRAPPER) AS amount,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.created_at' WITH UNCONDITIONAL WRAPPER) AS time_text,
        ENCODE(DECODE(body, 'UTF-8'), 'UTF-8') = body AS is_utf8,
        DECODE(body, 'UTF-8') IS JSON OBJECT
        AND CONCAT('[', DECODE(body, 'UTF-8'), ']') IS JSON ARRAY
        AND CONCAT('{"one":', DECODE(body, 'UTF-8'), '}') IS JSON OBJECT AS is_object,
        REGEXP(
            DECODE(body, 'UTF-8'),
            '${HALF_PAIR}'
        ) AS has_half_pair
    FROM raw_event_records
) AS decoded;
-- noqa: enable=all

CREATE TEMPORARY VIEW events AS
SELECT
    event_id,
    event_type,
    user_id,
    amount,
    created_at,
    event_time
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY PROCTIME() ASC) AS copy
    FROM (
        SELECT
            COALESCE(JSON_VALUE(event_id, '$[0]'), 'unknown') AS event_id,
            COALESCE(JSON_VALUE(event_type, '$[0]'), 'unknown') AS event_type,
            COALESCE(JSON_VALUE(user_id, '$[0]'), 'unknown') AS user_id,
            TRY_CAST(JSON_VALUE(amount, '$[0]') AS DECIMAL(18, 2)) AS amount,
            JSON_VALUE(time_text, '$[0]') AS created_at,
            event_time
        FROM raw_records
        WHERE reason IS NULL AND NOT is_heartbeat
    ) AS typed
) AS copies
WHERE copy = 1;
