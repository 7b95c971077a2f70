import pytest

from connectors.exchanges import registry


def test_unknown_venue_error_lists_the_known() -> None:
    """A typing error is answered with the names."""
    with pytest.raises(
        KeyError,
        match=r"'krakn', did you mean kraken\?; known: binance, bitflyer, bybit, coinbase, gmo, "
        "kraken, okx, upbit",
    ):
        registry.venue("krakn")
