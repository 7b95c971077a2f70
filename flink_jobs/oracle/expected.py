"""The windows that must come out, computed from the ledger alone.

Every function returns ``{key: row}``: the key holds the row's values of KEYS (exchange, symbol and
window start where the model is not named there), the row is a dict of column name to value. Times
are milliseconds since the epoch, UTC.
"""

from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import partial
from itertools import combinations
from typing import Any

import duckdb

Key = tuple[Any, ...]
Row = dict[str, Any]
Rows = dict[Key, Row]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
SESSION_GAP_MS = 30_000
END_OF_TIME_MS = 10**15
"""A watermark behind every window."""
STEP_MS = 5_000
"""Step of bars_running_1m."""

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


KEYS = {
    "top_movers_1m": ("window_start", "place"),
    "cross_venue_gap_1m": ("symbol", "window_start", "exchange_a", "exchange_b"),
    "volume_profile_1m": ("exchange", "symbol", "window_start", "price_from"),
}
"""Columns of the key, of models whose key is not WINDOW_KEY."""
WINDOW_KEY = ("exchange", "symbol", "window_start")


def keyed(model: str, rows: Iterable[Row]) -> Rows:
    """Rows by the key of a model."""
    names = KEYS.get(model, WINDOW_KEY)
    return {tuple(row[name] for name in names): row for row in rows}


def _keyed(rows: list[Row]) -> Rows:
    return keyed("", rows)


def bars(db: duckdb.DuckDBPyConnection, closed_until_ms: int, span_ms: int) -> Rows:
    """Bars of any span: open and close by (ts_event, trade_seq), never by arrival."""
    rows = _rows(
        db,
        f"""SELECT
            exchange, symbol,
            ts_ms // {span_ms} * {span_ms} AS window_start,
            window_start + {span_ms} AS window_end,
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


bars_1m = partial(bars, span_ms=MINUTE_MS)
bars_5m = partial(bars, span_ms=5 * MINUTE_MS)
bars_1h = partial(bars, span_ms=HOUR_MS)


def bars_running_1m(db: duckdb.DuckDBPyConnection, closed_until_ms: int) -> Rows:
    """Each minute up to the last step of five seconds that has closed, open minutes too."""
    rows = _rows(
        db,
        f"""SELECT
            exchange, symbol,
            ts_ms // {MINUTE_MS} * {MINUTE_MS} AS window_start,
            least(window_start + {MINUTE_MS}, {(closed_until_ms + 1) // STEP_MS * STEP_MS})
                AS window_end,
            arg_min(price, (ts_event, trade_seq)) AS open,
            max(price) AS high,
            min(price) AS low,
            arg_max(price, (ts_event, trade_seq)) AS close,
            sum(size) AS volume,
            count(*) AS trade_count
        FROM trades WHERE ts_ms < {(closed_until_ms + 1) // STEP_MS * STEP_MS} GROUP BY ALL""",
        closed_until_ms,
    )
    return _keyed(rows)


def volume_profile_1m(
    db: duckdb.DuckDBPyConnection, closed_until_ms: int, step: Decimal = Decimal(10)
) -> Rows:
    """What was traded at which price, in steps; `step` is PRICE_STEP."""
    rows = _rows(
        db,
        f"""SELECT
            exchange, symbol,
            ts_ms // {MINUTE_MS} * {MINUTE_MS} AS window_start,
            window_start + {MINUTE_MS} AS window_end,
            price - price % {step} AS price_from,
            sum(size) AS volume, sum(price * size) AS notional, count(*) AS trade_count
        FROM trades GROUP BY ALL""",
        closed_until_ms,
    )
    return keyed("volume_profile_1m", rows)


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


def _change(before: Decimal, after: Decimal) -> Decimal | None:
    """Percent, at ten decimals; none of nothing."""
    return quotient((after - before) * 100, before) if before else None


def top_movers_1m(db: duckdb.DuckDBPyConnection, closed_until_ms: int) -> Rows:
    """The five largest moves of each minute; equal ones by exchange and symbol."""
    minutes: dict[int, list[Row]] = {}
    for bar in bars_1m(db, closed_until_ms).values():
        move = _change(bar["open"], bar["close"])
        if move is not None:
            minutes.setdefault(bar["window_start"], []).append({**bar, "move_percent": move})
    names = ("window_start", "window_end", "exchange", "symbol", "open", "close", "move_percent")
    found = []
    for moved in minutes.values():
        moved.sort(key=lambda row: (-abs(row["move_percent"]), row["exchange"], row["symbol"]))
        for place, row in enumerate(moved[:5], 1):
            found.append({"place": place, **{name: row[name] for name in names}})
    return keyed("top_movers_1m", found)


def cross_venue_gap_1m(db: duckdb.DuckDBPyConnection, closed_until_ms: int) -> Rows:
    """Each pair of venues that traded a symbol in the same minute."""
    together: dict[tuple[str, int], list[Row]] = {}
    for bar in bars_1m(db, closed_until_ms).values():
        together.setdefault((bar["symbol"], bar["window_start"]), []).append(bar)
    found = []
    for same in together.values():
        for a, b in combinations(sorted(same, key=lambda row: str(row["exchange"])), 2):
            row = {name: a[name] for name in ("symbol", "window_start", "window_end")}
            row |= {"exchange_a": a["exchange"], "exchange_b": b["exchange"]}
            row |= {"close_a": a["close"], "close_b": b["close"]}
            found.append({**row, "gap_percent": _change(a["close"], b["close"])})
    return keyed("cross_venue_gap_1m", found)


MODELS: dict[str, Callable[[duckdb.DuckDBPyConnection, int], Rows]] = {
    "bars_1m": bars_1m,
    "moving_average_1h_10m": moving_average_1h_10m,
    "trade_sessions_30s": trade_sessions_30s,
    "bars_5m": bars_5m,
    "bars_1h": bars_1h,
    "bars_running_1m": bars_running_1m,
    "top_movers_1m": top_movers_1m,
    "cross_venue_gap_1m": cross_venue_gap_1m,
    "volume_profile_1m": volume_profile_1m,
}
"""Window models that the oracle knows, by name."""
