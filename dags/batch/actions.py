"""Orders of a person that concern both sides: the execution in PostgreSQL and its Airflow run.

The page and the command line give the same orders. Each tells in words what it did.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from psycopg2.extensions import connection as Connection

from dags.batch import view
from dags.batch.airflow_api import AirflowApi, AirflowError
from dags.batch.controller import BatchController
from dags.batch.errors import ForbiddenTransition, UnknownBatch
from dags.batch.executions import Execution
from dags.batch.models import BatchStatus, Mode
from dags.batch.state import require_change

LAST = "last"
IDLE_SECONDS = 30.0
"""How long a resume waits for the workers of before to end."""

Airflow = Callable[[], AirflowApi]
"""Logs in, when it is needed: a pause does not need Airflow."""


class Done(NamedTuple):
    """What an order did."""

    text: str
    execution: Execution | None = None
    run_id: str | None = None
    """The Airflow run that was started, or goes on."""


def find(connection: Connection, batch: int | str) -> Execution:
    """The execution with that id, uuid or label, or the newest one for `last`. UnknownBatch."""
    if str(batch).strip() == LAST:
        number = view.newest(connection)
        if number is None:
            raise UnknownBatch("there is no batch yet: start one (`python -m dags.batch start`)")
        batch = number
    return BatchController(connection).find(batch)


def start(airflow: Airflow, conf: dict[str, Any]) -> Done:
    """Start a run with these params."""
    triggered = airflow().trigger(conf)
    text = f"Airflow starts run {triggered.run_id}."
    if triggered.was_paused:
        text += " The DAG was switched off in Airflow; it is on now, and so is its schedule."
    return Done(text, run_id=triggered.run_id)


def pause(connection: Connection, batch: int | str, by: str, reason: str | None = None) -> Done:
    """Let workers finish their current stock and wait."""
    execution = find(connection, batch)
    if execution.status is BatchStatus.PAUSED:
        return Done(f"{execution.label} is paused already.", execution)
    paused = BatchController(connection).pause(execution.id, by, reason or f"paused by {by}")
    return Done(f"{paused.label} is paused.", paused)


def stop(connection: Connection, batch: int | str, by: str, reason: str | None = None) -> Done:
    """Let workers finish their current stock and end."""
    execution = find(connection, batch)
    if execution.status is BatchStatus.STOPPED:
        return Done(f"{execution.label} is stopped already.", execution)
    stopped = BatchController(connection).stop(execution.id, by, reason or f"stopped by {by}")
    return Done(f"{stopped.label} is stopped. It can be resumed.", stopped)


def resume(connection: Connection, batch: int | str, by: str, airflow: Airflow) -> Done:
    """Go on: where it was paused workers wait; else Airflow starts its failed tasks again.

    ForbiddenTransition where there is nothing to go on with, AirflowError if Airflow is gone: the
    execution then stays as it is.
    """
    execution = find(connection, batch)
    controller = BatchController(connection)
    if execution.status is BatchStatus.RUNNING:
        return Done(f"{execution.label} is running already.", execution)
    require_change(execution.label, execution.status, BatchStatus.RUNNING)
    run_id = view.airflow_run(execution.run_id)
    if execution.status is BatchStatus.PAUSED:
        return Done(f"{execution.label} goes on.", controller.resume(execution.id, by), run_id)
    if run_id is None:
        resumed = controller.resume(execution.id, by)
        return Done(
            f"{resumed.label} may go on. Airflow did not start it, so start a worker: "
            f"`python -m dags.batch work {resumed.label}`",
            resumed,
        )
    return _resume_run(controller, execution, run_id, by, airflow())


def _resume_run(
    controller: BatchController, execution: Execution, run_id: str, by: str, api: AirflowApi
) -> Done:
    """Clear the failed tasks of a run that was stopped or failed."""
    if not api.wait_idle(run_id, IDLE_SECONDS):
        raise ForbiddenTransition(
            f"{execution.label}: its workers are still ending, resume it in a moment"
        )
    # Before the tasks start, else they would end at once.
    resumed = controller.resume(execution.id, by)
    try:
        cleared = api.clear_failed(run_id)
    except AirflowError as error:
        controller.stop(execution.id, by, f"could not be resumed: {error}")
        raise
    if not cleared and not api.retrying_tasks(run_id):
        controller.stop(execution.id, by, "could not be resumed: its Airflow run has no such task")
        raise ForbiddenTransition(
            f"{execution.label}: no task of Airflow run {run_id} failed, so none can start again; "
            "clear the run in Airflow, or start a new batch"
        )
    return Done(f"{resumed.label} goes on: Airflow starts its tasks again.", resumed, run_id)


def retry_failed(connection: Connection, batch: int | str, airflow: Airflow) -> Done:
    """Start a new batch with the failed stocks of this one."""
    execution = find(connection, batch)
    if execution.status in (BatchStatus.RUNNING, BatchStatus.PAUSED):
        raise ForbiddenTransition(
            f"{execution.label} is {execution.status}: its failed stocks can be tried again when "
            "it has ended"
        )
    if not execution.failed:
        raise ForbiddenTransition(f"{execution.label} has no failed stocks: nothing to retry")
    return start(airflow, {"mode": Mode.FAILED.value, "of": execution.uuid})
