-- What is known of users, looked up by user_id: `segment` and `country`, kept in PostgreSQL.
-- An answer is cached for a minute. A lookup that fails is tried three times in all; then the job
-- starts again from its last checkpoint, so that no event is passed on without an answer.
CREATE TABLE user_profiles (
    user_id STRING,
    segment STRING,
    country STRING
) WITH (
    'connector' = 'jdbc',
    'url' = '${DATABASE}',
    'table-name' = '${ANALYTICS_SCHEMA}.user_profiles',
    'lookup.cache' = 'PARTIAL',
    'lookup.partial-cache.max-rows' = '100000',
    'lookup.partial-cache.expire-after-write' = '1 min',
    'lookup.max-retries' = '3'
);
