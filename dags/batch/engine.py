"""The batch engine: starts executions, works on their stocks, ends them."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from importlib import import_module
from typing import Any

from psycopg2.extensions import cursor as Cursor

from connectors.stocks.bars import BarSource
from dags.batch import controller, events, executions, identity, items, start
from dags.batch.bucket import TokenBucket
from dags.batch.config import BatchConfig, DatabaseSettings
from dags.batch.database import Database
from dags.batch.errors import (
    BatchError,
    BatchFailed,
    ConfigError,
    DatabaseUnavailable,
    ForbiddenTransition,
    SystemFault,
)
from dags.batch.events import Event
from dags.batch.executions import Execution
from dags.batch.host import FAULT, WorkerHost, end_with, on_signal
from dags.batch.loop import ChunkLoop, ChunkResult, ChunkState, result_of
from dags.batch.models import BatchStatus, Mode
from dags.batch.pace import Pacer
from dags.batch.start import Window
from dags.batch.worker import StockDataWorker

__all__ = ["BatchEngine", "ChunkResult", "ChunkState", "SourceFactory", "Throttle", "Window"]

Throttle = Callable[[], None]
"""Called by a source before each HTTP call; returns when the call may be made."""
SourceFactory = Callable[[BatchConfig, Throttle], BarSource]


class BatchEngine:
    """Starts executions, works on their stocks, ends them. Not for several threads at once.

        engine = BatchEngine(BatchConfig.load(), Database())
        batch_id = engine.start_batch(["7203", "130A"], mode=Mode.SYMBOLS)
        engine.run(batch_id)                      # a worker host; in Airflow: run_chunk by task
        engine.finish(batch_id)

    A `batch_id` is a uuid, an id or a label: UnknownBatch if there is none. Any method may raise
    DatabaseUnavailable or StorageFull.

    Args:
        config: Effective settings; default: those of the environment.
        database: Where the state is; default: that of the environment.
        source_factory: Makes the source of bars, once, when it is first needed; for `run` a
            function of a module. Default: what `config.source` names.
    """

    def __init__(
        self,
        config: BatchConfig | None = None,
        database: Database | None = None,
        source_factory: SourceFactory | None = None,
    ) -> None:
        self.config = config or BatchConfig.load()
        self.database = database or Database()
        self.name = identity.worker_name(self.config.worker_host)
        self.source_factory = source_factory
        self._worker: StockDataWorker | None = None
        self._interrupted = False

    def start_batch(
        self,
        stock_codes: Sequence[str],
        *,
        mode: Mode = Mode.FULL,
        run_id: str | None = None,
        session_date: date | None = None,
        windows: Mapping[str, Window] | None = None,
        batch_type: str | None = None,
    ) -> str:
        """Make an execution with its stocks, in chunks of `batch_size`; give its uuid.

        Codes that come twice are taken once. For a code without a window `config.period` is
        fetched. The same `run_id` gives the same execution back, unchanged, so that a task may be
        tried again. `batch_type` (all_stocks | partial) follows from the mode if it is not given.
        BatchInputError if there is no code, or if some are no codes.
        """
        order = start.order_of(stock_codes, mode, run_id, session_date, windows, batch_type)
        execution, told = self.database.run(lambda cursor: start.make(cursor, order, self.config))
        events.emit(*told)
        return execution.uuid

    def find(self, batch_id: int | str) -> Execution:
        """The execution."""
        return self.database.run(lambda cursor: executions.find(cursor, batch_id))

    def chunks(self, batch_id: int | str) -> list[int]:
        """Numbers of the chunks that still have work, ascending."""

        def work(cursor: Cursor) -> list[int]:
            return items.chunks_left(cursor, executions.find(cursor, batch_id).id)

        return self.database.run(work)

    def pause_batch(
        self, batch_id: int | str, by: str = "engine", reason: str | None = None
    ) -> Execution:
        """See BatchController.pause."""
        return self._order(batch_id, BatchStatus.PAUSED, "paused", by, reason)

    def resume_batch(
        self, batch_id: int | str, by: str = "engine", reason: str | None = None
    ) -> Execution:
        """See BatchController.resume."""
        return self._order(batch_id, BatchStatus.RUNNING, "resumed", by, reason)

    def stop_batch(
        self, batch_id: int | str, by: str = "engine", reason: str | None = None
    ) -> Execution:
        """See BatchController.stop."""
        return self._order(batch_id, BatchStatus.STOPPED, "stopped", by, reason)

    def run_chunk(self, batch_id: int | str, chunk: int | None = None) -> ChunkResult:
        """Work on a chunk's stocks (None: on any) until none is left or somebody says so.

        A fault of the system marks the execution as failed, if that can still be written, and
        is raised: StorageFull, DatabaseUnavailable, or BatchFailed for anything unexpected. What
        ends the process (SystemExit, KeyboardInterrupt) passes through; the stock in work is
        given back first.
        """
        execution = self.find(batch_id)
        try:
            return ChunkLoop(self.worker, execution, chunk, self._is_interrupted).run()
        except (DatabaseUnavailable, ConfigError):
            # Neither says anything about the execution: the next try may succeed.
            raise
        except Exception as error:
            fault = error if isinstance(error, SystemFault) else _unexpected(error)
            self._fail(execution, str(fault))
            if fault is error:
                raise
            raise fault from error

    def run(self, batch_id: int | str) -> ChunkResult:
        """Work on all stocks with `max_workers` processes: a worker host without Airflow.

        Returns when none is left, or the execution is paused, stopped or failed, or after SIGTERM
        or SIGINT, each worker having finished its stock. Workers that die are replaced.
        """
        execution = self.find(batch_id)
        WorkerHost(self.config, self.database, worker_process, self.source_factory).run(
            execution.id, self._is_interrupted
        )
        return self.database.run(lambda cursor: result_of(cursor, execution.id, None))

    def finish(self, batch_id: int | str) -> Execution:
        """Recount; if it is running and no stock is left, the execution is completed.

        Look at the status of what this gives: it stays as it was while stocks are left.
        """

        def work(cursor: Cursor) -> tuple[Execution, list[Event]]:
            execution = executions.find(cursor, batch_id)
            executions.recount(cursor, execution.id)
            left = items.remaining(cursor, execution.id, None)
            told = []
            if (
                not left.pending
                and not left.counts.processing
                and executions.change(cursor, execution.id, BatchStatus.COMPLETED, None)
            ):
                told.append(
                    Event(
                        execution.id,
                        execution.label,
                        "completed",
                        "success",
                        worker_id=self.name,
                        records_count=left.counts.processed,
                    )
                )
            events.write(cursor, *told)
            return executions.find(cursor, execution.id), told

        execution, told = self.database.run(work)
        events.emit(*told)
        return execution

    def interrupt(self) -> None:
        """Let `run_chunk` or `run` return after the current stock. For signal handlers."""
        self._interrupted = True

    def _is_interrupted(self) -> bool:
        return self._interrupted

    @property
    def worker(self) -> StockDataWorker:
        """The worker of this process, with its source; made when it is first needed."""
        if self._worker is None:
            config = self.config
            bucket = TokenBucket(self.database, config.throttle_wait, config.throttle_wait_max)
            pacer = Pacer(bucket, self._is_interrupted)
            factory = self.source_factory or named_factory(config.source)
            source = factory(config, pacer.throttle)
            self._worker = StockDataWorker(config, self.database, source, pacer, self.name)
        return self._worker

    def _order(
        self, batch_id: int | str, new: BatchStatus, action: str, by: str, reason: str | None
    ) -> Execution:
        execution, told = self.database.run(
            lambda cursor: controller.order(cursor, batch_id, new, action, by, reason)
        )
        events.emit(*told)
        return execution

    def _fail(self, execution: Execution, reason: str) -> None:
        """Mark the execution as failed, if it is under way and that can be written."""
        try:
            self._order(execution.id, BatchStatus.FAILED, "failed", self.name, reason)
        except ForbiddenTransition:
            # A person stopped it meanwhile: that stays its reason.
            return
        except SystemFault as fault:
            events.LOGGER.error("%s could not be marked as failed: %s", execution.label, fault)


def named_factory(name: str) -> SourceFactory:
    """The function that the setting `source` names. ConfigError if there is none."""
    module, _, function = name.partition(":")
    try:
        factory: SourceFactory = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError([f"source: {error}, was {name!r} (BATCH_SOURCE)"]) from error
    return factory


def _unexpected(error: Exception) -> BatchFailed:
    return BatchFailed(
        f"unexpected {type(error).__name__}: {error}: see the log, then resume the batch"
    )


def worker_process(
    config: BatchConfig,
    settings: DatabaseSettings,
    source_factory: Callable[..., Any] | None,
    execution: int,
    log_level: int,
) -> None:
    """Body of a worker process: ends with 0, or with FAULT after a fault of the system.

    The log goes to stderr, as much of it as in the host itself.
    """
    logging.basicConfig(level=log_level, format="%(message)s")
    engine = BatchEngine(config, Database(settings), source_factory)
    parent = os.getppid()
    threading.Thread(target=end_with, args=(parent, engine.interrupt), daemon=True).start()
    with on_signal(engine.interrupt):
        try:
            engine.run_chunk(execution)
        except BatchError as error:
            events.LOGGER.error("worker %s: %s", engine.name, error)
            sys.exit(FAULT)
