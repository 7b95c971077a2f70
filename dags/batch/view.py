"""What a person wants to see of the batch, read from its tables: one query, one function.

Every function takes a psycopg2 connection and gives what JSON can hold: times are ISO 8601 in UTC.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

LIST_LIMIT = 50
ROWS_LIMIT = 200
EVENTS_LIMIT = 100

EXECUTION = """
    id, uuid, label, batch_type, mode, status, total_stocks, processed_stocks, successful_stocks,
    failed_stocks, start_time, end_time, error_message, run_id, session_date, records_inserted,
    http_calls
"""


def rows(connection: Any, query: str, *values: Any) -> list[dict[str, Any]]:
    """Result of a query, one mapping a row, with values that JSON can hold."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, map(plain, row), strict=True)) for row in cursor]


def plain(value: Any) -> Any:
    """The value as JSON can hold it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return float(value)
    return value


def has_tables(connection: Any) -> bool:
    """Whether the tables are there: the first batch makes them."""
    found = rows(connection, "SELECT to_regclass('batch_executions') IS NOT NULL AS there")
    return bool(found[0]["there"])


def active_executions(connection: Any) -> list[int]:
    """Ids of the executions that may still change, and of the newest one."""
    if not has_tables(connection):
        return []
    found = rows(
        connection,
        """SELECT id FROM batch_executions WHERE status IN ('running', 'paused')
           UNION SELECT max(id) FROM batch_executions HAVING max(id) IS NOT NULL ORDER BY id""",
    )
    return [row["id"] for row in found]


def executions(
    connection: Any, before: int | None = None, limit: int = LIST_LIMIT
) -> list[dict[str, Any]]:
    """Executions, newest first; with `before` those with a lower id."""
    if not has_tables(connection):
        return []
    return rows(
        connection,
        f"""SELECT {EXECUTION} FROM batch_executions
            WHERE %s::int IS NULL OR id < %s ORDER BY id DESC LIMIT %s""",
        before,
        before,
        limit,
    )


def newest(connection: Any, run_id: str | None = None) -> int | None:
    """Id of the newest execution, or of the one that an Airflow run works on; None: none."""
    if not has_tables(connection):
        return None
    found = rows(
        connection,
        """SELECT max(id) AS id FROM batch_executions
           WHERE %s::text IS NULL OR run_id = %s OR starts_with(run_id, %s || '#')""",
        run_id,
        run_id,
        run_id,
    )
    number = found[0]["id"]
    return None if number is None else int(number)


def airflow_run(run_id: str | None) -> str | None:
    """Airflow's own name of the run that an execution belongs to; None: not started by Airflow.

    A run that was cleared, or that refills gaps, has several executions.
    """
    return run_id and run_id.split("#", 1)[0].removesuffix(":refill")


def execution(connection: Any, number: int) -> dict[str, Any]:
    """One execution with all that belongs to it, but for its rows of findings and events."""
    found = rows(
        connection,
        f"SELECT {EXECUTION}, config, report_markdown FROM batch_executions WHERE id = %s",
        number,
    )[0]
    return {
        **found,
        "errors": errors(connection, number),
        "outcomes": outcomes(connection, number),
        "working": working(connection, number),
    }


def errors(connection: Any, number: int) -> list[dict[str, Any]]:
    """Stocks with an error by class and code, failed ones and those that wait for a retry."""
    return rows(
        connection,
        """SELECT coalesce(error_class, 'UNKNOWN') AS error_class,
                  coalesce(error_code, '') AS error_code,
                  count(*) FILTER (WHERE status = 'failed') AS failed,
                  count(*) FILTER (WHERE status <> 'failed') AS retrying,
                  (array_agg(error_message ORDER BY id DESC))[1] AS example
           FROM batch_execution_details
           WHERE batch_execution_id = %s AND status <> 'completed'
             AND (error_message IS NOT NULL OR status = 'failed')
           GROUP BY 1, 2 ORDER BY failed DESC, retrying DESC""",
        number,
    )


def outcomes(connection: Any, number: int) -> dict[str, int]:
    """Completed stocks by outcome: stored, unchanged, no_data."""
    found = rows(
        connection,
        """SELECT coalesce(outcome, 'stored') AS outcome, count(*) AS stocks
           FROM batch_execution_details
           WHERE batch_execution_id = %s AND status = 'completed' GROUP BY 1 ORDER BY 1""",
        number,
    )
    return {row["outcome"]: row["stocks"] for row in found}


def working(connection: Any, number: int) -> list[dict[str, Any]]:
    """Stocks that are being fetched, the longest first."""
    return rows(
        connection,
        """SELECT d.stock_code, s.name, d.worker_id, d.start_time, d.retry_count
           FROM batch_execution_details d LEFT JOIN stocks s ON s.code = d.stock_code
           WHERE d.batch_execution_id = %s AND d.status = 'processing'
           ORDER BY d.start_time NULLS LAST LIMIT %s""",
        number,
        ROWS_LIMIT,
    )


def failed_stocks(connection: Any, number: int) -> list[dict[str, Any]]:
    """Stocks that failed, the newest first."""
    return rows(
        connection,
        """SELECT d.stock_code, s.name, d.error_class, d.error_code, d.error_message,
                  d.retry_count, d.end_time
           FROM batch_execution_details d LEFT JOIN stocks s ON s.code = d.stock_code
           WHERE d.batch_execution_id = %s AND d.status = 'failed'
           ORDER BY d.end_time DESC NULLS LAST, d.stock_code LIMIT %s""",
        number,
        ROWS_LIMIT,
    )


def findings(connection: Any, number: int) -> dict[str, Any]:
    """What the checks found: how many by rule, and the gravest rows."""
    by_rule = rows(
        connection,
        """SELECT severity, rule, count(*) AS found FROM batch_findings
           WHERE batch_execution_id = %s GROUP BY 1, 2
           ORDER BY array_position(ARRAY['error', 'warning', 'info'], severity::text),
                    found DESC""",
        number,
    )
    worst = rows(
        connection,
        """SELECT severity, rule, symbol, trade_date, value, message FROM batch_findings
           WHERE batch_execution_id = %s
           ORDER BY array_position(ARRAY['error', 'warning', 'info'], severity::text), id
           LIMIT %s""",
        number,
        ROWS_LIMIT,
    )
    return {"by_rule": by_rule, "rows": worst}


def events(connection: Any, number: int, before: int | None = None) -> list[dict[str, Any]]:
    """Log lines, newest first; with `before` those with a lower id."""
    return rows(
        connection,
        """SELECT id, logged_at, worker_id, stock_code, action, status, duration_ms,
                  records_count, error_message, error_class, retry_count
           FROM batch_events
           WHERE batch_execution_id = %s AND (%s::bigint IS NULL OR id < %s)
           ORDER BY id DESC LIMIT %s""",
        number,
        before,
        before,
        EVENTS_LIMIT,
    )


def report(connection: Any, number: int) -> Mapping[str, Any]:
    """The report as `report` (JSON) and `report_markdown`; both None until there is one."""
    return rows(
        connection, "SELECT report, report_markdown FROM batch_executions WHERE id = %s", number
    )[0]
