-- Orders, as other teams' producers write them: bytes, whatever they hold.
--
-- Nothing is decoded here but the time, so no record can stop the job; sql/views/orders.sql tells
-- sound records from corrupted ones.
-- event_time is never NULL: one NULL would stop the job for good. A record without a readable time,
-- or one that says it happened more than MAX_FUTURE after it was written, is given the epoch: it
-- cannot move the watermark, and goes to the dead letters.
-- CAST, not DECODE: what Flink makes of DECODE does not compile in a watermark taken at the source.
-- Producers choose partitions by key, so each holds the records of many, and WATERMARK_DELAY covers
-- the disorder within one. Heartbeats (event_type "heartbeat") move the time.
CREATE TABLE order_events (
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
    'topic' = '${TOPIC_PREFIX}order-events',
    'properties.bootstrap.servers' = '${KAFKA_BOOTSTRAP_SERVERS}',
    'properties.group.id' = '${TOPIC_PREFIX}flink-${JOB}',
    'scan.startup.mode' = '${SCAN_STARTUP_MODE}',
    'scan.startup.timestamp-millis' = '${SCAN_STARTUP_MILLIS}',
    'scan.parallelism' = '${SOURCE_PARALLELISM}',
    'scan.bounded.mode' = '${BOUNDED}',
    'scan.watermark.idle-timeout' = '${IDLE_TIMEOUT}',
    'format' = 'raw'
);
