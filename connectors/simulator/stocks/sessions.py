"""Sessions of the Tokyo Stock Exchange: weekdays without holidays.

The rules hold from 2007 on; a file with the dates of a calendar overrules them.
"""

from bisect import bisect_left, bisect_right
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import msgspec

FIRST_YEAR = 2007
_DAY = timedelta(days=1)
_OUTAGES = {date(2020, 10, 1)}
"""Days on which the exchange could not open."""

# Months and days that are holidays every year.
_FIXED = ((2, 11), (4, 29), (5, 3), (5, 4), (5, 5), (11, 3), (11, 23))
# Month and which Monday of it.
_MONDAYS = ((1, 2), (7, 3), (9, 3), (10, 2))
# The coronation, and the two years in which holidays were moved for the Olympic Games.
_EXTRA = {2019: ((4, 30), (5, 1), (5, 2), (10, 22))}
_OLYMPIC = {
    2020: {(7, 3): (7, 23), (8, 11): (8, 10), (10, 2): (7, 24)},
    2021: {(7, 3): (7, 22), (8, 11): (8, 8), (10, 2): (7, 23)},
}


class Calendar:
    """Which dates are sessions: the rules above, or exactly the dates given."""

    def __init__(self, dates: list[date] | None = None) -> None:
        self._dates = None if dates is None else sorted(set(dates))

    @classmethod
    def from_file(cls, path: Path) -> "Calendar":
        """A JSON list of dates; OSError or msgspec errors where there is none."""
        return cls(msgspec.json.decode(path.read_bytes(), type=list[date]))

    def between(self, first: date, last: date) -> list[date]:
        """Sessions in [first, last], oldest first."""
        if self._dates is not None:
            return self._dates[bisect_left(self._dates, first) : bisect_right(self._dates, last)]
        found: list[date] = []
        for year in range(first.year, last.year + 1):
            of_year = _sessions(year)
            found += of_year[bisect_left(of_year, first) : bisect_right(of_year, last)]
        return found

    def last_until(self, day: date) -> date:
        """The newest session that is not after ``day``; ValueError where there is none."""
        found = self.between(day - timedelta(days=30), day)
        if not found:
            raise ValueError(f"no session in the 30 days before {day}")
        return found[-1]


@lru_cache(maxsize=128)
def _sessions(year: int) -> tuple[date, ...]:
    turn = {date(year, 1, 1), date(year, 1, 2), date(year, 1, 3), date(year, 12, 31)}
    closed = holidays(year) | turn | _OUTAGES
    days = (date(year, 1, 1) + number * _DAY for number in range(366))
    return tuple(
        day for day in days if day.year == year and day.weekday() < 5 and day not in closed
    )


def holidays(year: int) -> set[date]:
    """Public holidays of Japan that can fall on a weekday; New Year's days are not among them."""
    moved = _OLYMPIC.get(year, {})
    found = {date(year, month, day) for month, day in (*_FIXED, *_EXTRA.get(year, ()))}
    found |= {date(year, 3, _equinox(year, 20.8431)), date(year, 9, _equinox(year, 23.2488))}
    for rule in _MONDAYS:
        found.add(date(year, *moved[rule]) if rule in moved else _monday(year, *rule))
    if year >= 2016:
        found.add(date(year, *moved.get((8, 11), (8, 11))))
    if year <= 2018:
        found.add(date(year, 12, 23))
    elif year >= 2020:
        found.add(date(year, 2, 23))
    return found | _substitutes(found) | _between_two(found)


def _equinox(year: int, base: float) -> int:
    return int(base + 0.242194 * (year - 1980)) - (year - 1980) // 4


def _monday(year: int, month: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=-first.weekday() % 7 + 7 * (number - 1))


def _substitutes(days: set[date]) -> set[date]:
    """A holiday on a Sunday is made up on the next day that is none."""
    found = set()
    for day in days:
        if day.weekday() == 6:
            later = day + _DAY
            while later in days:
                later += _DAY
            found.add(later)
    return found


def _between_two(days: set[date]) -> set[date]:
    """A day between two holidays is one too."""
    return {
        day + _DAY
        for day in days
        if day + 2 * _DAY in days and day + _DAY not in days and (day + _DAY).weekday() != 6
    }
