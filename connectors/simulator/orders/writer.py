"""Puts the stream into Kafka, at a chosen speed, and into the ledger."""

import json
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import IO
from zlib import crc32

from connectors.errors import BufferFull
from connectors.kafka.producers import Failure, Producer
from connectors.kafka.topics import ORDER_TOPICS
from connectors.simulator.orders.stream import Record

PARTITIONS = {topic.name: topic.partitions for topic in ORDER_TOPICS}
WAIT = 0.005


def partitions(record: Record) -> list[int]:
    """Where a record goes: a heartbeat everywhere, anything else by its key."""
    count = PARTITIONS[record.topic]
    if record.kind == "heartbeat":
        return list(range(count))
    return [crc32(record.key.encode()) % count]


def line(record: Record) -> str:
    """A record in the ledger: what it is, where it went, what it says or what is wrong with it."""
    entry = {
        "t": record.kind,
        "topic": record.topic,
        "partition": partitions(record)[0],
        "event_us": record.event_us,
        "at_us": record.at_us,
        "fields": record.fields,
    }
    if record.note:
        entry["note"] = record.note
        entry["value"] = b64encode(record.value).decode()
    return json.dumps(entry, ensure_ascii=False) + "\n"


class Writer:
    """Writes records; heartbeats are not in the ledger, for they are no truth about anything."""

    def __init__(self, producer: Producer, prefix: str, ledger: IO[str] | None = None) -> None:
        self._producer = producer
        self._prefix = prefix
        self._ledger = ledger
        self.written: Counter[str] = Counter()
        self.failures: list[Failure] = []

    def write(self, records: Iterable[Record], speed: float | None, start_us: int) -> None:
        """Write all; `speed` seconds of theirs a second, None: as fast as Kafka takes them."""
        began = time.monotonic()
        for record in records:
            if speed is not None:
                self._wait(began + (record.at_us - start_us) / 1e6 / speed)
            for partition in partitions(record):
                self._send(record, partition)
            self.written[record.kind] += 1
            if self._ledger is not None and record.kind != "heartbeat":
                self._ledger.write(line(record))

    def _wait(self, due: float) -> None:
        while (left := due - time.monotonic()) > 0:
            self.failures += self._producer.poll()
            time.sleep(min(left, 0.1))

    def _send(self, record: Record, partition: int) -> None:
        key = record.key.encode() or None
        topic, stamp = self._prefix + record.topic, record.at_us // 1000
        while True:
            try:
                self._producer.send(topic, partition, key, record.value, stamp)
                return
            except BufferFull:
                self.failures += self._producer.poll()
                time.sleep(WAIT)

    def close(self, timeout: float) -> None:
        """Wait for Kafka's answers."""
        self.failures += self._producer.close(timeout)


def open_ledger(path: Path | None) -> IO[str] | None:
    """The ledger's file, if one is wanted."""
    if path is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w", encoding="utf-8")
