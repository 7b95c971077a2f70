"""PostgreSQL side: numbered migrations, and tables made and extended from models' schemas."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2

from flink_jobs.catalog import Catalog
from flink_jobs.errors import JobError
from flink_jobs.reserved import POSTGRES
from flink_jobs.script import VARIABLE
from flink_jobs.sinks import PLAIN_NAME, PostgresTable

LOCK = 7_302_118
"""Advisory lock that keeps two submissions from changing the schema at once."""

COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_attribute a
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
"""
KEY = """
SELECT a.attname
FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(attnum, place), pg_attribute a
WHERE i.indrelid = to_regclass(%s) AND i.indisprimary
  AND a.attrelid = i.indrelid AND a.attnum = k.attnum
ORDER BY k.place
"""


def statements(table: PostgresTable, columns: Mapping[str, str], key: tuple[str, ...]) -> list[str]:
    """SQL that brings a table to the wanted shape; `columns` and `key` are what it has now.

    Columns are added, never dropped or changed: JobError says what to do instead.
    """
    name = f"{table.schema}.{table.name}"
    if not columns:
        return _create(table, name)
    if key != table.key:
        raise _refuse(name, f"the key is ({', '.join(key)}), not ({', '.join(table.key)})")
    added = []
    for column, kind, _ in table.columns:
        has = columns.get(column)
        if has is None:
            added.append(f"ALTER TABLE {name} ADD COLUMN {column} {kind}")
        elif has != kind:
            raise _refuse(name, f"column {column} is {has}, not {kind}")
    return added


def _create(table: PostgresTable, name: str) -> list[str]:
    lines = [
        f"{quote(column)} {kind}{' NOT NULL' if not_null else ''}"
        + (" DEFAULT 0" if column == "revision" else "")
        for column, kind, not_null in table.columns
    ]
    if not table.key:
        return [f"CREATE TABLE {name} ({', '.join(lines)})"]
    arguments = ", ".join(f"'{column}'" for column in table.key)
    return [
        f"CREATE TABLE {name} ({', '.join(lines)}, PRIMARY KEY ({', '.join(table.key)}))",
        f"CREATE TRIGGER keep_higher_revision BEFORE UPDATE ON {name} "
        f"FOR EACH ROW EXECUTE FUNCTION {table.schema}.keep_higher_revision()",
        f"CREATE TRIGGER keep_withdrawn BEFORE INSERT ON {name} "
        f"FOR EACH ROW EXECUTE FUNCTION {table.schema}.keep_withdrawn({arguments})",
    ]


def quote(column: str) -> str:
    """A column's name, in quotes where PostgreSQL would not read it without."""
    plain = PLAIN_NAME.match(column) and column.upper() not in POSTGRES
    return column if plain else f'"{column}"'


def _refuse(name: str, change: str) -> JobError:
    return JobError(
        f"table {name} has another shape than the model: {change}\n"
        "  to do: name the model anew (bars_1m_v2) and recompute it, or drop the table "
        f"(`DROP TABLE {name}`) and submit the job from the beginning"
    )


def ensure(catalog: Catalog, tables: Iterable[PostgresTable]) -> list[str]:
    """Apply open migrations, make and extend tables; the statements that were run."""
    done: list[str] = []
    with connect(catalog.variables["DATABASE"]) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        done += _migrate(catalog, cursor)
        for table in tables:
            for statement in statements(table, *_shape(cursor, table)):
                cursor.execute(statement)
                done.append(statement)
    return done


@contextmanager
def connect(url: str) -> Iterator[Any]:
    """A cursor in one transaction. JobError if the database does not answer."""
    try:
        connection = psycopg2.connect(url.removeprefix("jdbc:"), connect_timeout=5)
    except psycopg2.OperationalError as error:
        raise JobError(
            f"no PostgreSQL at {url}: {str(error).strip()}\n"
            "  to do: start it (`make up`), or set DATABASE_URL and PGPASSFILE"
        ) from None
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    except psycopg2.Error as error:
        raise JobError(f"PostgreSQL refuses: {str(error).strip()}") from error
    finally:
        connection.close()


def _shape(cursor: Any, table: PostgresTable) -> tuple[dict[str, str], tuple[str, ...]]:
    name = f"{table.schema}.{table.name}"
    cursor.execute(COLUMNS, (name,))
    columns = dict(cursor.fetchall())
    cursor.execute(KEY, (name,))
    return columns, tuple(row[0] for row in cursor.fetchall())


def _migrate(catalog: Catalog, cursor: Any) -> list[str]:
    schema = catalog.variables["ANALYTICS_SCHEMA"]
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {schema}.migrations "
        "(name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    cursor.execute(f"SELECT name FROM {schema}.migrations")
    applied = {row[0] for row in cursor.fetchall()}
    done = []
    for path in sorted((catalog.root / "postgres").glob("*.sql")):
        if path.name not in applied:
            cursor.execute(VARIABLE.sub(lambda m: catalog.variables[m.group(1)], path.read_text()))
            cursor.execute(f"INSERT INTO {schema}.migrations (name) VALUES (%s)", (path.name,))
            done.append(f"migration {path.name}")
    return done
