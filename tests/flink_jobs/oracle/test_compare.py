"""The comparison sees every kind of difference."""

from decimal import Decimal

from flink_jobs.oracle.compare import Comparison, check_until_equal, compare

KEY = ("binance", "BTC-USDT", 0)
ROW = {"window_start": 0, "window_end": 60_000, "volume": Decimal("1.50")}


def differences(want: dict, have: dict, closed: int = 10**15) -> int:  # type: ignore[type-arg]
    """Number of differences between two sets of rows."""
    return compare("bars_1m", "PostgreSQL", want, have, closed).differences


def test_equal_rows_do_not_differ_whatever_the_scale() -> None:
    """1.50 is 1.5, and columns the oracle does not know are left alone."""
    assert differences({KEY: ROW}, {KEY: {**ROW, "volume": Decimal("1.5"), "revision": 0}}) == 0


def test_missing_unexpected_and_changed_rows_differ() -> None:
    """Each of the three is a difference."""
    assert differences({KEY: ROW}, {}) == 1
    assert differences({}, {KEY: ROW}) == 1
    assert differences({KEY: ROW}, {KEY: {**ROW, "volume": Decimal("1.51")}}) == 1
    assert differences({KEY: ROW}, {KEY: {"window_start": 0, "window_end": 60_000}}) == 1


def test_open_windows_are_not_compared() -> None:
    """Rows of windows that end behind the watermark are early results, not errors."""
    assert differences({}, {KEY: ROW}, closed=59_998) == 0


def test_check_until_equal_waits_for_results_in_flight() -> None:
    """It repeats while something differs and returns the first clean result."""
    results = [[Comparison("m", "Kafka", 1, 1)], [Comparison("m", "Kafka", 1, 0)]]
    assert check_until_equal(lambda: results.pop(0), timeout=5, pause=0)[0].differences == 0


def test_check_until_equal_gives_up_with_the_differences() -> None:
    """After the deadline the differences are returned, not hidden."""
    wrong = [Comparison("m", "Kafka", 1, 3)]
    assert check_until_equal(lambda: wrong, timeout=0, pause=0) == wrong
