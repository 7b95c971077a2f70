"""What the batch has written, read by plain SQL: other packages' code would share its faults."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import Any, NamedTuple

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from docker.batch.upstream import FIELDS, Bar
from docker.local.settings import StackSettings

SHOWN = 10


class Execution(NamedTuple):
    """A row of batch_executions."""

    id: int
    uuid: str
    label: str
    status: str
    total: int
    successful: int
    failed: int
    error: str | None
    run_id: str | None
    report: str | None


@dataclass
class Progress:
    """How far an execution is."""

    execution: Execution | None = None
    stocks: dict[str, int] = field(default_factory=dict)
    """Stocks by status."""
    errors: dict[str, int] = field(default_factory=dict)
    """Failed stocks by class of error."""
    current: list[str] = field(default_factory=list)
    """Codes in work, some of them."""
    rows: int = 0

    @property
    def done(self) -> int:
        """Stocks that are finished, one way or the other."""
        return self.stocks.get("completed", 0) + self.stocks.get("failed", 0)


class Tables:
    """The tables of one schema, by a connection of its own that is made again when it is lost."""

    def __init__(self, settings: StackSettings, schema: str) -> None:
        self._url = f"{settings.database_url}?passfile={settings.pgpass}"
        self._schema = schema
        self._connection: Connection | None = None

    def __enter__(self) -> "Tables":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection if there is one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def drop(self) -> None:
        """Remove the schema with all that is in it."""
        name = sql.Identifier(self._schema)
        with self._open() as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))

    def newest(self) -> Execution | None:
        """The newest execution that a run of Airflow works on; None without tables."""
        return self._execution("run_id NOT LIKE '%%:refill' ORDER BY id DESC LIMIT 1", ())

    def progress(self, run_id: str) -> Progress:
        """State of the execution of a run; empty until there is one, or without a database."""
        try:
            execution = self._execution("run_id = %s", (run_id,))
            if execution is None:
                return Progress()
            return self._count(execution)
        except psycopg2.OperationalError:
            self.close()
            return Progress()

    def completed(self) -> set[str]:
        """Symbols of all stocks that some execution has completed with data."""
        rows = self._select(
            "SELECT DISTINCT symbol FROM batch_execution_details "
            "JOIN stocks ON stocks.code = stock_code "
            "WHERE batch_execution_details.status = 'completed' "
            "AND outcome IS DISTINCT FROM 'no_data'"
        )
        return {str(symbol) for (symbol,) in rows}

    def bars(self) -> Iterator[tuple[str, list[Bar]]]:
        """All stored bars by symbol, both in order; one symbol is in memory at a time."""
        columns = sql.SQL(", ").join(map(sql.Identifier, ("symbol", *FIELDS)))
        query = sql.SQL("SELECT {} FROM daily_bars ORDER BY symbol, trade_date").format(columns)
        with self._open() as connection, connection.cursor("bars") as cursor:
            cursor.itersize = 10_000
            cursor.execute(query)
            for symbol, rows in groupby(cursor, itemgetter(0)):
                yield symbol, [row[1:] for row in rows]

    def _execution(self, condition: str, values: tuple[object, ...]) -> Execution | None:
        try:
            rows = self._select(
                "SELECT id, uuid::text, label, status, total_stocks, successful_stocks, "
                "failed_stocks, error_message, run_id, report_markdown "
                f"FROM batch_executions WHERE {condition}",
                values,
            )
        except psycopg2.errors.UndefinedTable:
            return None
        return Execution(*rows[0]) if rows else None

    def _count(self, execution: Execution) -> Progress:
        of = (execution.id,)
        details = "FROM batch_execution_details WHERE batch_execution_id = %s"
        counted = self._select(
            f"SELECT status, count(*), sum(records_inserted) {details} GROUP BY status", of
        )
        errors = self._select(
            f"SELECT coalesce(error_class, '?'), count(*) {details} "
            "AND status = 'failed' GROUP BY 1 ORDER BY 2 DESC",
            of,
        )
        current = self._select(
            f"SELECT stock_code {details} AND status = 'processing' ORDER BY 1 LIMIT {SHOWN}", of
        )
        return Progress(
            execution,
            {str(status): int(count) for status, count, _ in counted},
            {str(name): int(count) for name, count in errors},
            [str(code) for (code,) in current],
            sum(int(rows or 0) for _, _, rows in counted),
        )

    def _select(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._open() as connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            options = f"-c search_path={self._schema} -c timezone=UTC"
            self._connection = psycopg2.connect(self._url, options=options, connect_timeout=5)
        return self._connection
