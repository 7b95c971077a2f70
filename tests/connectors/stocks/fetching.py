"""What the tests of the source share: five days, a throttle, and how to fetch."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from connectors.stocks.bars import Bar, FetchError
from connectors.stocks.settings import StockSettings
from connectors.stocks.yahoo import YahooSource
from tests.connectors.stocks.upstream import Row

DAYS = [date(2025, 1, day) for day in (6, 7, 8, 9, 10)]
ROWS = [Row(day, close=100.0 + number) for number, day in enumerate(DAYS)]


class Throttle:
    """Counts how often it was asked; raises ``error`` when it is set."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None

    def __call__(self) -> None:
        self.asked += 1
        if self.error:
            raise self.error


def settings_of(url: str, folder: Path) -> StockSettings:
    """Settings with this upstream and this cache folder."""
    return StockSettings(yahoo_base_url=url, stock_cache=folder)


def fetch(source: YahooSource, symbol: str = "7203.T") -> Sequence[Bar]:
    """Bars of the five days."""
    return source.daily_bars(symbol, DAYS[0], DAYS[-1])


def failure(source: YahooSource, symbol: str = "7203.T") -> FetchError:
    """How the fetch of the five days fails."""
    with pytest.raises(FetchError) as caught:
        fetch(source, symbol)
    return caught.value
