"""How far an execution is, how fast it goes and when it will be done."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dags.batch import executions
from dags.batch.executions import Execution
from dags.batch.models import BatchStatus, Counts

T = TypeVar("T")

WINDOW = timedelta(seconds=60)
"""Throughput is that of the last minute: a run has slow and fast parts."""


class Throughput(NamedTuple):
    """How fast an execution goes."""

    stocks_per_minute: float
    records_per_minute: float
    """Rows that were new or different."""


class ProgressManager:
    """Progress of executions for people and programs.

    `batch` is an id, a uuid or a label: UnknownBatch if there is none.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def snapshot(self, batch: int | str) -> dict[str, Any]:
        """Progress as JSON takes it: requirements' fields, and more.

        `{"batch_id": uuid, "status", "progress": {"total", "processed", "successful", "failed",
        "percentage"}, "current_processing": [codes], "estimated_completion": ISO 8601 UTC | None,
        "throughput": {"stocks_per_minute", "records_per_minute"}}` and `id`, `label`, `mode`,
        `reason`, `run_id`, `session_date`, `errors` (failed stocks by class), `retrying` (stocks
        that wait for a retry), `http_calls`, `records_inserted`, `started_at`, `ended_at`,
        `rate_limit` {"rate", "base_rate", "slow_until"} | None.
        """
        return self._transaction(lambda cursor: snapshot(cursor, batch))

    def update_progress(self, batch: int | str) -> Counts:
        """Recount the execution's counters and tell listeners."""

        def work(cursor: Cursor) -> Counts:
            return executions.recount(cursor, executions.find(cursor, batch).id)

        return self._transaction(work)

    @staticmethod
    def calculate_eta(
        total: int, processed: int, stocks_per_minute: float, now: datetime
    ) -> datetime | None:
        """When all stocks will be processed; None while that cannot be said. Pure."""
        if processed <= 0 or stocks_per_minute <= 0:
            return None
        return now + timedelta(minutes=max(0, total - processed) / stocks_per_minute)

    def _transaction(self, work: Callable[[Cursor], T]) -> T:
        with self.connection, self.connection.cursor() as cursor:
            return work(cursor)


def percentage(total: int, processed: int) -> float:
    """Share of processed stocks with two decimals; an execution without stocks is done. Pure."""
    return round(100 * processed / total, 2) if total else 100.0


def rate(stocks: int, records: int, begun: datetime, ended: datetime) -> Throughput:
    """Throughput of what was done between two moments. Pure."""
    minutes = (ended - begun).total_seconds() / 60
    if minutes <= 0:
        return Throughput(0.0, 0.0)
    return Throughput(round(stocks / minutes, 2), round(records / minutes, 2))


def snapshot(cursor: Cursor, batch: int | str) -> dict[str, Any]:
    """See ProgressManager.snapshot. One transaction sees one moment only if it is told to, so
    all numbers come from two statements: the execution's row and its stocks."""
    execution = executions.find(cursor, batch)
    counted = _count(cursor, execution.id)
    now = counted["now"]
    processed = counted["completed"] + counted["failed"]
    speed = _throughput(execution, counted)
    eta = None
    if execution.status is BatchStatus.RUNNING:
        eta = ProgressManager.calculate_eta(
            execution.total, processed, speed.stocks_per_minute, now
        )
    return {
        "batch_id": execution.uuid,
        "status": execution.status.value,
        "progress": {
            "total": execution.total,
            "processed": processed,
            "successful": counted["completed"],
            "failed": counted["failed"],
            "percentage": percentage(execution.total, processed),
        },
        "current_processing": counted["current"],
        "estimated_completion": iso(eta),
        "throughput": speed._asdict(),
        "id": execution.id,
        "label": execution.label,
        "mode": execution.mode.value,
        "reason": execution.reason,
        "run_id": execution.run_id,
        "session_date": execution.session_date and execution.session_date.isoformat(),
        "errors": _errors(cursor, execution.id),
        "retrying": counted["retrying"],
        "http_calls": counted["calls"],
        "records_inserted": counted["records"],
        "started_at": iso(execution.start_time),
        "ended_at": iso(execution.end_time),
        "rate_limit": _rate_limit(cursor),
    }


def _throughput(execution: Execution, counted: dict[str, Any]) -> Throughput:
    """Of the recent window; of the whole run where nothing happened in the window."""
    now = counted["now"]
    if execution.end_time is None and counted["recent"]:
        # After a pause the window begins with the work, not in the pause.
        begun = max(now - WINDOW, counted["recent_since"])
        return rate(counted["recent"], counted["recent_records"], begun, now)
    processed = counted["completed"] + counted["failed"]
    last = execution.end_time or counted["last"] or now
    return rate(processed, counted["records"], execution.start_time, last)


def _count(cursor: Cursor, execution: int) -> dict[str, Any]:
    cursor.execute(
        """
        SELECT clock_timestamp() AS now,
               count(*) FILTER (WHERE status = 'completed') AS completed,
               count(*) FILTER (WHERE status = 'failed') AS failed,
               count(*) FILTER (WHERE status = 'pending' AND retry_count > 0) AS retrying,
               coalesce(array_agg(stock_code ORDER BY stock_code)
                   FILTER (WHERE status = 'processing'), '{}') AS current,
               count(*) FILTER (WHERE end_time > clock_timestamp() - %(window)s) AS recent,
               coalesce(sum(records_inserted)
                   FILTER (WHERE end_time > clock_timestamp() - %(window)s), 0)::bigint
                   AS recent_records,
               min(start_time) FILTER (WHERE end_time > clock_timestamp() - %(window)s)
                   AS recent_since,
               max(end_time) AS last,
               coalesce(sum(records_inserted), 0)::bigint AS records,
               coalesce(sum(http_calls), 0)::bigint AS calls
        FROM batch_execution_details WHERE batch_execution_id = %(id)s
        """,
        {"id": execution, "window": WINDOW},
    )
    row = cursor.fetchone()
    assert row and cursor.description
    return dict(zip([column.name for column in cursor.description], row, strict=True))


def _errors(cursor: Cursor, execution: int) -> dict[str, int]:
    """Failed stocks by class."""
    cursor.execute(
        "SELECT error_class, count(*) FROM batch_execution_details "
        "WHERE batch_execution_id = %s AND status = 'failed' GROUP BY 1 ORDER BY 1",
        (execution,),
    )
    return {str(kind): int(count) for kind, count in cursor.fetchall()}


def _rate_limit(cursor: Cursor) -> dict[str, Any] | None:
    cursor.execute(
        "SELECT CASE WHEN slow_until > clock_timestamp() THEN rate ELSE base_rate END, base_rate, "
        "CASE WHEN slow_until > clock_timestamp() THEN slow_until END "
        "FROM rate_limits ORDER BY name LIMIT 1"
    )
    row = cursor.fetchone()
    if row is None:
        return None
    return {"rate": row[0], "base_rate": row[1], "slow_until": iso(row[2])}


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds") if moment else None
