"""On which days Tokyo trades: the calendar XTKS, corrected by the table `session_overrides`.

The calendar takes a second to build, so it is built where a task asks for it and kept.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

CALENDAR = "XTKS"
TOKYO = ZoneInfo("Asia/Tokyo")
CLOSE = time(15, 30)
"""Since November 2024; before that it was 15:00."""


class SessionGap(NamedTuple):
    """Neighbouring sessions, both ends inclusive."""

    first: date
    last: date


class Sessions:
    """Trading days in order.

    sessions = Sessions([date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 24)])
    date(2026, 11, 23) in sessions                  # False
    sessions.back(date(2026, 11, 24), 1)            # 2026-11-20
    sessions.at_or_before(date(2026, 11, 22))       # 2026-11-20
    """

    def __init__(self, days: Iterable[date]) -> None:
        self.days: Sequence[date] = sorted(set(days))

    def __contains__(self, day: date) -> bool:
        found = bisect_left(self.days, day)
        return found < len(self.days) and self.days[found] == day

    def at_or_before(self, day: date) -> date | None:
        """The newest session up to `day`; None where the calendar begins later."""
        found = bisect_right(self.days, day)
        return self.days[found - 1] if found else None

    def back(self, day: date, count: int) -> date:
        """The session `count` sessions before `day` (0: `day` or the one before it).

        The first session of the calendar where it does not reach so far.
        """
        if not self.days:
            return day
        return self.days[max(0, bisect_right(self.days, day) - 1 - count)]

    def between(self, first: date, last: date) -> Sequence[date]:
        """Sessions in [first, last]."""
        return self.days[bisect_left(self.days, first) : bisect_right(self.days, last)]

    def runs(self, days: Iterable[date]) -> list[SessionGap]:
        """`days` put together where no session lies between them."""
        found: list[SessionGap] = []
        for day in sorted(days):
            if found and bisect_left(self.days, day) - bisect_left(self.days, found[-1].last) <= 1:
                found[-1] = SessionGap(found[-1].first, day)
            else:
                found.append(SessionGap(day, day))
        return found


def corrected(days: Iterable[date], overrides: Mapping[date, bool]) -> Sessions:
    """The calendar's sessions with the overrides (date → is a session) put on top."""
    wanted = {day for day in days if overrides.get(day, True)}
    return Sessions(wanted | {day for day, is_session in overrides.items() if is_session})


@cache
def calendar_days() -> Sequence[date]:
    """All sessions that the calendar knows: twenty years back, about one ahead. Takes 1.2 s."""
    from exchange_calendars import get_calendar

    return [day.date() for day in get_calendar(CALENDAR).sessions]


def load(connection: "Connection") -> Sessions:
    """The calendar as corrected by `session_overrides`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_date, is_session FROM session_overrides")
        return corrected(calendar_days(), dict(cursor.fetchall()))


def session_of(moment: datetime) -> date:
    """The date in Tokyo at `moment` (with a time zone)."""
    return moment.astimezone(TOKYO).date()


def newest_complete(sessions: Sessions, now: datetime) -> date:
    """The newest session that is over at `now`. ValueError where the calendar has none."""
    local = now.astimezone(TOKYO)
    day = local.date() if local.time() >= CLOSE else local.date() - timedelta(days=1)
    found = sessions.at_or_before(day)
    if found is None:
        raise ValueError(f"the calendar {CALENDAR} has no session up to {day}")
    return found
