"""Venues by name. Adding one: a module beside this one, and a line here."""

from connectors.exchanges.base import Venue
from connectors.exchanges.binance import Binance
from connectors.exchanges.coinbase import Coinbase

VENUES: dict[str, Venue] = {venue.name: venue for venue in (Binance(), Coinbase())}


def venue(name: str) -> Venue:
    """Return the venue called ``name``. KeyError lists the known names."""
    try:
        return VENUES[name]
    except KeyError:
        raise KeyError(f"unknown venue {name!r}; known: {', '.join(sorted(VENUES))}") from None
