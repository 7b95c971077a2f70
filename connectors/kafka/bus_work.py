"""Runs handlers in a thread pool: in order per subscription and key, all else in parallel."""

import asyncio
import heapq
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from itertools import count
from typing import Any, NamedTuple

from connectors.bursts import Bursts
from connectors.kafka.bus_events import Event, EventType
from connectors.kafka.bus_progress import Entry
from connectors.kafka.bus_transport import Record

logger = logging.getLogger(__name__)

TURN = 32
"""Events of one key after which a thread looks at other keys."""

Handler = Callable[[Event], Any]

current: ContextVar[Event | None] = ContextVar("current", default=None)
"""The event that this thread handles: its correlation id is carried on."""


class Retry(NamedTuple):
    """How often a handler is called for one event, and the waits between: exponential, seconds."""

    attempts: int = 3
    first: float = 1.0
    longest: float = 10.0

    def wait(self, failed: int) -> float:
        """Seconds to wait after the n-th failure (from 1)."""
        return min(self.longest, self.first * 2.0 ** (failed - 1))


class Subscription:
    """One handler of one event type."""

    def __init__(
        self, event_type: EventType, handler: Handler, retry: Retry, group: str | None
    ) -> None:
        self.event_type = event_type
        self.handler = handler
        self.retry = retry
        self.group = group
        self.active = True
        self.name = str(getattr(handler, "__qualname__", None) or repr(handler))
        call = getattr(handler, "__call__", None)  # noqa: B004
        self._waits = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)

    def call(self, event: Event) -> None:
        """Handle an event in this thread."""
        token = current.set(event)
        try:
            if self._waits:
                asyncio.run(self.handler(event))
            else:
                self.handler(event)
        finally:
            current.reset(token)


class Job(NamedTuple):
    """One event for one subscription."""

    event: Event
    record: Record
    entry: Entry


class Counts:
    """Totals of one bus; `processed` and `failed` count calls that ended for good."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.published = 0
        self.received = 0
        self.processed = 0
        self.failed = 0
        self.retried = 0
        self.malformed = 0
        self.publish_failed = 0

    def add(self, name: str, number: int = 1) -> None:
        """Count."""
        with self.lock:
            setattr(self, name, getattr(self, name) + number)


class _Strand:
    """What waits for one subscription and key; at most one thread works on it."""

    __slots__ = ("failed", "jobs", "key", "subscription")

    def __init__(self, subscription: Subscription, key: object) -> None:
        self.subscription = subscription
        self.key = key
        self.jobs: deque[Job] = deque()
        self.failed = 0
        """Attempts that the first job has behind it."""


class Workers:
    """The thread pool of a bus.

    Args:
        max_workers: Threads.
        counts: Totals to keep.
        give_up: Called with what has failed for good and a function that ends it: the event
            counts as done only when that is called.
    """

    def __init__(
        self,
        max_workers: int,
        counts: Counts,
        give_up: Callable[[Job, Subscription, Exception, Callable[[], None]], None],
    ) -> None:
        self._pool = ThreadPoolExecutor(max_workers, thread_name_prefix="bus")
        self._counts = counts
        self._give_up = give_up
        self._lock = threading.Lock()
        self._strands: dict[tuple[int, object], _Strand] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._running = 0
        self._stopping = False
        self._bursts = Bursts(logger)

    def add(self, subscription: Subscription, job: Job) -> None:
        """Let a handler have an event when it is done with those of the same key before it."""
        name = (id(subscription), job.event.key)
        with self._lock:
            strand = self._strands.get(name)
            if strand is not None:
                strand.jobs.append(job)
                return
            strand = self._strands[name] = _Strand(subscription, job.event.key)
            strand.jobs.append(job)
        self._submit(strand)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something after a time, by whoever calls `run_due`."""
        with self._lock:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), call))

    def run_due(self) -> None:
        """Start what is due. Called often, by the readers."""
        while self._due:
            with self._lock:
                if not self._due or self._due[0][0] > time.monotonic():
                    return
                call = heapq.heappop(self._due)[2]
            call()

    def done(self, entry: Entry) -> None:
        """One handler is done with a record."""
        with self._counts.lock:
            entry.left -= 1

    def stop(self, timeout: float) -> None:
        """Let what runs end; what waits is left undone, to be delivered again."""
        self._stopping = True
        deadline = time.monotonic() + timeout
        while self._running and time.monotonic() < deadline:
            time.sleep(0.005)
        if self._running:
            logger.error("bus: %d handlers still run after %g s", self._running, timeout)
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def idle(self) -> bool:
        """Nothing waits, nothing runs."""
        return not self._strands

    def _submit(self, strand: _Strand) -> None:
        with suppress(RuntimeError):  # the pool has ended meanwhile
            if not self._stopping:
                self._pool.submit(self._work, strand)

    def _work(self, strand: _Strand) -> None:
        """Handle events of one strand, in order."""
        with self._counts.lock:
            self._running += 1
        try:
            for _ in range(TURN):
                if self._stopping or not self._one(strand):
                    return
                with self._lock:
                    strand.jobs.popleft()
                    if not strand.jobs:
                        del self._strands[id(strand.subscription), strand.key]
                        return
            self._submit(strand)
        except Exception:
            logger.exception("bus: a worker failed")
        finally:
            with self._counts.lock:
                self._running -= 1

    def _one(self, strand: _Strand) -> bool:
        """Handle the first event; False where it is to be tried again later."""
        job, subscription = strand.jobs[0], strand.subscription
        if not subscription.active:
            self.done(job.entry)
            return True
        try:
            subscription.call(job.event)
        except Exception as error:
            strand.failed += 1
            text = f"{subscription.name} failed on {job.event.event_type}: {error!r}"
            self._bursts.report(f"{subscription.name}|{type(error).__name__}", text, error)
            if strand.failed < subscription.retry.attempts:
                self._counts.add("retried")
                self.later(subscription.retry.wait(strand.failed), lambda: self._submit(strand))
                return False
            strand.failed = 0
            self._counts.add("failed")
            self._give_up(job, subscription, error, lambda: self.done(job.entry))
            return True
        strand.failed = 0
        with self._counts.lock:
            self._counts.processed += 1
            job.entry.left -= 1
        return True
