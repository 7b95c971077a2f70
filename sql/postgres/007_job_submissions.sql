-- What was submitted of each job: enough to go on from where it was, and to go back to it.
CREATE TABLE ${ANALYTICS_SCHEMA}.job_submissions (
    submission_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_name text NOT NULL,
    flink_id text NOT NULL,
    submitted_at timestamptz NOT NULL DEFAULT CLOCK_TIMESTAMP(),
    -- As run.py was told: a job of jobs.toml, or a model file.
    asked text NOT NULL,
    -- The SQL folder of that moment: a job that goes on by itself takes no half-edited file.
    files jsonb NOT NULL,
    variables jsonb NOT NULL, -- noqa: RF04
    -- What ran, as rendered then: its optimized plan decides whether another may take its state.
    statements jsonb NOT NULL,
    flink_version text NOT NULL,
    kafka_cluster text NOT NULL,
    restored_from text,
    savepoint text, -- noqa: RF04
    -- To be started again after its cluster was.
    wanted boolean NOT NULL DEFAULT TRUE,
    -- Cancelled: the next submission starts anew.
    forgotten boolean NOT NULL DEFAULT FALSE
);
CREATE INDEX job_submissions_newest
ON ${ANALYTICS_SCHEMA}.job_submissions (job_name, submission_id DESC);
