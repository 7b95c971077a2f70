"""Seeded daily histories: what a stock traded at, and what its company did.

Everything on a date follows from seed, symbol and date alone, whatever window is asked for and
whenever. A level moves from year to year; within a year prices go along a Brownian bridge from
one level to the next; splits divide what is traded from their date on.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from math import exp, log
from random import Random
from typing import NamedTuple

from connectors.simulator.stocks.sessions import Calendar

EPOCH_YEAR = 2000
_EX_DIVIDEND_DAY, _EX_SPLIT_DAY = 28, 29
"""Companies' records close with a month, and a trade takes two sessions to settle."""

# Upper price and tick: for the shares of large companies, and for all others.
_FINE = ((1000, 0.1), (3000, 0.5), (10_000, 1), (30_000, 5), (100_000, 10), (300_000, 50))
_COARSE = ((3000, 1), (5000, 5), (30_000, 10), (50_000, 50), (300_000, 100), (500_000, 500))
_RATIOS = ((2, 1), (2, 1), (2, 1), (3, 1), (3, 1), (4, 1), (5, 1), (3, 2), (10, 1))
_MERGERS = ((1, 5), (1, 10))


class Split(NamedTuple):
    """``numerator`` new shares for ``denominator`` old ones, effective from ``day`` on."""

    day: date
    numerator: int
    denominator: int

    @property
    def ratio(self) -> float:
        """New shares for one old share."""
        return self.numerator / self.denominator


class Dividend(NamedTuple):
    """Yen for each share of that day; who buys on ``day`` does not get it."""

    day: date
    amount: float


class Traded(NamedTuple):
    """Columns of what was traded, unadjusted: yen in whole ticks, shares in lots of 100."""

    days: Sequence[date]
    opens: list[float]
    highs: list[float]
    lows: list[float]
    closes: list[float]
    volumes: list[int]


class _Day(NamedTuple):
    """Yen for an unsplit share, and lots of 100 of them."""

    open: float
    high: float
    low: float
    close: float
    lots: float


_RULES = Calendar()


