"""What a feed tells the bus, without ever making the feed wait."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.backoff import delays
from connectors.events import FeedStatus
from connectors.kafka.bus import Event, EventBus, EventType

logger = logging.getLogger(__name__)

CAPACITY = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def status_event(status: FeedStatus) -> Event:
    """`system_status` of a feed's status event. Pure."""
    data = {
        "exchange": status.exchange,
        "symbol": status.symbol,
        "kind": status.kind,
        "channel": status.channel,
        "cause": status.cause,
        "from_id": status.from_id,
        "to_id": status.to_id,
        "seconds": status.seconds,
    }
    when = EPOCH + timedelta(microseconds=status.ts_event)
    key = f"{status.exchange}|{status.symbol}"
    return Event(EventType.SYSTEM_STATUS, status.source, when, data, key=key)


def error_event(source: str, error: BaseException, **data: Any) -> Event:
    """`error_occurred` of an exception. Pure but for the clock."""
    told = {"error": type(error).__name__, "message": str(error), **data}
    return Event(EventType.ERROR_OCCURRED, source, datetime.now(UTC), told)


class BusReporter:
    """Publishes from a thread of its own; callable from an event loop's hot path.

    Args:
        bus: Where reports go, or what opens it: it is then tried again until it is open, and
            stopped at the end. What is reported meanwhile waits.
        source: Which component reports.
        interval: Of its heartbeats, seconds.
    """

    def __init__(
        self, bus: EventBus | Callable[[], EventBus], source: str, interval: float = 60.0
    ) -> None:
        self.dropped = 0
        """Reports lost because Kafka took none for too long."""
        self._open = None if isinstance(bus, EventBus) else bus
        self._bus = bus if isinstance(bus, EventBus) else None
        self._ending = threading.Event()
        self._source = source
        self._interval = interval
        self._queue: queue.Queue[Event | None] = queue.Queue(CAPACITY)
        self._thread = threading.Thread(target=self._run, name="bus-reports", daemon=True)
        self._thread.start()

    def status(self, status: FeedStatus) -> None:
        """Tell a feed's status."""
        self._put(status_event(status))

    def error(self, error: BaseException, **data: Any) -> None:
        """Tell an error."""
        self._put(error_event(self._source, error, **data))

    def _put(self, event: Event) -> None:
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.dropped += 1

    def _run(self) -> None:
        bus = self._bus or self._opened()
        if bus is None:
            return
        bus.broadcast_heartbeat(
            self._source, self._interval, lambda: {"dropped_reports": self.dropped}
        )
        while (event := self._queue.get()) is not None:
            try:
                bus.publish(event)
            except Exception as error:
                self.dropped += 1
                logger.error("a report was not published: %s", error)
        if self._open is not None:
            bus.stop()

    def _opened(self) -> EventBus | None:
        """The bus, as soon as Kafka lets it be; None where the end comes first."""
        assert self._open is not None
        for delay in delays(1.0, 30.0):
            try:
                return self._open()
            except Exception as error:
                logger.warning("no event bus for reports (%s); next try in %.1f s", error, delay)
            if self._ending.wait(delay):
                break
        return None

    def close(self, timeout: float = 5.0) -> None:
        """Publish what waits, for at most so long. A bus that was given is the caller's to stop."""
        deadline = time.monotonic() + timeout
        self._ending.set()
        with suppress(queue.Full):
            self._queue.put(None, timeout=timeout)
        self._thread.join(max(0.0, deadline - time.monotonic()))
