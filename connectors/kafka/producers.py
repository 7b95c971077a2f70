"""What the publisher asks of a Kafka client: idempotent, acks=all, lz4, bounded, no error unseen.

Two clients keep the promise: `producer_librdkafka` is the default on the market path;
`producer_kafka_python` does the same in pure Python at about a sixth of the speed. `clients` opens
the one that is wanted.
"""

from typing import NamedTuple, Protocol

Headers = list[tuple[str, bytes]]
Record = tuple[str, int, bytes | None, bytes, int, Headers | None]
"""The arguments of `Producer.send`: topic, partition, key, value, timestamp in ms, headers."""

BATCH_BYTES = 128 * 1024


class Failure(NamedTuple):
    """One record that Kafka refused for good, or that was left at the end."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    """-1 where the client does not give it back; the event in ``value`` has it."""
    headers: Headers
    error: str


class Depth(NamedTuple):
    """What waits in the producer for Kafka's answer."""

    records: int
    bytes: int


class Producer(Protocol):
    """What the publisher needs of a Kafka client. All calls come from one thread."""

    broken: str
    """Why the client can send nothing more; empty while it can. Close it and open another."""

    def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes,
        timestamp_ms: int,
        headers: Headers | None = None,
    ) -> None:
        """Take one record, never waiting. BufferFull where there is no room for it."""

    def poll(self) -> list[Failure]:
        """Do the client's bookkeeping (call it every few ms); gives the new failures."""

    def depth(self) -> Depth:
        """Records and bytes that wait."""

    def flush(self, timeout: float) -> int:
        """Wait until all is answered, at most ``timeout`` seconds; gives how many records wait."""

    def close(self, timeout: float) -> list[Failure]:
        """Flush, end, and give every failure that was not given before, leftovers included."""
