"""Orders that people (and the breaker) give to an execution."""

from collections.abc import Callable
from typing import TypeVar

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dags.batch import events, executions
from dags.batch.bucket import forgive
from dags.batch.events import Event
from dags.batch.executions import Execution
from dags.batch.models import BatchStatus
from dags.batch.state import require_change

T = TypeVar("T")


class BatchController:
    """Pause, resume and stop executions; each order is one transaction, logged and notified.

        BatchController(connect()).pause("batch_20260105_090000", by="ada", reason="maintenance")

    `batch` is an id, a uuid or a label: UnknownBatch if there is none. An order that makes no
    sense in the execution's state raises ForbiddenTransition with the remedy; one that is
    fulfilled already changes nothing. Each method gives the execution as it is afterwards.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def pause(self, batch: int | str, by: str, reason: str | None = None) -> Execution:
        """Let workers finish their current stock and then wait."""
        return self._order(batch, BatchStatus.PAUSED, "paused", by, reason)

    def resume(self, batch: int | str, by: str, reason: str | None = None) -> Execution:
        """Go on with a paused, stopped or failed execution; the breaker counts from 0 again.

        After a stop or a failure somebody must also start workers again: in Airflow by clearing
        the run's failed tasks.
        """
        return self._order(batch, BatchStatus.RUNNING, "resumed", by, reason)

    def stop(self, batch: int | str, by: str, reason: str | None = None) -> Execution:
        """Let workers finish their current stock and then end."""
        return self._order(batch, BatchStatus.STOPPED, "stopped", by, reason)

    def fail(self, batch: int | str, by: str, reason: str) -> Execution:
        """Say that the system, not a stock, failed: workers end, the execution is resumable."""
        return self._order(batch, BatchStatus.FAILED, "failed", by, reason)

    def find(self, batch: int | str) -> Execution:
        """The execution with that id, uuid or label."""
        return self._transaction(lambda cursor: executions.find(cursor, batch))

    def find_run(self, run_id: str) -> Execution | None:
        """The execution that an Airflow run works on."""
        return self._transaction(lambda cursor: executions.find_run(cursor, run_id))

    def status(self, batch: int | str) -> BatchStatus:
        """The execution's state now."""
        return self.find(batch).status

    def latest(self, limit: int = 20) -> list[Execution]:
        """The newest executions, newest first."""
        return self._transaction(lambda cursor: executions.latest(cursor, limit))

    def _order(
        self, batch: int | str, new: BatchStatus, action: str, by: str, reason: str | None
    ) -> Execution:
        def work(cursor: Cursor) -> tuple[Execution, list[Event]]:
            return order(cursor, batch, new, action, by, reason)

        execution, told = self._transaction(work)
        events.emit(*told)
        return execution

    def _transaction(self, work: Callable[[Cursor], T]) -> T:
        # Also on an autocommit connection: leaving the block commits.
        with self.connection, self.connection.cursor() as cursor:
            return work(cursor)


def order(
    cursor: Cursor,
    batch: int | str,
    new: BatchStatus,
    action: str,
    by: str,
    reason: str | None,
) -> tuple[Execution, list[Event]]:
    """Give an order in the caller's transaction; the events are to be emitted after its commit."""
    execution = executions.find(cursor, batch)
    # Nobody changes the state between the look and the change.
    cursor.execute(
        "SELECT 1 FROM batch_executions WHERE id = %s FOR NO KEY UPDATE", (execution.id,)
    )
    execution = executions.find(cursor, execution.id)
    if execution.status is new:
        return execution, []
    require_change(execution.label, execution.status, new)
    if new is BatchStatus.RUNNING:
        forgive(cursor)
    executions.change(cursor, execution.id, new, reason)
    event = Event(
        execution.id,
        execution.label,
        action,
        "failed" if new is BatchStatus.FAILED else "success",
        worker_id=by,
        error_message=reason,
    )
    events.write(cursor, event)
    return executions.find(cursor, execution.id), [event]
