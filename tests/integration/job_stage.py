"""What the tests of jobs share: topics, tables, jobs, commands, on the session's stack."""

import json
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
from confluent_kafka import Consumer, Producer

from docker.local.settings import ROOT
from flink_jobs.catalog import Catalog
from flink_jobs.cluster import Cluster
from flink_jobs.settings import Settings

Row = dict[str, Any]
VENUES = ("binance", "coinbase")
"""In the order of their partitions."""


class Stage:
    """The session's stack, seen from a test: its name is its schema and its topics' prefix."""

    def __init__(
        self, stack: Any, monkeypatch: pytest.MonkeyPatch, name: str, **variables: str
    ) -> None:
        self.schema = name
        self.prefix = f"{name}."
        self.environment = {
            "TOPIC_PREFIX": self.prefix,
            "ANALYTICS_SCHEMA": name,
            # All is in the log before the jobs start. On a busy machine a partition may wait for
            # its turn longer than the default, would be taken for idle, and its rows be late.
            "IDLE_TIMEOUT": "10 min",
            **variables,
        }
        for name, value in {**stack.settings.environment(), **self.environment}.items():
            monkeypatch.setenv(name, value)
        self.stack = stack
        self.settings = Settings()
        self.cluster = Cluster(self.settings.flink_rest_url)
        self.producer = Producer({"bootstrap.servers": stack.bootstrap})
        self.connect()

    def connect(self) -> None:
        """Connect to PostgreSQL, again where it was restarted."""
        self.connection = psycopg2.connect(self.stack.database_url)
        self.connection.autocommit = True

    def generate(self, words: str) -> None:
        """Run the generator to its end."""
        python = self.stack.settings.installed / "venv/dev/bin/python"
        done = subprocess.run(
            [str(python), "-m", "connectors", "simulate-orders", *words.split()],
            cwd=ROOT,
            env={**self.stack.env, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def catalog(self) -> Catalog:
        """The project's SQL with this stage's schema and database."""
        given = {"ANALYTICS_SCHEMA": self.schema, "DATABASE_URL": self.stack.database_url}
        return Catalog.load(ROOT / "sql", given)

    def publish(self, topic: str, value: bytes | None, stamp: int, partition: int = 0) -> None:
        """One record, with its own time in ms."""
        self.producer.produce(self.prefix + topic, value, partition=partition, timestamp=stamp)

    def flink(self, *words: str) -> str:
        """Run `python -m flink_jobs …`; what it prints."""
        done = subprocess.run(
            [str(self.settings.flink_python), "-m", "flink_jobs", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, table: str) -> list[Row]:
        """All rows of a derived table, times in ms; none while it is not there."""
        try:
            found = self.query(f"SELECT * FROM {self.schema}.{table}")
        except psycopg2.errors.UndefinedTable:
            return []
        return [{name: plain(value) for name, value in row.items()} for row in found]

    def query(self, sql: str) -> list[Row]:
        """Rows of a query by column."""
        with self.connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.execute(sql)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def read(self, topic: str, committed: bool = True) -> list[Row]:
        """Everything that is in a topic of one partition, by default only what is committed."""
        return [
            json.loads(value, parse_float=Decimal)
            for _, value in self.records(topic, committed)
            if value is not None
        ]

    def records(self, topic: str, committed: bool = True) -> list[tuple[bytes, bytes | None]]:
        """Keys and values of a topic of one partition."""
        level = "read_committed" if committed else "read_uncommitted"
        consumer = Consumer(
            {
                "bootstrap.servers": self.stack.bootstrap,
                "group.id": self.schema,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": level,
            }
        )
        consumer.subscribe([self.prefix + topic])
        found: list[tuple[bytes, bytes | None]] = []
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                break
            found.append((message.key() or b"", message.value()))
        consumer.close()
        return found

    def end(self) -> None:
        """Cancel what runs of this test's jobs."""
        self.connection.close()
        for job in self.cluster.jobs():
            if job["name"].startswith(self.prefix) and job["state"] in ("RUNNING", "RESTARTING"):
                self.cluster.cancel(job["jid"])

    def restarts(self, identity: str) -> int:
        """How often a job failed."""
        found = self.cluster.get(f"/jobs/{identity}/exceptions")
        return len(found["exceptionHistory"]["entries"])


UNTIMED = 1_772_936_700_000_000
"""Time of the Kafka record of a trade that has none, in µs."""


class Trades(Stage):
    """A stage with trades of two venues."""

    def write(self, rows: list[Row]) -> None:
        """Write rows into the partitions of their venues, with their event time."""
        for row in rows:
            stamp = row["ts_event"] if 0 < (row["ts_event"] or 0) < 2**60 else UNTIMED
            value = json.dumps(row).encode()
            place = VENUES.index(row["exchange"])
            self.publish("market.trades", value, stamp // 1000, place)
        assert self.producer.flush(30) == 0

    def count(self, table: str, condition: str = "true") -> int:
        """Rows of a derived table."""
        sql = f"SELECT count(*) AS n FROM {self.schema}.{table} WHERE {condition}"
        return int(self.query(sql)[0]["n"])


def micros(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return int(moment.timestamp()) * 1_000_000


def record(venue: str, at: int | None, sequence: int, **values: Any) -> Row:
    """A trade as connectors publish it."""
    return {
        "event_type": "trade",
        "exchange": venue,
        "symbol": "BTC-USDT",
        "native_symbol": "BTCUSDT",
        "ts_event": at,
        "ts_recv": 1_793_000_000_000_000 if at is None else at + 1500,
        "source": f"{venue}-1",
        "ts_source": "venue",
        "schema_version": 1,
        "trade_id": str(sequence),
        "trade_seq": sequence,
        "price": "60000.1",
        "size": "0.5",
        "side": "buy",
        **values,
    }


def heartbeat(venue: str, at: int) -> Row:
    """What moves the time of a venue's partition."""
    return {**record(venue, at, 0, event_type="heartbeat", symbol="*"), "price": None}


def plain(value: Any) -> Any:
    """Times in ms, bytes as bytes."""
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    return bytes(value) if isinstance(value, memoryview) else value


def until(reached: Callable[[], bool], what: str, seconds: float = 90) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.5)
