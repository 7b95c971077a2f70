"""Making an execution: its row, its stocks in chunks, its rate limit."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from math import ceil
from typing import NamedTuple
from uuid import uuid4

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json, execute_values

from dags.batch import bucket, events, executions
from dags.batch.config import BatchConfig
from dags.batch.errors import BatchInputError
from dags.batch.events import Event
from dags.batch.executions import Execution
from dags.batch.models import Mode

Window = tuple[date | None, date | None]
"""First and last session to fetch; without a first one the whole history."""
CODE = re.compile(r"[0-9A-Z]{1,10}")
NAMED_AT_MOST = 20
"""Bad codes named in an error."""


class Order(NamedTuple):
    """What a new execution is to do."""

    uuid: str
    codes: Sequence[str]
    mode: Mode
    batch_type: str
    """all_stocks | partial"""
    run_id: str | None
    session_date: date | None
    windows: Mapping[str, Window]


def order_of(
    codes: Iterable[str],
    mode: Mode,
    run_id: str | None = None,
    session_date: date | None = None,
    windows: Mapping[str, Window] | None = None,
    batch_type: str | None = None,
) -> Order:
    """A checked order. BatchInputError if there is no code or if some are no codes. Pure
    but for the new uuid."""
    unique = list(dict.fromkeys(codes))
    if not unique:
        raise BatchInputError(
            "the list of stocks is empty: refresh the listing, or name stocks by their codes"
        )
    wrong = [code for code in unique if not CODE.fullmatch(code)]
    if wrong:
        named = ", ".join(repr(code) for code in wrong[:NAMED_AT_MOST])
        more = f" and {len(wrong) - NAMED_AT_MOST} more" if len(wrong) > NAMED_AT_MOST else ""
        raise BatchInputError(f"{named}{more}: no codes of stocks, those look like 7203 and 130A")
    part = mode in (Mode.SYMBOLS, Mode.FAILED)
    kind = batch_type or ("partial" if part else "all_stocks")
    return Order(str(uuid4()), unique, mode, kind, run_id, session_date, windows or {})


def chunk_sizes(stocks: int, batch_size: int, workers: int) -> list[int]:
    """Sizes of the chunks of so many stocks. Pure.

    Each is a task, whose process takes seconds of CPU to start. Workers that all begin with full
    chunks end them together, and nothing is fetched while all start anew. So, where there are
    more chunks than workers, the first ones grow: of 50 and 10 workers 5, 10, 15 … 50.
    """
    sizes: list[int] = []
    left = stocks
    while left > 0:
        share = min(1.0, (len(sizes) + 1) / workers) if stocks > workers * batch_size else 1.0
        sizes.append(min(left, ceil(batch_size * share)))
        left -= sizes[-1]
    return sizes


def make(cursor: Cursor, order: Order, config: BatchConfig) -> tuple[Execution, list[Event]]:
    """The execution of the order; that of an earlier call with the same run_id or uuid if there
    is one. The events are to be emitted after the commit."""
    made = _insert(cursor, order, config)
    if made is None:
        if order.run_id:
            known = executions.find_run(cursor, order.run_id)
            if known:
                return known, []
        return executions.find(cursor, order.uuid), []
    sizes = chunk_sizes(len(order.codes), config.batch_size, config.max_workers)
    chunks = (number for number, size in enumerate(sizes, 1) for _ in range(size))
    execute_values(
        cursor,
        "INSERT INTO batch_execution_details "
        "(batch_execution_id, stock_code, chunk, fetch_from, fetch_to) VALUES %s",
        [
            (made, code, chunk, *order.windows.get(code, (None, None)))
            for code, chunk in zip(order.codes, chunks, strict=True)
        ],
        page_size=1000,
    )
    bucket.configure(cursor, config.requests_per_second, config.burst_limit)
    execution = executions.find(cursor, made)
    event = Event(made, execution.label, "started", "success", records_count=execution.total)
    events.write(cursor, event)
    events.notify(cursor, made)
    return execution, [event]


def _insert(cursor: Cursor, order: Order, config: BatchConfig) -> int | None:
    """Id of the new row, whose label is not taken; None if the run_id or the uuid is known."""
    stem = datetime.now(UTC).strftime("batch_%Y%m%d_%H%M%S")
    number = 1
    while True:
        cursor.execute(
            """
            INSERT INTO batch_executions
                (uuid, label, batch_type, mode, total_stocks, config, run_id, session_date)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id
            """,
            (
                order.uuid,
                stem if number == 1 else f"{stem}_{number}",
                order.batch_type,
                order.mode.value,
                len(order.codes),
                Json(config.stored()),
                order.run_id,
                order.session_date,
            ),
        )
        row = cursor.fetchone()
        if row:
            return int(row[0])
        cursor.execute(
            "SELECT 1 FROM batch_executions WHERE run_id = %s OR uuid = %s::uuid",
            (order.run_id, order.uuid),
        )
        if cursor.fetchone():
            return None
        number += 1
