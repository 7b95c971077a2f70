"""The simulated market: pure, seeded, free of clocks and sockets.

One ``Market`` per venue. Trades come in arrivals: a taker's order that fills against one or
more levels at one instant. Each symbol has its own random generator, so the trades depend on
the seed, the venue and the settings alone, never on how fast or in what steps time passes.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from random import Random
from typing import NamedTuple

from connectors.simulator.book import book_levels, level_size
from connectors.simulator.history import History
from connectors.simulator.instruments import E8, Instrument

SIGMA = 0.00025
"""Standard deviation of the relative price change per square root of a second."""
REVERSION = 1e-5
"""Share of the distance to the first price that is taken back each second."""
JUMP_SECONDS = 900.0
"""Mean time between jumps of one symbol; a jump moves the price by 1.2 to 3 %."""
SWEEP = 0.18
"""Probability that an arrival fills against several levels."""
SWEEP_SIZES = (2, 2, 2, 3, 3, 4, 5)
MEAN_TRADES = 1 + SWEEP * (sum(SWEEP_SIZES) / len(SWEEP_SIZES) - 1)
LARGEST_SIZE = 9_999_999_999 * 10**8
"""In 1e-8: larger ones do not fit the sizes of the platform, DECIMAL(18, 8)."""
LARGE = 0.0006
"""Probability that a trade's notional lies between 110,000 and 600,000."""
THIN_SECONDS = 45.0
"""Mean seconds between arrivals of a thin symbol: long enough for 30-second sessions to end."""


class Trade(NamedTuple):
    """One execution; price and size in 1e-8, ``buy``: the aggressor buys."""

    trade_id: int
    time_us: int
    price: int
    size: int
    buy: bool


class Arrival(NamedTuple):
    """The trades of one taker order, all at one time and on one side."""

    symbol: "SymbolMarket"
    trades: Sequence[Trade]


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """What a venue's market depends on.

    ``rate`` is trades per simulated second over all symbols; ``limit`` how many trades are
    made at most (None: without end); ``time_unit_us`` the grain of the venue's clock.
    """

    venue: str
    instruments: tuple[Instrument, ...]
    seed: int
    rate: float
    start_us: int
    time_unit_us: int = 1
    limit: int | None = None


