"""Order books of the simulated market.

A book is a pure function of its symbol's best prices and a version that counts changes: every
tick away from the best price holds a level, whose size is a hash of (seed, tick, version). So
a book costs nothing until someone looks at it, and all who look see the same one.
"""

from collections.abc import Collection, Iterable

from connectors.simulator.instruments import E8, Instrument

DEPTH = 40
"""Levels on each side."""
_MASK = 0xFFFFFFFFFFFFFFFF
_NOTIONAL = 40_000 * E8

Changes = list[tuple[int, int]]
"""Price and size of changed levels, in 1e-8; size zero removes the level."""


def level_size(instrument: Instrument, seed: int, version: int, tick: int) -> int:
    """Size of one level in 1e-8; about one level in sixteen changes with each version."""
    mixed = tick * 0x9E3779B97F4A7C15 ^ ((version + tick * 7) >> 4) * 0xC2B2AE3D27D4EB4F ^ seed
    mixed = ((mixed & _MASK) ^ (mixed & _MASK) >> 29) * 0xBF58476D1CE4E5B9 & _MASK
    most = max(10, _NOTIONAL // instrument.lot * E8 // instrument.price)
    return (1 + (mixed >> 20) % most) * instrument.lot


def book_levels(
    instrument: Instrument, seed: int, version: int, best: int, direction: int
) -> dict[int, int]:
    """One side as ``{price: size}``, best first; ``direction`` is 1 for asks, -1 for bids."""
    ticks = (best + direction * step for step in range(DEPTH))
    return {
        tick * instrument.tick: level_size(instrument, seed, version, tick)
        for tick in ticks
        if tick > 0
    }


def changes(before: dict[int, int], after: dict[int, int], also: Collection[int] = ()) -> Changes:
    """The levels to send so that ``before`` becomes ``after``; those of ``also`` in any case."""
    changed = [
        (price, size) for price, size in after.items() if before.get(price) != size or price in also
    ]
    changed.extend((price, 0) for price in {*before, *also} if price not in after)
    return changed


class BookFeed:
    """What the subscribers of one book stream have been shown so far.

    ``next`` gives what changed since and moves on; the update ids of successive results join.
    """

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.update_id = 0
        self._shown_between: tuple[set[int], set[int]] = (set(), set())

    def reset(self, bids: dict[int, int], asks: dict[int, int], update_id: int) -> None:
        """Start from a whole book."""
        self.bids, self.asks, self.update_id = bids, asks, update_id
        self._shown_between = (set(), set())

    def shown(self, bids: Iterable[int], asks: Iterable[int]) -> None:
        """Someone has seen these prices between two steps, so the next step must tell of them.

        Otherwise who joins a snapshot to this feed would keep levels that came and went.
        """
        self._shown_between[0].update(bids)
        self._shown_between[1].update(asks)

    def next(
        self, bids: dict[int, int], asks: dict[int, int], update_id: int
    ) -> tuple[int, Changes, Changes]:
        """First update id of the step, changed bids, changed asks."""
        also_bids, also_asks = self._shown_between
        changed = changes(self.bids, bids, also_bids), changes(self.asks, asks, also_asks)
        result = self.update_id + 1, *changed
        self.reset(bids, asks, update_id)
        return result
