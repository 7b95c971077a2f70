"""The buses: events/s by subscribers and workers, and the market bus against its client.

    KAFKA_BOOTSTRAP_SERVERS=... python -m tests.benchmarks.bus

Event bus: one bus publishes and handles ``EVENTS`` of 100 keys; handlers only count. ``handled``
is calls of handlers a second: events times subscribers.

How the cost depends on the two numbers:

- **Subscribers** share what was read and decoded; each adds one call in a thread (a queue entry, a
  lock, the call), so events/s fall as 1/(c + n) while handled/s rise until a core is full.
- **Workers** do not make handlers that compute faster, since Python runs one thread at a time;
  with more threads than one the switching costs. They help handlers that wait: with 1 ms of
  waiting (the second table) events/s grow with the workers, up to the number of keys.

Market bus: typed reading by `KafkaEventBus` against a bare poll loop of kafka-python with the same
settings that hands each value to a function: the ratio is to be 0.8 at least.
"""

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer

from connectors.events import Trade
from connectors.kafka.admin import ensure_topics
from connectors.kafka.bus import EventBus, EventType
from connectors.kafka.market_bus import MAX_RECORDS, KafkaEventBus
from connectors.kafka.topics import Topic
from connectors.settings import load_settings

EVENTS = 3_000
SUBSCRIBERS = (1, 10, 100)
WORKERS = (1, 10, 32)
RECORDS = 100_000


def event_bus(
    bootstrap: str, subscribers: int, workers: int, events: int, wait: float = 0.0
) -> float:
    """Events/s from the first publish to the last handler's end."""
    bus = EventBus(
        bootstrap, topic_prefix=f"b{uuid.uuid4().hex[:8]}.", max_workers=workers, max_pending=5_000
    )
    left = [events * subscribers]
    lock, done = threading.Lock(), threading.Event()

    def handle(_: Any) -> None:
        if wait:
            time.sleep(wait)
        with lock:
            left[0] -= 1
            if not left[0]:
                done.set()

    for _ in range(subscribers):
        bus.subscribe(EventType.TRADING_SIGNAL, handle)
    bus.start()
    made = [
        bus.create_event(EventType.TRADING_SIGNAL, "bench", {"symbol": f"K{n % 100}-USD", "n": n})
        for n in range(events)
    ]
    started = time.monotonic()
    for event in made:
        bus.publish(event)
    if not done.wait(300):
        raise RuntimeError(f"{left[0]} calls are missing: {bus.get_stats()}")
    seconds = time.monotonic() - started
    bus.stop()
    return events / seconds


def _timed(start: Callable[[Callable[[], None]], Callable[[], None]]) -> float:
    """Records/s after the first one."""
    begun: list[float] = []
    done = threading.Event()

    def count() -> None:
        begun.append(time.monotonic())
        if len(begun) == RECORDS:
            done.set()

    close = start(count)
    if not done.wait(300):
        raise RuntimeError(f"{len(begun)} of {RECORDS} records came")
    close()
    return (RECORDS - 1) / (begun[-1] - begun[0])


def _bare(bootstrap: str, topic: str) -> float:
    def start(count: Callable[[], None]) -> Callable[[], None]:
        consumer = KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=uuid.uuid4().hex,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            metrics_enabled=False,
            max_partition_fetch_bytes=4 * 1024**2,
        )
        seen = 0
        while seen < RECORDS:
            for batch in consumer.poll(timeout_ms=200, max_records=MAX_RECORDS).values():
                for _ in batch:
                    count()
                seen += len(batch)
        return consumer.close

    return _timed(start)


def _ours(bootstrap: str, topic: str) -> float:
    def start(count: Callable[[], None]) -> Callable[[], None]:
        bus = KafkaEventBus(bootstrap, uuid.uuid4().hex, "earliest")
        bus.subscribe_to_topic(topic, lambda _: count())
        return bus.close

    return _timed(start)


def market_bus(bootstrap: str, turns: int = 3) -> dict[str, float]:
    """Best records/s of both, in turns."""
    topic = f"b{uuid.uuid4().hex[:8]}.trades"
    ensure_topics(bootstrap, "", [Topic(topic, 1, {"retention.ms": "-1"})])
    bus = KafkaEventBus(bootstrap)
    head = ("binance", "BTC-USDT", "BTCUSDT")
    for n in range(RECORDS):
        when = 1_700_000_000_000_000 + n
        bus.publish_event(
            topic,
            Trade(*head, when, when, "b-1", "venue", 1, str(n), n, "68000.10", "0.5", "buy"),
        )
    bus.close()
    best = {"bare": 0.0, "ours": 0.0}
    for _ in range(turns):
        best["bare"] = max(best["bare"], _bare(bootstrap, topic))
        best["ours"] = max(best["ours"], _ours(bootstrap, topic))
    return best


def run() -> dict[str, float]:
    """Print the tables; return the numbers by name, for the summary of all benchmarks."""
    bootstrap = load_settings().kafka_bootstrap_servers
    results: dict[str, float] = {}
    for wait, title in ((0.0, "handlers that count"), (0.001, "handlers that wait 1 ms")):
        print(f"event bus, {title}")
        print(f"{'subscribers':>12}{'workers':>9}{'events/s':>11}{'handled/s':>11}")
        for subscribers in SUBSCRIBERS:
            for workers in WORKERS:
                if wait and subscribers == max(SUBSCRIBERS):
                    continue
                events = max(200, EVENTS // subscribers) if wait or subscribers > 1 else EVENTS
                rate = event_bus(bootstrap, subscribers, workers, events, wait)
                print(f"{subscribers:12}{workers:9}{rate:11,.0f}{rate * subscribers:11,.0f}")
                kind = "waiting" if wait else "counting"
                results[f"bus_{kind}_{subscribers}_{workers}_per_s"] = rate
    best = market_bus(bootstrap)
    ratio = best["ours"] / best["bare"]
    print(f"market bus, records/s: ours {best['ours']:,.0f}, kafka-python {best['bare']:,.0f}, "
          f"ratio {ratio:.2f} (bound 0.80)")  # fmt: skip
    return results | {"market_bus_per_s": best["ours"], "market_bus_of_client": ratio}


if __name__ == "__main__":
    run()
