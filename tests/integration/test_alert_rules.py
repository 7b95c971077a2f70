"""Rules that people edit while a job runs, on the real cluster."""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from flink_jobs import rules
from flink_jobs.catalog import Catalog
from flink_jobs.cluster import Cluster
from flink_jobs.settings import ROOT, Settings
from flink_jobs.submit import submit

pytestmark = pytest.mark.integration
PREFIX = "rules-test."
SCHEMA = "rules_test"
IN_FORCE_SECONDS = 10


class Desk:
    """A running job `alerts` with trades to publish and alerts to read."""

    def __init__(self, stack: Any) -> None:
        self.producer = Producer({"bootstrap.servers": stack.bootstrap})
        self.connection = psycopg2.connect(stack.database_url)
        self.connection.autocommit = True
        self.catalog = Catalog.load(
            ROOT / "sql", {"ANALYTICS_SCHEMA": SCHEMA, "DATABASE_URL": stack.database_url}
        )
        self.number = 0

    def trade(self, symbol: str, size: str) -> str:
        """Publish a trade at the price of 1; its id."""
        self.number += 1
        now = time.time_ns() // 1000
        row = {
            **{"event_type": "trade", "exchange": "binance", "symbol": symbol, "price": "1"},
            **{"size": size, "ts_event": now, "ts_recv": now, "trade_id": str(self.number)},
        }
        self.producer.produce(f"{PREFIX}market.trades", json.dumps(row), partition=0)
        assert self.producer.flush(10) == 0
        return str(self.number)

    def told(self, trade_id: str) -> list[tuple[Any, ...]]:
        """Threshold and severity of the alerts that a trade has started."""
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"SELECT threshold, severity FROM {SCHEMA}.alerts "
                "WHERE rule_id = 'large_trade' AND detail::json ->> 'trade_id' = %s",
                (trade_id,),
            )
            return cursor.fetchall()

    def until_told(self, symbol: str, size: str, seconds: float) -> tuple[Any, ...]:
        """Publish a trade every second until one of them is told."""
        deadline = time.monotonic() + seconds
        sent = []
        while time.monotonic() < deadline:
            sent.append(self.trade(symbol, size))
            time.sleep(1.1)
            for trade_id in sent:
                if found := self.told(trade_id):
                    return found[0]
        raise AssertionError(f"no alert of {size} {symbol} within {seconds} s")


@pytest.fixture
def desk(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The job, with large_trade at 100 and a cool-down of 1 s."""
    for name, value in {
        **stack.settings.environment(),
        "TOPIC_PREFIX": PREFIX,
        "ANALYTICS_SCHEMA": SCHEMA,
    }.items():
        monkeypatch.setenv(name, value)
    admin = AdminClient({"bootstrap.servers": stack.bootstrap})
    topic = NewTopic(f"{PREFIX}market.trades", 1, 1, config={"retention.ms": "-1"})
    admin.create_topics([topic])[topic.topic].result()
    running = Desk(stack)
    rules.change(running.catalog, "large_trade", "*", rules.Change("100", cool_down=1), "test")
    settings = Settings()
    jobs = submit(settings, ["--job", "alerts"])
    yield running
    running.connection.close()
    Cluster(settings.flink_rest_url).cancel(jobs["alerts"])


def test_a_changed_rule_is_in_force_without_a_restart(stack: Any, desk: Desk) -> None:
    """A lower threshold for one symbol, by the command line: new alerts follow within 10 s."""
    assert desk.until_told("BTC-USDT", "100", 30) == (100, "warning")
    small = desk.trade("ETH-USDT", "50")
    python = Settings().flink_python
    words = ["rules", "set", "large_trade", "*|ETH-USDT", "--threshold", "50"]
    words += ["--severity", "info", "--by", "ann"]
    subprocess.run([python, "-m", "flink_jobs", *words], cwd=ROOT, check=True)
    assert desk.until_told("ETH-USDT", "50", IN_FORCE_SECONDS) == (50, "info")
    assert desk.told(small) == []
    made = rules.history(desk.catalog, "large_trade")[1]
    assert "ann" in made and "*|ETH-USDT" in made
