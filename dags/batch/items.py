"""SQL on `batch_execution_details`: claim a stock, renew its lease, say what became of it.

A claim carries a token that grows with each claim. It is the fence: a statement about a claimed
stock does nothing once somebody else has claimed it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from dags.batch.models import BatchStatus, Counts, Outcome, WorkItem

CLAIM = """
WITH next AS (
    SELECT d.id FROM batch_execution_details AS d
    WHERE d.batch_execution_id = %(execution)s
      AND (%(chunk)s::integer IS NULL OR d.chunk = %(chunk)s)
      AND (%(code)s::text IS NULL OR d.stock_code = %(code)s)
      AND (d.status = 'pending' AND (d.not_before IS NULL OR d.not_before <= clock_timestamp())
           OR d.status = 'processing'
              AND (d.lease_until < clock_timestamp() OR d.worker_id = ANY(%(dead)s)))
      AND EXISTS (SELECT 1 FROM batch_executions AS e
                  WHERE e.id = d.batch_execution_id AND e.status = 'running')
    ORDER BY d.id LIMIT 1
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE batch_execution_details AS d
SET status = 'processing', worker_id = %(worker)s, lease_token = d.lease_token + 1,
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
    start_time = clock_timestamp(), not_before = NULL
FROM next WHERE d.id = next.id
RETURNING d.id, d.batch_execution_id, d.stock_code,
    coalesce((SELECT symbol FROM stocks WHERE code = d.stock_code), d.stock_code || '.T'),
    d.fetch_from, d.fetch_to, d.retry_count, d.lease_token
"""
MINE = "id = %(id)s AND lease_token = %(token)s AND status = 'processing'"


class Remaining(NamedTuple):
    """What is left of a chunk, or of a whole execution."""

    counts: Counts
    pending: int
    due_in: float
    """Seconds until a stock can be claimed: it is due, or its lease has ended."""


class Spent(NamedTuple):
    """What a try cost."""

    http_calls: int
    duration_ms: int


def claim(
    cursor: Cursor,
    execution: int,
    worker: str,
    lease: float,
    *,
    chunk: int | None = None,
    code: str | None = None,
    dead: Sequence[str] = (),
) -> WorkItem | None:
    """Claim the next stock that is due: pending, or left behind by one whose lease has ended.

    None if there is none now, or if the execution is not running. Stocks of the workers in `dead`
    are taken without waiting for their leases; `worker` itself has none when it claims, so what
    is noted as its own was lost with a connection.
    """
    cursor.execute(
        CLAIM,
        {
            "execution": execution,
            "chunk": chunk,
            "code": code,
            "worker": worker,
            "lease": lease,
            "dead": [worker, *dead],
        },
    )
    row = cursor.fetchone()
    return WorkItem(*row) if row else None


def renew(cursor: Cursor, item: WorkItem, lease: float) -> BatchStatus | None:
    """Prolong the lease; gives the execution's state, None if the stock was taken from us."""
    cursor.execute(
        f"""
        UPDATE batch_execution_details
        SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
        WHERE {MINE}
        RETURNING (SELECT status FROM batch_executions WHERE id = batch_execution_id)
        """,
        {"id": item.detail_id, "token": item.lease_token, "lease": lease},
    )
    row = cursor.fetchone()
    return BatchStatus(row[0]) if row else None


def complete(
    cursor: Cursor, item: WorkItem, outcome: Outcome, fetched: int, changed: int, spent: Spent
) -> bool:
    """The stock is done. False: it was taken from us, and the caller must roll back."""
    cursor.execute(
        f"""
        UPDATE batch_execution_details
        SET status = 'completed', outcome = %(outcome)s, records_fetched = %(fetched)s,
            records_inserted = %(changed)s, end_time = clock_timestamp(), lease_until = NULL,
            error_message = NULL, error_class = NULL, error_code = NULL,
            http_calls = http_calls + %(calls)s, duration_ms = %(duration)s
        WHERE {MINE}
        """,
        {
            "id": item.detail_id,
            "token": item.lease_token,
            "outcome": outcome.value,
            "fetched": fetched,
            "changed": changed,
            "calls": spent.http_calls,
            "duration": spent.duration_ms,
        },
    )
    return bool(cursor.rowcount)


def fail(cursor: Cursor, item: WorkItem, kind: str, code: str, message: str, spent: Spent) -> bool:
    """The stock failed for good. False: it was taken from us."""
    cursor.execute(
        f"""
        UPDATE batch_execution_details
        SET status = 'failed', error_class = %(kind)s, error_code = %(code)s,
            error_message = %(message)s, end_time = clock_timestamp(), lease_until = NULL,
            http_calls = http_calls + %(calls)s, duration_ms = %(duration)s
        WHERE {MINE}
        """,
        {
            "id": item.detail_id,
            "token": item.lease_token,
            "kind": kind,
            "code": code,
            "message": message,
            "calls": spent.http_calls,
            "duration": spent.duration_ms,
        },
    )
    return bool(cursor.rowcount)


def put_back(
    cursor: Cursor,
    item: WorkItem,
    spent: Spent = Spent(0, 0),  # noqa: B008 - immutable
    *,
    delay: float = 0.0,
    retried: bool = False,
    message: str | None = None,
) -> bool:
    """Back to pending, due after `delay` seconds; `retried` uses up a retry. False: not ours."""
    cursor.execute(
        f"""
        UPDATE batch_execution_details
        SET status = 'pending', lease_until = NULL, worker_id = NULL,
            not_before = clock_timestamp() + make_interval(secs => %(delay)s),
            retry_count = retry_count + %(retried)s, error_message = %(message)s,
            http_calls = http_calls + %(calls)s
        WHERE {MINE}
        """,
        {
            "id": item.detail_id,
            "token": item.lease_token,
            "delay": delay,
            "retried": int(retried),
            "message": message,
            "calls": spent.http_calls,
        },
    )
    return bool(cursor.rowcount)


def settled(cursor: Cursor, item: WorkItem) -> bool:
    """Whether our own claim was settled already, by a commit whose answer was lost."""
    cursor.execute(
        "SELECT 1 FROM batch_execution_details "
        "WHERE id = %s AND lease_token = %s AND status <> 'processing'",
        (item.detail_id, item.lease_token),
    )
    return cursor.fetchone() is not None


def remaining(cursor: Cursor, execution: int, chunk: int | None) -> Remaining:
    """What is left to do."""
    cursor.execute(
        """
        SELECT count(*), count(*) FILTER (WHERE status = 'completed'),
               count(*) FILTER (WHERE status = 'failed'),
               count(*) FILTER (WHERE status = 'processing'),
               count(*) FILTER (WHERE status = 'pending'),
               coalesce(extract(epoch FROM min(
                   CASE status WHEN 'pending' THEN coalesce(not_before, clock_timestamp())
                               WHEN 'processing' THEN lease_until END) - clock_timestamp()), 0)
        FROM batch_execution_details
        WHERE batch_execution_id = %(execution)s
          AND (%(chunk)s::integer IS NULL OR chunk = %(chunk)s)
        """,
        {"execution": execution, "chunk": chunk},
    )
    row = cursor.fetchone()
    assert row
    return Remaining(Counts(*row[:4]), row[4], max(0.0, float(row[5])))


def holders(cursor: Cursor, execution: int, host: str) -> list[str]:
    """Workers of `host` that hold a stock of the execution."""
    cursor.execute(
        "SELECT DISTINCT worker_id FROM batch_execution_details "
        "WHERE batch_execution_id = %s AND status = 'processing' AND starts_with(worker_id, %s)",
        (execution, f"{host}:"),
    )
    return [str(row[0]) for row in cursor.fetchall()]


def chunks_left(cursor: Cursor, execution: int) -> list[int]:
    """Numbers of the chunks with a stock that is not done."""
    cursor.execute(
        "SELECT DISTINCT chunk FROM batch_execution_details "
        "WHERE batch_execution_id = %s AND status IN ('pending', 'processing') ORDER BY chunk",
        (execution,),
    )
    return [int(row[0]) for row in cursor.fetchall()]


def forgive_failed(cursor: Cursor, execution: int, codes: Sequence[str], since: datetime) -> int:
    """Put stocks back that failed since then with one of the error codes; how many."""
    cursor.execute(
        """
        UPDATE batch_execution_details
        SET status = 'pending', end_time = NULL, error_class = NULL, error_code = NULL,
            worker_id = NULL, not_before = NULL, retry_count = 0
        WHERE batch_execution_id = %s AND status = 'failed' AND error_code = ANY(%s)
          AND end_time >= %s
        """,
        (execution, list(codes), since),
    )
    return int(cursor.rowcount)
