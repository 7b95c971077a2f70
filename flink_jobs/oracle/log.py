"""The log of the market's topics, loaded into DuckDB: what the jobs have read."""

import json
from collections.abc import Iterator
from decimal import Decimal
from tempfile import NamedTemporaryFile
from typing import Any

import duckdb

from flink_jobs.oracle.actual import records

_COLUMNS = """{
    event_type: 'VARCHAR', exchange: 'VARCHAR', symbol: 'VARCHAR', trade_seq: 'BIGINT',
    price: 'VARCHAR', size: 'VARCHAR', side: 'VARCHAR', ts_event: 'BIGINT'
}"""


def values(bootstrap: str, topic: str) -> Iterator[dict[str, Any]]:
    """JSON objects of a topic, decimals exact; none where there is no such topic."""
    try:
        for record in records(bootstrap, topic):
            if record.value is not None:
                yield json.loads(record.value, parse_float=Decimal)
    except LookupError:
        return


def load(bootstrap: str, prefix: str = "") -> duckdb.DuckDBPyConnection:
    """An in-memory database with the table ``trades``, as :func:`flink_jobs.oracle.ledger.load`."""
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    with NamedTemporaryFile("wb", suffix=".jsonl") as file:
        for record in records(bootstrap, f"{prefix}market.trades"):
            file.write(bytes(record.value) + b"\n")
        file.flush()
        db.execute(
            f"""CREATE TABLE trades AS SELECT
                exchange, symbol, trade_seq,
                CAST(price AS DECIMAL(19, 10)) AS price,
                CAST(size AS DECIMAL(18, 8)) AS size,
                side, ts_event, ts_event // 1000 AS ts_ms
            FROM read_json($file, format = 'newline_delimited', columns = {_COLUMNS})
            WHERE event_type = 'trade'""",
            {"file": file.name},
        )
    return db
