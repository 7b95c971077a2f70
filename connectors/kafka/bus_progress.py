"""Which records of a partition are done: what may be committed, and no more."""

from collections import deque

from connectors.kafka.bus_transport import Partition, Record


class Entry:
    """One record, and how many handlers are not done with it."""

    __slots__ = ("left", "offset")

    def __init__(self, offset: int, left: int) -> None:
        self.offset = offset
        self.left = left


class _Tracked:
    """Records of one partition in order, from the first that is not done."""

    def __init__(self, first: int) -> None:
        self.position = first
        """All before it are done."""
        self.end = first
        """First offset that was never seen."""
        self.entries: deque[Entry] = deque()

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.end = entry.offset + 1

    def advance(self) -> int:
        """Forget what is done at the front; gives the position."""
        entries = self.entries
        while entries and not entries[0].left:
            self.position = entries.popleft().offset + 1
        return self.position

    def find(self, offset: int) -> Entry | None:
        """The entry of a record that was seen; one that is done already where it was forgotten."""
        for entry in self.entries:
            if entry.offset == offset:
                return entry
        return Entry(offset, 0) if self.position > offset else None


class Progress:
    """Positions of all partitions that one reader has, or had before a rebalance.

    A partition that was taken away and comes back brings records again that are being worked on
    or not committed yet: they are known, so nothing runs twice at the same time here.
    """

    def __init__(self) -> None:
        self._tracked: dict[Partition, _Tracked] = {}
        self._before: dict[Partition, _Tracked] = {}
        self._committed: dict[Partition, int] = {}

    def known(self, record: Record) -> bool:
        """Take a record on; whether it was worked on before, so that nothing is to be done."""
        tracked = self._of(record)
        before = self._before.get(record.partition)
        if before is None:
            return False
        entry = before.find(record.offset) if record.offset < before.end else None
        if entry is None:
            return False
        tracked.add(entry)
        return True

    def add(self, record: Record, left: int) -> Entry:
        """Take on a record that ``left`` handlers are to work on."""
        entry = Entry(record.offset, left)
        self._of(record).add(entry)
        return entry

    def _of(self, record: Record) -> _Tracked:
        tracked = self._tracked.get(record.partition)
        if tracked is None:
            tracked = self._tracked[record.partition] = _Tracked(record.offset)
        return tracked

    def lost(self, partition: Partition) -> None:
        """The partition belongs to somebody else now, for a time at least."""
        tracked = self._tracked.pop(partition, None)
        self._committed.pop(partition, None)
        if tracked is not None:
            tracked.advance()
            self._before[partition] = tracked

    def unfinished(self) -> dict[Partition, int]:
        """Records from the first that is not done on, by partition."""
        for tracked in self._tracked.values():
            tracked.advance()
        return {partition: len(tracked.entries) for partition, tracked in self._tracked.items()}

    def to_commit(self, again: bool = False) -> dict[Partition, int]:
        """Positions that have moved since the last call; with ``again`` all of them."""
        moved = {}
        for partition, tracked in self._tracked.items():
            position = tracked.advance()
            if again or self._committed.get(partition, -1) < position:
                moved[partition] = self._committed[partition] = position
        return moved
