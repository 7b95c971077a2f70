"""The bridge between topics and the bus, as a process, with real records; and what feeds report."""

import os
import signal
import subprocess
import sys
import uuid
from typing import Any

import pytest
from kafka import KafkaProducer

from connectors.events import Candle, Heartbeat, Quote
from connectors.kafka.admin import ensure_topics
from connectors.kafka.bus import Event, EventBus, EventType
from connectors.kafka.bus_reports import BusReporter
from connectors.kafka.serde import encode
from connectors.kafka.topics import TOPICS, Topic
from docker.local.settings import ROOT
from tests.connectors.engine.making import HEAD, book, candle, quote, told, trade
from tests.connectors.kafka.bus_contract import wait

pytestmark = pytest.mark.integration


def test_records_become_events_of_their_kind(bootstrap: str) -> None:
    """Each bridged topic once; heartbeats and deletions are left out; values are kept."""
    prefix = f"t{uuid.uuid4().hex[:10]}."
    ensure_topics(bootstrap, prefix, (*TOPICS, Topic("analytics.bars_1m", 1, {})))
    bus = EventBus(bootstrap, topic_prefix=prefix)
    seen: list[Event] = []
    for kind in EventType:
        if kind is not EventType.HEARTBEAT:
            bus.subscribe(kind, seen.append)
    beats: list[Event] = []
    bus.subscribe(EventType.HEARTBEAT, beats.append)
    bus.start()
    environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": bootstrap, "TOPIC_PREFIX": prefix}
    process = subprocess.Popen(
        [sys.executable, "-m", "connectors", "bridge"], cwd=ROOT, env=environment
    )
    producer = KafkaProducer(bootstrap_servers=bootstrap)

    def send(topic: str, value: bytes | None) -> None:
        producer.send(prefix + topic, value, b"k").get(10)

    try:
        wait(lambda: beats, "the bridge lives")

        def probe() -> bool:
            send("alerts", b'{"rule": "probe"}')
            return any(event.event_type is EventType.RISK_ALERT for event in seen)

        wait(probe, "the bridge reads")
        quoted: Quote = quote("7")
        barred: Candle = candle(0, "5")
        for topic, value in (
            ("market.trades", encode(trade(5))),
            ("market.trades", encode(Heartbeat(*HEAD, None))),
            ("market.quotes", encode(quoted)),
            ("market.books", encode(book(1, 2))),
            ("market.candles", encode(barred)),
            ("analytics.bars_1m", b'{"symbol": "BTC-USDT", "close": 1.25}'),
            ("analytics.bars_1m", None),
            ("alerts", b'{"rule": "large_trade", "symbol": "BTC-USDT"}'),
        ):
            send(topic, value)
        wait(lambda: any(event.data.get("rule") == "large_trade" for event in seen))
        wait(lambda: len({event.event_type for event in seen}) == 6)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        producer.close()
        bus.stop()
    by_type: dict[EventType, list[Event]] = {}
    for event in seen:
        if event.data.get("rule") != "probe":
            by_type.setdefault(event.event_type, []).append(event)
    assert {kind: len(events) for kind, events in by_type.items()} == {
        EventType.TRADE_EXECUTED: 1,
        EventType.MARKET_DATA_RECEIVED: 1,
        EventType.ORDERBOOK_UPDATED: 1,
        EventType.CANDLE_UPDATED: 1,
        EventType.INDICATORS_UPDATED: 1,
        EventType.RISK_ALERT: 1,
    }
    (executed,) = by_type[EventType.TRADE_EXECUTED]
    expected: dict[str, Any] = {"price": "100.5", "trade_id": "5", "topic": "market.trades"}
    assert {name: executed.data[name] for name in expected} == expected
    assert executed.key == "BTC-USDT"
    assert executed.correlation_id == executed.event_id


def test_a_feed_reports_status_errors_and_heartbeats(bootstrap: str) -> None:
    """Without waiting for Kafka itself."""
    prefix = f"t{uuid.uuid4().hex[:10]}."
    bus = EventBus(bootstrap, topic_prefix=prefix)
    seen: dict[EventType, Event] = {}
    for kind in (EventType.SYSTEM_STATUS, EventType.ERROR_OCCURRED, EventType.HEARTBEAT):
        bus.subscribe(kind, lambda event: seen.update({event.event_type: event}))
    bus.start()
    reporter = BusReporter(bus, "feed-binance")
    reporter.status(told())
    reporter.error(ConnectionError("cut"), exchange="binance")
    wait(lambda: len(seen) == 3)
    reporter.close()
    bus.stop()
    assert seen[EventType.SYSTEM_STATUS].data["kind"] == "connected"
    assert seen[EventType.ERROR_OCCURRED].data["message"] == "cut"
    assert seen[EventType.HEARTBEAT].source == "feed-binance"
