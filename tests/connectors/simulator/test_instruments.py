"""How the venues write numbers and times."""

import pytest

from connectors.simulator.instruments import listing, padded, rfc3339, trimmed


@pytest.mark.parametrize(
    ("value", "binance", "coinbase"),
    [
        (6_801_619_000_000, "68016.19000000", "68016.19"),
        (1_812, "0.00001812", "0.00001812"),
        (12_600_000_000, "126.00000000", "126"),
        (100, "0.00000100", "0.000001"),
    ],
)
def test_numbers(value: int, binance: str, coinbase: str) -> None:
    """Binance pads to eight decimals, Coinbase trims zeros."""
    assert padded(value) == binance
    assert trimmed(value) == coinbase


def test_times() -> None:
    """UTC; no zeros at the end of the fraction."""
    assert rfc3339(1_786_309_538_504_360) == "2026-08-09T21:05:38.50436Z"
    assert rfc3339(1_786_309_538_000_000) == "2026-08-09T21:05:38Z"


def test_listing_names_and_beyond() -> None:
    """Symbols are spelled as the venue does; there are as many as asked for."""
    binance, coinbase = listing("binance", 30), listing("coinbase", 30)
    assert (binance[0].symbol, binance[0].native_symbol) == ("BTC-USDT", "BTCUSDT")
    assert (coinbase[0].symbol, coinbase[0].native_symbol) == ("BTC-USD", "BTC-USD")
    assert len({one.native_symbol for one in (*binance, *coinbase)}) == 60
