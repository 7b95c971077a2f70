"""Works on one stock: fetch its bars, store them with its state, or say why not."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import psycopg2
from psycopg2.extensions import cursor as Cursor

from connectors.stocks.bars import Bar, BarSource, Failure, FetchError
from connectors.stocks.store import store_bars
from dags.batch import adjust, events, executions, items
from dags.batch.config import BatchConfig
from dags.batch.database import Database
from dags.batch.errors import (
    BatchFailed,
    DatabaseUnavailable,
    Decision,
    ErrorAction,
    ErrorHandler,
    ErrorType,
    SystemFault,
)
from dags.batch.events import Event
from dags.batch.executions import Execution
from dags.batch.items import Spent
from dags.batch.models import BatchStatus, Outcome, ProcessResult, WorkItem
from dags.batch.pace import Halt, Pacer

REFUSALS = (
    Failure.UNAUTHORIZED,
    Failure.FORBIDDEN,
    Failure.BAD_REQUEST,
    Failure.CONNECTION,
    Failure.UNREACHABLE,
)
"""Failures that are forgiven when the breaker opens: the stock was not to blame."""
BREAKER = "breaker"
"""Who pauses an execution when the source refuses us."""
BAD_DATA = "bad_data"
"""Error code of bars that the table cannot hold."""
LONGEST_MESSAGE = 500


class Fetched(NamedTuple):
    """Bars of a stock, and what is stored of it already."""

    bars: Sequence[Bar]
    history: adjust.History


class LostLease(Exception):
    """Somebody else has claimed the stock meanwhile: nothing of ours is stored."""


class StockDataWorker:
    """Works on single stocks of executions; one per process.

    Args:
        config: Of the execution.
        database: Where the state is.
        source: Of the bars; calls `pacer.throttle` before each HTTP call.
        pacer: Of this worker alone.
        name: In leases and logs.
    """

    def __init__(
        self, config: BatchConfig, database: Database, source: BarSource, pacer: Pacer, name: str
    ) -> None:
        self.config = config
        self.database = database
        self.source = source
        self.pacer = pacer
        self.name = name
        self.errors = ErrorHandler(
            config.max_retries, config.retry_delay, config.backoff_multiplier
        )

    def process_stock(self, code: str, batch_id: int | str) -> ProcessResult:
        """Claim the stock `code` of an execution and try it once.

        Not a success, and nothing done, where the stock is not waiting or the execution does not
        run. Otherwise see `process`.
        """

        def work(cursor: Cursor) -> tuple[Execution, WorkItem | None]:
            execution = executions.find(cursor, batch_id)
            lease = self.config.lease
            return execution, items.claim(cursor, execution.id, self.name, lease, code=code)

        execution, item = self.database.run(work)
        if item is None:
            reason = f"{code} is not waiting in {execution.label}, which is {execution.status}"
            return ProcessResult(False, 0, reason)
        return self.process(item, execution)

    def process(self, item: WorkItem, execution: Execution) -> ProcessResult:
        """Try a claimed stock once: store its bars, or plan its retry, or record its failure.

        Halt if the execution was paused or stopped while waiting for the source's turn,
        BatchFailed if something unexpected happened; the stock is then pending again.
        """
        begun, calls = time.monotonic(), self.source.http_calls
        self.pacer.look = lambda: self._look(item)

        def spent() -> Spent:
            milliseconds = int((time.monotonic() - begun) * 1000)
            return Spent(self.source.http_calls - calls, milliseconds)

        try:
            try:
                fetched = self._fetch(item)
            except FetchError as error:
                return self._failed(item, execution, error, spent())
            self._answered()
            return self._store(item, execution, fetched, spent)
        except LostLease:
            return ProcessResult(False, 0, f"{item.stock_code} was taken over by another worker")
        except DatabaseUnavailable:
            raise
        except BaseException:
            # Whatever it is, an interrupted process too: the next one need not wait for the lease.
            with suppress(SystemFault, psycopg2.Error):
                self.database.run(lambda cursor: items.put_back(cursor, item, spent()))
            raise
        finally:
            self.pacer.look = lambda: None

    def _fetch(self, item: WorkItem) -> Fetched:
        """Bars in the item's window; all that is stored anew if it no longer fits."""
        bars = self.source.daily_bars(item.symbol, item.fetch_from, item.fetch_to)

        def stored(cursor: Cursor) -> adjust.History:
            return adjust.stored_history(cursor, item.symbol, bars)

        history = self.database.run(stored)
        if item.fetch_from is not None and adjust.rewritten(bars, history):
            window = adjust.whole(item.fetch_from, item.fetch_to, history)
            bars = self.source.daily_bars(item.symbol, *window)
            history = self.database.run(stored)
        return Fetched(bars, history)

    def _store(
        self,
        item: WorkItem,
        execution: Execution,
        fetched: Fetched,
        spent: Callable[[], Spent],
    ) -> ProcessResult:
        """Bars, the stock's state and the log in one transaction."""
        bars, history = fetched
        fetch_ms = spent().duration_ms
        provisional = adjust.provisional_from(bars, history.last)

        def work(cursor: Cursor) -> list[Event]:
            begun = time.monotonic()
            if items.settled(cursor, item):
                return []
            stored = store_bars(cursor, item.symbol, bars, provisional)
            changed = stored.changed
            outcome = Outcome.STORED if changed else Outcome.UNCHANGED
            if stored.skipped == stored.fetched:
                outcome = Outcome.NO_DATA
            if not items.complete(cursor, item, outcome, stored.fetched, changed, spent()):
                raise LostLease
            save_ms = int((time.monotonic() - begun) * 1000)
            event = self._event(item, execution, "data_fetch", "success")
            told = [
                event._replace(duration_ms=fetch_ms, records_count=stored.fetched),
                event._replace(action="data_save", duration_ms=save_ms, records_count=changed),
            ]
            events.write(cursor, *told)
            return told

        try:
            told = self.database.run(work)
        except (psycopg2.DataError, psycopg2.IntegrityError) as error:
            decision = Decision(ErrorType.PERMANENT, ErrorAction.RECORD)
            return self._settle(item, execution, decision, BAD_DATA, str(error), spent())
        events.emit(*told)
        return ProcessResult(True, int(told[-1].records_count or 0) if told else 0)

    def _failed(
        self, item: WorkItem, execution: Execution, error: FetchError, spent: Spent
    ) -> ProcessResult:
        decision = self.errors.decide(error.failure, item.stock_code, item.retry_count)
        if decision.action is ErrorAction.STOP:
            raise BatchFailed(f"{item.stock_code}: {error}") from error
        if decision.action is ErrorAction.SLOW_DOWN and self.pacer.ticket:
            self.pacer.bucket.push_back(self.pacer.ticket)
        elif error.failure in (Failure.NOT_FOUND, Failure.NO_DATA):
            self._answered()
        refusals = self.pacer.bucket.refused() if decision.refused else None
        result = self._settle(item, execution, decision, error.failure, str(error), spent)
        if refusals and refusals.number >= self.config.breaker_threshold:
            self._open_breaker(execution, refusals.number, refusals.since, str(error))
        return result

    def _settle(
        self,
        item: WorkItem,
        execution: Execution,
        decision: Decision,
        code: str,
        text: str,
        spent: Spent,
    ) -> ProcessResult:
        """Write down what was decided about a failure."""
        message = text.strip()[:LONGEST_MESSAGE]
        waits = decision.action in (ErrorAction.RETRY, ErrorAction.SLOW_DOWN)
        retried = decision.action is ErrorAction.RETRY

        def work(cursor: Cursor) -> list[Event]:
            if items.settled(cursor, item):
                return []
            event = self._event(item, execution, "error_occurred", "retry" if waits else "failed")
            event = event._replace(
                error_message=message, error_class=decision.type, duration_ms=spent.duration_ms
            )
            if decision.action is ErrorAction.NO_DATA:
                event = self._event(item, execution, "data_fetch", "success")
                event = event._replace(records_count=0, duration_ms=spent.duration_ms)
                done = items.complete(cursor, item, Outcome.NO_DATA, 0, 0, spent)
            elif waits:
                done = items.put_back(
                    cursor, item, spent, delay=decision.delay, retried=retried, message=message
                )
            else:
                done = items.fail(cursor, item, decision.type, code, message, spent)
            if not done:
                raise LostLease
            events.write(cursor, event)
            return [event]

        events.emit(*self.database.run(work))
        success = decision.action is ErrorAction.NO_DATA
        return ProcessResult(success, 0, None if success else message)

    def _open_breaker(self, execution: Execution, count: int, since: datetime, text: str) -> None:
        """Pause the execution, and put back the stocks that the refusals have failed."""
        reason = (
            f"the source refused {count} calls in a row, the last one with {text}: look whether "
            "it can be reached and lets us in, then resume"
        )

        def work(cursor: Cursor) -> list[Event]:
            told = []
            if executions.change(cursor, execution.id, BatchStatus.PAUSED, reason):
                told.append(
                    Event(
                        execution.id,
                        execution.label,
                        "paused",
                        "success",
                        worker_id=BREAKER,
                        error_message=reason,
                    )
                )
            items.forgive_failed(cursor, execution.id, REFUSALS, since)
            events.write(cursor, *told)
            return told

        events.emit(*self.database.run(work))

    def _answered(self) -> None:
        if self.pacer.ticket:
            self.pacer.bucket.succeeded(self.pacer.ticket)

    def _look(self, item: WorkItem) -> None:
        """While waiting in the middle of a fetch: keep the lease, unless we are not to go on."""
        status = self.database.run(lambda cursor: items.renew(cursor, item, self.config.lease))
        if status is None:
            raise LostLease
        if status is not BatchStatus.RUNNING:
            raise Halt(status)

    def _event(self, item: WorkItem, execution: Execution, action: str, status: str) -> Event:
        return Event(
            execution.id,
            execution.label,
            action,
            status,
            worker_id=self.name,
            stock_code=item.stock_code,
            retry_count=item.retry_count,
        )
