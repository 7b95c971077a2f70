"""SASL/PLAIN over TLS to a real broker: all our clients get in, and say why where they do not."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import ConfigurationError
from connectors.events import SCHEMA_VERSION, Trade
from connectors.kafka.admin import ensure_topics
from connectors.kafka.bus import EventBus, EventType
from connectors.kafka.clients import open_producer
from connectors.kafka.market_bus import KafkaEventBus
from connectors.kafka.security import kafka_python_security
from connectors.kafka.topics import BUS_EVENTS, TOPICS
from connectors.settings import load_settings
from tests.connectors.feed.running import read_topic, running_feed, until
from tests.connectors.feed.scripted import scripted_binance
from tests.connectors.kafka.secure_broker import PASSWORD, SecureKafka, secure_broker

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def kafka() -> Iterator[SecureKafka]:
    """A broker of this module alone: the stack's has no such listener."""
    with secure_broker() as running:
        settings = load_settings(**running.client())
        ensure_topics(settings.kafka_bootstrap_servers, "", TOPICS, kafka_python_security(settings))
        yield running


@pytest.mark.parametrize("producer", ["confluent", "kafka-python"])
async def test_a_feed_publishes_through_tls(
    kafka: SecureKafka, tmp_path: Path, producer: str
) -> None:
    """Topics, tail, both producers and the reports on the bus."""
    async with scripted_binance() as exchange:
        async with running_feed(
            exchange, kafka.settings.bootstrap, tmp_path, producer=producer,
            feed_settings=kafka.client(), bus_reports=True,
        ) as feed:  # fmt: skip
            await feed.live()
            await exchange.send(*exchange.make("BTCUSDT", range(1, 51)))
            await until(lambda: feed.published == 50)
            await exchange.drop()
            await feed.live(2)
        assert feed.left == 0
        assert feed.ids() == list(range(1, 51))
    topic = feed.settings.topic("bus.events")
    told = [
        one.json["event_type"]
        for partition in range(BUS_EVENTS.partitions)
        for one in read_topic(kafka.settings.bootstrap, topic, partition)
    ]
    assert told.count("heartbeat") == 1 and told.count("error_occurred") == 1
    assert told.count("system_status") == len(feed.statuses())


async def test_both_buses_go_through_tls(kafka: SecureKafka) -> None:
    """What one end publishes the other hears."""
    settings = load_settings(**kafka.client())
    bootstrap, security = settings.kafka_bootstrap_servers, kafka_python_security(settings)
    heard: list[object] = []
    both = threading.Event()

    def hear(event: object) -> None:
        heard.append(event)
        if len(heard) == 2:
            both.set()

    bus = EventBus(bootstrap, security=security)
    market = KafkaEventBus(bootstrap, "secure", security=security)
    try:
        bus.subscribe(EventType.TRADING_SIGNAL, hear)
        await asyncio.to_thread(bus.start)
        await asyncio.to_thread(market.subscribe_to_topic, "market.trades", hear)
        bus.publish(bus.create_event(EventType.TRADING_SIGNAL, "test", {"symbol": "BTC-USDT"}))
        head = ("binance", "BTC-USDT", "BTCUSDT", 10**15, 10**15, "x", "venue", SCHEMA_VERSION)
        trade = Trade(*head, "1", 1, "2", "3", "buy")  # type: ignore[arg-type]
        market.publish_event("market.trades", trade)
        assert await asyncio.to_thread(both.wait, 20)
    finally:
        await asyncio.to_thread(market.close)
        await asyncio.to_thread(bus.stop)
    assert trade in heard


@pytest.mark.parametrize("producer", ["confluent", "kafka-python"])
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("kafka_sasl_password", "refuses the login.*KAFKA_SASL_PASSWORD"),
        ("kafka_ssl_cafile", "certificate .* is not trusted.*KAFKA_SSL_CAFILE"),
        ("kafka_sasl_mechanism", "KAFKA_SASL_MECHANISM"),
    ],
)
def test_what_is_wrong_is_named(kafka: SecureKafka, producer: str, wrong: str, named: str) -> None:
    """The variable, and never a password."""
    values = {
        "kafka_sasl_password": "wrong-of-the-test",
        "kafka_ssl_cafile": kafka.made.stranger,
        "kafka_sasl_mechanism": "SCRAM-SHA-256",
    }
    settings = load_settings(producer=producer, **kafka.client(**{wrong: values[wrong]}))
    with pytest.raises(ConfigurationError, match=named) as refused:
        open_producer(settings, [])
    assert PASSWORD not in str(refused.value) and "wrong-of" not in str(refused.value)


def test_the_bus_names_it_too(kafka: SecureKafka) -> None:
    """Before a component starts."""
    settings = load_settings(**kafka.client(kafka_sasl_password="wrong-of-the-test"))
    with pytest.raises(ConfigurationError, match="KAFKA_SASL_PASSWORD"):
        EventBus(settings.kafka_bootstrap_servers, security=kafka_python_security(settings))
