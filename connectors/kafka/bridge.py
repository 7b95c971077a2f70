"""The bridge: records of the topics become events of the bus.

    market.trades -> trade_executed           market.candles -> candle_updated
    market.quotes -> market_data_received     analytics.*    -> indicators_updated
    market.books  -> orderbook_updated        alerts         -> risk_alert

Optional: one process (`python -m connectors bridge`), or several that share the work. A position
is committed when the bus has all before it: at least once. ``event_id`` is made of the record's
place, so a consumer can tell a repeated event.
"""

import logging
import re
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from connectors.bursts import Bursts
from connectors.kafka.bus import Event, EventBus, EventError, EventType

logger = logging.getLogger(__name__)

GROUP = "bus-bridge"
SOURCE = "bridge"

TYPES: dict[str, EventType] = {
    "market.trades": EventType.TRADE_EXECUTED,
    "market.quotes": EventType.MARKET_DATA_RECEIVED,
    "market.books": EventType.ORDERBOOK_UPDATED,
    "market.candles": EventType.CANDLE_UPDATED,
    "alerts": EventType.RISK_ALERT,
}

ANALYTICS = "analytics."

COMMIT_INTERVAL = 0.5
MAX_RECORDS = 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def type_of(topic: str) -> EventType | None:
    """Event type for a topic without prefix; None where it is not bridged."""
    return EventType.INDICATORS_UPDATED if topic.startswith(ANALYTICS) else TYPES.get(topic)


def to_event(topic: str, record: Any) -> Event | None:
    """The event of a record; None for heartbeats and deletions. Pure.

    Args:
        topic: Its topic without prefix.
        record: kafka-python's ConsumerRecord.

    Raises:
        EventError: Where the value is no JSON object.
    """
    event_type = type_of(topic)
    if event_type is None or record.value is None:
        return None
    try:
        data = msgspec.json.decode(record.value, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventError(f"{topic}[{record.partition}] {record.offset}: {error}") from error
    if data.get("event_type") == "heartbeat":
        return None
    happened = data.get("ts_event")
    micros = happened if isinstance(happened, int) else record.timestamp * 1000
    event_id = f"{topic}-{record.partition}-{record.offset}"
    return Event(
        event_type,
        SOURCE,
        EPOCH + timedelta(microseconds=micros),
        {**data, "topic": topic},
        correlation_id=event_id,
        event_id=event_id,
    )


class Bridge:
    """Reads topics and publishes on the bus.

    Args:
        bus: Where events go.
        bootstrap: Address of a broker.
        prefix: That of the topics' names.
        topics: Which of them, without prefix; ``analytics.*`` stands for all models. Default:
            everything.
        reset: Where a group without a position begins.
        security: Of `connectors.kafka.security.kafka_python_security`; None: a plaintext listener.
    """

    def __init__(
        self,
        bus: EventBus,
        bootstrap: str,
        prefix: str = "",
        topics: Sequence[str] = (),
        reset: str = "latest",
        security: Mapping[str, Any] | None = None,
    ) -> None:
        self.published = 0
        self.refused = 0
        """Records that are no JSON objects."""
        self._bus = bus
        self._prefix = prefix
        self._bursts = Bursts(logger)
        self._pending: list[Future[Any]] = []
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            **(security or {}),
            group_id=f"{prefix}{GROUP}",
            auto_offset_reset=reset,
            enable_auto_commit=False,
            # How soon a new model's topic is seen.
            metadata_max_age_ms=30_000,
            bootstrap_timeout_ms=10_000,
            metrics_enabled=False,
        )
        wanted = topics or (*TYPES, f"{ANALYTICS}*")
        patterns = [re.escape(prefix + topic).replace(r"\*", "[^.]+") for topic in wanted]
        self._consumer.topics()
        self._consumer.subscribe(pattern=f"^({'|'.join(patterns)})$")

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; what was published is committed then."""
        last = time.monotonic()
        dirty = False
        begun: set[TopicPartition] = set()
        while not stop.is_set():
            polled = self._consumer.poll(timeout_ms=200, max_records=MAX_RECORDS)
            begun = self._begin(begun)
            for where, batch in polled.items():
                self._publish(where, batch)
            dirty = dirty or bool(polled)
            if dirty and time.monotonic() - last > COMMIT_INTERVAL:
                self._commit()
                last, dirty = time.monotonic(), False
        self._commit()
        self._consumer.close(autocommit=False, timeout_ms=5_000)

    def _begin(self, begun: set[TopicPartition]) -> set[TopicPartition]:
        """Know where each new partition begins before anything is published: what the bus hears
        of one topic tells that all are read from now on."""
        assigned: set[TopicPartition] = self._consumer.assignment()
        for where in assigned - begun:
            self._consumer.position(where, timeout_ms=5_000)
        return assigned

    def _publish(self, where: TopicPartition, batch: Sequence[Any]) -> None:
        topic = where.topic.removeprefix(self._prefix)
        for record in batch:
            try:
                event = to_event(topic, record)
                if event is not None:
                    self._pending.append(self._bus.publish(event))
                    self.published += 1
            except EventError as error:
                self.refused += 1
                self._bursts.report(topic, f"no event: {error}")

    def _commit(self) -> None:
        """Wait for the bus, then commit what was read. An event that the log refused ends the
        bridge: its records come again after a restart."""
        for future in self._pending:
            future.result(60)
        self._pending.clear()
        assigned = self._consumer.assignment()
        positions = {
            where: OffsetAndMetadata(position, "", -1)
            for where in assigned
            if (position := self._consumer.position(where, timeout_ms=1000)) is not None
        }
        if positions:
            self._consumer.commit(positions, timeout_ms=5_000)
