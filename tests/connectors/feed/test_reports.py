"""Statuses go through an engine: to the log, to the counters, to the bus."""

from types import SimpleNamespace
from typing import Any

from connectors.events import FeedStatus
from connectors.feed.reports import Reports, failure
from connectors.feed.status import status
from connectors.metrics import FeedStats


class Log:
    """What the publisher was given, and what the bus."""

    def __init__(self) -> None:
        self.published: list[FeedStatus] = []
        self.told: list[Any] = []

    def event(self, event: FeedStatus, kind: str) -> None:
        """As `Publisher.event`."""
        assert kind == "status"
        self.published.append(event)

    def status(self, event: FeedStatus) -> None:
        """As `BusReporter.status`; this one is broken."""
        self.told.append(event.kind)
        raise RuntimeError("a handler that fails")

    def error(self, error: BaseException, **data: Any) -> None:
        """As `BusReporter.error`."""
        self.told.append((str(error), data))

    def close(self, timeout: float) -> None:
        """As `BusReporter.close`."""
        self.told.append("closed")


async def test_a_status_reaches_the_log_in_order_and_a_failing_handler_harms_nobody() -> None:
    """What is told before the engine runs waits for it; errors go to the bus alone."""
    log, stats = Log(), FeedStats("okx")
    reports = Reports(stats, log)  # type: ignore[arg-type]
    emit = reports.attach(log)  # type: ignore[arg-type]
    emit(status("okx", "okx-1", "connected"))
    emit(failure("okx", "okx-1", ConnectionError("cut")))
    assert log.published == []
    await reports.drained()
    emit(status("okx", "okx-1", "disconnected"))
    await reports.drained()
    assert [one.kind for one in log.published] == ["connected", "disconnected"]
    assert stats.statuses == {"connected": 1, "disconnected": 1}
    await reports.close()
    error = ("cut", {"exchange": "okx", "connection": "okx-1"})
    assert log.told == ["connected", error, "disconnected", "closed"]
    assert reports.engine.processing_stats["errors"] == {"Log.status": 2}


async def test_without_a_bus_only_the_log_and_the_counters_are_told() -> None:
    """BUS_REPORTS=false."""
    log, stats = Log(), FeedStats("okx")
    reports = Reports(stats, None)
    emit = reports.attach(SimpleNamespace(event=log.event))  # type: ignore[arg-type]
    emit(status("okx", "okx-1", "gap"))
    emit(failure("okx", "okx-1", ConnectionError("cut")))
    await reports.drained()
    await reports.close()
    assert len(log.published) == 1 and log.told == [] and stats.statuses == {"gap": 1}
