-- The master of listed stocks, and their daily bars.
CREATE TABLE stocks (
    code varchar(10) PRIMARY KEY,
    -- Yahoo's name for it: 7203.T
    symbol varchar(16) NOT NULL UNIQUE,
    name text NOT NULL,
    -- prime | standard | growth | pro | etf | reit | certificate | unknown
    segment varchar(20) NOT NULL,
    is_foreign boolean NOT NULL DEFAULT false,
    -- Code of five characters: a preferred or class share. Listed, but not fetched by default.
    is_class_share boolean NOT NULL DEFAULT false,
    sector33 text,
    sector17 text,
    size text,
    status varchar(10) NOT NULL DEFAULT 'listed' CHECK (status IN ('listed', 'delisted')),
    first_seen date NOT NULL,
    last_seen date NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Each list that was looked at, taken over or not.
CREATE TABLE stock_listings (
    id serial PRIMARY KEY,
    read_at timestamptz NOT NULL DEFAULT now(),
    listing_date date,
    source text NOT NULL,
    accepted boolean NOT NULL,
    -- Why it was refused, or what was odd about it.
    reason text,
    row_count integer NOT NULL DEFAULT 0,
    added integer NOT NULL DEFAULT 0,
    delisted integer NOT NULL DEFAULT 0
);

CREATE TABLE daily_bars (
    symbol varchar(16) NOT NULL,
    trade_date date NOT NULL,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    adj_close double precision,
    volume bigint,
    dividends double precision NOT NULL DEFAULT 0,
    splits double precision NOT NULL DEFAULT 0,
    -- The newest session when it was fetched: volume and close may still be corrected.
    provisional boolean NOT NULL DEFAULT false,
    first_stored_at timestamptz NOT NULL DEFAULT now(),
    last_changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (symbol, trade_date)
) PARTITION BY RANGE (trade_date);

-- Partitions for the years from first to last; those that exist stay as they are.
CREATE FUNCTION ensure_bar_years(first_year integer, last_year integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    FOR y IN first_year..last_year LOOP
        IF to_regclass(format('daily_bars_%s', y)) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE daily_bars_%s PARTITION OF daily_bars FOR VALUES FROM (%L) TO (%L)',
                y, make_date(y, 1, 1), make_date(y + 1, 1, 1));
        END IF;
    END LOOP;
END
$$;
CREATE TABLE daily_bars_other PARTITION OF daily_bars DEFAULT;
SELECT ensure_bar_years(1990, 2030);

-- Days on which the calendar is wrong: an ad-hoc closure, a special session. Goes before it.
CREATE TABLE session_overrides (
    session_date date PRIMARY KEY,
    is_session boolean NOT NULL,
    note text NOT NULL
);
