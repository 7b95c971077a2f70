-- What is known of users: the dimension that enriched_events looks up.
CREATE TABLE ${ANALYTICS_SCHEMA}.user_profiles (
    user_id text PRIMARY KEY,
    segment text NOT NULL,
    country text NOT NULL
);
