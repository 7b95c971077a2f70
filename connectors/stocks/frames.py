"""From yfinance's table to bars: plain Python values, one bar a session, oldest first.

Pure. The table has an index of midnights in the exchange's own time zone, so the session is the
date as it stands there: converted to UTC first, each would be a day early.
"""

import math
import re
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

from connectors.stocks.bars import Bar

COLUMNS = ("Open", "High", "Low", "Close", "Adj Close", "Volume", "Dividends", "Stock Splits")
STAMPS = re.compile(rb'"timestamp"\s*:\s*\[([0-9\s,-]*)\]')
DAY = 86_400
TOKYO = 9 * 3600
"""Seconds that Tokyo is ahead of UTC, all year."""


class Converted(NamedTuple):
    """Bars, and what was odd about them in words."""

    bars: list[Bar]
    notes: list[str]


def bars_of(frame: Any, start: date | None = None, end: date | None = None) -> Converted:
    """Bars of the sessions in [start, end] of a table of `Ticker.history(auto_adjust=False)`.

    NaN and infinite prices are None, and so is a negative volume; of two rows of one session the
    last counts. KeyError where a column is missing. yfinance itself leaves out rows without any
    value and states an unknown volume as 0.
    """
    sessions = [stamp.date() for stamp in frame.index]
    rows = zip(sessions, *(frame[column].tolist() for column in COLUMNS), strict=True)
    found: dict[date, Bar] = {}
    notes: list[str] = []
    for session, *values in rows:
        if (start and session < start) or (end and session > end):
            continue
        if session in found:
            notes.append(f"two rows for {session}: the last one counts")
        found[session] = _bar(session, values, notes)
    ordered = sorted(found)
    if ordered != list(found):
        notes.append("rows out of order: sorted")
    return Converted([found[session] for session in ordered], notes)


def _bar(session: date, values: list[Any], notes: list[str]) -> Bar:
    """``values`` are in the order of `COLUMNS`."""
    numbers = [_number(value) for value in values]
    opened, high, low, close, adj_close, shares, dividends, splits = numbers
    if shares is not None and shares < 0:
        notes.append(f"volume {shares:.0f} on {session}: taken as unknown")
        shares = None
    volume = None if shares is None else int(shares)
    return Bar(
        session, opened, high, low, close, adj_close, volume, dividends or 0.0, splits or 0.0
    )


def _number(value: Any) -> float | None:
    """Finite, or None."""
    number = float(value)
    return number if math.isfinite(number) else None


def oddities(body: bytes) -> list[str]:
    """What yfinance puts right without a word: sessions out of order or there twice.

    ``body`` is the chart's JSON. Of two rows of one session yfinance keeps the last if it is the
    newest session, where Yahoo sends the running day beside the closed one, else the first.
    """
    found = STAMPS.search(body)
    if found is None:
        return []
    days = [(int(stamp) + TOKYO) // DAY for stamp in found[1].split(b",") if stamp.strip()]
    notes = []
    if any(later < earlier for earlier, later in pairwise(days)):
        notes.append("sessions out of order: sorted")
    if len(set(days)) < len(days):
        notes.append(f"{len(days) - len(set(days))} sessions there twice: one of each kept")
    return notes
