"""The contract of `Producer`, held by both clients against a real broker."""

import random
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.errors import BrokerUnreachable, BufferFull
from connectors.kafka.admin import ensure_topics
from connectors.kafka.clients import open_producer
from connectors.kafka.producers import Failure, Producer
from connectors.kafka.topics import Topic
from connectors.settings import load_settings
from docker.local.kafka import Kafka
from tests.connectors.feed.running import read_topic
from tests.connectors.kafka.own_broker import address, own_broker
from tests.integration.conftest import free_ports

pytestmark = pytest.mark.integration

Open = Callable[..., Producer]
MS = 1_609_459_200_000


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    """A broker of this module."""
    with own_broker() as broker:
        yield broker


@pytest.fixture
def topic(kafka: Kafka) -> str:
    """A new topic with two partitions that takes batches up to 150,000 bytes."""
    kafka.start()
    name = f"t{uuid.uuid4().hex[:10]}"
    config = {"max.message.bytes": "150000", "retention.ms": "-1"}
    ensure_topics(address(kafka), "", [Topic(name, 2, config)])
    return name


@pytest.fixture(params=["confluent", "kafka-python"])
def producer(request: pytest.FixtureRequest, kafka: Kafka, topic: str, tmp_path: Path) -> Open:
    """Opens a producer of either client."""

    def opened(**overrides: object) -> Producer:
        settings = load_settings(
            **{
                "kafka_bootstrap_servers": address(kafka),
                "producer": request.param,
                "linger_ms": 5,
                "market_streams_state": tmp_path,
                **overrides,
            }
        )
        return open_producer(settings, [topic])

    return opened


def wait_for_failures(client: Producer, count: int, seconds: float = 15.0) -> list[Failure]:
    """Poll until ``count`` failures were given."""
    failures: list[Failure] = []
    deadline = time.monotonic() + seconds
    while len(failures) < count:
        assert time.monotonic() < deadline, f"{len(failures)} of {count} failures"
        failures += client.poll()
        time.sleep(0.01)
    return failures


def test_records_arrive_in_order_with_all_they_carry(
    producer: Open, kafka: Kafka, topic: str
) -> None:
    """Partition, key, value, timestamp and headers are what was sent."""
    client = producer()
    for number in range(2_000):
        client.send(topic, 1, b"binance|BTC-USDT", b"%d" % number, MS + number)
    client.send(topic, 1, None, b"\xff raw", MS, [("reason", b"size")])
    assert client.flush(20) == 0
    assert client.depth().records == 0
    assert client.close(5) == []
    records = read_topic(address(kafka), topic, 1)
    assert [r.value for r in records[:-1]] == [b"%d" % n for n in range(2_000)]
    assert [r.timestamp for r in records[:-1]] == [MS + n for n in range(2_000)]
    assert {r.key for r in records[:-1]} == {b"binance|BTC-USDT"}
    assert (records[-1].key, records[-1].value) == (None, b"\xff raw")
    assert records[-1].headers == [("reason", b"size")]


def test_a_full_buffer_is_an_error_at_once_and_has_room_again_later(
    producer: Open, kafka: Kafka, topic: str
) -> None:
    """With Kafka gone exactly the bound is taken; then `BufferFull`, never a wait."""
    client = producer(buffer_records=500)
    client.send(topic, 0, b"k", b"first", MS)
    assert client.flush(10) == 0
    kafka.stop()
    started = time.monotonic()
    for number in range(500):
        client.send(topic, 0, b"k", b"%d" % number, MS)
    with pytest.raises(BufferFull):
        client.send(topic, 0, b"k", b"one too many", MS)
    assert time.monotonic() - started < 2.0
    assert 500 <= client.depth().records < 550  # librdkafka counts its own events too
    kafka.start()
    assert client.flush(40) == 0
    client.send(topic, 0, b"k", b"last", MS)
    assert client.close(20) == []
    values = [r.value for r in read_topic(address(kafka), topic)]
    assert values == [b"first", *(b"%d" % n for n in range(500)), b"last"]


