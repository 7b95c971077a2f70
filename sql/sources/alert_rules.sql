-- The rules that people edit (`python -m flink_jobs rules`), looked up by rule_id.
--
-- Of the rules whose pattern fits a subject, PostgreSQL's view leaves just one that `fits` and
-- does not match `unless_fits`. A change is in force when the cached answer is 5 s old.
CREATE TABLE alert_rules (
    rule_id STRING,
    fits STRING,
    unless_fits STRING,
    threshold DECIMAL(38, 10),
    severity STRING,
    cool_down INT
) WITH (
    'connector' = 'jdbc',
    'url' = '${DATABASE}',
    'table-name' = '${ANALYTICS_SCHEMA}.alert_rules_in_force',
    'lookup.cache' = 'PARTIAL',
    'lookup.partial-cache.max-rows' = '1000',
    'lookup.partial-cache.expire-after-write' = '5 s',
    'lookup.max-retries' = '5'
);
