"""Consume, handle, produce exactly once: results and consumed offsets in one transaction.

For payments and stock reservations: what one record causes is in the log once, whenever the
process is killed. Readers of the results must set ``isolation_level="read_committed"``. What the
handler does elsewhere (a database, a mail) is not part of the transaction: see
`connectors.kafka.offset_sink` for PostgreSQL.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from connectors.kafka.security import unreachable

logger = logging.getLogger(__name__)


class Output(NamedTuple):
    """One record to write."""

    topic: str
    key: bytes | None
    value: bytes


Handle = Callable[[Any], Iterable[Output]]
"""kafka-python's ConsumerRecord -> what to write for it. Without side effects of its own."""


class ExactlyOnce:
    """One worker: reads a topic as member of a group and writes what `handle` makes of it.

    Args:
        bootstrap: Address of a broker.
        topic: What to read.
        group: Whose offsets.
        worker: Name of this worker: the same after a restart, different for each that runs at
            the same time. Its transaction that a crash left open is aborted at the start, and it
            takes its place in the group at once.
        handle: What to write for a record.
        security: Of `connectors.kafka.security.kafka_python_security`; None: a plaintext listener.
        step: Called with the name of each step that is done: ``polled``, ``begun``, ``produced``,
            ``offsets``, ``committed``. For measures and for tests that kill between two.

    Raises:
        BrokerUnreachable: Where no broker answers.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        group: str,
        worker: str,
        handle: Handle,
        step: Callable[[str], None] = lambda _: None,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        self._group = group
        self._handle = handle
        self._step = step
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=bootstrap,
                **(security or {}),
                transactional_id=f"{group}-{worker}",
                acks="all",
                compression_type="lz4",
                bootstrap_timeout_ms=10_000,
                metrics_enabled=False,
            )
            self._producer.init_transactions()
            self._consumer = KafkaConsumer(
                bootstrap_servers=bootstrap,
                **(security or {}),
                group_id=group,
                group_instance_id=worker,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                bootstrap_timeout_ms=10_000,
                metrics_enabled=False,
            )
        except (KafkaError, OSError) as error:
            raise unreachable(bootstrap, error) from error
        self._consumer.subscribe([topic])
        self._consumer.topics()  # before it joins: see bus_kafka

    def run_once(self, timeout: float = 1.0, most: int = 500) -> int:
        """One transaction over what is there; gives how many records it took.

        An error of the handler or of Kafka undoes it: the same records come again.

        Args:
            timeout: Longest wait for records, seconds.
            most: Records of one transaction.
        """
        polled = self._consumer.poll(timeout_ms=round(timeout * 1000), max_records=most)
        if not polled:
            return 0
        self._step("polled")
        self._producer.begin_transaction()
        try:
            self._step("begun")
            sent = [
                self._producer.send(output.topic, output.value, output.key)
                for batch in polled.values()
                for record in batch
                for output in self._handle(record)
            ]
            self._producer.flush(30)
            for future in sent:
                future.get(0)
            self._step("produced")
            offsets = {
                where: OffsetAndMetadata(batch[-1].offset + 1, "", -1)
                for where, batch in polled.items()
            }
            self._producer.send_offsets_to_transaction(offsets, self._consumer.group_metadata())
            self._step("offsets")
            self._producer.commit_transaction()
        except Exception:
            self._undo(polled)
            raise
        self._step("committed")
        return sum(len(batch) for batch in polled.values())

    def _undo(self, polled: dict[TopicPartition, list[Any]]) -> None:
        """Abort, and read the same records again."""
        try:
            self._producer.abort_transaction()
        finally:
            assigned = self._consumer.assignment()
            for where, batch in polled.items():
                if where in assigned:
                    self._consumer.seek(where, batch[0].offset)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close(autocommit=False, timeout_ms=5_000)
        self._producer.close(10)
