"""Brings the tables of the batch forward: numbered SQL files, each applied once."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dags.batch.config import ROOT
from dags.batch.errors import MigrationError

FOLDER = ROOT / "sql/postgres/batch"


def migrate(connection: Connection, folder: Path = FOLDER) -> list[str]:
    """Apply the files of `folder` that were not applied yet, in order; give their names.

    All or nothing, in one transaction. Two at once: the second waits and finds nothing to do.
    MigrationError if a file that was applied has changed or is gone.
    """
    autocommit, connection.autocommit = connection.autocommit, False
    try:
        with connection, connection.cursor() as cursor:
            return _migrate(cursor, sorted(folder.glob("*.sql")))
    finally:
        connection.autocommit = autocommit


def _migrate(cursor: Cursor, files: Sequence[Path]) -> list[str]:
    cursor.execute("SELECT current_setting('search_path')")
    row = cursor.fetchone()
    assert row
    schema = str(row[0])
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('batch_migrations'), hashtext(%s))", row)
    cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS batch_migrations (name text PRIMARY KEY, "
        "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    cursor.execute("SELECT name, checksum FROM batch_migrations")
    applied = dict(cursor.fetchall())
    texts = {path.name: path.read_text(encoding="utf-8") for path in files}
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    faults = [name for name in applied if sums.get(name) != applied[name]]
    if faults:
        raise MigrationError(
            f"{', '.join(sorted(faults))}: was applied to schema {schema} and has changed since: "
            "put it back, and write the change as a new file with the next number"
        )
    missing = [name for name in texts if name not in applied]
    for name in missing:
        cursor.execute(texts[name])
        cursor.execute(
            "INSERT INTO batch_migrations (name, checksum) VALUES (%s, %s)", (name, sums[name])
        )
    return missing