class Company:
    """One symbol: its traits, its levels and splits year by year, and what was traded."""

    def __init__(self, seed: int, symbol: str, *, large: bool = False) -> None:
        self._name = f"{seed}/{symbol}"
        self._ticks = _FINE if large else _COARSE
        random = Random(self._name)
        self._swing = random.uniform(0.010, 0.024)
        self._drift = random.gauss(0.03, 0.03)
        self._lots = exp(random.gauss(9.0 if large else 6.0, 1.2))
        self._yields = random.uniform(0.01, 0.045) if random.random() < 0.75 else 0.0
        self._month = random.choice((3, 3, 3, 6))
        self._levels = [random.gauss(log(1300), 0.8)]
        self._splits: list[Split] = []
        self._random = random

    def own_splits(self, last_year: int) -> list[Split]:
        """Splits from the epoch to the end of ``last_year``; their days may be no sessions.

        Dear shares are split, cheap ones merged, about one in 40 a year.
        """
        self._grow(last_year)
        return [split for split in self._splits if split.day.year <= last_year]

    def dividends(self, days: Sequence[date], splits: Sequence[Split]) -> list[Dividend]:
        """Dividends with their ex-date in ``days`` (sessions): two a year, in half yen.

        ``splits`` are all from the epoch on; they lower the amount for one share.
        """
        found: list[Dividend] = []
        if not days or not self._yields:
            return found
        self._grow(days[-1].year)
        for year in range(days[0].year, days[-1].year + 1):
            random = Random(f"{self._name}/{year}/dividends")
            for month in (self._month, self._month + 6):
                part = self._yields * random.uniform(0.4, 0.6)
                nominal = date(year, month, _EX_DIVIDEND_DAY)
                place = bisect_right(days, nominal) - 1
                if place <= 0 or days[place].month != month or _to_come(days[place], nominal, days):
                    continue
                shares = product(split for split in splits if split.day <= days[place])
                amount = exp(self._levels[year - EPOCH_YEAR]) / shares * part
                found.append(Dividend(days[place], max(0.5, round(amount * 2) / 2)))
        return found

    def traded(self, days: Sequence[date], splits: Sequence[Split]) -> Traded:
        """What was traded on ``days`` (sessions), given all ``splits`` from the epoch on."""
        columns = Traded(days, [], [], [], [], [])
        waiting = sorted(splits)
        shares = 1.0
        place = 0
        while place < len(days):
            year = days[place].year
            path = self._path(year)
            while place < len(days) and days[place].year == year:
                while waiting and waiting[0].day <= days[place]:
                    shares *= waiting.pop(0).ratio
                self._append(columns, path[days[place].timetuple().tm_yday], shares)
                place += 1
        return columns

    def _grow(self, last_year: int) -> None:
        """Draw the years up to ``last_year``, each with the same number of draws."""
        random = self._random
        for year in range(EPOCH_YEAR + len(self._levels) - 1, last_year + 1):
            price = exp(self._levels[-1]) / product(self._splits)
            self._levels.append(self._levels[-1] + random.gauss(self._drift, 0.2))
            happens = random.random() < 1 / 30
            month = (3, 6, 9, 12)[random.randrange(4)]
            choice = random.randrange(1 << 16)
            if happens and not 120 < price <= 600:
                ratios = _RATIOS if price > 600 else _MERGERS
                day = date(year, month, _EX_SPLIT_DAY)
                self._splits.append(Split(day, *ratios[choice % len(ratios)]))

    def _path(self, year: int) -> list[_Day]:
        """Unsplit prices by day of the year; a day without a session repeats the one before."""
        self._grow(year)
        random = Random(f"{self._name}/{year}")
        start, end = self._levels[year - EPOCH_YEAR : year - EPOCH_YEAR + 2]
        sessions = [day.timetuple().tm_yday for day in _RULES.between(*_year(year))]
        steps = [max(-3.0, min(3.0, random.gauss(0.0, 1.0))) * self._swing for _ in sessions]
        slope = (end - start - sum(steps)) / len(steps)
        draw = random.random
        wicks = self._swing * 0.5
        close = exp(start)
        day = _Day(close, close, close, close, self._lots)
        path = [day] * 367
        height = start
        for number, step in zip(sessions, steps, strict=True):
            last = close
            height += step + slope
            close = exp(height)
            opening = last + (close - last) * draw() * 0.6
            high = max(opening, close) * (1 + wicks * draw())
            low = min(opening, close) * (1 - wicks * draw())
            lots = self._lots * (0.4 + 1.2 * draw()) * (1 + 12 * abs(step))
            path[number] = _Day(opening, high, low, close, lots)
        for number in range(1, 367):
            if path[number] is day:
                path[number] = path[number - 1]
        return path

    def _append(self, columns: Traded, day: _Day, shares: float) -> None:
        tick = _tick(day.close / shares, self._ticks)
        units = tick * shares
        columns.opens.append(max(1, round(day.open / units)) * tick)
        columns.highs.append(max(1, round(day.high / units)) * tick)
        columns.lows.append(max(1, round(day.low / units)) * tick)
        columns.closes.append(max(1, round(day.close / units)) * tick)
        columns.volumes.append(100 * max(1, round(day.lots * shares)))


def product(splits: Iterable[Split]) -> float:
    """What one share has become."""
    shares = 1.0
    for split in splits:
        shares *= split.ratio
    return shares


def _to_come(day: date, nominal: date, days: Sequence[date]) -> bool:
    """Whether a session between ``day`` and ``nominal`` is still to come after all ``days``."""
    return day == days[-1] and bool(_RULES.between(day + timedelta(days=1), nominal))


def _year(year: int) -> tuple[date, date]:
    return date(year, 1, 1), date(year, 12, 31)


def _tick(price: float, ticks: Sequence[tuple[int, float]]) -> float:
    for limit, tick in ticks:
        if price <= limit:
            return tick
    return ticks[-1][1] * 2
