"""Which days the exchange opens."""

import json
from datetime import date
from pathlib import Path

import pytest

from connectors.simulator.stocks.sessions import Calendar, holidays


def test_a_year_has_the_published_number_of_sessions() -> None:
    """2025 had 243."""
    assert len(Calendar().between(date(2025, 1, 1), date(2025, 12, 31))) == 243


@pytest.mark.parametrize(
    "day",
    [
        date(2026, 1, 2),  # the turn of the year
        date(2026, 12, 31),
        date(2026, 5, 6),  # makes up for a holiday on a Sunday
        date(2026, 9, 22),  # between two holidays
        date(2026, 9, 21),  # a third Monday
        date(2026, 3, 20),  # the equinox
        date(2021, 7, 22),  # moved for the Olympic Games
        date(2019, 5, 1),  # the coronation
        date(2020, 10, 1),  # the day it could not open
        date(2026, 11, 21),  # a Saturday
    ],
)
def test_closed(day: date) -> None:
    """No session."""
    assert Calendar().between(day, day) == []


def test_sessions_are_weekdays_without_holidays_in_order() -> None:
    """Over twenty years."""
    days = Calendar().between(date(2007, 1, 1), date(2027, 12, 31))
    assert days == sorted(set(days))
    assert all(day.weekday() < 5 and day not in holidays(day.year) for day in days)


def test_a_file_overrules_the_rules(tmp_path: Path) -> None:
    """Exactly its dates are sessions."""
    path = tmp_path / "days.json"
    path.write_text(json.dumps(["2026-11-21", "2026-11-19"]))
    calendar = Calendar.from_file(path)
    assert calendar.between(date(2026, 1, 1), date(2026, 12, 31)) == [
        date(2026, 11, 19),
        date(2026, 11, 21),
    ]
    assert calendar.last_until(date(2026, 11, 20)) == date(2026, 11, 19)


def test_no_session_for_a_month_is_refused(tmp_path: Path) -> None:
    """A file that ends too early does not go unnoticed."""
    with pytest.raises(ValueError, match="30 days before 2026-11-20"):
        Calendar([date(2026, 9, 1)]).last_until(date(2026, 11, 20))
