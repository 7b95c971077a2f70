"""Differences of rows as an aligned table."""

from flink_jobs.testing.compare import difference


def test_rows_in_another_order_with_columns_more_are_equal() -> None:
    """Order and columns that nobody expects do not matter; numbers are compared by value."""
    found = [{"a": "2", "b": "x"}, {"a": "1.0", "b": "y"}]
    assert difference("expect", found, [{"a": 1}, {"a": 2}]) == ""


def test_the_first_wrong_cell_is_marked() -> None:
    """A missing row stands above the row most like it."""
    found = [{"symbol": "BTC-USDT", "high": "100"}, {"symbol": "ETH", "high": "7"}]
    wanted = [{"symbol": "ETH", "high": 7}, {"symbol": "BTC-USDT", "high": 103.5}]
    assert difference("expect", found, wanted) == (
        "expect: 1 missing, 1 unexpected\n"
        "         symbol   | high\n"
        "expected BTC-USDT | 103.5\n"
        "found    BTC-USDT | 100\n"
        "                    ^^^^^"
    )


def test_how_often_a_row_comes_matters() -> None:
    """The same row twice is not the row once."""
    assert "0 missing, 1 unexpected" in difference("late", [{"a": 1}, {"a": 1}], [{"a": 1}])


def test_an_unknown_column_is_told_with_the_nearest() -> None:
    """A misspelt expectation is no difference of the model."""
    fault = difference("expect", [{"price": 1}], [{"prise": 1}])
    assert fault == "expect: no column prise (did you mean price?); there are price"
