-- Transactions of accounts (id, account_id, amount, location, usual_location, event_time).
-- Bytes, decoded in sql/views; see order_events.sql for the rules that all such sources share.
CREATE TABLE transaction_events (
    body BYTES,
    topic STRING METADATA VIRTUAL,
    `partition` INT METADATA VIRTUAL,
    `offset` BIGINT METADATA VIRTUAL,
    record_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    event_time AS COALESCE(
        CASE
            WHEN CAST(TRY_CAST(REPLACE(REGEXP_EXTRACT(
                JSON_VALUE(CAST(body AS STRING), '$.event_time'),
                '${ISO_TIME}', 1
            ), 'T', ' ') AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3))
            <= record_time + ${MAX_FUTURE} / 1000000 * INTERVAL '1' SECOND
                THEN CAST(TRY_CAST(REPLACE(REGEXP_EXTRACT(
                    JSON_VALUE(CAST(body AS STRING), '$.event_time'),
                    '${ISO_TIME}', 1
                ), 'T', ' ') AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(3))
        END,
        TO_TIMESTAMP_LTZ(0, 3)
    ),
    WATERMARK FOR event_time AS event_time - ${WATERMARK_DELAY} * INTERVAL '1' SECOND
) WITH (
    'connector' = 'kafka',
    'topic' = '${TOPIC_PREFIX}transactions',
    'properties.bootstrap.servers' = '${KAFKA_BOOTSTRAP_SERVERS}',
    'properties.group.id' = '${TOPIC_PREFIX}flink-${JOB}',
    'scan.startup.mode' = '${SCAN_STARTUP_MODE}',
    'scan.startup.timestamp-millis' = '${SCAN_STARTUP_MILLIS}',
    'scan.parallelism' = '${SOURCE_PARALLELISM}',
    'scan.bounded.mode' = '${BOUNDED}',
    'scan.watermark.idle-timeout' = '${IDLE_TIMEOUT}',
    'format' = 'raw'
);
