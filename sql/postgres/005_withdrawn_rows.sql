-- Rows that a recomputation has taken back. A streaming job that replays writes them again with
-- revision 0; the guard of their table leaves them out.
CREATE TABLE ${ANALYTICS_SCHEMA}.withdrawn_rows (
    model_name text NOT NULL,
    row_key jsonb NOT NULL,
    withdrawn_at timestamptz NOT NULL DEFAULT CLOCK_TIMESTAMP(),
    PRIMARY KEY (model_name, row_key)
);

-- Arguments of the trigger: the columns of the table's key.
CREATE FUNCTION ${ANALYTICS_SCHEMA}.keep_withdrawn() RETURNS trigger
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
BEGIN
    IF new.revision = 0 AND EXISTS (
        SELECT FROM ${ANALYTICS_SCHEMA}.withdrawn_rows WHERE model_name = tg_table_name
    ) AND EXISTS (
        SELECT FROM ${ANALYTICS_SCHEMA}.withdrawn_rows
        WHERE model_name = tg_table_name AND row_key = (
            SELECT jsonb_object_agg(name, cell)
            FROM jsonb_each(to_jsonb(new)) AS columns (name, cell)
            WHERE name = ANY (tg_argv)
        )
    ) THEN
        RETURN NULL;
    END IF;
    RETURN new;
END
$$;

-- Tables that models had before this.
DO $$
DECLARE
    made record;
BEGIN
    FOR made IN
        SELECT
            c.relname,
            string_agg(quote_literal(a.attname), ', ') AS key_names
        FROM pg_trigger AS t
        INNER JOIN pg_class AS c ON t.tgrelid = c.oid
        INNER JOIN pg_index AS i ON c.oid = i.indrelid AND i.indisprimary
        INNER JOIN pg_attribute AS a ON c.oid = a.attrelid AND a.attnum = ANY (i.indkey)
        WHERE t.tgname = 'keep_higher_revision'
            AND c.relnamespace = '${ANALYTICS_SCHEMA}'::regnamespace
        GROUP BY c.relname
    LOOP
        EXECUTE format(
            'CREATE TRIGGER keep_withdrawn BEFORE INSERT ON ${ANALYTICS_SCHEMA}.%I '
            'FOR EACH ROW EXECUTE FUNCTION ${ANALYTICS_SCHEMA}.keep_withdrawn(%s)',
            made.relname, made.key_names
        );
    END LOOP;
END
$$;
