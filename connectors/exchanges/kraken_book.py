"""The top of one Kraken book, kept to check the CRC32 that comes with every message.

Source: Kraken's guide "Book checksum (v2)" (2026). After a message is applied and the book cut to
the subscribed depth, take the ten best asks, low to high, then the ten best bids, high to low; of
each the price and the size as written at the pair's precision, without the point and without
zeros in front; the checksum is the CRC32 of all that text.
"""

from bisect import bisect_left, insort
from zlib import crc32

from connectors.events import Level

_SCALE = 10
"""Digits after the point of a price, see `connectors.decimals`."""


def decimals(step: str) -> int:
    """Return the digits after the point of a tick or lot size: 1 for ``0.10``."""
    return len(step.partition(".")[2].rstrip("0"))


def checksum_text(number: str, places: int) -> str:
    """Return a number at ``places`` digits after the point, without point and leading zeros."""
    whole, _, fraction = number.partition(".")
    return (whole + fraction.ljust(places, "0")).lstrip("0")


class _Side:
    """Levels of one side; ``best_last`` where high prices are the best ones."""

    def __init__(self, price_places: int, size_places: int, *, best_last: bool) -> None:
        self.best_last = best_last
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.texts: dict[int, str] = {}
        """What the checksum is made of, by key."""
        self._places = price_places, size_places

    def apply(self, levels: list[Level]) -> None:
        for price, size in levels:
            whole, _, fraction = price.partition(".")
            key = int(whole + fraction.ljust(_SCALE, "0")[:_SCALE])
            known = key in self.levels
            if size.strip("0.") == "":
                if known:
                    del self.levels[key], self.texts[key]
                    del self.keys[bisect_left(self.keys, key)]
                continue
            if not known:
                insort(self.keys, key)
            self.levels[key] = (price, size)
            places = self._places
            self.texts[key] = checksum_text(price, places[0]) + checksum_text(size, places[1])

    def cut(self, depth: int) -> list[Level]:
        """Remove what lies beyond the depth; return it as levels of size zero."""
        excess = len(self.keys) - depth
        if excess <= 0:
            return []
        gone = self.keys[:excess] if self.best_last else self.keys[depth:]
        self.keys = self.keys[excess:] if self.best_last else self.keys[:depth]
        for key in gone:
            del self.texts[key]
        return [(self.levels.pop(key)[0], "0") for key in gone]

    def best(self, count: int) -> list[int]:
        """Return the keys of the best levels, the best first."""
        return self.keys[: -count - 1 : -1] if self.best_last else self.keys[:count]


class KrakenBook:
    """One symbol's book of ``depth`` levels a side.

    >>> book = KrakenBook(10, tick="0.1", lot="0.00000001")
    >>> book.apply([("45283.5", "0.10000000")], [("45285.2", "0.00100000")])
    ([], [])
    >>> book.checksum()
    2383917627
    """

    def __init__(self, depth: int, tick: str, lot: str) -> None:
        """Start empty; numbers are written at the precision of ``tick`` and ``lot``."""
        self._depth = depth
        places = decimals(tick), decimals(lot)
        self.bids, self.asks = _Side(*places, best_last=True), _Side(*places, best_last=False)

    def apply(self, bids: list[Level], asks: list[Level]) -> tuple[list[Level], list[Level]]:
        """Apply a whole message; return the levels (size 0) that fell out of the depth.

        Kraken never removes those by itself, so a reader must be told.
        """
        self.bids.apply(bids)
        self.asks.apply(asks)
        return self.bids.cut(self._depth), self.asks.cut(self._depth)

    def checksum(self) -> int:
        """Return the CRC32 of the ten best levels of both sides."""
        asks, bids = self.asks, self.bids
        texts = [asks.texts[key] for key in asks.best(10)]
        texts += [bids.texts[key] for key in bids.best(10)]
        return crc32("".join(texts).encode())
