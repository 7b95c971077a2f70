"""Daily bars in PostgreSQL: table `daily_bars`, one row a symbol and session."""

import io
import math
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from connectors.stocks.bars import Bar

COLUMNS = (
    "trade_date",
    "open",
    "high",
    "low",
    "close",
    "adj_close",
    "volume",
    "dividends",
    "splits",
)
VALUES = COLUMNS[1:]


class Stored(NamedTuple):
    """What storing bars did."""

    fetched: int
    """Bars that were given."""
    changed: int
    """Rows that were new or different."""
    skipped: int
    """Bars without a close, and all but the last of several for one session."""


def store_bars(
    cursor: Cursor, symbol: str, bars: Sequence[Bar], provisional_from: date | None = None
) -> Stored:
    """Insert or update the bars of `symbol`; what is there already is not written again.

    The caller commits: ValueError on an autocommit connection. The order of `bars` does not
    matter. Values that are not numbers are stored as null. Rows from `provisional_from` on are
    marked as provisional, the others as final.
    """
    if cursor.connection.autocommit:
        raise ValueError("bars are stored in a transaction: the connection may not autocommit")
    rows = usable(bars)
    if not rows:
        return Stored(len(bars), 0, len(bars))
    cursor.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS incoming_bars ON COMMIT DELETE ROWS AS "
        f"SELECT {', '.join(COLUMNS)}, provisional FROM daily_bars WITH NO DATA"
    )
    cursor.execute("DELETE FROM incoming_bars")
    cursor.copy_expert(
        "COPY incoming_bars FROM STDIN", io.StringIO(copy_text(rows, provisional_from))
    )
    names = ", ".join(COLUMNS)
    cursor.execute(
        f"""
        INSERT INTO daily_bars AS b (symbol, {names}, provisional)
        SELECT %s, {names}, provisional FROM incoming_bars
        ON CONFLICT (symbol, trade_date) DO UPDATE
        SET {", ".join(f"{name} = excluded.{name}" for name in VALUES)},
            provisional = excluded.provisional, last_changed_at = now()
        WHERE ({", ".join(f"b.{name}" for name in VALUES)})
            IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in VALUES)})
        """,
        (symbol,),
    )
    changed = cursor.rowcount
    # A session that was confirmed without a change is final, but not a changed row.
    cursor.execute(
        "UPDATE daily_bars AS b SET provisional = i.provisional FROM incoming_bars AS i "
        "WHERE b.symbol = %s AND b.trade_date = i.trade_date AND b.provisional <> i.provisional",
        (symbol,),
    )
    return Stored(len(bars), changed, len(bars) - len(rows))


def usable(bars: Iterable[Bar]) -> list[Bar]:
    """Bars that can be stored: numbers only, with a close, one a session, oldest first. Pure."""
    by_date = {}
    for bar in bars:
        clean = bar._replace(
            open=number(bar.open),
            high=number(bar.high),
            low=number(bar.low),
            close=number(bar.close),
            adj_close=number(bar.adj_close),
            volume=bar.volume if number(bar.volume) is not None else None,
            dividends=number(bar.dividends) or 0.0,
            splits=number(bar.splits) or 0.0,
        )
        if clean.close is not None:
            by_date[clean.trade_date] = clean
    return [by_date[day] for day in sorted(by_date)]


def number(value: float | None) -> float | None:
    """The value, None where it is not a finite number."""
    return value if value is not None and math.isfinite(value) else None


def copy_text(bars: Iterable[Bar], provisional_from: date | None) -> str:
    r"""Rows as COPY takes them: tabs between columns, \N for null."""
    lines = []
    for bar in bars:
        provisional = provisional_from is not None and bar.trade_date >= provisional_from
        cells = ["\\N" if value is None else str(value) for value in bar]
        lines.append("\t".join([*cells, "t" if provisional else "f"]) + "\n")
    return "".join(lines)
