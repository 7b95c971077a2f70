-- The schema of everything that models write, and the guard of corrected rows.
CREATE SCHEMA IF NOT EXISTS ${ANALYTICS_SCHEMA};

-- Streaming jobs write revision 0, a recomputation a higher one. A replay may come later, so an
-- update with a lower revision than the row's is left out, without an error to the writer.
CREATE OR REPLACE FUNCTION ${ANALYTICS_SCHEMA}.keep_higher_revision() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF new.revision < old.revision THEN
        RETURN NULL;
    END IF;
    RETURN new;
END
$$;
