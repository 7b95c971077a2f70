"""What a venue lists: asked once at the start, and again for each symbol that is added."""

import aiohttp

from connectors.errors import ConfigurationError, VenueRefused, retry_or_fatal
from connectors.exchanges.base import Instrument, ResponseError, Venue
from connectors.feed.fill import GapFiller
from connectors.symbols import nearest


async def look_up(
    venue: Venue, symbols: list[str], filler: GapFiller, rest_base: str
) -> list[Instrument]:
    """Instruments of ``symbols``, in their order.

    Raises:
        ConfigurationError: Where one is no symbol or not listed; the nearest names are told.
        VenueRefused: Where the venue does not answer now.
    """
    try:
        url = venue.instruments_request(symbols, rest_base)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    try:
        return venue.parse_instruments(await filler.get(url), symbols)
    except ResponseError as error:
        cause = str(error)
    except (aiohttp.ClientError, OSError) as error:
        if retry_or_fatal(error) is None:
            raise VenueRefused(f"{url}: {error or type(error).__name__}") from error
        cause = f"{venue.name} refused the symbols {', '.join(symbols)} ({error})"
    raise ConfigurationError(cause + await _hints(venue, symbols, filler, rest_base))


async def _hints(venue: Venue, symbols: list[str], filler: GapFiller, rest_base: str) -> str:
    """The nearest listed name of each symbol that is not listed; nothing where none can be had."""
    try:
        listed = venue.catalogue(await filler.get(venue.catalogue_request(rest_base)))
    except (aiohttp.ClientError, OSError, ValueError):
        return ""
    natives = {symbol: venue.native_symbol(symbol) for symbol in symbols}
    found = [
        f"{symbol}{hint}"
        for symbol, native in natives.items()
        if native not in listed and (hint := nearest(native, listed))
    ]
    return f" ({'; '.join(found)})" if found else ""


async def is_listed(venue: Venue, symbol: str, filler: GapFiller, rest_base: str) -> bool:
    """Whether the venue still lists a symbol; True where it gives no list, for whatever reason."""
    try:
        listed = venue.catalogue(await filler.get(venue.catalogue_request(rest_base)))
    except (aiohttp.ClientError, OSError, ValueError):
        return True
    return venue.native_symbol(symbol) in listed
