"""Price arithmetic for SQL. Plain functions first, their wrappers below."""

from decimal import ROUND_HALF_UP, Decimal

SCALE = Decimal("0.0001")


def basis_points_between(first: Decimal | None, last: Decimal | None) -> Decimal | None:
    """Return from the first to the last price in basis points (1/100 of a percent), 4 decimals.

    None where a price is missing or the first is zero: there is no return to speak of.
    """
    if first is None or last is None or first == 0:
        return None
    return ((last - first) * 10_000 / first).quantize(SCALE, rounding=ROUND_HALF_UP)


try:
    from pyflink.table.udf import udf
except ModuleNotFoundError:  # the plain functions are usable where Flink is not installed
    pass
else:
    basis_points = udf(basis_points_between, result_type="DECIMAL(38, 4)")
