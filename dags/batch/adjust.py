"""Whether stored history still fits what the source says: a split rewrites all of it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from connectors.stocks.bars import Bar

TOLERANCE = 1e-4
"""Relative. Yahoo's closes differ by about 1e-5 from one day to the next without any reason."""


class StoredBar(NamedTuple):
    """What is compared of a stored bar."""

    close: float | None
    splits: float
    provisional: bool


class History(NamedTuple):
    """What is stored of a symbol."""

    first: date | None
    last: date | None
    overlap: Mapping[date, StoredBar]
    """Stored bars of the sessions that were fetched."""


def stored_history(cursor: Cursor, symbol: str, bars: Sequence[Bar]) -> History:
    """What is stored of `symbol`, in detail for the sessions of `bars`."""
    cursor.execute(
        "SELECT min(trade_date), max(trade_date) FROM daily_bars WHERE symbol = %s", (symbol,)
    )
    row = cursor.fetchone()
    assert row
    days = [bar.trade_date for bar in bars]
    cursor.execute(
        "SELECT trade_date, close, splits, provisional FROM daily_bars "
        "WHERE symbol = %s AND trade_date = ANY(%s)",
        (symbol, days),
    )
    overlap = {day: StoredBar(*rest) for day, *rest in cursor.fetchall()}
    return History(row[0], row[1], overlap)


def rewritten(bars: Sequence[Bar], history: History) -> bool:
    """Whether the stored history is adjusted otherwise than `bars`. Pure.

    True for a split that is not stored yet, if there is something before it, and for a close that
    differs from the stored one. A provisional close may differ for other reasons.
    """
    for bar in bars:
        stored = history.overlap.get(bar.trade_date)
        known = stored is not None and stored.splits == bar.splits
        older = history.first is not None and history.first < bar.trade_date
        if bar.splits and not known and older:
            return True
        if stored and not stored.provisional and differs(bar.close, stored.close):
            return True
    return False


def differs(new: float | None, old: float | None) -> bool:
    """Whether two closes are not the same price."""
    if new is None or old is None:
        return False
    return abs(new - old) > TOLERANCE * abs(old)


def provisional_from(bars: Sequence[Bar], last_stored: date | None) -> date | None:
    """First session that may still be corrected: the newest one, unless a later one is stored."""
    newest = max((bar.trade_date for bar in bars), default=None)
    if newest is None or (last_stored is not None and last_stored > newest):
        return None
    return newest
