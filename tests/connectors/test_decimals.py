from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import decimals
from connectors.decimals import LEVEL_SIZES, PRICES, SIZES, Decimals, plain


@pytest.mark.parametrize(
    "text", ["1", "0.1", "999999999.9999999999", "68016.19000000", "1.100000000000"]
)
def test_prices_that_fit(text: str) -> None:
    """Nine digits before the point, ten after it; zeros at the end do not count."""
    assert text in PRICES and text in PRICES.known


@pytest.mark.parametrize(
    "text",
    ["", "0", "0.0", "1000000000", "0.00000000001", "-1", "+1", "1e5", "NaN", "inf", ".5", "5.",
     "1 ", "1\n", "1_0", "٣", "1.2.3", None, 1, b"1"],
)  # fmt: skip
def test_prices_that_do_not_fit(text: object) -> None:
    """They are refused and not remembered."""
    assert text not in PRICES and text not in PRICES.known


def test_sizes_may_be_zero_only_in_books() -> None:
    """A trade of nothing is none; a level of nothing is removed."""
    assert "0.00000000" not in SIZES and "0.00000000" in LEVEL_SIZES


@given(st.decimals(0, 10**11, allow_nan=False, places=9))
def test_sizes_agree_with_decimal(number: Decimal) -> None:
    """The same answer as exact arithmetic gives."""
    whole = number.quantize(Decimal("1e-8")) == number
    assert (f"{number:f}" in SIZES) == (whole and 0 < number < 10**10)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remembered texts never exceed the bound, and hot paths keep the same set."""
    monkeypatch.setattr(decimals, "MEMO", 100)
    kind = Decimals(9, 10, zero=False)
    known = kind.known
    assert all(str(number) in kind for number in range(1, 1000))
    assert len(known) <= 100 and kind.known is known


@given(st.decimals(min_value=0, max_value=10**20, allow_nan=False, places=15), st.integers(-30, 30))
def test_exponents_are_written_out_exactly(number: Decimal, exponent: int) -> None:
    """No digit is lost or made; what has no exponent is left as it is."""
    text = f"{number:f}e{exponent}"
    written = plain(text)
    assert "e" not in written and Decimal(written) == Decimal(text)
    assert plain(f"{number:f}") == f"{number:f}"


@pytest.mark.parametrize("text", ["-1e5", "1e400", "e5", "1e", ".5e1", "x", ""])
def test_other_texts_are_left_for_the_check(text: str) -> None:
    """They are refused there."""
    assert plain(text) == text and text not in PRICES
