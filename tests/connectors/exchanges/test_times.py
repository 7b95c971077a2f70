from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.exchanges.times import epoch, micros


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-08-09T21:05:48.228568804Z", 1_786_309_548_228_568),
        ("2026-08-09T21:05:38.50436Z", 1_786_309_538_504_360),
        ("2026-08-09T21:05:38.999999999Z", 1_786_309_538_999_999),
        ("2026-08-09T21:05:38.5+00:00", 1_786_309_538_500_000),
        ("2026-08-09 21:05:38+00:00", 1_786_309_538_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
    ],
)
def test_known_times(text: str, expected: int) -> None:
    """Nine digits are cut to six, fewer are padded; twice, since seconds are remembered."""
    assert micros(text) == expected == micros(text)


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)))
def test_every_microsecond_is_exact(moment: datetime) -> None:
    """No float rounds a digit."""
    exact = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    assert micros(moment.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")) == exact


@pytest.mark.parametrize(
    "text",
    ["", "x", "2026-08-09", "2026-08-09T21:05:48", "2026-08-09T21:05:48.Z", "2026-13-09T21:05:48Z",
     "2026-08-09T21:05:60Z", "2026-08-09T21:05:48.1234567890Z", "2026-08-09T21:05:48.١Z",
     "2026-08-09T21:05:48+09:00", "2026-08-09T21:05:48.5Zx", "2026-08-09T21:05:48.-5Z"],
)  # fmt: skip
def test_what_is_no_utc_time_is_refused(text: str) -> None:
    """Also when its second is remembered."""
    micros("2026-08-09T21:05:48.5Z")
    with pytest.raises(ValueError, match=r"time|month|second"):
        micros(text)


def test_seconds_with_a_fraction() -> None:
    """Kraken's REST: digits beyond µs are cut, never rounded by a float."""
    assert epoch("1534614057.3216705") == 1_534_614_057_321_670
    assert epoch("1534614057") == 1_534_614_057_000_000
    assert epoch("1534614057.3") == 1_534_614_057_300_000


@pytest.mark.parametrize("text", ["", "x", "-1", "1e9", "1.x", "1.-5", "1" * 13])
def test_what_is_no_number_of_seconds_is_refused(text: str) -> None:
    """The error quotes it."""
    with pytest.raises(ValueError, match="seconds"):
        epoch(text)
