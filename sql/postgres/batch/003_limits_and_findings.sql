-- One row is the token bucket of an upstream, shared by all workers on all hosts.
CREATE TABLE rate_limits (
    name text PRIMARY KEY,
    -- Calls per second now, and what was set; after a refusal it is halved until slow_until.
    rate double precision NOT NULL CHECK (rate > 0),
    base_rate double precision NOT NULL CHECK (base_rate > 0),
    burst double precision NOT NULL CHECK (burst >= 1),
    -- May be negative: that many calls are promised already.
    tokens double precision NOT NULL,
    counted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    slow_until timestamptz,
    -- 429 answers in a row, and those of 401, 403 and connection errors.
    throttled integer NOT NULL DEFAULT 0,
    refused integer NOT NULL DEFAULT 0,
    -- When the refusals in a row began.
    refused_since timestamptz,
    -- How often everybody was held back. A call that was promised before is void, and its 429
    -- belongs to a storm that is known already.
    storms integer NOT NULL DEFAULT 0
);

-- What the integrity checks found; one row a finding.
CREATE TABLE batch_findings (
    id bigserial PRIMARY KEY,
    batch_execution_id integer NOT NULL REFERENCES batch_executions (id) ON DELETE CASCADE,
    found_at timestamptz NOT NULL DEFAULT now(),
    severity varchar(10) NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    rule varchar(40) NOT NULL,
    symbol varchar(16),
    trade_date date,
    value double precision,
    message text NOT NULL
);
CREATE INDEX idx_batch_findings_execution ON batch_findings (batch_execution_id, rule);
