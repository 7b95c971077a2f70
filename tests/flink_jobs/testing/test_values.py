"""Values of cases: tables, times, numbers."""

import pytest

from flink_jobs.errors import JobError
from flink_jobs.testing import values

START = "2026-02-25 06:00:00"


def test_a_table_is_rows_with_the_columns_of_its_head() -> None:
    """Empty cells are NULL, brackets are JSON, `every` fills what the table leaves out."""
    table = 'symbol | price | bids\nBTC | 1.50 | [["1", "2"]]\nETH | |\n'
    assert values.rows({"every": {"side": "buy"}, "rows": table}) == [
        {"side": "buy", "symbol": "BTC", "price": "1.50", "bids": [["1", "2"]]},
        {"side": "buy", "symbol": "ETH", "price": None, "bids": None},
    ]


def test_a_line_of_another_width_is_refused() -> None:
    """The message shows the line."""
    with pytest.raises(JobError, match=r"line 2 of the table has 1 cells, its head has 2: BTC"):
        values.rows("symbol | price\nBTC\n")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("ts_event", "+1m1.5s", 1771999261500000),
        ("ts_event", "-1us", 1771999199999999),
        ("ts_event", "2026-02-25 06:01:00", 1771999260000000),
        ("created_at", "+1.5s", "2026-02-25T06:00:01.500Z"),
        ("created_at", "2026-02-25 06:01:00", "2026-02-25 06:01:00"),
        ("price", "1.5", "1.5"),
        ("trade_seq", 7, 7),
    ],
)
def test_a_given_time_becomes_what_its_column_holds(name: str, text: object, value: object) -> None:
    """µs in `ts_…` columns, ISO 8601 text elsewhere; what is no time stays."""
    assert values.given_value(name, text, START) == value


def test_an_expected_time_is_as_flink_shows_it() -> None:
    """Relative times to the millisecond."""
    assert values.expected_value("+60s", START) == "2026-02-25 06:01:00.000"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "NULL"), ("1.500", "1.5"), (100, "100"), (True, "TRUE"), ("NaN", "NaN"), ("a", "a")],
)
def test_numbers_are_compared_by_value(value: object, text: str) -> None:
    """Trailing zeros do not matter."""
    assert values.shown(value) == text
