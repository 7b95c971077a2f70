"""Python functions for SQL, as plain functions."""

from decimal import Decimal

import pytest

from flink_jobs.udfs import prices
from flink_jobs.udfs.prices import basis_points_between

pytestmark = pytest.mark.flink


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("100", "101", "100.0000"),
        ("3", "4", "3333.3333"),
        ("3", "2", "-3333.3333"),
        ("5", "5", "0"),
    ],
)
def test_basis_points_are_hundredths_of_a_percent(first: str, last: str, expected: str) -> None:
    """A price from 100 to 101 is 100 basis points, rounded half up at four decimals."""
    assert basis_points_between(Decimal(first), Decimal(last)) == Decimal(expected)


@pytest.mark.parametrize(("first", "last"), [(None, "1"), ("1", None), ("0", "1")])
def test_there_is_no_return_without_two_prices(first: str | None, last: str | None) -> None:
    """A missing price or a first price of zero gives NULL, never an error."""
    assert basis_points_between(first and Decimal(first), last and Decimal(last)) is None


def test_the_function_is_wrapped_for_sql() -> None:
    """What functions.sql names exists and has its result type."""
    assert callable(prices.basis_points)
