"""One reader's thread: polls, hands events to the workers, commits what is done."""

import logging
import threading
import time
from collections.abc import Callable

from connectors.bursts import Bursts
from connectors.kafka.bus_events import Event, EventError, EventType
from connectors.kafka.bus_progress import Entry, Progress
from connectors.kafka.bus_transport import Partition, Reader, Record
from connectors.kafka.bus_work import Counts, Job, Subscription, Workers

logger = logging.getLogger(__name__)

POLL = 0.05
"""Longest wait for records, seconds: how soon commits, retries and a stop are seen to."""

COMMIT_INTERVAL = 0.1

FULL_COMMIT_INTERVAL = 5.0
"""Seconds after which positions that have not moved are committed again: a commit may have failed
in a rebalance, and a group without one for its retention time would be forgotten."""


class ReaderThread:
    """Reads for the subscriptions of one group.

    Args:
        reader: Where records come from.
        workers: Who calls handlers.
        counts: Totals to keep.
        decode: Record value to event.
        malformed: Called with a record that is no event, why, and a function that ends it.
        max_pending: Records of a partition that may be unfinished before it is paused.
    """

    def __init__(
        self,
        reader: Reader,
        workers: Workers,
        counts: Counts,
        decode: Callable[[bytes | None], Event],
        malformed: Callable[[Record, EventError, Callable[[], None]], None],
        max_pending: int,
    ) -> None:
        self._reader = reader
        self._workers = workers
        self._counts = counts
        self._decode = decode
        self._malformed = malformed
        self._max_pending = max_pending
        self._progress = Progress()
        self._subscriptions: dict[EventType, tuple[Subscription, ...]] = {}
        self._paused: set[Partition] = set()
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._last_commit = 0.0
        self._last_full_commit = time.monotonic()
        self._bursts = Bursts(logger)
        self._thread = threading.Thread(target=self._run, name="bus-reader", daemon=True)

    def start(self, timeout: float) -> None:
        """Begin; returns when what is published from now on will be read.

        Raises:
            TimeoutError: Where that is not so in time.
        """
        self._thread.start()
        if not self._ready.wait(timeout):
            raise TimeoutError(
                f"the bus was not ready to read within {timeout:g} s: is the broker well?"
            )

    def add(self, subscription: Subscription) -> None:
        """Let a subscription have events from now on."""
        known = self._subscriptions.get(subscription.event_type, ())
        self._subscriptions[subscription.event_type] = (*known, subscription)

    def remove(self, subscription: Subscription) -> None:
        """Let it have none any more."""
        known = self._subscriptions.get(subscription.event_type, ())
        left = tuple(one for one in known if one is not subscription)
        self._subscriptions[subscription.event_type] = left

    @property
    def paused(self) -> frozenset[Partition]:
        """Partitions that wait for slow handlers."""
        return frozenset(self._paused)

    def stop_reading(self) -> None:
        """Take no more records; `close` ends the rest."""
        self._stop.set()
        self._thread.join(10)

    def close(self) -> None:
        """Commit what is done and leave the group; the workers must have stopped."""
        try:
            self._reader.commit(self._progress.to_commit(again=True), wait=True)
        except Exception as error:
            logger.warning("bus: last commit failed (%s): its events will come again", error)
        self._reader.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                records = self._reader.poll(POLL)
                for partition in self._reader.take_lost():
                    self._progress.lost(partition)
                    self._paused.discard(partition)
                for record in records:
                    self._take(record)
                if not self._ready.is_set() and self._reader.ready():
                    self._ready.set()
                self._workers.run_due()
                self._commit()
                self._throttle()
            except Exception as error:
                self._bursts.report(type(error).__name__, f"bus: reading failed: {error}", error)
                self._stop.wait(0.5)

    def _take(self, record: Record) -> None:
        if self._progress.known(record):
            return
        try:
            event = self._decode(record.value)
        except EventError as error:
            self._counts.add("malformed")
            entry = self._progress.add(record, 1)
            self._malformed(record, error, self._ender(entry))
            return
        wanted = self._subscriptions.get(event.event_type, ())
        entry = self._progress.add(record, len(wanted))
        if wanted:
            self._counts.add("received")
            job = Job(event, record, entry)
            for subscription in wanted:
                self._workers.add(subscription, job)

    def _ender(self, entry: Entry) -> Callable[[], None]:
        return lambda: self._workers.done(entry)

    def _commit(self) -> None:
        now = time.monotonic()
        if now - self._last_commit >= COMMIT_INTERVAL:
            self._last_commit = now
            again = now - self._last_full_commit >= FULL_COMMIT_INTERVAL
            if again:
                self._last_full_commit = now
            positions = self._progress.to_commit(again)
            if positions:
                self._reader.commit(positions)

    def _throttle(self) -> None:
        """Pause partitions whose handlers are behind; resume them at half of that."""
        for partition, pending in self._progress.unfinished().items():
            if pending >= self._max_pending and partition not in self._paused:
                self._paused.add(partition)
                self._reader.pause([partition])
        if self._paused:
            pending_of = self._progress.unfinished()
            half = self._max_pending // 2
            free = {p for p in self._paused if pending_of.get(p, 0) <= half}
            if free:
                self._paused -= free
                self._reader.resume(free)
