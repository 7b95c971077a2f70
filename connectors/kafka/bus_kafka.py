"""The bus over Kafka, by kafka-python."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from connectors.errors import ConnectorError
from connectors.kafka.admin import ensure_topics
from connectors.kafka.bus_transport import Headers, Partition, Place, Record
from connectors.kafka.security import unreachable
from connectors.kafka.topics import BUS_TOPICS, LARGEST_RECORD

logger = logging.getLogger(__name__)

MAX_IN_FLIGHT = 10_000
"""Records that may wait for Kafka's answer; a sender then waits. The client has no bound."""

FETCH_TIMEOUT = 10.0


class KafkaTransport:
    """See `connectors.kafka.bus_transport.Transport`.

    Args:
        bootstrap: Address of a broker.
        prefix: Put before the name of every topic.
        linger_ms: How long the producer waits for more records to send together.
        consumer: Further settings of kafka-python's consumer, for example session times.
        security: Of `connectors.kafka.security.kafka_python_security`; None: a plaintext listener.

    Raises:
        BrokerUnreachable: Where no broker answers.
        ConfigurationError: Where it refuses our login, or we its certificate.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str = "",
        linger_ms: int = 5,
        consumer: Mapping[str, Any] | None = None,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._security = dict(security or {})
        self._prefix = prefix
        self._linger_ms = linger_ms
        self._consumer = dict(consumer or {})
        self._room = threading.BoundedSemaphore(MAX_IN_FLIGHT)
        self._lock = threading.Lock()
        ensure_topics(bootstrap, prefix, BUS_TOPICS, self._security)
        self._producer = self._open()

    def _open(self) -> KafkaProducer:
        try:
            return KafkaProducer(
                bootstrap_servers=self._bootstrap,
                **self._security,
                enable_idempotence=True,
                acks="all",
                compression_type="lz4",
                linger_ms=self._linger_ms,
                max_request_size=LARGEST_RECORD + 65_536,
                reconnect_backoff_max_ms=1000,
                bootstrap_timeout_ms=10_000,
                max_block_ms=10_000,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        except (KafkaError, OSError) as error:
            raise unreachable(self._bootstrap, error) from error

    def send(self, topic: str, key: bytes | None, value: bytes, headers: Headers) -> Future[Place]:
        """Write a record; waits while `MAX_IN_FLIGHT` others wait for Kafka's answer."""
        future: Future[Place] = Future()
        self._room.acquire()

        def taken(where: Any) -> None:
            self._room.release()
            future.set_result(Place(Partition(topic, where.partition), where.offset))

        def refused(error: Exception) -> None:
            self._room.release()
            future.set_exception(error)

        try:
            sent = self._working_producer().send(self._prefix + topic, value, key, headers)
        except (KafkaError, ConnectorError) as error:
            refused(error)
            return future
        sent.add_callback(taken)
        sent.add_errback(refused)
        return future

    def _working_producer(self) -> KafkaProducer:
        """kafka-python 3.0.12: one refused batch makes the idempotent client refuse all others."""
        with self._lock:
            if self._producer._transaction_manager.has_fatal_error():
                with suppress(KafkaTimeoutError):
                    self._producer.close(1)
                self._producer = self._open()
            return self._producer

    def reader(self, topic: str, group: str | None) -> "KafkaReader":
        """A member of a group, or a reader of all partitions from their ends."""
        try:
            consumer = KafkaConsumer(
                **{
                    "bootstrap_servers": self._bootstrap,
                    **self._security,
                    # As the topics: a demo's members are none of the real group's.
                    "group_id": None if group is None else self._prefix + group,
                    "enable_auto_commit": False,
                    "auto_offset_reset": "latest",
                    "bootstrap_timeout_ms": 10_000,
                    "allow_auto_create_topics": False,
                    "metrics_enabled": False,
                    **self._consumer,
                }
            )
        except (KafkaError, OSError) as error:
            raise unreachable(self._bootstrap, error) from error
        return KafkaReader(consumer, self._prefix, topic, group)

    def fetch(self, place: Place, key: bytes) -> bytes:
        """The value of one record. LookupError where it is gone."""
        where = TopicPartition(self._prefix + place.partition.topic, place.partition.number)
        consumer = KafkaConsumer(
            bootstrap_servers=self._bootstrap,
            **self._security,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=LARGEST_RECORD,
            max_poll_records=1,
            bootstrap_timeout_ms=10_000,
            metrics_enabled=False,
        )
        try:
            consumer.assign([where])
            consumer.seek(where, place.offset)
            deadline = time.monotonic() + FETCH_TIMEOUT
            while time.monotonic() < deadline:
                for record in consumer.poll(timeout_ms=500).get(where, ()):
                    if record.key == key and record.value is not None:
                        return bytes(record.value)
                    raise LookupError(f"{place} was deleted: raise the retention of its topic")
            raise LookupError(f"{place} did not come within {FETCH_TIMEOUT:g} s")
        finally:
            consumer.close()

    def close(self) -> None:
        """Write what waits, and end."""
        with suppress(KafkaTimeoutError):
            self._producer.close(30)


