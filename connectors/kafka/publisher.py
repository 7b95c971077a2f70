"""From events to records, within bounds.

While there is room a record goes straight to the producer. Where Kafka is slow:

- above a share of the buffer, the policy of each channel says what becomes of its events (see
  `connectors.kafka.backlog`); by default quotes and books are conflated, so that what is left of
  the buffer is kept for trades;
- when the buffer is full, the records of the frame at hand wait in ``pending`` and ``blocked``
  is set: the feed stops reading its socket until `tick` has found room.

All methods are called from one event loop; none of them waits but those declared async.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from connectors.errors import BufferFull, BufferStuck, ProducerFailed
from connectors.events import Event
from connectors.kafka import topics
from connectors.kafka.backlog import Backlog, Kept
from connectors.kafka.deadletters import DeadLetterFile
from connectors.kafka.producers import Failure, Headers, Producer, Record
from connectors.kafka.serde import encode
from connectors.metrics import FeedStats
from connectors.settings import Settings

logger = logging.getLogger(__name__)

TICK = 0.02
"""Seconds between two calls of `Publisher.tick`."""


class Publisher:
    """Writes the partitions of one (venue, shard); nobody else may.

    Args:
        producer: Where records go.
        settings: Bounds, topic prefix, shard.
        exchange: Venue name.
        stats: Counters to keep.
    """

    def __init__(
        self, producer: Producer, settings: Settings, exchange: str, stats: FeedStats
    ) -> None:
        self.producer = producer
        self.exchange = exchange
        self.partition = topics.partition_of(exchange, settings.shard)
        self.trades_topic = settings.topic(topics.TRADES.name)
        self.blocked = False
        """The buffer is full: stop reading."""
        self.congested = False
        """Events of channels that the backlog holds go to `hold_back`, not to `put`."""
        self.sheds_trades = False
        """Congested, and trades are not to block."""
        self.sheds_books = False
        """Congested, and updates of books are dropped: a snapshot would be too."""
        self.stalls = 0
        """How often the buffer was found full: tells that frames were left unread."""
        self._send: Callable[..., None] = producer.send
        self._stats = stats
        self._settings = settings
        self._pending: deque[Record] = deque()
        self._names = {
            kind: settings.topic(topic.name) for kind, topic in topics.TOPIC_OF_EVENT.items()
        }
        self._dead_topic = settings.topic(topics.DEAD_LETTERS.name)
        self._refused = DeadLetterFile(settings.dead_letter_folder, f"{exchange}-{settings.shard}")
        self._keys: dict[str, bytes] = {}
        self.backlog = Backlog(settings.policies, settings.backpressure_queue)
        self.release: Callable[[Kept], None] = self._release
        """Publishes what the backlog gives back; a feed puts its own in this place."""
        self._cut: list[Failure] | None = None
        """After `cut`: what it could not send."""

    async def cut(self, patience: float) -> None:
        """Let nothing new through, give what is under way its time, and end the producer.

        When it returns another process may publish. What could not be sent is kept by `close`.

        Args:
            patience: Seconds.
        """
        self._send = _cut_off
        self.blocked = True
        self._cut = await asyncio.to_thread(self.producer.close, patience)

    def key(self, symbol: str) -> bytes:
        """Record key of a symbol."""
        key = self._keys.get(symbol)
        if key is None:
            key = self._keys[symbol] = topics.event_key(self.exchange, symbol)
        return key

    def put(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        timestamp_ms: int,
        headers: Headers | None = None,
    ) -> None:
        """Publish one record, or keep it in ``pending`` where there is no room; never lost."""
        if not self.blocked:
            try:
                self._send(topic, self.partition, key, value, timestamp_ms, headers)
                return
            except BufferFull:
                self.blocked = True
                self.stalls += 1
        self._pending.append((topic, self.partition, key, value, timestamp_ms, headers))

    def event(self, event: Event, kind: str) -> None:
        """Publish any event; ``kind`` is its ``event_type`` (not a heartbeat's)."""
        self.put(self._names[kind], self.key(event.symbol), encode(event), event.ts_event // 1000)

    def heartbeat(self, event: Event, topic: topics.Topic) -> bool:
        """Publish a heartbeat into one event-time topic; False where there is no room for it."""
        if self.blocked:
            return False
        self.put(
            self._settings.topic(topic.name),
            self.key(event.symbol),
            encode(event),
            event.ts_event // 1000,
        )
        return True

    def hold_back(self, channel: str, event: Kept) -> list[Kept]:
        """Treat an event as its channel's policy says; gives what is dropped, counted."""
        dropped = self.backlog.add(channel, event)
        self._stats.conflated = self.backlog.conflated
        self.count_dropped(channel, len(dropped))
        return dropped

    def count_dropped(self, channel: str, number: int) -> None:
        """Count events that will not be published."""
        if number:
            counts = self._stats.dropped
            counts[channel] = counts.get(channel, 0) + number

    def _release(self, event: Kept) -> None:
        self.event(event, topics.KIND_OF_EVENT[type(event)])

    def dead_letter(
        self, raw: bytes, reason: str, detail: str, source: str, ts_recv: int, symbol: str | None
    ) -> None:
        """Publish what could not become an event: the raw bytes, the rest as headers."""
        headers = [
            ("reason", reason.encode()),
            ("detail", detail.encode()),
            ("exchange", self.exchange.encode()),
            ("source", source.encode()),
            ("ts_recv", str(ts_recv).encode()),
        ]
        counts = self._stats.dead_letters
        counts[reason] = counts.get(reason, 0) + 1
        key = None if symbol is None else self.key(symbol)
        self.put(self._dead_topic, key, raw, ts_recv // 1000, headers)

    def tick(self) -> None:
        """Bookkeeping, each `TICK`: errors, what waits, conflation, measures."""
        failures = self.producer.poll()
        if failures:
            self._stats.delivery_errors += len(failures)
            self._refused.write(failures)
            logger.error(
                "Kafka refused %d records (%s): kept in %s",
                len(failures),
                failures[0].error,
                self._refused.path,
            )
        if self.producer.broken:
            raise ProducerFailed(self.producer.broken)
        if self._pending:
            self._send_pending()
        depth = self.producer.depth()
        self._stats.depth_records, self._stats.depth_bytes = depth
        if self.blocked:
            self._set_congested(True)
            return
        share = max(
            depth.records / self._settings.buffer_records,
            depth.bytes / self._settings.buffer_bytes,
        )
        if share > self._settings.conflate_above:
            self._set_congested(True)
        elif self.congested:
            self._set_congested(False)
            for event in self.backlog.take():
                self.release(event)

    def _set_congested(self, congested: bool) -> None:
        self.congested = congested
        self.sheds_trades = congested and self.backlog.holds("trades")
        self.sheds_books = congested and self.backlog.drops("books")

    def _send_pending(self) -> None:
        """Hand waiting records over, in order, until the buffer is full again."""
        while self._pending:
            try:
                self._send(*self._pending[0])
            except BufferFull:
                return
            self._pending.popleft()
        self.blocked = False

    async def run(self) -> None:
        """Call `tick` for ever."""
        while True:
            self.tick()
            await asyncio.sleep(TICK)

    async def wait_for_space(self, patience: float | None = None) -> None:
        """Return once a record can be taken again.

        Raises:
            BufferStuck: After ``patience`` seconds without room (None: no limit).
        """
        started = time.monotonic()
        while self.blocked:
            if patience is not None and time.monotonic() - started > patience:
                raise BufferStuck(
                    f"Kafka took nothing for {patience:g} s: {len(self._pending)} records wait "
                    "behind a full buffer"
                )
            await asyncio.sleep(TICK)

    async def wait_for_room(self) -> None:
        """Return once at most half of the buffer is in use."""
        half = self._settings.buffer_records // 2
        while self.blocked or self.producer.depth().records > half:  # noqa: ASYNC110
            await asyncio.sleep(TICK)  # a C library's counter: nothing to wait on

    async def close(self, patience: float) -> int:
        """Flush, end the producer, keep what Kafka did not take; gives how many that were."""
        for event in self.backlog.take():
            self.release(event)
        deadline = time.monotonic() + patience
        alive = self._cut is None
        while alive and self._pending and not self.producer.broken and time.monotonic() < deadline:
            self.tick()
            await asyncio.sleep(TICK)
        left = max(0.0, deadline - time.monotonic())
        failures = self._cut
        if failures is None:
            failures = await asyncio.to_thread(self.producer.close, left)
        failures += [
            Failure(t, p, k, v, ms, h or [], "left at the end of the process")
            for t, p, k, v, ms, h in self._pending
        ]
        self._pending.clear()
        self._stats.delivery_errors += len(failures)
        self._refused.write(failures)
        self._refused.close()
        if failures:
            logger.error("%d records left: kept in %s", len(failures), self._refused.path)
        return len(failures)


def _cut_off(*_: Any, **__: Any) -> None:
    """In the place of `Producer.send`."""
    raise BufferFull("this process may publish no more")
