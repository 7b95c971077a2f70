"""SQL on `batch_executions`: find one, change its state, recount its counters."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg2.extensions import cursor as Cursor

from dags.batch.errors import UnknownBatch
from dags.batch.events import notify
from dags.batch.models import BatchStatus, Counts, Mode
from dags.batch.state import sources_of

COLUMNS = """id, uuid::text, label, batch_type, mode, status, error_message, total_stocks,
    processed_stocks, successful_stocks, failed_stocks, records_inserted, http_calls, start_time,
    end_time, run_id, session_date, config"""


class Execution(NamedTuple):
    """A row of `batch_executions`."""

    id: int
    uuid: str
    label: str
    """`batch_YYYYMMDD_HHMMSS`, UTC."""
    batch_type: str
    mode: Mode
    status: BatchStatus
    reason: str | None
    """Why it failed, or why it was paused or stopped."""
    total: int
    processed: int
    successful: int
    failed: int
    records_inserted: int
    http_calls: int
    start_time: datetime
    end_time: datetime | None
    run_id: str | None
    session_date: date | None
    config: Mapping[str, Any]
    """Effective settings: `BatchConfig.of(execution.config)`."""


def execution_of(row: tuple[Any, ...]) -> Execution:
    """An execution out of COLUMNS."""
    plain = Execution(*row)
    return plain._replace(mode=Mode(plain.mode), status=BatchStatus(plain.status))


def find(cursor: Cursor, batch: int | str) -> Execution:
    """The execution with that id, uuid or label. UnknownBatch if there is none."""
    name = str(batch).strip()
    if name.isdecimal() and int(name) < 2**31:
        condition, value = "id = %s", name
    elif is_uuid(name):
        condition, value = "uuid = %s::uuid", name
    else:
        condition, value = "label = %s", name
    cursor.execute(f"SELECT {COLUMNS} FROM batch_executions WHERE {condition}", (value,))
    row = cursor.fetchone()
    if row is None:
        raise UnknownBatch(
            f"no execution is called {name!r}: give its id, uuid or label "
            "(`python -m dags.batch status` lists them)"
        )
    return execution_of(row)


def find_run(cursor: Cursor, run_id: str) -> Execution | None:
    """The execution that an Airflow run works on."""
    cursor.execute(f"SELECT {COLUMNS} FROM batch_executions WHERE run_id = %s", (run_id,))
    row = cursor.fetchone()
    return execution_of(row) if row else None


def latest(cursor: Cursor, limit: int = 20) -> list[Execution]:
    """The newest executions, newest first."""
    cursor.execute(f"SELECT {COLUMNS} FROM batch_executions ORDER BY id DESC LIMIT %s", (limit,))
    return [execution_of(row) for row in cursor.fetchall()]


def status_of(cursor: Cursor, execution: int) -> BatchStatus:
    """The state of the execution now."""
    cursor.execute("SELECT status FROM batch_executions WHERE id = %s", (execution,))
    row = cursor.fetchone()
    if row is None:
        raise UnknownBatch(f"execution {execution} is gone")
    return BatchStatus(row[0])


def change(cursor: Cursor, execution: int, new: BatchStatus, reason: str | None) -> bool:
    """Change the state if the state machine allows it; tell listeners. False: it does not."""
    cursor.execute(
        """
        UPDATE batch_executions
        SET status = %(new)s, error_message = %(reason)s,
            end_time = CASE WHEN %(ended)s THEN clock_timestamp() END
        WHERE id = %(id)s AND status = ANY(%(old)s)
        """,
        {
            "id": execution,
            "new": new.value,
            "reason": reason,
            "ended": new in (BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.STOPPED),
            "old": [status.value for status in sources_of(new)],
        },
    )
    if cursor.rowcount:
        notify(cursor, execution)
    return bool(cursor.rowcount)


def recount(cursor: Cursor, execution: int) -> Counts:
    """Write the counters anew from the stocks' rows and tell listeners.

    The row is locked first, so that of two who recount the later one also sees more.
    """
    cursor.execute("SELECT 1 FROM batch_executions WHERE id = %s FOR NO KEY UPDATE", (execution,))
    cursor.execute(
        """
        WITH counted AS (
            SELECT count(*) AS total,
                   count(*) FILTER (WHERE status = 'completed') AS completed,
                   count(*) FILTER (WHERE status = 'failed') AS failed,
                   count(*) FILTER (WHERE status = 'processing') AS processing,
                   coalesce(sum(records_inserted), 0) AS records,
                   coalesce(sum(http_calls), 0) AS calls
            FROM batch_execution_details WHERE batch_execution_id = %(id)s
        )
        UPDATE batch_executions
        SET processed_stocks = completed + failed, successful_stocks = completed,
            failed_stocks = failed, records_inserted = records, http_calls = calls
        FROM counted WHERE id = %(id)s
        RETURNING total, completed, failed, processing
        """,
        {"id": execution},
    )
    row = cursor.fetchone()
    if row is None:
        raise UnknownBatch(f"execution {execution} is gone")
    notify(cursor, execution)
    return Counts(*row)


def is_uuid(text: str) -> bool:
    """Whether `text` is a uuid."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
