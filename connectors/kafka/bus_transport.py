"""What the event bus asks of whatever carries its records: a log of partitions, with groups."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import NamedTuple, Protocol

Headers = list[tuple[str, bytes]]


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


class Record(NamedTuple):
    """One record as it was read."""

    partition: Partition
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Place(NamedTuple):
    """Where a record was written."""

    partition: Partition
    offset: int


class Reader(Protocol):
    """One member of a group, or (without a group) a reader of everything from now on.

    All calls come from one thread.
    """

    def poll(self, timeout: float) -> list[Record]:
        """New records of the assigned partitions that are not paused; waits at most so long."""

    def ready(self) -> bool:
        """Whether what is published from now on will be read: call `poll` until it is."""

    def take_lost(self) -> set[Partition]:
        """Partitions that were taken away since the last call, even if they came back."""

    def commit(self, positions: Mapping[Partition, int], wait: bool = False) -> None:
        """Remember for the group where to go on: the first offset that is not done."""

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Read no more of them for now; `poll` must still be called."""

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Go on with them."""

    def close(self) -> None:
        """Leave the group."""


class Transport(Protocol):
    """Writes records, opens readers. Safe to use from all threads."""

    def send(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> "Future[Place]":
        """Write a record; records of a key keep their order. The future fails where it cannot."""

    def reader(self, topic: str, group: str | None) -> Reader:
        """A new reader; a group without a position begins with what is published from now on."""

    def fetch(self, place: Place, key: bytes) -> bytes:
        """The value of one record. LookupError where it is gone."""

    def close(self) -> None:
        """Write what waits, and end."""
