"""The windows that must come out, computed from the ledger alone.

Every function returns ``{key: row}``: the key is (exchange, symbol, window start in ms), the row
a dict of column name to value. Times are milliseconds since the epoch, UTC.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import duckdb

Key = tuple[str, str, int]
Row = dict[str, Any]
Rows = dict[Key, Row]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
SESSION_GAP_MS = 30_000

_EXACT = Context(prec=80)
_SCALE = Decimal("1e-10")


def quotient(total: Decimal, count: Decimal | int) -> Decimal:
    """``total / count`` at the models' declared scale of ten decimals, halves away from zero."""
    ratio = _EXACT.divide(total, Decimal(count))
    return ratio.quantize(_SCALE, rounding=ROUND_HALF_UP, context=_EXACT)


def _rows(db: duckdb.DuckDBPyConnection, sql: str, closed_until_ms: int) -> list[Row]:
    cursor = db.execute(f"SELECT * FROM ({sql}) WHERE window_end - 1 <= $w", {"w": closed_until_ms})
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def _keyed(rows: list[Row]) -> Rows:
    return {(row["exchange"], row["symbol"], row["window_start"]): row for row in rows}


def bars_1m(db: duckdb.DuckDBPyConnection, closed_until_ms: int) -> Rows:
    """One-minute bars: open and close by (ts_event, trade_seq), never by arrival."""
    rows = _rows(
        db,
        f"""SELECT
            exchange, symbol,
            ts_ms // {MINUTE_MS} * {MINUTE_MS} AS window_start,
            window_start + {MINUTE_MS} AS window_end,
            arg_min(price, (ts_event, trade_seq)) AS open,
            max(price) AS high,
            min(price) AS low,
            arg_max(price, (ts_event, trade_seq)) AS close,
            sum(size) AS volume,
            sum(price * size) AS notional,
            count(*) AS trade_count,
            coalesce(sum(size) FILTER (WHERE side = 'buy'), 0) AS buy_volume,
            coalesce(sum(size) FILTER (WHERE side = 'sell'), 0) AS sell_volume
        FROM trades GROUP BY ALL""",
        closed_until_ms,
    )
    for row in rows:
        row["vwap"] = quotient(row["notional"], row["volume"])
    return _keyed(rows)


def moving_average_1h_10m(db: duckdb.DuckDBPyConnection, closed_until_ms: int) -> Rows:
    """Hourly averages that move every ten minutes; a trade belongs to six windows."""
    slide = 10 * MINUTE_MS
    rows = _rows(
        db,
        f"""SELECT
            exchange, symbol, window_start, window_start + {HOUR_MS} AS window_end,
            sum(price) AS total_price, sum(price * size) AS notional,
            sum(size) AS volume, count(*) AS trade_count
        FROM (
            SELECT *, unnest(range(
                ts_ms // {slide} * {slide} - {HOUR_MS - slide}, ts_ms + 1, {slide}
            )) AS window_start
            FROM trades
        ) GROUP BY ALL""",
        closed_until_ms,
    )
    for row in rows:
        row["average_price"] = quotient(row.pop("total_price"), row["trade_count"])
        row["vwap"] = quotient(row.pop("notional"), row["volume"])
    return _keyed(rows)


def trade_sessions_30s(db: duckdb.DuckDBPyConnection, closed_until_ms: int) -> Rows:
    """Runs of trades of a symbol with no pause longer than thirty seconds."""
    rows = _rows(
        db,
        f"""WITH marked AS (
            SELECT *, coalesce(
                ts_ms - lag(ts_ms) OVER in_time > {SESSION_GAP_MS}, true
            )::INT AS starts
            FROM trades
            WINDOW in_time AS (PARTITION BY exchange, symbol ORDER BY ts_ms, trade_seq)
        ), numbered AS (
            SELECT *, sum(starts) OVER (
                PARTITION BY exchange, symbol ORDER BY ts_ms, trade_seq
            ) AS session FROM marked
        )
        SELECT
            exchange, symbol,
            min(ts_ms) AS window_start,
            max(ts_ms) + {SESSION_GAP_MS} AS window_end,
            count(*) AS trade_count, sum(size) AS volume, sum(price * size) AS notional,
            min(ts_ms) AS first_trade_at, max(ts_ms) AS last_trade_at
        FROM numbered GROUP BY exchange, symbol, session""",
        closed_until_ms,
    )
    for row in rows:
        row["duration_seconds"] = Decimal(row["window_end"] - row["window_start"]) / 1000
        row["active_seconds"] = Decimal(row["last_trade_at"] - row["first_trade_at"]) / 1000
    return _keyed(rows)


MODELS: dict[str, Callable[[duckdb.DuckDBPyConnection, int], Rows]] = {
    "bars_1m": bars_1m,
    "moving_average_1h_10m": moving_average_1h_10m,
    "trade_sessions_30s": trade_sessions_30s,
}
"""Window models that the oracle knows, by name."""
