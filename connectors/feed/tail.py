"""What a former process had published: read from the end of its trades partition.

Once a minute a heartbeat carries ``{symbol: settled trade_seq}``. Reading back until two such
heartbeats are found covers every trade that was published out of order around the last one; from
there on the trades themselves tell.
"""

import logging
import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from connectors.errors import BrokerUnreachable
from connectors.exchanges.base import Numbering
from connectors.feed.recent import RecentTracker, restore_recent
from connectors.feed.sequence import SequenceTracker, restore
from connectors.kafka.security import kafka_python_security, unreachable
from connectors.settings import Settings

logger = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds without a record after which the broker counts as gone."""
FIRST_READ = 4_000
MAX_READ = 1_000_000
"""Records to read back at most: more than a minute of any venue."""


class _Tail(msgspec.Struct):
    """The few fields of a trades record that matter here."""

    event_type: str
    symbol: str
    ts_event: int = 0
    trade_seq: int | None = None
    last_trade_ids: dict[str, int] | None = None


_decode = msgspec.json.Decoder(_Tail).decode


Tracker = SequenceTracker | RecentTracker


class Found(NamedTuple):
    """What the tail says."""

    oldest: dict[str, int]
    """Ids of the oldest report in it."""
    settled: dict[str, int]
    """Ids of the latest report."""
    seen: dict[str, dict[int, int]]
    """Venue time by id, per symbol, of the trades in it."""
    reports: int


def new_tracker(numbering: Numbering) -> Tracker:
    """Tracker of a symbol of which nothing is known."""
    return SequenceTracker() if numbering == "consecutive" else RecentTracker()


def read_trackers(
    settings: Settings, topic: str, partition: int, numbering: Numbering = "consecutive"
) -> dict[str, Tracker]:
    """Trackers by symbol as the former writer of the partition left them; {} for a new one.

    Raises:
        BrokerUnreachable: Where Kafka does not answer.
    """
    bootstrap, security = settings.kafka_bootstrap_servers, kafka_python_security(settings)
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            **security,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            bootstrap_timeout_ms=10_000,
            # A broker that went away meanwhile is found again at once: not after up to 30 s.
            reconnect_backoff_max_ms=500,
        )
    except (KafkaError, OSError) as error:
        raise unreachable(bootstrap, error) from error
    try:
        where = TopicPartition(topic, partition)
        consumer.assign([where])
        begin = consumer.beginning_offsets([where])[where]
        end = consumer.end_offsets([where])[where]
        size = FIRST_READ
        while True:
            start = max(begin, end - size)
            found = _collect(_values(consumer, where, start, end, bootstrap))
            if found.reports >= 2 or start == begin or size >= MAX_READ:
                break
            size *= 4
    except KafkaError as error:
        raise unreachable(bootstrap, error) from error
    finally:
        consumer.close()
    return restored(found, numbering)


def restored(found: Found, numbering: Numbering) -> dict[str, Tracker]:
    """Trackers by symbol that go on where the tail ends."""
    oldest, settled, seen, _ = found
    symbols = settled.keys() | seen.keys()
    if numbering == "consecutive":
        return {symbol: restore(settled.get(symbol), seen.get(symbol, {})) for symbol in symbols}
    return {
        symbol: restore_recent(oldest.get(symbol), settled.get(symbol), seen.get(symbol, {}))
        for symbol in symbols
    }


def _values(
    consumer: KafkaConsumer, where: TopicPartition, start: int, end: int, bootstrap: str
) -> Iterator[bytes]:
    """Record values from offset ``start`` up to ``end`` (exclusive)."""
    consumer.seek(where, start)
    last = time.monotonic()
    while consumer.position(where) < end:
        records = consumer.poll(timeout_ms=500).get(where, ())
        if records:
            last = time.monotonic()
        elif time.monotonic() - last > PATIENCE:
            raise BrokerUnreachable(bootstrap, f"no record for {PATIENCE:g} s")
        for record in records:
            if record.offset < end and record.value is not None:
                yield record.value


def _collect(values: Iterator[bytes]) -> Found:
    oldest: dict[str, int] = {}
    settled: dict[str, int] = {}
    seen: dict[str, dict[int, int]] = {}
    reports = 0
    for value in values:
        try:
            record = _decode(value)
        except msgspec.DecodeError:
            logger.warning("a record in the trades topic is no event: %.80r", value)
            continue
        if record.trade_seq is not None:
            seen.setdefault(record.symbol, {})[record.trade_seq] = record.ts_event
        elif record.last_trade_ids is not None:
            settled = record.last_trade_ids
            oldest = oldest or settled
            reports += 1
    return Found(oldest, settled, seen, reports)
