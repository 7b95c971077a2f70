"""From a table to bars, without yfinance."""

from datetime import date, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.stocks.frames import COLUMNS, bars_of, oddities

TOKYO = ZoneInfo("Asia/Tokyo")
NAN = float("nan")


class Column(list[float]):
    """As much of a column as is used."""

    def tolist(self) -> list[float]:
        """Its values."""
        return self


def frame(rows: list[tuple[date, list[float]]]) -> object:
    """As much of a table as is used: an index of midnights in Tokyo, and columns."""
    columns = {
        name: Column(values[index] for _, values in rows) for index, name in enumerate(COLUMNS)
    }
    table = SimpleNamespace(
        index=[datetime(day.year, day.month, day.day, tzinfo=TOKYO) for day, _ in rows]
    )
    return type("Table", (SimpleNamespace,), {"__getitem__": lambda _, key: columns[key]})(
        **vars(table)
    )


def row(close: float = 5.0, volume: float = 7.0) -> list[float]:
    """Values in the order of the columns."""
    return [1.0, 2.0, 0.5, close, 4.0, volume, 0.0, 0.0]


MONDAY, TUESDAY = date(2025, 1, 6), date(2025, 1, 7)


def test_the_session_is_the_date_in_tokyo() -> None:
    """Midnight there is the day before in UTC."""
    assert bars_of(frame([(MONDAY, row())])).bars[0].trade_date == MONDAY


@pytest.mark.parametrize("value", [NAN, float("inf"), float("-inf")])
def test_what_is_no_number_is_unknown(value: float) -> None:
    """JSON has no such numbers, Yahoo's adjusted close sometimes does."""
    assert bars_of(frame([(MONDAY, row(close=value))])).bars[0].close is None


def test_tells_a_negative_volume() -> None:
    """It is unknown then; zero is a value."""
    bars, notes = bars_of(frame([(MONDAY, row(volume=-1)), (TUESDAY, row(volume=0))]))
    assert [bar.volume for bar in bars] == [None, 0]
    assert notes == ["volume -1 on 2025-01-06: taken as unknown"]


def test_the_last_row_of_a_session_counts() -> None:
    """And it is told."""
    bars, notes = bars_of(frame([(MONDAY, row(close=1)), (MONDAY, row(close=2))]))
    assert [bar.close for bar in bars] == [2]
    assert notes == ["two rows for 2025-01-06: the last one counts"]


sessions = st.dates(date(2025, 1, 1), date(2025, 3, 31))


@given(st.lists(sessions), st.none() | sessions, st.none() | sessions)
def test_bars_are_in_order_and_in_the_window(
    days: list[date], start: date | None, end: date | None
) -> None:
    """Whatever the order of the rows: each session of the window once, oldest first."""
    bars, notes = bars_of(frame([(day, row()) for day in days]), start, end)
    wanted = [day for day in days if (not start or day >= start) and (not end or day <= end)]
    assert [bar.trade_date for bar in bars] == sorted(set(wanted))
    assert bool(notes) == (wanted != sorted(set(wanted)))


def test_finds_oddities_in_the_chart() -> None:
    """Which yfinance puts right without a word; the hour of a session does not matter."""
    assert oddities(b'{"timestamp":[1736121600,1736208000, 1736294400]}') == []
    assert oddities(b'{"timestamp": [1736208000,1736121600]}') == ["sessions out of order: sorted"]
    assert oddities(b'{"timestamp":[1736121600,1736143200]}') == [
        "1 sessions there twice: one of each kept"
    ]
    assert oddities(b'{"timestamp":[]}') == oddities(b"no chart") == []
