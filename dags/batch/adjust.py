"""Whether stored history still fits what the source says.

A split rewrites all of it, a dividend the adjusted closes of all sessions before.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from connectors.stocks.bars import Bar

TOLERANCE = 1e-4
"""Relative. Yahoo's prices differ by about 1e-5 from one day to the next without any reason."""


class StoredBar(NamedTuple):
    """What is compared of a stored bar."""

    close: float | None
    adj_close: float | None
    dividends: float
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
        "SELECT trade_date, close, adj_close, dividends, splits, provisional FROM daily_bars "
        "WHERE symbol = %s AND trade_date = ANY(%s)",
        (symbol, days),
    )
    overlap = {day: StoredBar(*rest) for day, *rest in cursor.fetchall()}
    return History(row[0], row[1], overlap)


def rewritten(bars: Sequence[Bar], history: History) -> bool:
    """Whether the stored history is adjusted otherwise than `bars`. Pure.

    True for a split or a dividend that is not stored yet, if there is something before it, and
    for a close or an adjusted close that differs from the stored one. Those of a provisional
    session may differ for other reasons.
    """
    for bar in bars:
        stored = history.overlap.get(bar.trade_date)
        older = history.first is not None and history.first < bar.trade_date
        if older and (bar.splits or bar.dividends) and not _known(bar, stored):
            return True
        if stored and not stored.provisional and _adjusted_otherwise(bar, stored):
            return True
    return False


def _known(bar: Bar, stored: StoredBar | None) -> bool:
    """Whether the split and the dividend of `bar` were there when it was stored."""
    return stored is not None and not (
        differs(bar.splits, stored.splits) or differs(bar.dividends, stored.dividends)
    )


def _adjusted_otherwise(bar: Bar, stored: StoredBar) -> bool:
    return differs(bar.close, stored.close) or differs(bar.adj_close, stored.adj_close)


def whole(first: date, last: date | None, history: History) -> tuple[date, date | None]:
    """The window that brings all that is stored anew, and [first, last] with it. Pure."""
    start = min(first, history.first or first)
    return start, last and max(last, history.last or last)


def differs(new: float | None, old: float | None) -> bool:
    """Whether two values are not the same but for noise; what is not known says nothing."""
    if new is None or old is None:
        return False
    return abs(new - old) > TOLERANCE * abs(old)


def provisional_from(bars: Sequence[Bar], last_stored: date | None) -> date | None:
    """First session that may still be corrected: the newest one, unless a later one is stored."""
    newest = max((bar.trade_date for bar in bars), default=None)
    if newest is None or (last_stored is not None and last_stored > newest):
        return None
    return newest
