"""Trading days: the calendar, its corrections, and the counting of sessions."""

from datetime import UTC, date, datetime

import pytest

from dags.batch.sessions import (
    SessionGap,
    Sessions,
    corrected,
    newest_complete,
    session_of,
)

WEEK = Sessions(date(2026, 11, day) for day in (16, 17, 18, 19, 20, 24, 25))


def test_contains() -> None:
    """A holiday and a weekend are no sessions."""
    assert date(2026, 11, 20) in WEEK
    assert date(2026, 11, 22) not in WEEK
    assert date(2026, 11, 23) not in WEEK


def test_at_or_before() -> None:
    """The newest session up to a day, or nothing before the calendar begins."""
    assert WEEK.at_or_before(date(2026, 11, 23)) == date(2026, 11, 20)
    assert WEEK.at_or_before(date(2026, 11, 24)) == date(2026, 11, 24)
    assert WEEK.at_or_before(date(2026, 11, 1)) is None


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [(24, 0, 24), (24, 1, 20), (23, 0, 20), (23, 1, 19), (25, 3, 19), (25, 99, 16)],
)
def test_back(day: int, count: int, expected: int) -> None:
    """Sessions are counted, not days; the calendar's first one is the end."""
    assert WEEK.back(date(2026, 11, day), count) == date(2026, 11, expected)


def test_between() -> None:
    """Both ends are inside."""
    found = WEEK.between(date(2026, 11, 20), date(2026, 11, 24))
    assert found == [date(2026, 11, 20), date(2026, 11, 24)]


def test_runs_reach_over_days_without_session() -> None:
    """Friday and Tuesday after a holiday are neighbours, Monday and Wednesday are not."""
    days = [date(2026, 11, day) for day in (24, 20, 16, 18)]
    assert WEEK.runs(days) == [
        SessionGap(date(2026, 11, 16), date(2026, 11, 16)),
        SessionGap(date(2026, 11, 18), date(2026, 11, 18)),
        SessionGap(date(2026, 11, 20), date(2026, 11, 24)),
    ]


def test_overrides_win() -> None:
    """The table closes a session and opens a holiday."""
    sessions = corrected(WEEK.days, {date(2026, 11, 18): False, date(2026, 11, 22): True})
    assert date(2026, 11, 18) not in sessions
    assert date(2026, 11, 22) in sessions
    assert len(sessions.days) == len(WEEK.days)


def test_session_of_is_the_date_in_tokyo() -> None:
    """Late in the evening in UTC it is the next day there."""
    assert session_of(datetime(2026, 11, 19, 16, 0, tzinfo=UTC)) == date(2026, 11, 20)
    assert session_of(datetime(2026, 11, 20, 9, 0, tzinfo=UTC)) == date(2026, 11, 20)


def test_newest_complete_waits_for_the_close() -> None:
    """Before 15:30 in Tokyo the session of the day is not over."""
    assert newest_complete(WEEK, datetime(2026, 11, 20, 6, 29, tzinfo=UTC)) == date(2026, 11, 19)
    assert newest_complete(WEEK, datetime(2026, 11, 20, 6, 30, tzinfo=UTC)) == date(2026, 11, 20)


def test_newest_complete_needs_a_calendar() -> None:
    """A calendar that begins later is an error, not a guess."""
    with pytest.raises(ValueError, match="no session up to 2026-11-15"):
        newest_complete(WEEK, datetime(2026, 11, 15, 12, 0, tzinfo=UTC))
