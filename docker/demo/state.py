"""What the demo's terminal shows, gathered from the real parts; no drawing here."""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from docker.local.stack import Status

CLOSES = 24


@dataclass
class Feed:
    """One venue's connector, from its metrics."""

    connected: bool = False
    events: float = 0
    rate: float = 0
    """Events per second since the last look."""
    lag_p50: float = 0
    lag_p99: float = 0
    """Receipt minus event time, seconds."""
    duplicates: int = 0
    gaps: int = 0
    dead_letters: int = 0
    seen: float = 0

    def update(self, text: str, now: float) -> None:
        """Take in a scrape of Prometheus text at the monotonic time ``now``."""
        values: dict[tuple[str, str], float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                kind = sample.labels.get("quantile", "")
                values[sample.name, kind] = values.get((sample.name, kind), 0) + sample.value
        events = values.get(("feed_events_total", ""), 0)
        if self.seen:
            self.rate = (events - self.events) / max(now - self.seen, 1e-6)
        self.events, self.seen = events, now
        self.connected = values.get(("feed_connected", ""), 0) > 0
        self.lag_p50 = values.get(("feed_lag_seconds", "0.5"), 0)
        self.lag_p99 = values.get(("feed_lag_seconds", "0.99"), 0)
        self.duplicates = int(values.get(("feed_duplicates_total", ""), 0))
        self.gaps = int(values.get(("feed_gaps_total", ""), 0))
        self.dead_letters = int(values.get(("feed_dead_letters_total", ""), 0))


@dataclass
class DemoState:
    """Everything that is on the screen."""

    started: float = field(default_factory=time.monotonic)
    market_us: int = 0
    """Where the simulated clock stands."""
    services: list[Status] = field(default_factory=list)
    feeds: dict[str, Feed] = field(default_factory=dict)
    bars: dict[tuple[str, str], deque[dict[str, Any]]] = field(default_factory=dict)
    windows: int = 0
    alerts: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=6))
    alert_count: int = 0
    late: int = 0
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=4))
    first_window_after: float | None = None
    """Seconds from the start to the first window shown."""

    def take(self, topic: str, value: dict[str, Any]) -> None:
        """Take in one record of a topic (its name without prefix)."""
        if topic == "analytics.bars_1m":
            self.windows += 1
            if self.first_window_after is None:
                self.first_window_after = time.monotonic() - self.started
            key = value["exchange"], value["symbol"]
            self.bars.setdefault(key, deque(maxlen=CLOSES)).append(value)
        elif topic == "alerts":
            self.alert_count += 1
            self.alerts.append(value)
        elif topic == "market.late-events":
            self.late += 1
        elif topic == "market.status":
            note = f"{value['exchange']} {value['kind']} {value['symbol']} {value['cause']}"
            self.notes.append(note)


class TopicReader(threading.Thread):
    """Follows topics and gives each record to the state until it is stopped."""

    TOPICS = ("analytics.bars_1m", "alerts", "market.late-events", "market.status")

    def __init__(self, state: DemoState, bootstrap: str, prefix: str) -> None:
        super().__init__(daemon=True)
        self._state = state
        self._prefix = prefix
        self._stop_asked = threading.Event()
        self._consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)

    def run(self) -> None:
        """Read from the beginning: the demo's topics are new."""
        partitions = [
            TopicPartition(self._prefix + topic, number)
            for topic in self.TOPICS
            for number in self._consumer.partitions_for_topic(self._prefix + topic) or ()
        ]
        self._consumer.assign(partitions)
        self._consumer.seek_to_beginning(*partitions)
        while not self._stop_asked.is_set():
            for part, records in self._consumer.poll(timeout_ms=200).items():
                for record in records:
                    if record.value is not None:
                        topic = part.topic.removeprefix(self._prefix)
                        self._state.take(topic, json.loads(record.value))
        self._consumer.close()

    def stop(self) -> None:
        """End the thread and its connection."""
        self._stop_asked.set()
        self.join(timeout=5)
