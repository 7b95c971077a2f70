"""The event bus: parts of a trading system tell each other what happened, over Kafka.

```python
bus = EventBus("127.0.0.1:19092", group="strategy")
bus.subscribe(EventType.MARKET_DATA_RECEIVED, on_market_data)
bus.start()
bus.publish(bus.create_event(EventType.TRADING_SIGNAL, "strategy", {"symbol": "BTC-USDT"}))
bus.stop()
```

- **Who gets an event.** A bus with a ``group`` shares the group's events with its other members:
  each event goes to one of them, at least once, also what was published while none ran. Give each
  component a group of its own, with the same subscriptions in all its members. A bus without a
  group, and a subscription with ``broadcast=True``, gets everything from its start on.
- **Order.** Events of one key (default: their symbol) are handled in order, per subscription;
  different keys and different subscriptions run in parallel in ``max_workers`` threads.
- **Failures.** A handler that raises is called again (3 attempts, waits of 1 s, 2 s, … up to
  10 s); then the event goes to ``bus.dead-letters``. Neither harms other handlers or keys.
- **At least once.** An offset is committed when all handlers are done with everything before it.
- **Back-pressure.** Where handlers are slow, reading pauses; the member stays in its group.
- **Large data** is stored in ``bus.payloads`` and fetched when a handler looks at it.
- **Correlation.** An event that is created while one is handled carries its correlation id on.

Cost: one record a publish, whatever the number of subscribers, which share what was read; one
call in a thread a subscriber. More workers help handlers that wait (network, disk), not those
that compute: Python runs one thread at a time.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from connectors.kafka import bus_events
from connectors.kafka.bus_events import (
    Event,
    EventError,
    EventType,
    PayloadRef,
    StoredPayload,
    new_id,
)
from connectors.kafka.bus_reader import ReaderThread
from connectors.kafka.bus_transport import Headers, Partition, Place, Record, Transport
from connectors.kafka.bus_work import Counts, Handler, Job, Retry, Subscription, Workers, current

__all__ = ["Event", "EventBus", "EventError", "EventType", "Retry", "StoredPayload"]

logger = logging.getLogger(__name__)

EVENTS, DEAD_LETTERS, PAYLOADS = "bus.events", "bus.dead-letters", "bus.payloads"

MAX_INLINE = 256 * 1024
"""Bytes of JSON data above which they travel by reference."""

MAX_DATA = 15 * 1024 * 1024
"""Most bytes of JSON data of one event."""

START_TIMEOUT = 30.0


class EventBus:
    """See the module.

    Args:
        transport: Address of a Kafka broker, or a transport, which is then not closed by `stop`.
            Default: the broker of the settings.
        group: Shares events with other members; None: this bus alone gets all of them.
        max_workers: Threads that run handlers.
        security: Of `connectors.kafka.security.kafka_python_security`, with an address; None: a
            plaintext listener.
        topic_prefix: Put before the names of Kafka's topics.
        retry: For subscriptions that name none.
        max_inline: Bytes of data above which they travel by reference.
        max_pending: Unfinished events of a partition at which reading it pauses.

    Raises:
        BrokerUnreachable: Where no broker answers.
    """

    def __init__(
        self,
        transport: Transport | str | None = None,
        *,
        group: str | None = None,
        max_workers: int = 10,
        topic_prefix: str = "",
        retry: Retry = Retry(),  # noqa: B008
        max_inline: int = MAX_INLINE,
        max_pending: int = 500,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        self._own = not hasattr(transport, "send")
        self._transport = _open(transport, topic_prefix, security)
        self.group = group
        self._retry = retry
        self._max_inline = max_inline
        self._max_pending = max_pending
        self._counts = Counts()
        self._workers = Workers(max_workers, self._counts, self._give_up)
        self._subscriptions: list[Subscription] = []
        self._readers: dict[str | None, ReaderThread] = {}
        self._lock = threading.RLock()
        self._running = False
        self._ending = threading.Event()
        self._beats: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to read; what is published after this returns reaches the subscriptions.

        Raises:
            TimeoutError: Where the broker does not let it join in time.
        """
        with self._lock:
            self._running = True
            for group in {one.group for one in self._subscriptions} - self._readers.keys():
                self._read_for(group)

    def stop(self, timeout: float = 30.0) -> None:
        """End: running handlers may finish for so long; what waits will be delivered again."""
        with self._lock:
            self._running = False
            readers = list(self._readers.values())
            self._readers.clear()
        self._ending.set()
        for reader in readers:
            reader.stop_reading()
        self._workers.stop(timeout)
        for reader in readers:
            reader.close()
        for beat in self._beats:
            beat.join(5)
        if self._own:
            self._transport.close()

    def subscribe(
        self,
        event_type: EventType | str,
        handler: Handler,
        *,
        broadcast: bool = False,
        retry: Retry | None = None,
    ) -> Subscription:
        """Let ``handler`` (a plain or a coroutine function) have the events of a type.

        Args:
            event_type: Which events.
            handler: Called with each `Event`, in a thread of the bus.
            broadcast: Get all events, also where the bus has a group.
            retry: How often to try; default: that of the bus.
        """
        group = None if broadcast else self.group
        subscription = Subscription(_type(event_type), handler, retry or self._retry, group)
        with self._lock:
            self._subscriptions.append(subscription)
            reader = self._readers.get(group)
            if reader is not None:
                reader.add(subscription)
            elif self._running:
                self._read_for(group)
        return subscription

    def unsubscribe(self, event_type: EventType | str, handler: Handler) -> bool:
        """Let ``handler`` have no more events of a type; False where it had none."""
        wanted = _type(event_type)
        with self._lock:
            found = [
                one
                for one in self._subscriptions
                if one.event_type == wanted and one.handler == handler
            ]
            for subscription in found:
                subscription.active = False
                self._subscriptions.remove(subscription)
                reader = self._readers.get(subscription.group)
                if reader is not None:
                    reader.remove(subscription)
        return bool(found)

    def create_event(
        self,
        event_type: EventType | str,
        source: str,
        data: Mapping[str, Any] | None = None,
        correlation_id: str | None = None,
        key: str | None = None,
    ) -> Event:
        """An event of now.

        Without ``correlation_id`` it takes that of the event which this thread handles, else a
        new one: then it is the first of its chain.
        """
        if correlation_id is None:
            handled = current.get()
            correlation_id = (handled.correlation_id if handled else None) or new_id()
        return Event(
            _type(event_type),
            source,
            datetime.now(UTC),
            dict(data or {}),
            correlation_id,
            key=key,
        )

    def publish(self, event: Event) -> "Future[Place]":
        """Write an event; the future is done when the log has it.

        Waits where many events wait for Kafka already, and where the data must be stored first.

        Raises:
            EventError: Where the data are no JSON, or too large.
        """
        key = (event.key or event.source).encode()
        value = bus_events.encode(event)
        if len(value) > self._max_inline:
            value = self._by_reference(event)
        future = self._transport.send(EVENTS, key, value, _headers(event))
        future.add_done_callback(self._published)
        return future

    def _by_reference(self, event: Event) -> bytes:
        """Store the data and encode the rest: readers must never find a reference to nothing."""
        data = bus_events.encode_data(event)
        if len(data) > MAX_DATA:
            raise EventError(
                f"{event.event_type} from {event.source}: {len(data)} bytes of data are more than "
                f"{MAX_DATA}: store them elsewhere and tell where"
            )
        place = self._transport.send(PAYLOADS, event.event_id.encode(), data, []).result()
        ref = PayloadRef(place.partition.topic, place.partition.number, place.offset, len(data))
        return bus_events.encode(event, ref)

    def _published(self, future: "Future[Place]") -> None:
        error = future.exception()
        self._counts.add("publish_failed" if error else "published")
        if error:
            logger.error("bus: an event was not published: %s", error)

    def get_stats(self) -> dict[str, int]:
        """Totals since the bus was made.

        ``published`` events are in the log, ``publish_failed`` are not; ``received`` events had
        subscribers; ``processed`` and ``failed`` count handler calls that ended for good,
        ``retried`` those that were to be repeated; ``malformed`` records were no events.
        """
        counts = self._counts
        with counts.lock:
            totals = {name: number for name, number in vars(counts).items() if name != "lock"}
        paused = sum(len(reader.paused) for reader in list(self._readers.values()))
        return {**totals, "paused_partitions": paused}

    def broadcast_heartbeat(
        self, source: str, interval: float = 60.0, data: Callable[[], dict[str, Any]] = dict
    ) -> None:
        """Publish a ``heartbeat`` now and then each ``interval`` seconds, until `stop`.

        Args:
            source: Which component lives.
            interval: Seconds.
            data: Called each time for what to tell beside ``status`` and ``interval``.
        """

        def beat() -> None:
            while True:
                told = {"status": "alive", "interval": interval, **data()}
                try:
                    self.publish(self.create_event(EventType.HEARTBEAT, source, told))
                except Exception:
                    logger.exception("bus: no heartbeat of %s", source)
                if self._ending.wait(interval):
                    return

        thread = threading.Thread(target=beat, name=f"heartbeat-{source}", daemon=True)
        self._beats.append(thread)
        thread.start()

    def wait_idle(self, timeout: float = 10.0) -> bool:
        """Wait until no event that was received waits for a handler; for tests and clean ends."""
        deadline = time.monotonic() + timeout
        while not self._workers.idle:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def _read_for(self, group: str | None) -> None:
        """Open a reader for all subscriptions of a group."""
        reader = ReaderThread(
            self._transport.reader(EVENTS, group),
            self._workers,
            self._counts,
            lambda value: bus_events.decode(value, self._fetch),
            self._malformed,
            self._max_pending,
        )
        # All that the group wants, before the first record: what nobody wants is done at once.
        for one in self._subscriptions:
            if one.group == group:
                reader.add(one)
        self._readers[group] = reader
        reader.start(START_TIMEOUT)

    def _fetch(self, ref: PayloadRef, event_id: str) -> bytes:
        place = Place(Partition(ref.topic, ref.partition), ref.offset)
        return self._transport.fetch(place, event_id.encode())

    def _give_up(
        self, job: Job, subscription: Subscription, error: Exception, end: Callable[[], None]
    ) -> None:
        detail = f"{type(error).__name__}: {error}"
        tries = str(subscription.retry.attempts)
        headers = [
            *_headers(job.event),
            *_texts(reason="handler", handler=subscription.name, detail=detail, attempts=tries),
        ]
        self._dead_letter(job.record, headers, end)

    def _malformed(self, record: Record, error: EventError, end: Callable[[], None]) -> None:
        self._dead_letter(record, _texts(reason="malformed", detail=str(error)), end)

    def _dead_letter(self, record: Record, headers: Headers, end: Callable[[], None]) -> None:
        """Keep a record that cannot be handled; it counts as done when the log has it."""
        origin = _texts(
            group=self.group or "",
            topic=record.partition.topic,
            partition=str(record.partition.number),
            offset=str(record.offset),
        )
        future = self._transport.send(
            DEAD_LETTERS, record.key, record.value or b"", [*headers, *origin]
        )

        def told(done: "Future[Place]") -> None:
            if done.exception() is None:
                end()
                return
            logger.error("bus: a dead letter was not kept (%s): tried again", done.exception())
            self._workers.later(1.0, lambda: self._dead_letter(record, headers, end))

        future.add_done_callback(told)


def _open(
    transport: Transport | str | None, prefix: str, security: Mapping[str, Any] | None
) -> Transport:
    if transport is not None and not isinstance(transport, str):
        return transport
    from connectors.kafka.bus_kafka import KafkaTransport
    from connectors.kafka.security import kafka_python_security
    from connectors.settings import load_settings

    if transport is None:
        settings = load_settings()
        transport, prefix = settings.kafka_bootstrap_servers, settings.topic_prefix
        security = kafka_python_security(settings)
    return KafkaTransport(transport, prefix, security=security)


def _type(name: EventType | str) -> EventType:
    with suppress(ValueError):
        return EventType(name)
    raise EventError(f"no event type {name!r}; there are {', '.join(EventType)}")


def _headers(event: Event) -> Headers:
    """What a reader of the topic may want to know without decoding."""
    return _texts(event_type=event.event_type, correlation_id=event.correlation_id or "")


def _texts(**values: str) -> Headers:
    return [(name, value.encode()) for name, value in values.items()]
