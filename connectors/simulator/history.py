"""The trades of one symbol, kept in columns (25 bytes a trade), for REST and snapshots."""

from array import array
from bisect import bisect_left


class History:
    """Trades with consecutive ids; the oldest are forgotten beyond ``keep``."""

    def __init__(self, first_id: int, keep: int = 1_000_000) -> None:
        self.first_id = first_id
        self._keep = keep
        self._times = array("q")
        self._prices = array("q")
        self._sizes = array("q")
        self._buys = array("b")

    def __len__(self) -> int:
        return len(self._times)

    @property
    def next_id(self) -> int:
        """Id of the trade that will be appended next."""
        return self.first_id + len(self._times)

    def append(self, time_us: int, price: int, size: int, buy: bool) -> None:
        """Add the newest trade; its id is ``next_id``."""
        self._times.append(time_us)
        self._prices.append(price)
        self._sizes.append(size)
        self._buys.append(buy)
        if len(self._times) > self._keep + self._keep // 4:
            cut = len(self._times) - self._keep
            for column in (self._times, self._prices, self._sizes, self._buys):
                del column[:cut]
            self.first_id += cut

    def between(self, from_id: int, to_id: int) -> list[tuple[int, int, int, int, bool]]:
        """``(id, time µs, price, size, buy)`` of from_id to to_id - 1, as far as known."""
        start = max(from_id, self.first_id)
        end = min(to_id, self.next_id)
        rows = []
        for trade_id in range(start, end):
            row = trade_id - self.first_id
            rows.append(
                (
                    trade_id,
                    self._times[row],
                    self._prices[row],
                    self._sizes[row],
                    bool(self._buys[row]),
                )
            )
        return rows

    def last(self, count: int) -> list[tuple[int, int, int, int, bool]]:
        """The newest ``count`` trades, oldest first."""
        return self.between(self.next_id - count, self.next_id)

    def first_at(self, time_us: int) -> int:
        """Id of the first trade at or after a time."""
        return self.first_id + bisect_left(self._times, time_us)
