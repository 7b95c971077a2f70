"""The state of the simulated market: what is listed, what day it is, what companies did."""

from bisect import bisect_left
from collections import OrderedDict
from datetime import date, datetime
from zoneinfo import ZoneInfo

from connectors.simulator.stocks.adjusted import Series, adjust
from connectors.simulator.stocks.histories import Company, Split
from connectors.simulator.stocks.issues import Issue, make_issues, new_issue
from connectors.simulator.stocks.sessions import FIRST_YEAR, Calendar

TOKYO = ZoneInfo("Asia/Tokyo")
KEPT_BARS = 300_000
"""Bars of the histories that are kept; making one again takes about 5 µs a bar."""
_LARGE_SIZES = 3
"""TOPIX Core30, Large70 and Mid400 are traded in finer ticks."""


class World:
    """Deterministic by its arguments and by the orders it was given.

    ``today`` is the last day that is known; data goes back ``years`` years from the first
    ``today`` or to the day of listing. ValueError where an argument makes no sense.
    """

    def __init__(
        self, symbols: int, seed: int, years: int, today: date | None, calendar: Calendar
    ) -> None:
        self.calendar = calendar
        self.seed = seed
        self._start = today or datetime.now(TOKYO).date()
        self.since = date(self._start.year - years, self._start.month, min(self._start.day, 28))
        if self.since.year < FIRST_YEAR:
            raise ValueError(f"data cannot begin in {self.since.year}: take fewer years")
        calendar.last_until(self._start)
        self._made = make_issues(symbols, seed, self._start.replace(day=1))
        self.reset()

    def reset(self) -> None:
        """Everything as at the start."""
        self.today = self._start
        self.issues = {issue.symbol: issue for issue in self._made}
        self._actions: dict[str, list[Split]] = {}
        self._kept: OrderedDict[str, Series] = OrderedDict()

    def set_today(self, today: date) -> None:
        """Another day; going back forgets what happened later. ValueError before the data."""
        if today <= self.since:
            raise ValueError(f"today must be after {self.since}, was {today}")
        self.calendar.last_until(today)
        self.today = today
        self._kept.clear()

    def split(self, symbol: str, day: date, numerator: int, denominator: int) -> None:
        """A company splits its shares from ``day`` on; prices are as if it had always meant to.

        Once ``day`` has come, the whole history is stated for the new shares. ValueError where
        there is no such symbol, no session on that day, or no split in the ratio.
        """
        self.check_split(symbol, day, numerator, denominator)
        self._actions.setdefault(symbol, []).append(Split(day, numerator, denominator))
        self._kept.pop(symbol, None)

    def check_split(self, symbol: str, day: date, numerator: int, denominator: int) -> None:
        """ValueError where ``split`` would not do."""
        issue = self.issues.get(symbol)
        if issue is None:
            raise ValueError(f"{symbol} is not listed")
        if min(numerator, denominator) < 1 or numerator == denominator:
            raise ValueError(f"ratio {numerator}:{denominator} is no split")
        if not self.calendar.between(day, day) or day <= max(self.since, issue.listed):
            raise ValueError(f"{symbol}: {day} is no session after its first one")

    def delist(self, code: str) -> None:
        """The issue is gone from the list, and Yahoo does not know it any more.

        ValueError where it is not listed.
        """
        if self.issues.pop(f"{code}.T", None) is None:
            raise ValueError(f"{code} is not listed")
        self._kept.pop(f"{code}.T", None)

    def add(self, code: str, listed: date | None = None) -> Issue:
        """A new issue, from today's session on or from ``listed``; ValueError where it is there."""
        if f"{code}.T" in self.issues:
            raise ValueError(f"{code} is listed already")
        issue = new_issue(code, listed or self.calendar.last_until(self.today), self.seed)
        self.issues[issue.symbol] = issue
        return issue

    def listed(self) -> list[Issue]:
        """What is listed, by code."""
        return sorted(self.issues.values(), key=lambda issue: issue.code)

    def series(self, symbol: str) -> Series:
        """The history of a symbol as of today; KeyError where it is not known."""
        found = self._kept.get(symbol)
        if found is None:
            found = self._kept[symbol] = self._make(self.issues[symbol])
            longest = max(1, len(found.days))
            while len(self._kept) > max(16, KEPT_BARS // longest):
                self._kept.popitem(last=False)
        return found

    def _make(self, issue: Issue) -> Series:
        large = issue.size is not None and issue.size < _LARGE_SIZES
        company = Company(self.seed, issue.symbol, large=large)
        days = self.calendar.between(max(self.since, issue.listed), self.today)
        splits = [
            split
            for split in (
                *company.own_splits(self.today.year),
                *self._actions.get(issue.symbol, ()),
            )
            if split.day <= self.today
        ]
        known = [self._on_session(split, days) for split in splits if _inside(split, days)]
        traded = company.traded(days, splits)
        return adjust(traded, known, company.dividends(days, splits))

    @staticmethod
    def _on_session(split: Split, days: list[date]) -> Split:
        return split._replace(day=days[bisect_left(days, split.day)])


def _inside(split: Split, days: list[date]) -> bool:
    """Whether it divides two days of the history from one another."""
    return bool(days) and days[0] < split.day <= days[-1]
