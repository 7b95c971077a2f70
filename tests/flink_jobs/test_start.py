"""Where a job starts, and what it may write."""

from datetime import UTC, datetime

import pytest

from flink_jobs.errors import JobError
from flink_jobs.model import Model, parse
from flink_jobs.script import Source
from flink_jobs.start import start_of

AT = datetime(2026, 3, 8, 2, 30, tzinfo=UTC)


def hourly() -> Model:
    """A model with windows of one hour."""
    call = "HOP(TABLE t, DESCRIPTOR(x), INTERVAL '10' MINUTE, INTERVAL '1' HOUR)"
    text = f"-- Question: What?\n-- Key: a\n-- Sinks: kafka\nSELECT a FROM TABLE({call})"
    return parse(Source("m.sql", text))


def test_a_start_in_time_reads_the_whole_first_windows() -> None:
    """Reading begins the longest window and the lateness before the first row wanted."""
    start = start_of("2026-03-08T02:30:00Z", [hourly()], 5)
    assert start.mode == "timestamp"
    assert start.millis == (int(AT.timestamp()) - 3605) * 1000
    condition = start.condition(["window_start", "event_time"])
    assert condition == "CAST(window_start AS TIMESTAMP(3)) >= TIMESTAMP '2026-03-08 02:30:00.000'"
    assert start.condition(["event_time"]).startswith("CAST(event_time")


def test_the_zone_of_a_start_is_heeded_and_utc_is_the_default() -> None:
    """A time with an offset is the same instant as its UTC form."""
    assert start_of("2026-03-08T03:30:00+01:00", [], 0) == start_of("2026-03-08T02:30:00", [], 0)


def test_the_earliest_start_writes_everything() -> None:
    """From the beginning there is no half window to hold back."""
    start = start_of("earliest", [hourly()], 5)
    assert (start.mode, start.condition(["window_start"])) == ("earliest-offset", "")


def test_a_start_that_is_no_time_is_refused() -> None:
    """The message shows what can be written."""
    with pytest.raises(JobError, match="2026-11-22T08:00:00Z"):
        start_of("yesterday", [], 0)
