"""What a venue's books were when it told of them: lets a test compare a rebuilt book.

A book is a function of its symbol's best prices and version, so a point of this log is five
integers, and the book itself is made when somebody asks.
"""

from collections import deque
from typing import NamedTuple

from connectors.simulator.book import book_levels
from connectors.simulator.market import SymbolMarket

KEPT = 20_000
"""Points per symbol: a quarter of an hour at 20 updates a second, 5 MB where it is reached."""

Side = list[tuple[int, int]]


class Point(NamedTuple):
    """One moment of a symbol's book; ``update_id`` is the venue's, ``time_us`` the frame's."""

    update_id: int
    time_us: int
    version: int
    bid: int
    ask: int


class BookLog:
    """The latest told books of one symbol."""

    def __init__(self, symbol: SymbolMarket) -> None:
        self._symbol = symbol
        self._points: deque[Point] = deque(maxlen=KEPT)

    def note(self, time_us: int) -> Point:
        """The book as it is now is told with this time."""
        symbol = self._symbol
        point = Point(symbol.update_id, time_us, symbol.version, symbol.bid, symbol.ask)
        return self._append(point)

    def repeat(self, point: Point, time_us: int) -> None:
        """A book of before is told once more, with this time."""
        self._append(point._replace(time_us=time_us))

    def _append(self, point: Point) -> Point:
        if not self._points or self._points[-1] != point:
            self._points.append(point)
        return point

    def find(self, update_id: int | None, time_us: int | None) -> Point | None:
        """The newest point of an update id or of a time; the newest of all where none is given."""
        for point in reversed(self._points):
            if update_id in (None, point.update_id) and time_us in (None, point.time_us):
                return point
        return None

    def levels(self, point: Point) -> tuple[Side, Side]:
        """Bids and asks of a point, best first, in 1e-8."""
        instrument, seed = self._symbol.instrument, self._symbol.seed
        bids = book_levels(instrument, seed, point.version, point.bid, -1)
        asks = book_levels(instrument, seed, point.version, point.ask, 1)
        return list(bids.items()), list(asks.items())
