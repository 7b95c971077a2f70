"""A transport within one process, for users' unit tests: partitions, groups, commits, no network.

Give one `MemoryTransport` to all buses that are to hear each other. It keeps everything.
"""

import threading
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import Future

from connectors.kafka.bus_transport import Headers, Partition, Place, Record

PARTITIONS = 6


class MemoryTransport:
    """A log in memory; see `connectors.kafka.bus_transport.Transport`."""

    def __init__(self, partitions: int = PARTITIONS) -> None:
        self.changed = threading.Condition()
        self.members: dict[str, list[MemoryReader]] = {}
        """Readers by group."""
        self.committed: dict[tuple[str, Partition], int] = {}
        """First offset that is not done, by group and partition."""
        self._partitions = partitions
        self._logs: dict[Partition, list[Record]] = {}

    def partitions(self, topic: str) -> list[Partition]:
        """All partitions of a topic, which is made by being used."""
        return [Partition(topic, number) for number in range(self._partitions)]

    def log(self, partition: Partition) -> list[Record]:
        """All records of a partition."""
        return self._logs.setdefault(partition, [])

    def records(self, topic: str) -> list[Record]:
        """All records of a topic, partition by partition."""
        return [record for part in self.partitions(topic) for record in self.log(part)]

    def send(self, topic: str, key: bytes | None, value: bytes, headers: Headers) -> Future[Place]:
        """Append a record; it is there when this returns."""
        number = zlib.crc32(key or b"") % self._partitions
        partition = Partition(topic, number)
        with self.changed:
            log = self.log(partition)
            log.append(Record(partition, len(log), key, value, headers))
            place = Place(partition, len(log) - 1)
            self.changed.notify_all()
        future: Future[Place] = Future()
        future.set_result(place)
        return future

    def reader(self, topic: str, group: str | None) -> "MemoryReader":
        """Join a group, or read everything from now on."""
        return MemoryReader(self, topic, group)

    def fetch(self, place: Place, key: bytes) -> bytes:
        """The value of one record. LookupError where there is none."""
        log = self.log(place.partition)
        if not 0 <= place.offset < len(log) or log[place.offset].key != key:
            raise LookupError(f"no record at {place}")
        return log[place.offset].value or b""

    def close(self) -> None:
        """Nothing waits to be written."""


class MemoryReader:
    """See `connectors.kafka.bus_transport.Reader`. Partitions go round among a group's members."""

    def __init__(self, transport: MemoryTransport, topic: str, group: str | None) -> None:
        self._transport = transport
        self._topic = topic
        self._group = group
        self._positions: dict[Partition, int] = {}
        self._paused: set[Partition] = set()
        self._lost: set[Partition] = set()
        self._closed = False
        with transport.changed:
            if group is not None:
                transport.members.setdefault(group, []).append(self)
            self._rebalance()

    def _mine(self) -> set[Partition]:
        parts = self._transport.partitions(self._topic)
        if self._group is None:
            return set(parts)
        members = self._transport.members[self._group]
        return set(parts[members.index(self) :: len(members)])

    def _rebalance(self) -> None:
        mine = self._mine()
        for partition in [one for one in self._positions if one not in mine]:
            del self._positions[partition]
            self._paused.discard(partition)
            self._lost.add(partition)
        for partition in mine - self._positions.keys():
            start = len(self._transport.log(partition))
            if self._group is not None:
                # Remembered at once: who takes over before the first commit begins here too.
                name = (self._group, partition)
                start = self._transport.committed.setdefault(name, start)
            self._positions[partition] = start

    def poll(self, timeout: float) -> list[Record]:
        """New records; waits for some."""
        with self._transport.changed:
            found = self._new()
            if not found:
                self._transport.changed.wait(timeout)
                found = self._new()
            return found

    def _new(self) -> list[Record]:
        self._rebalance()
        found: list[Record] = []
        for partition, position in self._positions.items():
            if partition not in self._paused:
                log = self._transport.log(partition)
                found += log[position : position + 500]
                self._positions[partition] = min(len(log), position + 500)
        return found

    def ready(self) -> bool:
        """It is, from the start."""
        return True

    def take_lost(self) -> set[Partition]:
        """Partitions that went to another member."""
        lost, self._lost = self._lost, set()
        return lost

    def commit(self, positions: Mapping[Partition, int], wait: bool = False) -> None:
        """Remember positions of partitions that are still this member's."""
        if self._group is None:
            return
        with self._transport.changed:
            for partition in positions.keys() & self._mine():
                self._transport.committed[self._group, partition] = positions[partition]

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Read no more of them for now."""
        self._paused.update(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Go on with them."""
        self._paused.difference_update(partitions)

    def close(self) -> None:
        """Leave the group."""
        with self._transport.changed:
            if self._group is not None and not self._closed:
                self._transport.members[self._group].remove(self)
            self._closed = True
            self._transport.changed.notify_all()
