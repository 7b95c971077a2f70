"""Connections to the batch's tables, and what to do when the database goes away."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dags.batch.config import DatabaseSettings
from dags.batch.errors import DatabaseRefused, DatabaseUnavailable, MigrationError, StorageFull

T = TypeVar("T")

CONNECT_SECONDS = 5
POLL_SECONDS = 0.2
REFUSALS = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
    "permission denied for database",
)
FULL = ("53100", "53200")
"""disk_full, out_of_memory"""
AGAIN = ("40001", "40P01")
"""serialization_failure, deadlock_detected: the same work will succeed"""
NO_TABLES = ("42P01", "3F000")
"""undefined_table, invalid_schema_name"""
SHUT_DOWN = ("57P01", "57P02", "57P03")
"""admin_shutdown, crash_shutdown, cannot_connect_now"""


def connect(settings: DatabaseSettings | None = None, *, autocommit: bool = False) -> Connection:
    """A connection to the schema of the batch, in UTC, whose commits are on disk.

    DatabaseRefused if the server does not let us in, DatabaseUnavailable if it does not answer.
    """
    settings = settings or DatabaseSettings.load()
    options = (
        f"-c search_path={settings.batch_schema} -c synchronous_commit=on -c timezone=UTC "
        "-c client_min_messages=warning"
    )
    more: dict[str, Any] = {"passfile": str(settings.passfile)} if settings.passfile else {}
    try:
        made = psycopg2.connect(
            settings.database_url,
            connect_timeout=CONNECT_SECONDS,
            application_name="batch",
            options=options,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            **more,
        )
    except psycopg2.OperationalError as error:
        text = str(error).strip()
        if any(words in text for words in REFUSALS):
            raise DatabaseRefused(
                f"{text}: DATABASE_URL names role and database, PGPASSFILE the file with the "
                "password (`make -s env` prints those of the local stack)"
            ) from None
        raise DatabaseUnavailable(f"{text}: start it (`make up`), then resume the batch") from None
    made.autocommit = autocommit
    return made


class Database:
    """A process's way to the database: one connection, made again when it is lost.

    Not for use by several threads at once.
    """

    def __init__(self, settings: DatabaseSettings | None = None) -> None:
        self.settings = settings or DatabaseSettings.load()
        self._connection: Connection | None = None

    def run(self, work: Callable[[Cursor], T]) -> T:
        """Do `work` in one transaction and commit it; give what it gives.

        When the connection is lost, `work` is done again on a new one, even if the lost commit
        may have gone through: it must bear that. After `batch_database_patience` seconds without
        a database DatabaseUnavailable; StorageFull and MigrationError (no tables) at once. Any
        other error rolls back.
        """
        deadline: float | None = None
        while True:
            try:
                return self._attempt(work)
            except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                translate(error)
                if not self._passing(error):
                    raise
                reason: Exception = error
            except psycopg2.DatabaseError as error:
                translate(error)
                raise
            except DatabaseRefused:
                raise
            except DatabaseUnavailable as error:
                reason = error
            if deadline is None:
                # The first time at once: often only the connection was lost.
                deadline = time.monotonic() + self.settings.batch_database_patience
                continue
            if time.monotonic() >= deadline:
                patience = self.settings.batch_database_patience
                raise DatabaseUnavailable(
                    f"no database for {patience:g} s: {str(reason).strip()}"
                ) from reason
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """Close the connection if there is one. The next `run` opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _attempt(self, work: Callable[[Cursor], T]) -> T:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self.settings)
        # Leaving the block commits, or rolls back on an error.
        with self._connection as connection, connection.cursor() as cursor:
            return work(cursor)

    def _passing(self, error: psycopg2.Error) -> bool:
        """Whether the work may succeed when it is done again; a lost connection is closed."""
        if error.pgcode in AGAIN:
            return True
        if self._connection is None or self._connection.closed or error.pgcode in SHUT_DOWN:
            self.close()
            return True
        return False


def translate(error: psycopg2.Error) -> None:
    """Raise what has a remedy in our own words: StorageFull, MigrationError."""
    text = str(error).strip()
    if error.pgcode in FULL:
        raise StorageFull(
            f"{text}: make room on the database's disk, then resume the batch"
        ) from error
    if error.pgcode in NO_TABLES:
        raise MigrationError(
            f"{text.splitlines()[0]}: make the tables with `python -m dags.batch migrate`"
        ) from error
