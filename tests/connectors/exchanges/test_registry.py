import pytest

from connectors.exchanges import registry
from connectors.kafka.topics import WRITERS


def test_unknown_venue_error_lists_the_known() -> None:
    """A typing error is answered with the names."""
    with pytest.raises(KeyError, match="'krakn'; known: binance, coinbase"):
        registry.venue("krakn")


def test_every_venue_knows_its_name_limits_and_symbols() -> None:
    """What the feed needs from each adapter, and a partition to write to."""
    for name, venue in registry.VENUES.items():
        assert registry.venue(name) is venue and venue.name == name
        assert venue.native_symbol("BTC-USD").replace("-", "") == "BTCUSD"
        assert venue.limits.silence > 0 and venue.limits.messages_per_second > 0
        assert {"trades", "quotes", "books"} <= set(venue.limits.stale)
        assert name in {writer for writer, _ in WRITERS}
        with pytest.raises(ValueError, match="not a symbol"):
            venue.native_symbol("btc/usd")
