"""The event bus over Kafka keeps the contract, and what only Kafka can show."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.errors import BrokerUnreachable
from connectors.kafka.bus import EventBus
from connectors.kafka.bus_kafka import KafkaTransport
from tests.connectors.feed.running import read_topic
from tests.connectors.kafka.bus_contract import SIGNAL, BusContract, Buses, signal, wait

pytestmark = pytest.mark.integration


@pytest.fixture
def prefix() -> str:
    """Topics of one test."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture
def buses(bootstrap: str, prefix: str) -> Iterator[Buses]:
    """Buses over topics of this test."""
    raw = KafkaTransport(bootstrap, prefix)
    opened: list[EventBus] = []

    def open_bus(**options: Any) -> EventBus:
        opened.append(EventBus(bootstrap, topic_prefix=prefix, **options))
        return opened[-1]

    def dead_letters() -> list[tuple[bytes, dict[str, str]]]:
        return [
            (record.value, {name: value.decode() for name, value in record.headers})
            for record in read_topic(bootstrap, f"{prefix}bus.dead-letters")
        ]

    yield Buses(open_bus, lambda: raw, dead_letters)
    for bus in opened:
        bus.stop(timeout=1)
    raw.close()


class TestKafkaBus(BusContract):
    """All of the contract."""


def test_slow_handlers_do_not_cost_a_member_its_place(bootstrap: str, prefix: str) -> None:
    """Handlers that take longer than the longest pause between polls cause no rebalance."""
    times = {"max_poll_interval_ms": 1_500, "session_timeout_ms": 6_000}
    bus = EventBus(
        KafkaTransport(bootstrap, prefix, consumer=times), group="g", max_workers=1, max_pending=5
    )
    seen: list[int] = []

    def slow(event: Any) -> None:
        time.sleep(0.4)
        seen.append(event.data["n"])

    bus.subscribe(SIGNAL, slow)
    bus.start()
    consumer: Any = bus._readers["g"]._reader
    bus.publish(signal(bus, 0))
    wait(lambda: seen)
    joined = consumer._consumer.group_metadata().generation_id
    for number in range(1, 9):
        bus.publish(signal(bus, number))
    wait(lambda: len(seen) == 9)
    assert seen == list(range(9))
    assert consumer._consumer.group_metadata().generation_id == joined
    bus.stop(1)


def test_no_broker_is_told_with_the_remedy() -> None:
    """Nobody waits for a bus that cannot be."""
    with pytest.raises(BrokerUnreachable, match="make up"):
        EventBus("127.0.0.1:1")
