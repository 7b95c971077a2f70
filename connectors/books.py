"""An order book that a consumer builds from `market.books` alone.

    book = OrderBook()
    for update in updates:           # BookUpdate events of one exchange and symbol, in log order
        book.apply(update)           # BookGap: wait for the next snapshot, then go on
    book.best_bid, book.best_ask     # (price, size) as text, None where the side is empty

Pure. A venue writes one price in one way, so the price's text is the key of its level.
"""

import heapq
from collections.abc import Iterable
from decimal import Decimal

from connectors.events import BookUpdate, Level


class BookGap(ValueError):
    """An update does not continue the book: something between them is missing."""


class OrderBook:
    """All levels of one symbol at ``sequence``."""

    __slots__ = ("_asks", "_bids", "sequence")

    def __init__(self) -> None:
        self._bids = _Side(-1)
        self._asks = _Side(1)
        self.sequence: int | None = None
        """Of the last update taken; None before the first snapshot and after a gap."""

    def apply(self, update: BookUpdate) -> None:
        """Take one update over.

        Raises:
            BookGap: Where it does not continue the book. The levels stay as they were, but they
                are stale: `sequence` is None until a snapshot comes.
        """
        if update.is_snapshot:
            self._bids.clear()
            self._asks.clear()
        elif update.prev_sequence != self.sequence or self.sequence is None:
            had, self.sequence = self.sequence, None
            raise BookGap(
                f"book {update.exchange} {update.symbol}: update after {update.prev_sequence} "
                f"does not continue {had}: wait for a snapshot"
            )
        self._bids.set(update.bids)
        self._asks.set(update.asks)
        self.sequence = update.sequence

    @property
    def bids(self) -> dict[str, str]:
        """Size by price, best first, as text."""
        return self._bids.ordered()

    @property
    def asks(self) -> dict[str, str]:
        """Size by price, best first, as text."""
        return self._asks.ordered()

    @property
    def best_bid(self) -> Level | None:
        """Highest bid, or None."""
        return self._bids.best()

    @property
    def best_ask(self) -> Level | None:
        """Lowest ask, or None."""
        return self._asks.best()

    @property
    def is_empty(self) -> bool:
        """Whether a side has no level."""
        return not (self._bids.sizes and self._asks.sizes)

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        bid, ask = self._bids.best_price(), self._asks.best_price()
        return bid is not None and ask is not None and bid >= ask


class _Side:
    """Levels of one side, and a heap of their prices in which removed ones may linger.

    The heap spares a search through all levels each time the best one goes.
    """

    __slots__ = ("_heap", "_sign", "sizes")

    def __init__(self, sign: int) -> None:
        self.sizes: dict[str, str] = {}
        self._sign = sign
        self._heap: list[tuple[Decimal, str]] = []

    def clear(self) -> None:
        self.sizes.clear()
        self._heap.clear()

    def set(self, levels: Iterable[Level]) -> None:
        sizes, new = self.sizes, []
        for price, size in levels:
            if not size.strip("0."):
                sizes.pop(price, None)
            else:
                if price not in sizes:
                    new.append((self._sign * Decimal(price), price))
                sizes[price] = size
        if len(new) > len(self._heap) // 4 or len(self._heap) > 2 * len(sizes) + 64:
            self._rebuild()
        else:
            for entry in new:
                heapq.heappush(self._heap, entry)

    def _rebuild(self) -> None:
        self._heap = [(self._sign * Decimal(price), price) for price in self.sizes]
        heapq.heapify(self._heap)

    def best_price(self) -> Decimal | None:
        heap, sizes = self._heap, self.sizes
        while heap and heap[0][1] not in sizes:
            heapq.heappop(heap)
        return self._sign * heap[0][0] if heap else None

    def best(self) -> Level | None:
        if self.best_price() is None:
            return None
        price = self._heap[0][1]
        return price, self.sizes[price]

    def ordered(self) -> dict[str, str]:
        prices = sorted(self.sizes, key=lambda price: self._sign * Decimal(price))
        return {price: self.sizes[price] for price in prices}
