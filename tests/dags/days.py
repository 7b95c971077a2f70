"""Days for tests that run against the real clock."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

CLOSE = timedelta(hours=15, minutes=30)


def newest_day() -> date:
    """The newest day in Tokyo whose session, if it has one, is over: what the source may know."""
    return (datetime.now(ZoneInfo("Asia/Tokyo")) - CLOSE).date()
