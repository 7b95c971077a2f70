"""Ledgers of the local exchange, loaded into DuckDB."""

from pathlib import Path

import duckdb

_COLUMNS = """{
    t: 'VARCHAR', exchange: 'VARCHAR', symbol: 'VARCHAR', trade_seq: 'BIGINT', price: 'VARCHAR',
    size: 'VARCHAR', side: 'VARCHAR', ts_event: 'BIGINT', ids: 'VARCHAR[]', via: 'VARCHAR',
    kind: 'VARCHAR'
}"""


def load(ledgers: list[Path]) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database with the table ``trades`` of all trades that were ever sent.

    A trade that no connection and no REST answer carried in one piece (a malformed frame, a
    disconnected client) cannot be known to anybody and is left out. Duplicated sends count once.

    Columns: exchange, symbol, trade_seq, price DECIMAL(19, 10), size DECIMAL(18, 8), side,
    ts_event (µs), ts_ms (event time as the jobs see it: whole milliseconds). The lines
    themselves are in the table ``ledger``.

    Raises:
        FileNotFoundError: a ledger is missing.
    """
    for path in ledgers:
        if not path.is_file():
            raise FileNotFoundError(f"no ledger at {path}: was the local exchange started with it?")
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    db.execute(
        f"""CREATE TABLE ledger AS SELECT * FROM read_json(
            $files, format = 'newline_delimited', columns = {_COLUMNS})""",
        {"files": [str(path) for path in ledgers]},
    )
    db.execute(
        """CREATE TABLE trades AS
        SELECT
            exchange, symbol, trade_seq,
            CAST(price AS DECIMAL(19, 10)) AS price,
            CAST(size AS DECIMAL(18, 8)) AS size,
            side, ts_event, ts_event // 1000 AS ts_ms
        FROM ledger AS made
        WHERE t = 'trade' AND EXISTS (
            SELECT 1
            FROM (
                SELECT exchange, symbol, CAST(unnest(ids) AS BIGINT) AS id
                FROM ledger WHERE t = 'sent'
            ) AS sent
            WHERE sent.exchange = made.exchange AND sent.symbol = made.symbol
                AND sent.id = made.trade_seq
        )"""
    )
    return db
