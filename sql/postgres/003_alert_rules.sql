-- Rules of alerts: what people change while jobs run, and every change with who, when, old, new.
CREATE TABLE ${ANALYTICS_SCHEMA}.alert_rules (
    rule_id text NOT NULL CHECK (rule_id ~ '^[a-z][a-z0-9_]*$'),
    -- Subjects that the rule is for; * stands for any text: *, binance|*, *|BTC-USDT.
    pattern text NOT NULL DEFAULT '*' CHECK (pattern ~ '^[A-Za-z0-9*|._:/-]+$'),
    threshold numeric(38, 10) NOT NULL CHECK (threshold >= 0 AND threshold <> 'NaN'),
    severity text NOT NULL DEFAULT 'warning' CHECK (severity IN ('info', 'warning', 'critical')),
    cool_down integer NOT NULL DEFAULT 60 CHECK (cool_down BETWEEN 1 AND 86400),
    enabled boolean NOT NULL DEFAULT true,
    -- Of several patterns that fit, the one with most fixed characters wins; then by its text.
    precedence integer GENERATED ALWAYS AS (LENGTH(REPLACE(pattern, '*', ''))) STORED,
    PRIMARY KEY (rule_id, pattern)
);

CREATE TABLE ${ANALYTICS_SCHEMA}.alert_rule_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    changed_at timestamptz NOT NULL DEFAULT CLOCK_TIMESTAMP(),
    changed_by text NOT NULL,
    rule_id text NOT NULL,
    pattern text NOT NULL,
    old_rule jsonb,
    new_rule jsonb
);

CREATE FUNCTION ${ANALYTICS_SCHEMA}.keep_rule_history() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ${ANALYTICS_SCHEMA}.alert_rule_history (changed_by, rule_id, pattern, old_rule, new_rule)
    VALUES (
        COALESCE(NULLIF(current_setting('market_streams.changed_by', true), ''), session_user),
        COALESCE(new.rule_id, old.rule_id),
        COALESCE(new.pattern, old.pattern),
        to_jsonb(old),
        to_jsonb(new)
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_rule_history AFTER INSERT OR UPDATE OR DELETE ON ${ANALYTICS_SCHEMA}.alert_rules
FOR EACH ROW EXECUTE FUNCTION ${ANALYTICS_SCHEMA}.keep_rule_history();

-- Make or change a rule; what is NULL stays as it is, a new pattern starts from the rule for *.
CREATE FUNCTION ${ANALYTICS_SCHEMA}.set_alert_rule(
    the_rule text, the_pattern text, by_whom text,
    new_threshold numeric DEFAULT null, new_severity text DEFAULT null,
    new_cool_down integer DEFAULT null, new_enabled boolean DEFAULT null
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    base ${ANALYTICS_SCHEMA}.alert_rules;
BEGIN
    SELECT * INTO base FROM ${ANALYTICS_SCHEMA}.alert_rules
    WHERE rule_id = the_rule AND pattern IN (the_pattern, '*')
    ORDER BY precedence DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no rule %', the_rule
        USING HINT = 'known: ' || (
            SELECT string_agg(DISTINCT rule_id, ', ') FROM ${ANALYTICS_SCHEMA}.alert_rules
        );
    END IF;
    PERFORM set_config('market_streams.changed_by', by_whom, true);
    INSERT INTO ${ANALYTICS_SCHEMA}.alert_rules AS rule
        (rule_id, pattern, threshold, severity, cool_down, enabled)
    VALUES (
        the_rule, the_pattern, COALESCE(new_threshold, base.threshold),
        COALESCE(new_severity, base.severity), COALESCE(new_cool_down, base.cool_down),
        COALESCE(new_enabled, base.enabled)
    )
    ON CONFLICT (rule_id, pattern) DO UPDATE SET
        threshold = excluded.threshold, severity = excluded.severity,
        cool_down = excluded.cool_down, enabled = excluded.enabled;
END
$$;

-- What jobs look up. A subject is judged by the rule that matches and that no rule of higher
-- precedence matches, be it on or off: at most one row is left for any subject.
CREATE VIEW ${ANALYTICS_SCHEMA}.alert_rules_in_force AS
WITH rules AS (
    SELECT
        *,
        '^' || REPLACE(REPLACE(REPLACE(pattern, '.', '\.'), '|', '\|'), '*', '.*') || '$' AS fits
    FROM ${ANALYTICS_SCHEMA}.alert_rules
)

SELECT
    mine.rule_id,
mine.fits,
mine.threshold,
mine.severity,
mine.cool_down,
    COALESCE((
        SELECT STRING_AGG(higher.fits, '|')
        FROM rules AS higher
        WHERE higher.rule_id = mine.rule_id
            AND (higher.precedence, higher.pattern) > (mine.precedence, mine.pattern)
    ), '(?!)') AS unless_fits
FROM rules AS mine
WHERE mine.enabled;

INSERT INTO ${ANALYTICS_SCHEMA}.alert_rules (rule_id, threshold, severity, cool_down, enabled) VALUES
('large_trade', 100000, 'warning', 60, true),
('price_move', 1, 'warning', 60, true),
('price_level', 100000, 'warning', 60, false),
('volume_spike', 5, 'warning', 300, true),
('spread_widening', 5, 'warning', 300, true),
('cross_venue_gap', 0.5, 'warning', 300, true),
('feed_stale', 0, 'critical', 60, true),
('feed_gap', 1, 'critical', 60, true),
('bad_tick', 20, 'warning', 60, true),
('large_transaction', 100000, 'warning', 60, true),
('unusual_place', 0, 'warning', 60, true),
('fast_repeats', 100000, 'critical', 60, true),
('vip_customer', 100000, 'info', 60, true);
