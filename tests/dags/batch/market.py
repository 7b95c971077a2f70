"""Small markets in the database, for tests of what reads it."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json, execute_values

from connectors.stocks.bars import Bar
from dags.batch.config import BatchConfig
from dags.batch.sessions import Sessions

FRIDAY = date(2026, 11, 20)
SESSIONS = Sessions(
    day for back in range(420) if (day := FRIDAY - timedelta(days=back)).weekday() < 5
)


def days(count: int) -> list[date]:
    """The last sessions up to FRIDAY, oldest first."""
    return list(SESSIONS.days[-count:])


def plain(day: date, close: float = 1000.0, **values: Any) -> Bar:
    """A quiet session around `close`; the volume tells the days apart."""
    volume = 1000 + day.toordinal()
    return Bar(day, close, close + 5, close - 5, close, close, volume)._replace(**values)


def add_stock(connection: Connection, code: str, bars: Iterable[Bar] = (), **values: Any) -> None:
    """A listed stock with its bars."""
    row = {"segment": "prime", "status": "listed", **values}
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO stocks (code, symbol, name, segment, status, first_seen, last_seen)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (code, f"{code}.T", code, row["segment"], row["status"], FRIDAY, FRIDAY),
        )
        rows = [(f"{code}.T", *bar) for bar in bars]
        if rows:
            execute_values(
                cursor,
                "INSERT INTO daily_bars (symbol, trade_date, open, high, low, close, adj_close,"
                " volume, dividends, splits) VALUES %s",
                rows,
            )


def add_execution(
    connection: Connection, codes: Iterable[str], label: str = "batch_1", **values: Any
) -> int:
    """A running execution in which all stocks are completed; its id."""
    codes = list(codes)
    row = {"mode": "differential", "run_id": label, "session_date": FRIDAY, **values}
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO batch_executions"
            " (label, batch_type, mode, total_stocks, config, run_id, session_date)"
            " VALUES (%s, 'all_stocks', %s, %s, %s, %s, %s) RETURNING id",
            (
                label,
                row["mode"],
                len(codes),
                Json(BatchConfig().stored()),
                row["run_id"],
                row["session_date"],
            ),
        )
        found = cursor.fetchone()
        assert found
        execute_values(
            cursor,
            "INSERT INTO batch_execution_details"
            " (batch_execution_id, stock_code, status, outcome, chunk) VALUES %s",
            [(found[0], code, "completed", "stored", 0) for code in codes],
        )
        return int(found[0])
