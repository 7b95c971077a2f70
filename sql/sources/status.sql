-- The state of each feed: connected, stale, gap … No heartbeats: nothing is windowed here.
CREATE TABLE status_events (
    event_type STRING,
    exchange STRING,
    symbol STRING,
    native_symbol STRING,
    ts_event BIGINT,
    ts_recv BIGINT,
    `source` STRING,
    ts_source STRING,
    schema_version INT,
    kind STRING,
    channel STRING,
    cause STRING,
    from_id BIGINT,
    to_id BIGINT,
    seconds DOUBLE,
    event_time AS CASE
        WHEN ts_event > ts_recv + ${MAX_FUTURE} THEN TO_TIMESTAMP_LTZ(0, 3)
        ELSE COALESCE(TO_TIMESTAMP_LTZ(ts_event / 1000, 3), TO_TIMESTAMP_LTZ(0, 3))
    END
) WITH (
    'connector' = 'kafka',
    'topic' = '${TOPIC_PREFIX}market.status',
    'properties.bootstrap.servers' = '${KAFKA_BOOTSTRAP_SERVERS}',
    'properties.group.id' = '${TOPIC_PREFIX}flink-${JOB}',
    'scan.startup.mode' = '${SCAN_STARTUP_MODE}',
    'scan.startup.timestamp-millis' = '${SCAN_STARTUP_MILLIS}',
    'scan.parallelism' = '${SOURCE_PARALLELISM}',
    -- Topics grow with the venues in use: a running job finds a new partition within this time.
    'scan.topic-partition-discovery.interval' = '30 s',
    'scan.bounded.mode' = '${BOUNDED}',
    'format' = 'json'
);
