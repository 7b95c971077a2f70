"""Which trade ids of one symbol were seen, and which are missing.

For venues that number the trades of a symbol without holes (Binance, Coinbase, Kraken). Pure: time
is an argument, so the same code runs live and in replay.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
from msgspec import Struct


class Missing(Struct):
    """A run of ids that were skipped, both ends inclusive."""

    low: int
    high: int
    since: int
    """Venue time of the trade that showed the hole, µs."""
    noticed: bool = False
    """It was overdue when somebody looked before."""
    asked: bool = False
    """REST is being asked for it: do not ask again."""
    tries: int = 0
    """How often REST was asked in vain."""
    told: bool = False
    """It was published as a gap. An id that comes all the same is still new."""
    after: int = 0
    """Venue time of the last trade before it, µs; 0 where it is not known. Venues that page by time
    (Kraken) are asked from there."""


class Range(NamedTuple):
    """Ids from ``low`` to ``high``, both inclusive."""

    low: int
    high: int


class SequenceTracker:
    """Tells new ids from duplicates and remembers holes.

        tracker = SequenceTracker()
        tracker.accept(7, now)       # True: new
        tracker.accept(9, now)       # True: new, 8 is missing
        tracker.accept(9, now)       # False: duplicate
        tracker.overdue(now + 3_000_000, 2_500_000)   # [Missing(8, 8)]

    Memory is bounded: ids are kept as one covered span with at most ``max_holes`` holes. When
    there are more, the oldest hole is dropped (its ids then count as seen) and is named in
    ``dropped``, so that the feed can publish a gap.

    Args:
        floor: Ids up to here count as seen: where a former process had got to. None: nothing is
            known, so an id below the first one seen is new (disorder at the first connect).
        max_holes: How many holes are remembered.
    """

    __slots__ = ("_first", "dropped", "floor", "holes", "last_time", "max_holes", "next")

    def __init__(self, floor: int | None = None, max_holes: int = 1000) -> None:
        if max_holes < 1:
            raise ValueError(f"max_holes must be positive, was {max_holes}")
        self.floor = floor
        self.max_holes = max_holes
        self.holes: list[Missing] = []
        """Ascending, apart from each other."""
        self.dropped: list[Range] = []
        """Holes given up for want of memory; the caller takes them out."""
        self._first: int | None = None if floor is None else floor + 1
        self.next: int | None = None if floor is None else floor + 1
        """The id that continues the span; None before the first one."""
        self.last_time = 0
        """Venue time of the trade with the highest id, µs; 0 where it is not known."""

    def accept(self, sequence: int, now: int) -> bool:
        """True if ``sequence`` is new (it then counts as seen), False for a duplicate.

        ``now`` is the venue time of the trade, µs.
        """
        expected = self.next
        if sequence == expected:
            self.next = sequence + 1
            self.last_time = now
            return True
        if expected is None:
            self._first, self.next, self.last_time = sequence, sequence + 1, now
            return True
        if sequence > expected:
            hole = Missing(expected, sequence - 1, now, after=self.last_time)
            self._add_hole(len(self.holes), hole)
            self.next, self.last_time = sequence + 1, now
            return True
        return self._accept_behind(sequence, now)

    def _accept_behind(self, sequence: int, now: int) -> bool:
        """Handle an id below ``next``: fills a hole, extends the span downwards, or is known."""
        assert self._first is not None
        if sequence < self._first:
            if self.floor is not None:
                return False
            if sequence < self._first - 1:
                self._add_hole(0, Missing(sequence + 1, self._first - 1, now, after=now))
            self._first = sequence
            return True
        # Holes are few and the wanted one is nearly always the last: search from the end.
        for index in range(len(self.holes) - 1, -1, -1):
            hole = self.holes[index]
            if sequence > hole.high:
                return False
            if sequence >= hole.low:
                self._split(index, hole, sequence, now)
                return True
        return False

    def _split(self, index: int, hole: Missing, sequence: int, now: int) -> None:
        """Take ``sequence`` out of ``hole``."""
        if hole.low == hole.high:
            del self.holes[index]
        elif sequence == hole.low:
            hole.low, hole.after = sequence + 1, now
        elif sequence == hole.high:
            hole.high -= 1
        else:
            above = msgspec.structs.replace(hole, low=sequence + 1, after=now)
            hole.high = sequence - 1
            self._add_hole(index + 1, above)

    def _add_hole(self, index: int, hole: Missing) -> None:
        self.holes.insert(index, hole)
        if len(self.holes) > self.max_holes:
            oldest = self.holes.pop(0)
            if not oldest.told:
                self.dropped.append(Range(oldest.low, oldest.high))

    def overdue(self, now: int, patience: int) -> list[Missing]:
        """Holes that nobody was asked for and that are older than ``patience`` µs at ``now``."""
        return [h for h in self.holes if not (h.asked or h.told) and now - h.since > patience]

    def within(self, low: int, high: int) -> list[Missing]:
        """Holes that touch ``low``..``high``, both inclusive."""
        return [hole for hole in self.holes if hole.high >= low and hole.low <= high]

    def tell(self, low: int, high: int) -> list[Range]:
        """Mark what is missing in ``low``..``high`` as told; gives what was not told before.

        A hole that reaches over an end is marked as a whole.
        """
        told = []
        for hole in self.within(low, high):
            if not hole.told:
                hole.told = True
                told.append(Range(hole.low, hole.high))
        return told

    def untold(self) -> list[Missing]:
        """Holes that may still be filled."""
        return [hole for hole in self.holes if not hole.told]

    def expect(self, sequence: int, now: int) -> None:
        """Note that an id exists and was not taken: it is missing, as if it had been skipped.

        ``now`` is the venue time of its trade, µs.
        """
        expected = sequence if self.next is None else self.next
        if sequence < expected:
            return
        if self.next is None:
            self._first = sequence
        last = self.holes[-1] if self.holes else None
        if last is not None and last.high == expected - 1 and not (last.asked or last.told):
            last.high = sequence
        else:
            self._add_hole(len(self.holes), Missing(expected, sequence, now, after=self.last_time))
        self.next, self.last_time = sequence + 1, now

    def miss(self, low: int, high: int, now: int, after: int) -> None:
        """Nothing to note: the ids themselves show what is missing."""

    def close(self, low: int, high: int) -> None:
        """Nothing to note: an id that has come is no longer missing."""

    def since(self, low: int) -> int:
        """Venue time of the last trade known before ``low``, µs; 0 where it is not known."""
        for hole in self.holes:
            if hole.low <= low <= hole.high:
                return hole.after
        return self.last_time if low == self.next else 0

    @property
    def last(self) -> int | None:
        """The highest id seen, or where a former process had got to."""
        return None if self.next is None else self.next - 1

    @property
    def settled(self) -> int | None:
        """Every id up to here was seen or told as a gap; None before the first one."""
        for hole in self.holes:
            if not hole.told:
                return hole.low - 1
        return self.last


def coalesce(holes: Iterable[Missing], span: int = 1000) -> list[Range]:
    """Ranges that cover ``holes`` (ascending), neighbours within ``span`` ids put together.

    One REST page brings up to a thousand trades, so asking for ten small holes one by one
    would cost ten times as much.
    """
    ranges: list[Range] = []
    for hole in holes:
        if ranges and hole.high - ranges[-1].low < span:
            ranges[-1] = Range(ranges[-1].low, hole.high)
        else:
            ranges.append(Range(hole.low, hole.high))
    return ranges


def restore(settled: int | None, seen: Mapping[int, int], max_holes: int = 1000) -> SequenceTracker:
    """Tracker of a former process: all up to ``settled`` is done, and ``seen`` was published.

    Without ``settled`` the lowest id seen is taken for the start. ``seen`` gives venue times by id.
    """
    ordered = sorted(seen)
    floor = settled
    if floor is None and ordered:
        floor = ordered[0] - 1
    tracker = SequenceTracker(floor, max_holes)
    tracker.last_time = 0 if settled is None else seen.get(settled, 0)
    for sequence in ordered:
        tracker.accept(sequence, seen[sequence])
    return tracker
