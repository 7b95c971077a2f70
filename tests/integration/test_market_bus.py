"""`KafkaEventBus` on a real broker: typed events, groups, commits."""

import time
import uuid
from collections.abc import Iterator

import pytest

from connectors.errors import BrokerUnreachable, ConfigurationError
from connectors.events import Trade
from connectors.kafka.admin import ensure_topics
from connectors.kafka.market_bus import KafkaEventBus
from connectors.kafka.topics import Topic
from tests.connectors.engine.making import trade
from tests.connectors.kafka.bus_contract import wait

pytestmark = pytest.mark.integration

Seen = list[Trade]


@pytest.fixture
def topic(bootstrap: str) -> str:
    """A topic of trades with four partitions."""
    name = f"t{uuid.uuid4().hex[:10]}.trades"
    ensure_topics(bootstrap, "", [Topic(name, 4, {"retention.ms": "-1"})])
    return name


@pytest.fixture
def bus(bootstrap: str) -> Iterator[KafkaEventBus]:
    """A bus of the default group."""
    opened = KafkaEventBus(bootstrap)
    yield opened
    opened.close()


def publish(bus: KafkaEventBus, topic: str, numbers: range) -> None:
    """Write trades with keys of their own, and wait until they are in the log."""
    for future in [bus.publish_event(topic, trade(n), key=f"k{n}") for n in numbers]:
        future.get(10)


def test_handlers_get_structs_and_a_bad_value_harms_nothing(bus: KafkaEventBus, topic: str) -> None:
    """What comes is what was published; failing handlers and bad values are counted."""
    seen: Seen = []

    def handle(event: Trade) -> None:
        seen.append(event)
        if event.trade_seq == 1:
            raise ValueError("no")

    subscription = bus.subscribe_to_topic(topic, handle)
    bus._producer.send(topic, b"{no event", b"k").get(10)
    where = bus.publish_event(topic, trade(0)).get(10)
    assert where.topic == topic
    publish(bus, topic, range(1, 4))
    wait(lambda: len(seen) == 4 and subscription.undecodable == 1)
    assert sorted(seen, key=lambda event: event.trade_seq) == [trade(n) for n in range(4)]
    assert (subscription.handled, subscription.failed) == (3, 1)


def test_two_members_share_and_two_groups_get_all(
    bus: KafkaEventBus, bootstrap: str, topic: str
) -> None:
    """Partitions are divided within the group `trading_platform`; another group has its own."""
    shared: list[Seen] = [[], []]
    alone: Seen = []
    second, other = KafkaEventBus(bootstrap), KafkaEventBus(bootstrap, group_id="risk")
    bus.subscribe_to_topic(topic, shared[0].append)
    second.subscribe_to_topic(topic, shared[1].append)
    other.subscribe_to_topic(topic, alone.append)
    time.sleep(4)  # the first member hears of the second with a heartbeat, each 3 s
    publish(bus, topic, range(200))
    wait(lambda: len(alone) == 200 and len(shared[0]) + len(shared[1]) >= 200)
    numbers = [event.trade_seq for seen in shared for event in seen]
    assert sorted(numbers) == list(range(200))
    assert all(shared)
    assert sorted(event.trade_seq for event in alone) == list(range(200))
    second.close()
    other.close()


def test_a_group_goes_on_after_what_was_handled(bootstrap: str, topic: str) -> None:
    """Closing commits; the next member begins behind it and misses nothing in between."""
    seen: Seen = []
    for numbers in (range(5), range(5, 9)):
        bus = KafkaEventBus(bootstrap, auto_offset_reset="earliest")
        publish(bus, topic, numbers)
        bus.subscribe_to_topic(topic, seen.append)
        wait(lambda numbers=numbers: len(seen) >= numbers.stop)
        bus.close()
    assert sorted(event.trade_seq for event in seen) == list(range(9))


def test_what_cannot_work_is_refused() -> None:
    """No broker, no such reset."""
    with pytest.raises(BrokerUnreachable, match="make up"):
        KafkaEventBus("127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="latest or earliest"):
        KafkaEventBus("127.0.0.1:1", auto_offset_reset="middle")
