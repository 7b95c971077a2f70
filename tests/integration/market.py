"""A whole market for a test: local exchange, connectors, jobs, on the session's stack."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from kafka import KafkaConsumer, TopicPartition

from docker.demo.services import Connector, Exchange
from docker.demo.settings import VENUES, DemoSettings
from flink_jobs.oracle.compare import Comparison, Places, check, check_until_equal
from tests.integration.conftest import RunningStack, free_ports

FINISH_SECONDS = 150


@dataclass
class Market:
    """Names, addresses and processes of one test's market."""

    stack: RunningStack
    name: str
    """Prefix of its topics and name of its schema."""
    exchange: Exchange
    connectors: list[Connector]
    delay_seconds: int
    """Watermark delay of its jobs."""
    jobs: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """For commands about this market."""
        return {
            **self.stack.env,
            "TOPIC_PREFIX": f"{self.name}.",
            "ANALYTICS_SCHEMA": self.name,
            "WATERMARK_DELAY": str(self.delay_seconds),
        }

    def run(self, python: Path | str, *words: str) -> str:
        """Run `python -m …` and return what it prints; the test fails with its output."""
        done = subprocess.run(
            [str(python), "-m", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def flink(self, *words: str) -> str:
        """Run `python -m flink_jobs …` in Flink's environment."""
        python = self.stack.settings.installed / "venv/flink/bin/python"
        return self.run(python, "flink_jobs", *words)

    def submit(self, *jobs: str) -> None:
        """Submit jobs; they are cancelled at the end."""
        self.flink("submit", *jobs)
        self.jobs += jobs

    def wait_finished(self) -> None:
        """Wait until the exchange has made all its trades."""
        deadline = time.monotonic() + FINISH_SECONDS
        while not self.exchange.state()["finished"]:
            assert time.monotonic() < deadline, self.exchange.state()
            time.sleep(0.5)

    def stop_feeds(self) -> None:
        """Stop the clock, give what is under way time to arrive, end the processes."""
        self.exchange.pause()
        time.sleep(2)
        for service in [*self.connectors, self.exchange]:
            service.stop()

    def late_pairs(self) -> list[dict[str, Any]]:
        """The late (row, window) pairs told so far."""
        return read_topic(self.stack.bootstrap, f"{self.name}.market.late-events")

    def compare(
        self,
        timeout: float = 60,
        also: tuple[Path, ...] = (),
        models: list[str] | None = None,
    ) -> list[Comparison]:
        """What the oracle says of this market's windows (and of the ledgers ``also``)."""
        places = Places(
            self.stack.bootstrap,
            self.stack.database_url,
            self.name,
            f"{self.name}.",
            self.delay_seconds * 1000,
        )
        ledgers = [self.exchange.ledger, *also]
        return check_until_equal(lambda: check(ledgers, places, models), timeout)


@contextmanager
def running_market(
    stack: RunningStack,
    name: str,
    exchange_options: dict[str, object],
    symbols: int = 20,
    rate: float = 20,
    venues: tuple[str, ...] = VENUES,
    delay_seconds: int = 5,
    **connector_environment: str,
) -> Iterator[Market]:
    """Exchange and connectors of a market; both are stopped at the end, jobs cancelled."""
    ports = free_ports(5)
    demo = DemoSettings(
        since="2h",
        symbols=symbols,
        rate=rate,
        topic_prefix=f"{name}.",
        control_port=ports[0],
        binance_port=ports[1],
        coinbase_port=ports[2],
        binance_metrics_port=ports[3],
        coinbase_metrics_port=ports[4],
    )
    waiting = ",".join(f"{venue}=1" for venue in venues)
    only = {"--venues": ",".join(venues), "--wait-for-subscribers": waiting}
    options = {**only, **exchange_options}
    exchange = Exchange(stack.settings, demo, options, name="-".join(["exchange", *venues]))
    connectors = [
        Connector(stack.settings, demo, venue, "trades", **connector_environment)
        for venue in venues
    ]
    market = Market(stack, name, exchange, connectors, delay_seconds)
    try:
        market.run(stack.settings.installed / "venv/dev/bin/python", "connectors", "topics")
        exchange.start()
        listed = exchange.state()["venues"]
        for connector in connectors:
            connector.symbols = listed[connector.venue]["symbols"]
            connector.start()
        yield market
    finally:
        for service in [*connectors, exchange]:
            service.stop()
        for job in market.jobs:
            market.flink("cancel", job)


def query(stack: RunningStack, statement: str) -> list[tuple[object, ...]]:
    """Rows of one SQL statement."""
    connection = psycopg2.connect(stack.database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall()
    connection.close()
    return rows


def read_topic(bootstrap: str, topic: str) -> list[dict[str, Any]]:
    """Every JSON record that is in a topic now."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    parts = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(parts)
    consumer.seek_to_beginning(*parts)
    ends = consumer.end_offsets(parts)
    found: list[dict[str, Any]] = []
    while any(consumer.position(part) < ends[part] for part in parts):
        for batch in consumer.poll(timeout_ms=500).values():
            found += [json.loads(record.value) for record in batch]
    consumer.close()
    return found


def wait_until(happens: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until it happens; the test fails with ``what`` after the deadline."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.25)