def test_the_buffer_is_bounded_in_bytes(producer: Open, kafka: Kafka, topic: str) -> None:
    """Few large records fill it as well as many small ones."""
    client = producer(buffer_bytes=1024 * 1024)
    client.send(topic, 0, b"k", b"first", MS)
    assert client.flush(10) == 0
    kafka.stop()
    taken = 0
    with pytest.raises(BufferFull):
        while taken < 10_000:
            client.send(topic, 0, b"k", b"x" * 1500, MS)
            taken += 1
    assert 400 < taken < 800
    kafka.start()
    assert client.flush(40) == 0
    assert client.close(5) == []


def test_a_refused_record_is_given_back_whole_and_harms_no_other(
    producer: Open, kafka: Kafka, topic: str
) -> None:
    """The broker refuses what is too large; its neighbours arrive, once."""
    client = producer()
    large = random.Random(1).randbytes(200_000)  # too random for the compression to help
    for number in range(5):
        client.send(topic, 0, b"k", b"%d" % number, MS)
    assert client.flush(10) == 0
    client.send(topic, 0, b"large", large, MS + 7, [("h", b"v")])
    (failure,) = wait_for_failures(client, 1)
    assert failure[:6] == (topic, 0, b"large", large, MS + 7, [("h", b"v")])
    assert failure.error
    if client.broken:
        assert client.close(5) == []
        client = producer()
    client.send(topic, 0, b"k", b"5", MS)
    assert client.flush(10) == 0
    assert client.close(5) == []
    assert client.broken == ""
    assert [r.value for r in read_topic(address(kafka), topic)] == [b"%d" % n for n in range(6)]


def test_a_broker_that_comes_back_gets_every_record_once_and_in_order(
    producer: Open, kafka: Kafka, topic: str
) -> None:
    """Retries are the producer's work, and idempotent."""
    client = producer()
    for number in range(3_000):
        client.send(topic, 0, b"k", b"%d" % number, MS)
        if number == 1_000:
            kafka.stop()
    kafka.start()
    assert client.flush(40) == 0
    assert client.close(5) == []
    values = [r.value for r in read_topic(address(kafka), topic)]
    assert values == [b"%d" % n for n in range(3_000)]


def test_records_that_are_too_old_are_given_back(producer: Open, kafka: Kafka, topic: str) -> None:
    """After the delivery timeout a record is a failure, not forgotten."""
    client = producer(delivery_timeout=2.0)
    client.send(topic, 0, b"k", b"first", MS)
    assert client.flush(10) == 0
    kafka.stop()
    for number in range(10):
        client.send(topic, 0, b"k", b"%d" % number, MS)
    failures = wait_for_failures(client, 10)
    assert [f.value for f in failures] == [b"%d" % n for n in range(10)]
    client.close(1)


def test_what_is_left_at_the_end_is_given_back(producer: Open, kafka: Kafka, topic: str) -> None:
    """Closing without a broker reports every waiting record once."""
    client = producer()
    client.send(topic, 0, b"k", b"first", MS)
    assert client.flush(10) == 0
    kafka.stop()
    for number in range(100):
        client.send(topic, 0, b"k", b"%d" % number, MS)
    started = time.monotonic()
    failures = client.close(1.0)
    assert time.monotonic() - started < 10
    assert sorted(f.value or b"" for f in failures) == sorted(b"%d" % n for n in range(100))


@pytest.mark.parametrize("name", ["confluent", "kafka-python"])
def test_no_broker_at_the_start_is_an_error_with_the_remedy(name: str) -> None:
    """Said within seconds."""
    bootstrap = f"127.0.0.1:{free_ports(1)[0]}"
    settings = load_settings(kafka_bootstrap_servers=bootstrap, producer=name)
    with pytest.raises(BrokerUnreachable, match=f"{bootstrap}.*make up"):
        open_producer(settings, [])
