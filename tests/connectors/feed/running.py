"""A feed running against a scripted exchange and a real broker, and what it wrote."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaConsumer, TopicPartition

from connectors.exchanges import registry
from connectors.exchanges.base import Venue
from connectors.feed.supervisor import Feed
from connectors.kafka.admin import ensure_topics
from connectors.settings import Settings, load_settings
from tests.connectors.feed.scripted import ScriptedBinance

Json = dict[str, Any]


class Written(NamedTuple):
    """One record of a topic."""

    offset: int
    key: bytes | None
    value: bytes
    timestamp: int
    headers: list[tuple[str, bytes]]

    @property
    def json(self) -> Json:
        """The value as an object."""
        decoded: Json = msgspec.json.decode(self.value)
        return decoded


def read_topic(bootstrap: str, topic: str, partition: int = 0) -> list[Written]:
    """All records of a partition, by kafka-python."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    where = TopicPartition(topic, partition)
    consumer.assign([where])
    consumer.seek_to_beginning()
    end = consumer.end_offsets([where])[where]
    records = []
    while consumer.position(where) < end:
        for record in consumer.poll(timeout_ms=500).get(where, ()):
            records.append(
                Written(
                    record.offset, record.key, record.value, record.timestamp, list(record.headers)
                )
            )
    consumer.close()
    return records


async def until(condition: Callable[[], object], seconds: float = 20.0, what: str = "") -> None:
    """Poll until ``condition`` holds; the test fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what or condition}"
        await asyncio.sleep(0.01)


class RunningFeed:
    """A feed and its topics."""

    def __init__(self, feed: Feed, settings: Settings) -> None:
        self.feed = feed
        self.settings = settings
        self.stats = feed.stats
        self.left = -1
        """Records that Kafka did not take, once the feed has ended."""

    @property
    def published(self) -> int:
        """Trades given to Kafka."""
        state = self.feed.state
        return 0 if state is None else sum(s.trades for s in state.streams.values())

    async def live(self, connection: int = 1) -> None:
        """Wait until the n-th connection is live."""
        await until(
            lambda: self.stats.connected and self.stats.reconnects >= connection - 1,
            what=f"connection {connection} live",
        )

    def read(self, name: str) -> list[Written]:
        """All records of ``market.<name>``, partition of Binance."""
        bootstrap = self.settings.kafka_bootstrap_servers
        return read_topic(bootstrap, self.settings.topic(f"market.{name}"))

    def trades(self) -> list[Json]:
        """Trades in the order of the log, without heartbeats."""
        return [r.json for r in self.read("trades") if r.json["event_type"] == "trade"]

    def ids(self, symbol: str = "BTC-USDT") -> list[int]:
        """Trade ids of a symbol in the order of the log."""
        return [trade["trade_seq"] for trade in self.trades() if trade["symbol"] == symbol]

    def heartbeats(self) -> list[Json]:
        """Heartbeats in the trades topic."""
        return [r.json for r in self.read("trades") if r.json["event_type"] == "heartbeat"]

    def statuses(self, kind: str | None = None) -> list[Json]:
        """Status events, of one kind or all."""
        events = [record.json for record in self.read("status")]
        return [event for event in events if kind is None or event["kind"] == kind]


@asynccontextmanager
async def running_feed(
    exchange: ScriptedBinance,
    bootstrap: str,
    state: Path,
    *,
    channels: str = "trades",
    symbols: str = "BTC-USDT,ETH-USDT",
    venue: Venue | None = None,
    **overrides: Any,
) -> AsyncIterator[RunningFeed]:
    """Run a feed inside the block; at its end it is stopped cleanly and has flushed."""
    prefix = overrides.pop("topic_prefix", None) or f"t{uuid.uuid4().hex[:10]}."
    # What the feed sees otherwise than the test: another listener of the same broker.
    feed_settings = overrides.pop("feed_settings", {})
    settings = load_settings(
        **{
            "kafka_bootstrap_servers": bootstrap,
            "topic_prefix": prefix,
            "market_streams_state": state,
            "binance_ws_url": f"ws://{exchange.url}",
            "binance_rest_url": f"http://{exchange.url}",
            "backoff_base": 0.05,
            "backoff_cap": 0.2,
            "linger_ms": 5,
            "metrics_port": -1,
            "bus_reports": False,
            **overrides,
        }
    )
    await asyncio.to_thread(ensure_topics, bootstrap, prefix)
    feed = Feed(
        venue or registry.venue("binance"),
        symbols.split(","),
        channels.split(","),
        load_settings(**settings.model_dump() | feed_settings),
    )
    stop = asyncio.Event()
    running = RunningFeed(feed, settings)
    task = asyncio.create_task(feed.run(stop))
    task.add_done_callback(lambda _: stop.set())
    try:
        yield running
    finally:
        stop.set()
        running.left = await task
