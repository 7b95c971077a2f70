"""The batch's log: one row of `batch_events` and one JSON line an action."""

import json
import logging
from datetime import UTC, datetime
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

CHANNEL = "batch_progress"
"""NOTIFY channel; the payload is the id of an execution of which something changed."""
LOGGER = logging.getLogger("batch")

INSERT = """
INSERT INTO batch_events (batch_execution_id, worker_id, stock_code, action, status, duration_ms,
                          records_count, error_message, error_class, retry_count)
VALUES (%(execution)s, %(worker_id)s, %(stock_code)s, %(action)s, %(status)s, %(duration_ms)s,
        %(records_count)s, %(error_message)s, %(error_class)s, %(retry_count)s)
"""


class Event(NamedTuple):
    """Something that was done, to a stock or to a whole execution."""

    execution: int
    label: str
    """Of the execution: what the JSON line calls batch_id."""
    action: str
    """data_fetch | data_save | error_occurred | started | paused | resumed | stopped | …"""
    status: str
    """success | failed | retry"""
    worker_id: str | None = None
    """Worker, or who gave the order."""
    stock_code: str | None = None
    duration_ms: int | None = None
    records_count: int | None = None
    error_message: str | None = None
    """Also the reason of a pause or a stop."""
    error_class: str | None = None
    retry_count: int | None = None


def write(cursor: Cursor, *events: Event) -> None:
    """Store the events in the caller's transaction."""
    for event in events:
        cursor.execute(INSERT, event._asdict())


def emit(*events: Event) -> None:
    """Log the events as JSON lines. Called after the commit: a line never lies."""
    for event in events:
        level = logging.INFO if event.status == "success" else logging.WARNING
        LOGGER.log(level, "%s", json_line(event, datetime.now(UTC)))


def json_line(event: Event, now: datetime) -> str:
    """The event as one line of JSON. Pure."""
    fields = {
        "timestamp": now.isoformat(timespec="milliseconds"),
        "batch_id": event.label,
        "worker_id": event.worker_id,
        "stock_code": event.stock_code,
        "action": event.action,
        "status": event.status,
        "duration_ms": event.duration_ms,
        "records_count": event.records_count,
        "error_message": event.error_message,
        "error_class": event.error_class,
        "retry_count": event.retry_count,
    }
    return json.dumps(fields, ensure_ascii=False)


def notify(cursor: Cursor, execution: int) -> None:
    """Tell whoever listens that the execution changed; they hear it when the commit is done."""
    cursor.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(execution)))