class _Changes(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what a rebalance takes and gives; called in the client's own thread."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lost: set[TopicPartition] = set()
        self.fresh: set[TopicPartition] = set()
        self.joined = False

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """They may go to another member, or come back."""
        with self.lock:
            self.lost.update(revoked)
            self.fresh.difference_update(revoked)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """They went while we were not heard of."""
        self.on_partitions_revoked(lost)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """They are ours from now on."""
        with self.lock:
            self.fresh.update(assigned)
            self.joined = True


class KafkaReader:
    """See `connectors.kafka.bus_transport.Reader`."""

    def __init__(self, consumer: KafkaConsumer, prefix: str, topic: str, group: str | None) -> None:
        self._consumer = consumer
        self._prefix = prefix
        self._group = group
        self._changes = _Changes()
        self._lost: set[Partition] = set()
        self._settled = False
        name = prefix + topic
        parts = consumer.partitions_for_topic(name)
        if group is not None:
            consumer.subscribe([name], listener=self._changes)
            # kafka-python 3.0.12 joins with what it knows of the subscribed topics: nothing, as
            # leader it then gives no partition to anybody and joins again at the next refresh.
            consumer.topics()
        else:
            consumer.assign([TopicPartition(name, number) for number in parts])

    def poll(self, timeout: float) -> list[Record]:
        """Records, after noting where each new partition begins."""
        polled = self._consumer.poll(timeout_ms=round(timeout * 1000))
        self._settle({where: batch[0].offset for where, batch in polled.items()})
        # What was read before a rebalance is not ours any more: it comes again to its owner.
        assigned = self._consumer.assignment()
        records = []
        for where, batch in polled.items():
            if where in assigned:
                partition = self._ours(where)
                records += [
                    Record(partition, r.offset, r.key, r.value, list(r.headers)) for r in batch
                ]
        return records

    def _settle(self, polled: Mapping[TopicPartition, int]) -> None:
        """Write down where a group begins that has no position: whoever takes the partition over
        before the first commit must not begin later. ``polled``: first offsets just read."""
        changes = self._changes
        with changes.lock:
            fresh, changes.fresh = changes.fresh, set()
            lost, changes.lost = changes.lost, set()
            joined = changes.joined
        self._lost.update(self._ours(where) for where in lost)
        if self._group is None:
            if not self._settled:
                for where in self._consumer.assignment():
                    self._consumer.position(where)
                self._settled = True
            return
        starts = {}
        for where in fresh & self._consumer.assignment():
            if self._consumer.committed(where) is None:
                first = polled.get(where)
                start = self._consumer.position(where) if first is None else first
                starts[where] = OffsetAndMetadata(start, "", -1)
        if starts:
            self._consumer.commit(starts)
        self._settled = self._settled or joined

    def _ours(self, where: TopicPartition) -> Partition:
        return Partition(where.topic.removeprefix(self._prefix), where.partition)

    def _theirs(self, partition: Partition) -> TopicPartition:
        return TopicPartition(self._prefix + partition.topic, partition.number)

    def ready(self) -> bool:
        """Whether it has joined, and knows where its partitions begin."""
        return self._settled

    def take_lost(self) -> set[Partition]:
        """Partitions that a rebalance took."""
        lost, self._lost = self._lost, set()
        return lost

    def commit(self, positions: Mapping[Partition, int], wait: bool = False) -> None:
        """Commit positions of partitions that are still ours."""
        assigned = self._consumer.assignment()
        offsets = {
            self._theirs(partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in positions.items()
            if self._theirs(partition) in assigned
        }
        if self._group is None or not offsets:
            return
        if wait:
            self._consumer.commit(offsets, timeout_ms=5_000)
        else:
            self._consumer.commit_async(offsets, callback=_log_failed_commit)

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Read no more of them for now."""
        self._with_assigned(partitions, self._consumer.pause)

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Go on with them."""
        self._with_assigned(partitions, self._consumer.resume)

    def _with_assigned(self, partitions: Iterable[Partition], call: Callable[..., None]) -> None:
        assigned = self._consumer.assignment()
        call(*(where for where in map(self._theirs, partitions) if where in assigned))

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close(autocommit=False, timeout_ms=5_000)


def _log_failed_commit(_: object, answer: object) -> None:
    if isinstance(answer, Exception):
        logger.warning("bus: a commit failed (%s): its events may come again", answer)
