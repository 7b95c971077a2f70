"""A real PostgreSQL for the tests of the batch: one server a session, one schema a test."""

import secrets
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from psycopg2.extensions import connection as Connection

from dags.batch.config import DatabaseSettings
from dags.batch.database import connect
from dags.batch.migrations import migrate
from docker.local.postgres import Postgres
from docker.local.settings import load


class BatchDatabase(NamedTuple):
    """A schema of its own with all tables of the batch."""

    settings: DatabaseSettings
    connection: Connection
    """Autocommit; for looking at what the code under test did."""
    env: dict[str, str]
    """Variables with which a subprocess finds this schema. They are set in this process too."""


def free_port() -> int:
    """A port of the loopback address that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A server on a free port with a temporary state folder."""
    with tempfile.TemporaryDirectory(prefix="market-streams-batch-") as folder:
        settings = load(
            market_streams_state=Path(folder),
            market_streams_installed=load().installed,
            postgres_port=free_port(),
        )
        server = Postgres(settings)
        try:
            server.start()
            yield server
        finally:
            # At once: a clean shutdown would write what is thrown away next.
            server.process.stop(signal.SIGQUIT, 10)
            server.clean()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Postgres) -> str:
    """Address of the server; `postgres_server.settings.pgpass` holds the password."""
    return postgres_server.settings.database_url


@pytest.fixture
def database(postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchDatabase]:
    """A fresh schema with migrations applied, dropped afterwards; `connect()` finds it."""
    schema = f"batch_{secrets.token_hex(4)}"
    env = {
        "DATABASE_URL": postgres_server.settings.database_url,
        "PGPASSFILE": str(postgres_server.settings.pgpass),
        "BATCH_SCHEMA": schema,
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    settings = DatabaseSettings.load()
    connection = connect(settings, autocommit=True)
    try:
        migrate(connection)
        yield BatchDatabase(settings, connection, env)
    finally:
        connection.close()
        drop(settings, schema)


def drop(settings: DatabaseSettings, schema: str) -> None:
    """Drop the schema on a connection of its own: a test may have broken the other one."""
    connection = connect(settings, autocommit=True)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '10s'")
        # Whoever a test left behind may hold locks.
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'batch' AND pid <> pg_backend_pid()"
        )
        cursor.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    connection.close()
