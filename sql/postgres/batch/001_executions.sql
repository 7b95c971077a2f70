-- Executions of the batch and their stocks. The row of an execution is its control: workers read
-- `status` before each stock, so that a pause or a stop is one UPDATE.
CREATE TABLE batch_executions (
    id serial PRIMARY KEY,
    uuid uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    label varchar(40) NOT NULL UNIQUE,
    batch_type varchar(50) NOT NULL CHECK (batch_type IN ('all_stocks', 'partial')),
    mode varchar(20) NOT NULL
        CHECK (mode IN ('full', 'differential', 'symbols', 'failed', 'session')),
    status varchar(20) NOT NULL DEFAULT 'running'
        CHECK (status IN ('running', 'paused', 'completed', 'failed', 'stopped')),
    total_stocks integer NOT NULL CHECK (total_stocks >= 0),
    processed_stocks integer NOT NULL DEFAULT 0,
    successful_stocks integer NOT NULL DEFAULT 0,
    failed_stocks integer NOT NULL DEFAULT 0,
    start_time timestamptz NOT NULL DEFAULT now(),
    end_time timestamptz,
    -- Why it failed, or why it was paused or stopped.
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Effective settings.
    config jsonb NOT NULL,
    -- The Airflow run that works on it; null: none.
    run_id text UNIQUE,
    -- The session that a scheduled run or a backfill is for.
    session_date date,
    records_inserted bigint NOT NULL DEFAULT 0,
    http_calls bigint NOT NULL DEFAULT 0,
    report jsonb,
    report_markdown text
);
CREATE INDEX idx_batch_executions_status ON batch_executions (status);

CREATE TABLE batch_execution_details (
    id serial PRIMARY KEY,
    batch_execution_id integer NOT NULL REFERENCES batch_executions (id) ON DELETE CASCADE,
    stock_code varchar(10) NOT NULL,
    status varchar(20) NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    start_time timestamptz,
    end_time timestamptz,
    error_message text,
    records_inserted integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    chunk integer NOT NULL,
    -- What to fetch: both null means the whole history.
    fetch_from date,
    fetch_to date,
    -- Of a completed one: stored | unchanged | no_data.
    outcome varchar(20),
    -- Rows the source sent, of which records_inserted were new or different.
    records_fetched integer NOT NULL DEFAULT 0,
    -- TEMPORARY | PERMANENT | SYSTEM, and the failure it came from.
    error_class varchar(20),
    error_code varchar(40),
    retry_count integer NOT NULL DEFAULT 0,
    -- A retry is not due before.
    not_before timestamptz,
    -- Who works on it, until when, and the fence: a worker whose token is old may not finish it.
    worker_id text,
    lease_until timestamptz,
    lease_token bigint NOT NULL DEFAULT 0,
    http_calls integer NOT NULL DEFAULT 0,
    duration_ms integer,
    UNIQUE (batch_execution_id, stock_code)
);
CREATE INDEX idx_batch_execution_details_batch_id
    ON batch_execution_details (batch_execution_id, chunk, status);
CREATE INDEX idx_batch_execution_details_status ON batch_execution_details (status);

-- The log: one row an action.
CREATE TABLE batch_events (
    id bigserial PRIMARY KEY,
    logged_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    batch_execution_id integer REFERENCES batch_executions (id) ON DELETE CASCADE,
    worker_id text,
    stock_code varchar(10),
    -- data_fetch | data_save | error_occurred, or what a person or a breaker did:
    -- started | paused | resumed | stopped | completed | failed
    action varchar(30) NOT NULL,
    status varchar(20) NOT NULL,
    duration_ms integer,
    records_count integer,
    error_message text,
    error_class varchar(20),
    retry_count integer
);
CREATE INDEX idx_batch_events_execution ON batch_events (batch_execution_id, id);
