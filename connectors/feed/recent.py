"""Which trades of one symbol were seen, for venues whose ids rise but leave numbers out.

Nothing can be told from a number that is missing there, so this tracker knows no holes by itself:
the feed says with `miss` which range REST could not account for. Otherwise it has the interface
of `connectors.feed.sequence.SequenceTracker`. Pure.
"""

from collections import deque
from collections.abc import Mapping

from connectors.feed.sequence import Missing, Range

MAX_IDS = 1024
"""Ids remembered per symbol: what two connections or a page of REST (1,000 at most) bring twice."""


class RecentTracker:
    """Tells new ids from duplicates by remembering the last ones.

        tracker = RecentTracker()
        tracker.accept(70, now)      # True: new
        tracker.accept(95, now)      # True: new; nothing says that 71..94 ever existed
        tracker.accept(70, now)      # False: duplicate

    Memory is bounded: of the ids that were forgotten the highest is the ``floor``, and whatever
    is not above it counts as seen. A range that is missing and sinks below the floor is given up
    and named in ``dropped``.

    Args:
        floor: Ids up to here count as seen. None: nothing is known.
        max_ids: How many ids are remembered.
    """

    __slots__ = ("_order", "_seen", "dropped", "floor", "holes", "last_time", "max_ids", "next")

    def __init__(self, floor: int | None = None, max_ids: int = MAX_IDS) -> None:
        if max_ids < 1:
            raise ValueError(f"max_ids must be positive, was {max_ids}")
        self.floor = floor
        self.max_ids = max_ids
        self.holes: list[Missing] = []
        """Ranges that REST was asked for and did not account for, ascending."""
        self.dropped: list[Range] = []
        """Holes given up for want of memory; the caller takes them out."""
        self.next: int | None = None if floor is None else floor + 1
        """One more than the highest id seen; None before the first one."""
        self.last_time = 0
        """Venue time of the trade with the highest id, µs; 0 where it is not known."""
        self._seen: set[int] = set()
        self._order: deque[int] = deque()

    def accept(self, sequence: int, now: int) -> bool:
        """True if ``sequence`` is new (it then counts as seen), False for a duplicate.

        ``now`` is the venue time of the trade, µs.
        """
        if self.next is None or sequence >= self.next:
            self.next = sequence + 1
            self.last_time = now
        elif sequence in self._seen or (self.floor is not None and sequence <= self.floor):
            return False
        self._seen.add(sequence)
        self._order.append(sequence)
        if len(self._order) > self.max_ids:
            self._forget(self._order.popleft())
        return True

    def _forget(self, sequence: int) -> None:
        self._seen.discard(sequence)
        if self.floor is None or sequence > self.floor:
            self.floor = sequence
        while self.holes and self.holes[0].low <= self.floor:
            hole = self.holes.pop(0)
            if not hole.told:
                self.dropped.append(Range(hole.low, hole.high))

    def expect(self, sequence: int, now: int) -> None:
        """Note that an id exists and was not taken. ``now`` is the venue time of its trade, µs."""
        low = sequence if self.next is None else self.next
        if sequence < low or sequence in self._seen:
            return
        last = self.holes[-1] if self.holes else None
        if last is not None and last.high >= low - 1 and not (last.asked or last.told):
            last.high = max(last.high, sequence)
        else:
            self.miss(low, sequence, now, self.last_time)

    def miss(self, low: int, high: int, now: int, after: int) -> None:
        """Note that trades may be missing in ``low``..``high``.

        ``now`` is venue time, ``after`` that of the last trade before the range; µs.
        """
        if high >= low and not self.within(low, high):
            self.holes.append(Missing(low, high, now, after=after))
            self.holes.sort(key=lambda hole: hole.low)

    def close(self, low: int, high: int) -> None:
        """Note that every trade of ``low``..``high`` is accounted for."""
        self.holes = [hole for hole in self.holes if hole.low < low or hole.high > high]

    def since(self, low: int) -> int:
        """Venue time of the last trade known before ``low``, µs; 0 where it is not known."""
        for hole in self.holes:
            if hole.low <= low <= hole.high:
                return hole.after
        return self.last_time if low == self.next else 0

    def overdue(self, now: int, patience: int) -> list[Missing]:
        """Holes that nobody was asked for and that are older than ``patience`` µs at ``now``."""
        return [h for h in self.holes if not (h.asked or h.told) and now - h.since > patience]

    def within(self, low: int, high: int) -> list[Missing]:
        """Holes that touch ``low``..``high``, both inclusive."""
        return [hole for hole in self.holes if hole.high >= low and hole.low <= high]

    def tell(self, low: int, high: int) -> list[Range]:
        """Take out what is missing in ``low``..``high``; gives what was not told before."""
        told = [Range(hole.low, hole.high) for hole in self.within(low, high)]
        self.holes = [hole for hole in self.holes if hole.high < low or hole.low > high]
        return told

    def untold(self) -> list[Missing]:
        """Holes that may still be filled."""
        return list(self.holes)

    @property
    def last(self) -> int | None:
        """The highest id seen, or where a former process had got to."""
        return None if self.next is None else self.next - 1

    @property
    def settled(self) -> int | None:
        """Every trade up to here was seen or told as a gap; None before the first one."""
        return self.holes[0].low - 1 if self.holes else self.last


def restore_recent(
    oldest: int | None, latest: int | None, seen: Mapping[int, int], max_ids: int = MAX_IDS
) -> RecentTracker:
    """Tracker of a former process.

    Args:
        oldest: Id that the oldest report in the tail names: what is not above it is settled.
        latest: Id that the latest report names.
        seen: Venue time by id of the trades in the tail.
        max_ids: As for the tracker.
    """
    ordered = sorted(seen)
    floor = oldest
    if floor is None and ordered:
        floor = ordered[0] - 1
    tracker = RecentTracker(floor, max_ids)
    for sequence in ordered:
        tracker.accept(sequence, seen[sequence])
    if latest is not None and tracker.next is not None and latest >= tracker.next:
        tracker.next, tracker.last_time = latest + 1, 0
    return tracker
