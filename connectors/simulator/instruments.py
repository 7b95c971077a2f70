"""What is listed on the simulated venues, and how each venue writes prices, sizes and times.

Prices and sizes are integers of 1e-8 inside the simulator (``E8``); text is made at the edge.
Precisions follow the venues' listings of 2026: Binance's tick and step sizes, Coinbase's
``quote_increment`` and ``base_increment``. Kraken takes the price's decimals of the others and
eight decimals for every size, as its ``lot_decimals`` nearly always are.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

E8 = 100_000_000
"""Units of one in prices and sizes."""

# base, price in dollars, decimals of the price, decimals of the size on Binance, on Coinbase
_LISTINGS = (
    ("BTC", 68_000.0, 2, 5, 8),
    ("ETH", 2_400.0, 2, 4, 8),
    ("SOL", 150.0, 2, 3, 8),
    ("XRP", 0.62, 4, 1, 6),
    ("DOGE", 0.124, 5, 0, 1),
    ("ADA", 0.45, 4, 1, 8),
    ("AVAX", 27.5, 2, 2, 8),
    ("LINK", 11.8, 2, 2, 2),
    ("LTC", 71.4, 2, 3, 8),
    ("DOT", 4.31, 3, 2, 8),
    ("BCH", 362.0, 1, 3, 8),
    ("UNI", 7.9, 3, 2, 6),
    ("ATOM", 4.6, 3, 2, 2),
    ("NEAR", 4.9, 3, 1, 3),
    ("AAVE", 152.0, 2, 3, 3),
    ("ETC", 19.3, 2, 2, 8),
    ("XLM", 0.0954, 4, 0, 6),
    ("SHIB", 0.00001812, 8, 0, 0),
    ("ALGO", 0.1279, 4, 0, 0),
    ("FIL", 3.78, 3, 2, 3),
)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One listed pair; ``tick``, ``lot`` and ``price`` are in units of 1e-8."""

    base: str
    quote: str
    native_symbol: str
    price: int
    tick: int
    lot: int

    @property
    def symbol(self) -> str:
        """Base and quote joined by a dash: ``BTC-USDT``."""
        return f"{self.base}-{self.quote}"

    @property
    def price_decimals(self) -> int:
        """Decimals of the tick size."""
        return 9 - len(str(self.tick))

    @property
    def size_decimals(self) -> int:
        """Decimals of the lot size."""
        return 9 - len(str(self.lot))


_SEPARATORS = {"binance": "", "coinbase": "-", "kraken": "/"}
"""Between base and quote in the venue's own spelling."""


def listing(venue: str, count: int) -> tuple[Instrument, ...]:
    """The first ``count`` instruments of a venue, the most traded first.

    Beyond the known names come ``SIM21``, ``SIM22`` and so on.
    """
    return tuple(_instrument(venue, index) for index in range(count))


def _instrument(venue: str, index: int) -> Instrument:
    if index < len(_LISTINGS):
        base, price, price_decimals, binance_decimals, coinbase_decimals = _LISTINGS[index]
    else:
        base, price, price_decimals, binance_decimals, coinbase_decimals = (
            f"SIM{index + 1}",
            1.0 + index / 7,
            4,
            1,
            4,
        )
    quote = "USDT" if venue == "binance" else "USD"
    size_decimals = {"binance": binance_decimals, "coinbase": coinbase_decimals}.get(venue, 8)
    return Instrument(
        base=base,
        quote=quote,
        native_symbol=f"{base}{_SEPARATORS[venue]}{quote}",
        price=round(price * E8),
        tick=10 ** (8 - price_decimals),
        lot=10 ** (8 - size_decimals),
    )


def padded(value: int) -> str:
    """Binance's text: always eight decimals, ``68016.19000000``."""
    return f"{value // E8}.{value % E8:08d}"


def trimmed(value: int) -> str:
    """Coinbase's text on Advanced Trade: no zeros at the end, ``65062.5`` or ``126296``."""
    return f"{value // E8}.{value % E8:08d}".rstrip("0").rstrip(".")


def fixed(value: int, decimals: int) -> str:
    """Kraken's text: as many decimals as the pair has, ``68016.1`` or ``0.00100000``."""
    text = padded(value)
    return text[: len(text) - 8 + decimals] if decimals else text[:-9]


@lru_cache(maxsize=64)
def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def rfc3339(time_us: int) -> str:
    """Coinbase's time: UTC with up to six decimals and no zeros at the end of them."""
    second, micros = divmod(time_us, 1_000_000)
    if not micros:
        return _second_text(second) + "Z"
    return f"{_second_text(second)}.{micros:06d}".rstrip("0") + "Z"


def rfc3339_micros(time_us: int) -> str:
    """Kraken's time: UTC with always six decimals."""
    second, micros = divmod(time_us, 1_000_000)
    return f"{_second_text(second)}.{micros:06d}Z"
