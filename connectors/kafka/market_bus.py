"""`KafkaEventBus`: market events in and out of Kafka as the structs of `connectors.events`.

```python
bus = KafkaEventBus("127.0.0.1:19092")
bus.subscribe_to_topic("market.trades", lambda trade: print(trade.symbol, trade.price))
bus.publish_event("market.candles", candle).get(10)
bus.close()
```
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from connectors.bursts import Bursts
from connectors.errors import ConfigurationError
from connectors.events import Event, Heartbeat
from connectors.kafka import topics
from connectors.kafka.producers import BATCH_BYTES
from connectors.kafka.security import check_access, unreachable
from connectors.kafka.serde import EventDecodeError, decode, encode
from connectors.kafka.topics import LARGEST_RECORD

logger = logging.getLogger(__name__)

GROUP = "trading_platform"

COMMIT_INTERVAL = 0.5
"""Seconds between commits: so much may be handled twice after a crash or a rebalance."""

POLL = 0.2
"""How soon a stop is noticed, seconds."""

JOIN_TIMEOUT = 30.0

MAX_RECORDS = 2_000
"""Most records of one poll; a stop waits until they are handled."""


class TopicSubscription:
    """One consumer of one topic, in a thread of its own.

    A handler that raises is counted and logged; the next event follows. Values that are no
    events are counted in ``undecodable`` and skipped. Both are committed: retries and dead
    letters are what `connectors.kafka.bus` is for.
    """

    def __init__(
        self, consumer: KafkaConsumer, topic: str, handler: Callable[[Any], Any], heartbeats: bool
    ) -> None:
        self.topic = topic
        self.handled = 0
        self.failed = 0
        self.undecodable = 0
        self._consumer = consumer
        self._handler = handler
        self._heartbeats = heartbeats
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._bursts = Bursts(logger)
        consumer.subscribe([topic])
        consumer.topics()  # before it joins: see bus_kafka
        self._thread = threading.Thread(target=self._run, name=f"market-{topic}", daemon=True)
        self._thread.start()

    def wait_ready(self, timeout: float = JOIN_TIMEOUT) -> bool:
        """Wait until it has partitions and what is published from now on will be handled."""
        return self._ready.wait(timeout)

    def close(self) -> None:
        """Handle what was read, commit, leave the group."""
        self._stop.set()
        self._thread.join(JOIN_TIMEOUT)

    def _run(self) -> None:
        committed, uncommitted = time.monotonic(), False
        while not self._stop.is_set():
            try:
                polled = self._consumer.poll(timeout_ms=round(POLL * 1000), max_records=MAX_RECORDS)
                if not self._ready.is_set():
                    self._settle()
                for batch in polled.values():
                    self._handle(batch)
                uncommitted = uncommitted or bool(polled)
                if uncommitted and time.monotonic() - committed > COMMIT_INTERVAL:
                    # All that was polled is handled: its end is the position.
                    self._consumer.commit_async()
                    committed, uncommitted = time.monotonic(), False
            except Exception as error:
                self._bursts.report("poll", f"{self.topic}: reading failed: {error}", error)
                self._stop.wait(0.5)
        try:
            if uncommitted:
                self._consumer.commit(timeout_ms=5_000)
        except KafkaError as error:
            logger.warning("%s: last commit failed (%s)", self.topic, error)
        self._consumer.close(autocommit=False, timeout_ms=5_000)

    def _settle(self) -> None:
        assigned = self._consumer.assignment()
        if assigned:
            for where in assigned:
                self._consumer.position(where)
            self._ready.set()

    def _handle(self, batch: list[Any]) -> None:
        handler, heartbeats = self._handler, self._heartbeats
        for record in batch:
            try:
                event = decode(record.value)
            except (EventDecodeError, TypeError) as error:
                self.undecodable += 1
                where = f"{self.topic}[{record.partition}] offset {record.offset}"
                self._bursts.report("decode", f"{where}: {error}")
                continue
            if type(event) is Heartbeat and not heartbeats:
                continue
            try:
                handler(event)
                self.handled += 1
            except Exception as error:
                self.failed += 1
                self._bursts.report(repr(error), f"{self.topic}: handler: {error!r}", error)


class KafkaEventBus:
    """Publishes and subscribes market events.

    Args:
        bootstrap_servers: Address of a broker.
        group_id: Members of a group share a topic's partitions; other groups get all events.
        auto_offset_reset: Where a group without a position begins: ``latest`` or ``earliest``.
        security: Of `connectors.kafka.security.kafka_python_security`; None: a plaintext listener.

    Raises:
        BrokerUnreachable: Where no broker answers.
        ConfigurationError: Where it refuses our login, or we its certificate.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        group_id: str = GROUP,
        auto_offset_reset: str = "latest",
        security: Mapping[str, Any] | None = None,
    ) -> None:
        if auto_offset_reset not in ("latest", "earliest"):
            raise ConfigurationError(
                f"auto_offset_reset must be latest or earliest, was {auto_offset_reset!r}"
            )
        self._bootstrap = bootstrap_servers
        self._security = dict(security or {})
        self._group = group_id
        self._reset = auto_offset_reset
        self._subscriptions: list[TopicSubscription] = []
        check_access(bootstrap_servers, security)
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=bootstrap_servers,
                **self._security,
                enable_idempotence=True,
                acks="all",
                compression_type="lz4",
                linger_ms=5,
                batch_size=BATCH_BYTES,
                max_request_size=LARGEST_RECORD,
                bootstrap_timeout_ms=5_000,
                max_block_ms=10_000,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        except (KafkaError, OSError) as error:
            raise unreachable(bootstrap_servers, error) from error

    def publish_event(self, topic: str, event: Event, key: bytes | str | None = None) -> Any:
        """Write an event; gives kafka-python's future: ``.get(seconds)`` waits for the log.

        It is written again until the delivery time-out (2 minutes), never twice. In a
        ``market.*`` topic it goes to the partition of its venue, which has one writer only:
        publish there what no connector publishes.

        Args:
            topic: Full name, with prefix.
            event: A struct of `connectors.events`.
            key: Default: ``exchange|SYMBOL``.
        """
        if key is None:
            key = topics.event_key(event.exchange, event.symbol)
        known = (event.exchange, 0) in topics.WRITERS and "market." in topic
        return self._producer.send(
            topic,
            encode(event),
            key.encode() if isinstance(key, str) else key,
            partition=topics.partition_of(event.exchange) if known else None,
            timestamp_ms=event.ts_event // 1000,
        )

    def subscribe_to_topic(
        self, topic: str, handler: Callable[[Any], Any], *, heartbeats: bool = False
    ) -> TopicSubscription:
        """Call ``handler`` with each event of a topic, in a thread of the subscription.

        Offsets are committed after handling (at least once). Returns when the subscription has
        its partitions, or after `JOIN_TIMEOUT` where other members have them all.

        Args:
            topic: Full name, with prefix.
            handler: Takes a `Trade`, `Quote`, …; a plain function.
            heartbeats: Whether it wants the heartbeats that move event time, too.
        """
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            **self._security,
            group_id=self._group,
            auto_offset_reset=self._reset,
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            metrics_enabled=False,
            max_partition_fetch_bytes=4 * 1024**2,
        )
        subscription = TopicSubscription(consumer, topic, handler, heartbeats)
        self._subscriptions.append(subscription)
        subscription.wait_ready()
        return subscription

    def close(self) -> None:
        """End all subscriptions, write what waits."""
        for subscription in self._subscriptions:
            subscription.close()
        self._producer.close(30)
