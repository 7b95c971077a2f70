"""Airflow's side of the batch: the gate, the tasks that fetch, and how they are retried."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, ExceptionRetryPolicy, RetryAction, RetryRule, SkipMixin
from airflow.sdk.exceptions import AirflowException

from dags.batch.errors import (
    BatchFailed,
    BatchInputError,
    BatchStopped,
    ConfigError,
    DatabaseRefused,
    DatabaseUnavailable,
    MigrationError,
    StorageFull,
    UnknownBatch,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dags.batch.engine import BatchEngine
    from dags.batch.executions import Execution
    from dags.batch.steps import Run

WATCHER = "watcher"
USELESS = "Trying again is useless until somebody acts on what the error says"


def retry_policy() -> ExceptionRetryPolicy:
    """Which errors of our own end a task at once, and which wait for what they need."""
    return ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception=[
                    BatchStopped,
                    BatchFailed,
                    BatchInputError,
                    ConfigError,
                    DatabaseRefused,
                    MigrationError,
                    StorageFull,
                    UnknownBatch,
                ],
                action=RetryAction.FAIL,
                reason=USELESS,
            ),
            RetryRule(
                exception=[
                    AssertionError,
                    AttributeError,
                    ImportError,
                    LookupError,
                    NameError,
                    TypeError,
                ],
                action=RetryAction.FAIL,
                reason="An error of the program itself does not pass",
            ),
            RetryRule(
                exception=DatabaseUnavailable,
                action=RetryAction.RETRY,
                retry_delay=timedelta(seconds=30),
                reason="The database is away; all that was stored is safe",
            ),
        ],
        default=RetryAction.DEFAULT,
    )


def run_of(context: Context | Mapping[str, Any]) -> Run:
    """The run that a task belongs to."""
    from dags.batch.steps import Run

    run = context["dag_run"]
    # Airflow's enum is no StrEnum: str() of it would name its class.
    run_type = getattr(run.run_type, "value", run.run_type)
    return Run(run.run_id, run_type, run.logical_date, run.clear_number or 0)


def failed_tasks(context: Context | Mapping[str, Any]) -> list[str]:
    """Names of the run's failed tasks but `watcher`, which only repeats what others say.

    Those of a mapped task are one name with their number, `fetch (3)`.
    """
    ti = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    # A mapped task is called fetch_17.
    names = [name for name, state in states.items() if state == "failed" and name != WATCHER]
    known = set(context["dag"].task_dict)
    count: dict[str, int] = {}
    for name in names:
        task = name if name in known else name.rsplit("_", 1)[0]
        count[task] = count.get(task, 0) + 1
    return [f"{task} ({n})" if n > 1 else task for task, n in sorted(count.items())]


class SessionGate(BaseOperator, SkipMixin):
    """Ends the run, green, on a day on which Tokyo does not trade; refuses impossible params.

    Everything after it is skipped, whatever its trigger rule. The verdict is its XCom.
    """

    def execute(self, context: Context) -> str:
        """Give the verdict as a sentence. BadRequest with all faults of the params."""
        from dags.batch.steps import session_gate

        verdict = session_gate(run_of(context), context["params"])
        self.log.info(verdict.message)
        if not verdict.go_on:
            # Skipping leaves this method, so its result is pushed here.
            context["ti"].xcom_push("return_value", verdict.message)
            self.skip(context["ti"], context["task"].get_flat_relatives(upstream=False))
        return verdict.message


class BatchWork(BaseOperator):
    """Works on stocks of an execution until none is left.

    While the execution is paused the task is deferred and holds no worker slot. On SIGTERM it
    ends after its current stock and is tried again; what is killed before is claimed by others.
    """

    _engine: BatchEngine | None = None
    _ended = False

    def on_kill(self) -> None:
        """SIGTERM: let the engine return after the current stock."""
        self._ended = True
        if self._engine is not None:
            self._engine.interrupt()

    def work(self, context: Context, batch_id: str, chunk: int | None) -> dict[str, Any]:
        """Work on a chunk (None: on all stocks); counts. Leaves by deferring while paused.

        BatchStopped, BatchFailed, or what the engine raises.
        """
        from dags.batch.config import BatchConfig
        from dags.batch.database import Database
        from dags.batch.engine import BatchEngine, ChunkState
        from dags.batch.slots import slot

        database = Database()
        execution = BatchEngine(database=database).find(batch_id)
        config = BatchConfig.of(execution.config)
        self._engine = engine = BatchEngine(config, database)
        self._restart(context, execution)
        with slot(execution.id, config.max_workers, lambda: self._ended) as taken:
            result = engine.run_chunk(batch_id, chunk) if taken and not self._ended else None
        database.close()
        if result is None or result.state is ChunkState.INTERRUPTED:
            raise AirflowException("the task was told to end; it goes on when it is tried again")
        if result.state is ChunkState.PAUSED:
            self._wait(execution, result.reason)
        if result.state is ChunkState.STOPPED:
            raise BatchStopped(advice(execution, "stopped", result.reason))
        if result.state is ChunkState.FAILED:
            raise BatchFailed(advice(execution, "failed", result.reason))
        return result.counts._asdict()

    def _restart(self, context: Context, execution: Execution) -> None:
        """A task that is tried again takes a failed execution up again: somebody cleared it, or
        the retry policy says that waiting has helped. A stop is a person's, and only they end it.
        """
        from dags.batch.models import BatchStatus

        if execution.status is BatchStatus.FAILED and context["ti"].try_number > 1:
            assert self._engine
            self._engine.resume_batch(execution.id, by="airflow", reason="the task is tried again")

    def _wait(self, execution: Execution, reason: str | None) -> None:
        """Tell people if it was the breaker, then defer."""
        from dags.batch import notify
        from dags.batch.steps import opened
        from dags.batch.trigger import PauseTrigger

        self.log.info("%s is paused (%s): waiting without a slot", execution.label, reason)
        with opened() as connection:
            notify.tell_pause(connection, execution.id)
        self.defer(trigger=PauseTrigger(execution.uuid), method_name="go_on")

    def go_on(self, context: Context, event: dict[str, Any]) -> Any:
        """The pause is over, one way or the other."""
        self.log.info("no longer paused, now %s", event["status"])
        return self.execute(context)


class FetchChunk(BatchWork):
    """Fetches one chunk of an execution's stocks.

    Args:
        batch_id: uuid of the execution.
        chunk: Number of the chunk.
        stocks: Number of the chunk, its first and last code: what the task is called in the UI.
    """

    def __init__(self, *, batch_id: str, chunk: int, stocks: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id
        self.chunk = chunk
        self.stocks = stocks

    def execute(self, context: Context) -> dict[str, Any]:
        """Counts of the chunk's stocks."""
        return self.work(context, self.batch_id, self.chunk)


class Refill(BatchWork):
    """Fetches the gaps that the integrity checks found, as an execution of its own."""

    def execute(self, context: Context) -> dict[str, Any]:
        """How many missing sessions came, and how many are missing still."""
        from dags.batch import steps

        run_id = run_of(context).run_id
        batch_id = steps.start_refill(run_id)
        if batch_id is None:
            self.log.info("no gaps")
            return {"refilled": 0, "missing": 0}
        self.work(context, batch_id, None)
        return steps.end_refill(run_id, batch_id)


def advice(execution: Execution, state: str, reason: str | None) -> str:
    """What happened and how to go on."""
    why = f" ({reason})" if reason else ""
    return (
        f"{execution.label} is {state}{why}: resume it on the batch page or with "
        f"`python -m dags.batch resume {execution.label}`"
    )
