-- The bars of sql/windows/bars_1m.sql as one would write them by hand for one run.
SET 'table.local-time-zone' = 'UTC';
SET 'parallelism.default' = '2';
SET 'pipeline.object-reuse' = 'true';
SET 'pipeline.name' = 'bars-by-hand';

CREATE TABLE trades (
    event_type STRING,
    exchange STRING,
    symbol STRING,
    ts_event BIGINT,
    trade_seq BIGINT,
    price DECIMAL(19, 10),
    `size` DECIMAL(18, 8),
    side STRING,
    event_time AS TO_TIMESTAMP_LTZ(ts_event / 1000, 3),
    WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH (
    'connector' = 'kafka',
    'topic' = '<prefix>market.trades',
    'properties.bootstrap.servers' = '<servers>',
    'scan.startup.mode' = 'earliest-offset',
    'scan.bounded.mode' = 'latest-offset',
    'format' = 'json'
);

CREATE TABLE bars (
    exchange STRING,
    symbol STRING,
    window_start TIMESTAMP(3),
    window_end TIMESTAMP(3),
    `open` DECIMAL(19, 10),
    high DECIMAL(19, 10),
    low DECIMAL(19, 10),
    `close` DECIMAL(19, 10),
    volume DECIMAL(38, 8),
    notional DECIMAL(38, 18),
    vwap DECIMAL(38, 10),
    trade_count BIGINT,
    buy_volume DECIMAL(38, 8),
    sell_volume DECIMAL(38, 8),
    PRIMARY KEY (exchange, symbol, window_start) NOT ENFORCED
) WITH (
    'connector' = 'upsert-kafka',
    'topic' = '<prefix>hand.bars_1m',
    'properties.bootstrap.servers' = '<servers>',
    'key.format' = 'json',
    'value.format' = 'json'
);

INSERT INTO bars
SELECT
    exchange,
    symbol,
    window_start,
    window_end,
    CAST(SUBSTRING(MIN(CAST(5000000000000000000 + ts_event AS STRING) || CAST(5000000000000000000 + trade_seq AS STRING) || CAST(price AS STRING)), 39) AS DECIMAL(19, 10)),
    MAX(price),
    MIN(price),
    CAST(SUBSTRING(MAX(CAST(5000000000000000000 + ts_event AS STRING) || CAST(5000000000000000000 + trade_seq AS STRING) || CAST(price AS STRING)), 39) AS DECIMAL(19, 10)),
    SUM(`size`),
    SUM(price * `size`),
    CAST(SUM(price * `size`) / NULLIF(SUM(`size`), 0) AS DECIMAL(38, 10)),
    COUNT(*),
    CAST(COALESCE(SUM(`size`) FILTER (WHERE side = 'buy'), 0) AS DECIMAL(38, 8)),
    CAST(COALESCE(SUM(`size`) FILTER (WHERE side = 'sell'), 0) AS DECIMAL(38, 8))
FROM TABLE(TUMBLE(TABLE trades, DESCRIPTOR(event_time), INTERVAL '1' MINUTE))
WHERE event_type = 'trade'
GROUP BY exchange, symbol, window_start, window_end;
