"""What a feed tells beside its market data: statuses and errors, handed on by an event engine.

The handlers of the engine: the publisher of ``market.status``, the counters of the metrics, and
the event bus. Market data do not go through it. Their handlers would be a chain, not a choice: the
gap detector says what the publisher may write, and a lane before the publisher would be a second
buffer with a policy of its own. The engine would add 17 % to the parse path of a trade (measured by
`tests/benchmarks/engine.py`) and part nothing from nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from connectors.engine import EngineEvent, EventEngine
from connectors.events import FeedStatus
from connectors.feed.status import wall_clock
from connectors.kafka.bus_reports import BusReporter
from connectors.kafka.publisher import Publisher
from connectors.metrics import FeedStats
from connectors.settings import Settings

logger = logging.getLogger(__name__)

ERROR = "feed_error"
"""Event type of a connection's error."""

CLOSE_TIMEOUT = 5.0
"""Seconds that the bus has for the last reports."""


def failure(exchange: str, source: str, error: BaseException) -> EngineEvent:
    """The event of an error that ended a connection."""
    return EngineEvent(ERROR, "*", wall_clock(), (exchange, source, error), priority=0)


def open_reporter(settings: Settings, exchange: str) -> BusReporter | None:
    """Who tells the bus; None where ``BUS_REPORTS`` is off. Never waits: Kafka may be slow."""
    if not settings.bus_reports:
        return None
    from connectors.kafka.bus import EventBus
    from connectors.kafka.security import kafka_python_security

    security = kafka_python_security(settings)

    def opened() -> EventBus:
        return EventBus(
            settings.kafka_bootstrap_servers,
            max_workers=1,
            topic_prefix=settings.topic_prefix,
            security=security,
        )

    return BusReporter(opened, f"{exchange}-{settings.shard}")


class Reports:
    """The engine of one feed. All calls come from the thread of its event loop.

    Args:
        stats: Counters of the feed.
        reporter: Tells the bus; None: nobody does.
    """

    def __init__(self, stats: FeedStats, reporter: BusReporter | None) -> None:
        self.engine = EventEngine()
        self._stats = stats
        self._reporter = reporter
        self._publisher: Publisher | None = None
        self.engine.register_handler("system", self._publish)
        self.engine.register_handler("system", self._count)
        if reporter is not None:
            self.engine.register_handler("system", reporter.status)
            self.engine.register_handler(ERROR, self._tell_error)
        self._task = asyncio.create_task(self.engine.process_events())

    def attach(self, publisher: Publisher) -> Callable[[Any], None]:
        """Where statuses are published from now on; gives what takes them."""
        self._publisher = publisher
        return self._emit

    def _emit(self, event: Any) -> None:
        if not self.engine.emit_nowait(event) and isinstance(event, FeedStatus):
            # The lanes are full: a status is late for others, but never missing in the log.
            self._publish(event)

    def _publish(self, status: FeedStatus) -> None:
        assert self._publisher is not None
        self._publisher.event(status, "status")

    def _count(self, status: FeedStatus) -> None:
        counts = self._stats.statuses
        counts[status.kind] = counts.get(status.kind, 0) + 1

    def _tell_error(self, event: EngineEvent) -> None:
        assert self._reporter is not None
        exchange, source, error = event.data
        self._reporter.error(error, exchange=exchange, connection=source)

    async def drained(self) -> None:
        """Return when all that was told is published; before the publisher closes."""
        while self.engine.processing_stats["waiting"]:  # noqa: ASYNC110
            await asyncio.sleep(0)  # a turn of the engine's own task

    async def close(self) -> None:
        """End the engine, and give the bus its time."""
        self.engine.stop()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._reporter is not None:
            await asyncio.to_thread(self._reporter.close, CLOSE_TIMEOUT)
