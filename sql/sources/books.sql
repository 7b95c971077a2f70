-- Order book updates of all venues, and the heartbeats that move their time.
--
-- event_time is never NULL: one NULL would stop the job for good. A record without a time, or one
-- stamped more than MAX_FUTURE ahead of its receipt, is given the epoch, so that it cannot move
-- the watermark; it is late by design and told as such.
-- Flink takes the watermark of each partition from every record, heartbeats too, and windows wait
-- for the slowest partition. WATERMARK_DELAY covers the disorder within one feed.
CREATE TABLE book_events (
    event_type STRING,
    exchange STRING,
    symbol STRING,
    native_symbol STRING,
    ts_event BIGINT,
    ts_recv BIGINT,
    `source` STRING,
    ts_source STRING,
    schema_version INT,
    is_snapshot BOOLEAN,
    bids ARRAY<ARRAY<STRING>>,
    asks ARRAY<ARRAY<STRING>>,
    `sequence` BIGINT,
    prev_sequence BIGINT,
    merged INT,
    event_time AS CASE
        WHEN ts_event > ts_recv + ${MAX_FUTURE} THEN TO_TIMESTAMP_LTZ(0, 3)
        ELSE COALESCE(TO_TIMESTAMP_LTZ(ts_event / 1000, 3), TO_TIMESTAMP_LTZ(0, 3))
    END,
    WATERMARK FOR event_time AS event_time - ${WATERMARK_DELAY} * INTERVAL '1' SECOND
) WITH (
    'connector' = 'kafka',
    'topic' = '${TOPIC_PREFIX}market.books',
    'properties.bootstrap.servers' = '${KAFKA_BOOTSTRAP_SERVERS}',
    'properties.group.id' = '${TOPIC_PREFIX}flink-${JOB}',
    'scan.startup.mode' = '${SCAN_STARTUP_MODE}',
    'scan.startup.timestamp-millis' = '${SCAN_STARTUP_MILLIS}',
    'scan.parallelism' = '${SOURCE_PARALLELISM}',
    'scan.bounded.mode' = '${BOUNDED}',
    'scan.watermark.idle-timeout' = '${IDLE_TIMEOUT}',
    'format' = 'json'
);
