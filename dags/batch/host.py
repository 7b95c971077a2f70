"""A worker host: several processes that work on one execution, without Airflow.

Processes, not threads: yfinance keeps its session, cookies and caches per process, and what is
killed is then one worker and nothing else. They are spawned, not forked, since a fork would share
the parent's database connection.
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from dags.batch import items
from dags.batch.config import BatchConfig
from dags.batch.database import Database

POLL_SECONDS = 0.1
DEATHS_PER_WORKER = 3
"""How often workers may die, for each of `max_workers`, before the host gives up."""
FAULT = 3
"""Exit status of a worker that met a fault of the system; it is not replaced."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger("batch")


class WorkerHost:
    """Starts, replaces and ends the worker processes of this host.

    Args:
        config: `max_workers` and all that the workers need.
        database: Where the state is.
        body: What a worker process does, and ends with 0, or with FAULT after a fault of the
            system: called with the configuration, the settings of the database, `source_factory`,
            the execution and the level of the log. A function of a module, as a spawned process
            imports it.
        source_factory: A function of a module too.
    """

    def __init__(
        self,
        config: BatchConfig,
        database: Database,
        body: Callable[..., None],
        source_factory: Callable[..., Any] | None = None,
    ) -> None:
        self.config = config
        self.database = database
        self.body = body
        self.source_factory = source_factory
        self._ended = False

    def run(self, execution: int, interrupted: Callable[[], bool]) -> None:
        """Return when all workers have ended. SIGTERM and SIGINT end them after their stock."""
        left = self.database.run(lambda cursor: items.remaining(cursor, execution, None))
        wanted = min(self.config.max_workers, left.pending + left.counts.processing)
        spare = DEATHS_PER_WORKER * wanted
        with on_signal(self._end):
            workers = [self._start(execution) for _ in range(wanted)]
            told = False
            while workers:
                time.sleep(POLL_SECONDS)
                ending = self._ended or interrupted()
                if ending and not told:
                    told = True
                    for worker in workers:
                        worker.terminate()
                for worker in [each for each in workers if not each.is_alive()]:
                    workers.remove(worker)
                    if worker.exitcode in (0, FAULT) or ending:
                        continue
                    log.warning("worker %s died: status %s", worker.pid, worker.exitcode)
                    if spare > 0:
                        spare -= 1
                        workers.append(self._start(execution))

    def _end(self) -> None:
        self._ended = True

    def _start(self, execution: int) -> SpawnProcess:
        context = multiprocessing.get_context("spawn")
        worker = context.Process(
            target=self.body,
            args=(
                self.config,
                self.database.settings,
                self.source_factory,
                execution,
                log.getEffectiveLevel(),
            ),
        )
        worker.start()
        return worker


def end_with(parent: int, interrupt: Callable[[], None]) -> None:
    """Interrupt when the parent process has ended: a killed host leaves no workers behind."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    interrupt()


@contextmanager
def on_signal(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` on SIGTERM and SIGINT. Outside the main thread signals stay as they are."""

    def handle(number: int, frame: FrameType | None) -> None:
        act()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
