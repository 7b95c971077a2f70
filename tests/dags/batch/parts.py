"""What the tests of the engine share."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from connectors.stocks.bars import Bar
from dags.batch.config import BatchConfig
from dags.batch.database import Database
from dags.batch.engine import BatchEngine
from tests.dags.batch.source import ScriptedSource, bars_of
from tests.dags.conftest import BatchDatabase

CODES = ["7203", "6758", "9984", "130A"]
QUICK = {
    "requests_per_second": 500,
    "burst_limit": 500,
    "retry_delay": 0.01,
    "throttle_wait": 0.2,
    "throttle_wait_max": 0.4,
    "commit_interval": 1,
}


class Bench:
    """An engine with a scripted source in this process, and a look at the tables."""

    def __init__(
        self,
        database: BatchDatabase,
        script: Mapping[str, Sequence[object]] | None = None,
        delay: float = 0.0,
        **settings: Any,
    ) -> None:
        self.database = database
        self.source: ScriptedSource | None = None

        def factory(config: BatchConfig, throttle: Any) -> ScriptedSource:
            self.source = ScriptedSource(throttle, script, delay)
            return self.source

        self.config = BatchConfig(**{**QUICK, **settings})
        self.engine = BatchEngine(self.config, Database(database.settings), factory)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        return rows(self.database, query, *values)

    def stocks(self, columns: str = "stock_code, status") -> list[tuple[Any, ...]]:
        """The stocks' rows in their order."""
        return self.rows(f"SELECT {columns} FROM batch_execution_details ORDER BY id")


def rows(database: BatchDatabase, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with database.connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return cursor.fetchall()


def stored(database: BatchDatabase, symbol: str) -> list[Bar]:
    """The stored bars of a symbol, oldest first."""
    found = rows(
        database,
        "SELECT trade_date, open, high, low, close, adj_close, volume, dividends, splits "
        "FROM daily_bars WHERE symbol = %s ORDER BY trade_date",
        symbol,
    )
    return [Bar(*row) for row in found]


def assert_consistent(database: BatchDatabase, codes: Sequence[str]) -> None:
    """Every code is completed, its bars are stored once, counters equal rows."""
    details = rows(database, "SELECT stock_code, status FROM batch_execution_details ORDER BY 1")
    assert details == [(code, "completed") for code in sorted(codes)]
    for code in codes:
        assert stored(database, f"{code}.T") == bars_of(f"{code}.T"), code
    [(total, done)] = rows(
        database,
        "SELECT (SELECT count(*) FROM daily_bars), (SELECT sum(records_inserted)::bigint "
        "FROM batch_execution_details)",
    )
    assert total == done
    [counters] = rows(
        database,
        "SELECT total_stocks, processed_stocks, successful_stocks, failed_stocks, "
        "records_inserted FROM batch_executions",
    )
    assert counters == (len(codes), len(codes), len(codes), 0, total)
    assert rows(
        database,
        "SELECT count(*), count(DISTINCT stock_code) FROM batch_events WHERE action = 'data_save'",
    ) == [(len(codes), len(codes))]


def day(number: int) -> date:
    """The session with that number of `bars_of`."""
    return bars_of("any")[number].trade_date
