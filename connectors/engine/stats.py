"""What the engine counts."""

import logging
import time
from typing import Any, TypedDict

from connectors.bursts import Bursts
from connectors.engine.histogram import Histogram
from connectors.engine.lanes import GivenUp, Waiting

clock = time.perf_counter_ns
"""Of all latencies, ns."""


class ProcessingStats(TypedDict):
    """What the engine has done so far; latencies are from emission to the last handler's end."""

    events_processed: int
    avg_latency_ms: float
    max_latency_ms: float
    p50_latency_ms: float
    p95_latency_ms: float
    p99_latency_ms: float
    waiting: int
    """Events in lanes now; one that several handlers wait for counts for each."""
    unhandled: int
    """Events of types without a handler."""
    dropped: dict[str, int]
    """Lost because a lane was full, by type; once for each handler that did not get it."""
    conflated: dict[str, int]
    """Merged into a later event, by type."""
    errors: dict[str, int]
    """By handler."""


class Counters:
    """Counters of one engine."""

    def __init__(self, logger: logging.Logger) -> None:
        self.processed = 0
        self.unhandled = 0
        self.latency = Histogram()
        self._dropped: dict[str, int] = {}
        self._conflated: dict[str, int] = {}
        self._errors: dict[str, int] = {}
        self._bursts = Bursts(logger)

    def done(self, waiting: Waiting) -> None:
        """Count that one of its handlers is done with an event."""
        ticket = waiting.ticket
        ticket.left -= 1
        ticket.handled = True
        if not ticket.left:
            self._finished(ticket.emitted)

    def give_up(self, given_up: GivenUp) -> None:
        """Count that one of its handlers will not get an event."""
        counts = self._conflated if given_up.merged else self._dropped
        event_type = given_up.waiting.event_type
        counts[event_type] = counts.get(event_type, 0) + 1
        ticket = given_up.waiting.ticket
        ticket.left -= 1
        if not ticket.left and ticket.handled:
            self._finished(ticket.emitted)

    def _finished(self, emitted: int) -> None:
        self.processed += 1
        self.latency.add(clock() - emitted)

    def failed(self, handler: Any, error: BaseException) -> None:
        """Count a handler's exception; report it once per burst."""
        name = getattr(handler, "__qualname__", None) or repr(handler)
        self._errors[name] = self._errors.get(name, 0) + 1
        kind = type(error).__name__
        self._bursts.report(f"{name}|{kind}", f"handler {name} failed: {kind}: {error}", error)

    def snapshot(self, waiting: int) -> ProcessingStats:
        """All of it, as of now."""
        latency = self.latency
        return {
            "events_processed": self.processed,
            "avg_latency_ms": latency.mean() / 1e6,
            "max_latency_ms": latency.largest / 1e6,
            "p50_latency_ms": latency.quantile(0.5) / 1e6,
            "p95_latency_ms": latency.quantile(0.95) / 1e6,
            "p99_latency_ms": latency.quantile(0.99) / 1e6,
            "waiting": waiting,
            "unhandled": self.unhandled,
            "dropped": dict(self._dropped),
            "conflated": dict(self._conflated),
            "errors": dict(self._errors),
        }
