-- Transactions of accounts, each once.
-- See orders.sql for the rules that all such views share.
-- The linter does not know JSON_QUERY.
-- noqa: disable=all
CREATE TEMPORARY VIEW transaction_records AS
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
        WHEN REGEXP(id, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'id is no plain text of 1 to 200 characters and no whole number'
        WHEN REGEXP(account_id, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'account_id is no plain text of 1 to 200 characters and no whole number'
        WHEN REGEXP(amount, '^\[("?)-?[0-9]{1,16}(\.[0-9]{1,2}0{0,20})?\1\]$') IS NOT TRUE
            THEN 'amount is no decimal of at most 16 digits before the point and 2 after it'
        WHEN REGEXP(location, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'location is no plain text of 1 to 200 characters and no whole number'
        WHEN REGEXP(usual_location, '${PLAIN_TEXT}') IS NOT TRUE
            THEN 'usual_location is no plain text of 1 to 200 characters and no whole number'
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
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.id' WITH UNCONDITIONAL WRAPPER) AS id,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.account_id' WITH UNCONDITIONAL WRAPPER) AS account_id,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.amount' WITH UNCONDITIONAL WRAPPER) AS amount,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.location' WITH UNCONDITIONAL WRAPPER) AS location,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.usual_location' WITH UNCONDITIONAL WRAPPER) AS usual_location,
        JSON_QUERY(DECODE(body, 'UTF-8'), '$.event_time' WITH UNCONDITIONAL WRAPPER) AS time_text,
        ENCODE(DECODE(body, 'UTF-8'), 'UTF-8') = body AS is_utf8,
        DECODE(body, 'UTF-8') IS JSON OBJECT
        AND CONCAT('[', DECODE(body, 'UTF-8'), ']') IS JSON ARRAY
        AND CONCAT('{"one":', DECODE(body, 'UTF-8'), '}') IS JSON OBJECT AS is_object,
        REGEXP(
            DECODE(body, 'UTF-8'),
            '${HALF_PAIR}'
        ) AS has_half_pair
    FROM transaction_events
) AS decoded;
-- noqa: enable=all

CREATE TEMPORARY VIEW transactions AS
SELECT
    id,
    account_id,
    amount,
    location,
    usual_location,
    event_time
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY id ORDER BY PROCTIME() ASC) AS copy
    FROM (
        SELECT
            COALESCE(JSON_VALUE(id, '$[0]'), 'unknown') AS id,
            COALESCE(JSON_VALUE(account_id, '$[0]'), 'unknown') AS account_id,
            TRY_CAST(JSON_VALUE(amount, '$[0]') AS DECIMAL(18, 2)) AS amount,
            COALESCE(JSON_VALUE(location, '$[0]'), 'unknown') AS location,
            COALESCE(JSON_VALUE(usual_location, '$[0]'), 'unknown') AS usual_location,
            event_time
        FROM transaction_records
        WHERE reason IS NULL AND NOT is_heartbeat
    ) AS typed
) AS copies
WHERE copy = 1;
