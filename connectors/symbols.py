"""Names of symbols: ``BTC-USDT`` here, ``BTCUSDT`` or ``BTC-USD`` on a venue.

Normalised symbols are BASE-QUOTE in upper case. Three venue forms exist: the parts joined without
a separator (Binance, Bybit), with a dash (Coinbase, OKX), with another separator. A market that is
not spot has a third part, its kind: ``BTC-JPY-FX``.
"""

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

_PART = "[A-Z0-9]{1,20}"
_SYMBOL = re.compile(f"({_PART})-({_PART})")
_JOINED = re.compile("[A-Z0-9]{2,40}")

QUOTES = (
    "FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USDP", "IDRT", "BIDR", "BVND", "BKRW", "DOGE",
    "AEUR", "EURI", "USD1", "BTC", "ETH", "BNB", "TRX", "XRP", "DOT", "SOL", "DAI", "VAI", "PAX",
    "USD", "EUR", "GBP", "AUD", "TRY", "RUB", "BRL", "JPY", "ZAR", "UAH", "PLN", "RON", "ARS",
    "MXN", "CZK", "COP", "NGN", "IDR", "KRW", "CHF", "CAD",
)  # fmt: skip
"""Quote assets by which a joined name is cut, the longer first: ``BTCUSDT`` is not BTCUS-DT."""


class Pair(NamedTuple):
    """The two assets of a symbol."""

    base: str
    quote: str


def parse(symbol: str) -> Pair:
    """Cut ``BTC-USDT`` into its assets. ValueError where it is no normalised symbol."""
    match = _SYMBOL.fullmatch(symbol)
    if match is None:
        raise ValueError(f"not a symbol like BTC-USDT: {symbol!r}")
    return Pair(match[1], match[2])


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``, did you mean BTC-USDT?`` for a name that is like a known one, else nothing."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f", did you mean {found[0]}?" if found else ""


def cut_kind(symbol: str, kind: str) -> tuple[str, bool]:
    """Return ``BTC-JPY`` and whether the symbol was ``BTC-JPY-<kind>``. ValueError as `parse`."""
    spot = symbol.removesuffix(f"-{kind}")
    parse(spot)
    return spot, spot != symbol


def join(symbol: str, separator: str = "") -> str:
    """Return the venue form: ``BTC-USDT`` becomes ``BTCUSDT`` or, with ``_``, ``BTC_USDT``."""
    return separator.join(parse(symbol))


def split(native: str, separator: str = "", quotes: tuple[str, ...] = QUOTES) -> str:
    """Return ``BTC-USDT`` for a venue form, the inverse of `join`. ValueError where it is none.

    Without a separator the name is cut before the longest of ``quotes`` that it ends with.
    """
    if separator:
        base, found, quote = native.partition(separator)
        symbol = f"{base}-{quote}" if found else native
    else:
        if _JOINED.fullmatch(native) is None:
            raise ValueError(f"not a symbol like BTCUSDT: {native!r}")
        ends = [quote for quote in quotes if native.endswith(quote) and native != quote]
        if not ends:
            raise ValueError(f"no known quote asset at the end of {native!r}")
        longest = max(ends, key=len)
        symbol = f"{native.removesuffix(longest)}-{longest}"
    return "-".join(parse(symbol))
