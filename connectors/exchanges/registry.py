"""Venues by name. Adding one: a module beside this one, and a line here."""

from connectors import symbols
from connectors.exchanges.base import Venue
from connectors.exchanges.binance import Binance
from connectors.exchanges.bitflyer import Bitflyer
from connectors.exchanges.bybit import Bybit
from connectors.exchanges.coinbase import Coinbase
from connectors.exchanges.gmo import Gmo
from connectors.exchanges.kraken import Kraken
from connectors.exchanges.okx import Okx
from connectors.exchanges.upbit import Upbit

VENUES: dict[str, Venue] = {
    venue.name: venue
    for venue in (
        *(Binance(), Coinbase(), Kraken(), Okx()),
        *(Bybit(), Bitflyer(), Gmo(), Upbit()),
    )
}


def venue(name: str) -> Venue:
    """Return the venue called ``name``. KeyError lists the known names."""
    try:
        return VENUES[name]
    except KeyError:
        hint = symbols.nearest(name, VENUES)
        known = ", ".join(sorted(VENUES))
        raise KeyError(f"unknown venue {name!r}{hint}; known: {known}") from None