class SymbolMarket:
    """One symbol: its price, its book, its history, and when its next arrival is due."""

    def __init__(self, settings: MarketSettings, index: int, rate: float) -> None:
        self.instrument = settings.instruments[index]
        self.index = index
        self.seed = hash_text(f"{settings.seed}/{settings.venue}/{self.instrument.symbol}")
        self._random = Random(self.seed)
        self._rate = rate / MEAN_TRADES
        self._unit = settings.time_unit_us
        self._drift = 0.0
        self.history = History(first_id=1_000_000_000 + self._random.randrange(4_000_000_000))
        self.update_id = 10_000_000_000 + self._random.randrange(1_000_000_000)
        self.version = 0
        self.bid = max(1, self.instrument.price // self.instrument.tick)
        self.ask = self.bid + 1
        self._last_us = settings.start_us
        self._start_us = settings.start_us
        self._elapsed_us = 0.0
        self.next_us = self._next_due()

    def shift(self, delta_us: int) -> None:
        """Move all times of a symbol that has not traded yet."""
        self._last_us += delta_us
        self.next_us += delta_us
        self._start_us += delta_us

    def _next_due(self) -> int:
        self._elapsed_us += -log(1.0 - self._random.random()) / self._rate * 1_000_000
        # Truncation lets several arrivals share one millisecond, as they do on the venue.
        return self._start_us + int(self._elapsed_us) // self._unit * self._unit

    def arrive(self) -> Arrival:
        """Make the due arrival and plan the next one."""
        time_us = self.next_us
        self._move((time_us - self._last_us) / 1_000_000)
        self._last_us = time_us
        self.version += 1
        random = self._random.random
        count = self._random.choice(SWEEP_SIZES) if random() < SWEEP else 1
        buy = random() < 0.5
        tick = self.instrument.tick
        history = self.history
        level = self.ask if buy else self.bid
        trades = []
        for _ in range(count):
            price = level * tick
            size = self._size(price)
            trades.append(Trade(history.next_id, time_us, price, size, buy))
            history.append(time_us, price, size, buy)
            level += (1 if buy else -1 if level > 1 else 0) if random() < 0.6 else 0
        self.update_id += 1 + count
        self.next_us = self._next_due()
        return Arrival(self, trades)

    def _move(self, seconds: float) -> None:
        """Walk the price over a time without trades."""
        generator = self._random
        drift = self._drift
        drift += generator.gauss(0.0, SIGMA * sqrt(seconds)) - drift * min(1.0, REVERSION * seconds)
        if generator.random() < seconds / JUMP_SECONDS:
            jump = 0.012 + 0.018 * generator.random()
            drift += jump if generator.random() < 0.5 else -jump
        self._drift = drift
        instrument = self.instrument
        self.bid = max(1, int(instrument.price * exp(drift) / instrument.tick))
        self.ask = self.bid + 1 + int(2 * generator.random() * generator.random())

    def _size(self, price: int) -> int:
        generator = self._random
        if generator.random() < LARGE:
            notional = 110_000 + 490_000 * generator.random()
        else:
            notional = 300.0 * exp(generator.gauss(0.0, 1.3))
        lot = self.instrument.lot
        lots = round(notional * E8 * E8 / price / lot)
        return min(max(1, lots), LARGEST_SIZE // lot) * lot

    def best(self) -> tuple[int, int, int, int]:
        """Best bid and ask as ``(bid price, bid size, ask price, ask size)``."""
        instrument, args = self.instrument, (self.instrument, self.seed, self.version)
        return (
            self.bid * instrument.tick,
            level_size(*args, self.bid),
            self.ask * instrument.tick,
            level_size(*args, self.ask),
        )

    def book(self) -> tuple[dict[int, int], dict[int, int]]:
        """All bids and asks, best first, as ``{price: size}``."""
        return (
            book_levels(self.instrument, self.seed, self.version, self.bid, -1),
            book_levels(self.instrument, self.seed, self.version, self.ask, 1),
        )


class Market:
    """All symbols of one venue; ``until`` yields what happens, in order of time."""

    def __init__(self, settings: MarketSettings) -> None:
        self.settings = settings
        rates = symbol_rates(len(settings.instruments), settings.rate)
        self.symbols = tuple(SymbolMarket(settings, i, rate) for i, rate in enumerate(rates))
        self.by_native = {symbol.instrument.native_symbol: symbol for symbol in self.symbols}
        self._due = [(symbol.next_us, symbol.index) for symbol in self.symbols]
        heapq.heapify(self._due)
        self.made = 0

    def shift(self, delta_us: int) -> None:
        """Move the start, before the first arrival; whole milliseconds keep the venues' grain."""
        for symbol in self.symbols:
            symbol.shift(delta_us)
        self._due = [(symbol.next_us, symbol.index) for symbol in self.symbols]
        heapq.heapify(self._due)

    @property
    def exhausted(self) -> bool:
        """Whether the limit of trades is reached."""
        limit = self.settings.limit
        return limit is not None and self.made >= limit

    def until(self, time_us: int) -> Iterator[Arrival]:
        """The arrivals that are due up to and including ``time_us``."""
        due, symbols, limit = self._due, self.symbols, self.settings.limit
        while due[0][0] <= time_us:
            if limit is not None and self.made >= limit:
                return
            symbol = symbols[due[0][1]]
            arrival = symbol.arrive()
            heapq.heapreplace(due, (symbol.next_us, symbol.index))
            self.made += len(arrival.trades)
            yield arrival


def symbol_rates(count: int, rate: float) -> list[float]:
    """Trades per second of each symbol: falling from the first on, the last seventh thin."""
    thin = count // 7
    weights = [1 / (index + 1.5) for index in range(count - thin)]
    total = sum(weights)
    rates = [rate * weight / total for weight in weights]
    slow = min(MEAN_TRADES / THIN_SECONDS, rates[-1])
    return rates + [slow] * thin


def hash_text(text: str) -> int:
    """A stable 64-bit number of a text (FNV-1a); Python's own hash differs per process."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
