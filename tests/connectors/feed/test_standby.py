"""The key of a partition's lock."""

import asyncio
import time
from pathlib import Path

import pytest

from connectors.feed.standby import (
    CHECK,
    HAND_OVER,
    LAST_FLUSH,
    STATEMENT_TIMEOUT,
    Ownership,
    Stop,
    _owned,
    lock_key,
)
from connectors.kafka.producers import Failure
from connectors.kafka.publisher import Publisher
from connectors.kafka.topics import WRITERS
from connectors.metrics import FeedStats
from connectors.settings import load_settings


def test_each_partition_has_a_lock_of_its_own() -> None:
    """Stable over processes, apart for every writer and prefix, within 32 signed bits."""
    keys = {lock_key(prefix, *writer) for prefix in ("", "demo.") for writer in WRITERS}
    assert len(keys) == 2 * len(WRITERS)
    assert all(-(2**31) <= key < 2**31 for key in keys)
    assert lock_key("", "binance", 0) == 1_311_861_449


def test_an_owner_notices_before_another_begins() -> None:
    """A lost database is seen within the time that a new owner waits."""
    assert CHECK + STATEMENT_TIMEOUT < HAND_OVER


def test_an_owner_that_lost_the_lock_is_silent_before_the_next_one_speaks() -> None:
    """Noticing takes a look and a statement's time, the last flush its own; one poll to spare."""
    assert CHECK + STATEMENT_TIMEOUT + LAST_FLUSH <= HAND_OVER


async def test_the_loss_of_the_lock_hurries_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stop says how little time is left; a stop by a signal leaves the settings' time."""
    stop = asyncio.Event()
    ownership = Ownership("postgresql://nobody@127.0.0.1:1/none", 1)  # whose connection is gone
    seen: list[float | None] = []

    async def work(ending: asyncio.Event) -> int:
        assert isinstance(ending, Stop)
        await ending.wait()
        seen.append(ending.patience)
        return 3

    monkeypatch.setattr("connectors.feed.standby.CHECK", 0.01)
    assert await _owned(ownership, work, stop) == 3
    monkeypatch.setattr("connectors.feed.standby.CHECK", 60)
    stop.set()
    assert await _owned(ownership, work, stop) == 3
    assert seen == [LAST_FLUSH, None]


class SlowProducer:
    """Takes records and brings none to Kafka until it is closed; of no client library."""

    broken = ""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.closed: list[float] = []

    def send(self, topic: str, partition: int, key: bytes, value: bytes, *_: object) -> None:
        """As `Producer.send`."""
        self.taken.append(value)

    def poll(self) -> list[Failure]:
        """As `Producer.poll`."""
        return []

    def close(self, timeout: float) -> list[Failure]:
        """As `Producer.close`, when Kafka takes nothing: it gives up after the time-out."""
        self.closed.append(timeout)
        time.sleep(timeout)
        return [Failure("t", 0, b"k", value, 1, [], "purged") for value in self.taken]


async def test_a_cut_publisher_lets_nothing_through_and_keeps_all(tmp_path: Path) -> None:
    """A slow flush ends in time; what comes meanwhile and later never reaches the client."""
    producer, stats = SlowProducer(), FeedStats("binance")
    settings = load_settings(market_streams_state=tmp_path)
    publisher = Publisher(producer, settings, "binance", stats)  # type: ignore[arg-type]
    publisher.put("t", b"k", b"before", 1)
    started = time.monotonic()
    cutting = asyncio.create_task(publisher.cut(0.2))
    await asyncio.sleep(0.05)
    publisher.put("t", b"k", b"during", 1)
    await cutting
    publisher.put("t", b"k", b"after", 1)
    assert time.monotonic() - started < 0.5
    assert producer.taken == [b"before"]
    assert await publisher.close(30.0) == 3
    assert producer.closed == [0.2] and time.monotonic() - started < 0.5
    assert stats.delivery_errors == 3
