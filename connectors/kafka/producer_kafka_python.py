"""`Producer` by kafka-python."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.producer.future import RecordMetadata

from connectors.errors import BrokerUnreachable, BufferFull
from connectors.kafka.producers import BATCH_BYTES, Depth, Failure, Headers
from connectors.kafka.topics import LARGEST_RECORD
from connectors.settings import Settings

RECORD_OVERHEAD = 128
"""Estimate of what one waiting record costs beside its key and value, bytes."""


class KafkaPythonProducer:
    """kafka-python 3: its buffer has no bound of its own, so waiting records are counted here.

    Its answers arrive in its own thread. ``_sent`` is written by the caller's thread only and
    ``_answered`` by the client's thread only, so no lock is needed on the path of a record.
    """

    def __init__(self, settings: Settings, topics: list[str]) -> None:
        self._max_records = settings.buffer_records
        self._max_bytes = settings.buffer_bytes
        self._sent = self._sent_bytes = 0
        self._answered = self._answered_bytes = 0
        self._failures: deque[Failure] = deque()
        self.broken = ""
        timeout_ms = round(settings.delivery_timeout * 1000)
        try:
            self._client = KafkaProducer(
                bootstrap_servers=settings.kafka_bootstrap_servers,
                enable_idempotence=True,
                acks="all",
                compression_type="lz4",
                linger_ms=settings.linger_ms,
                batch_size=BATCH_BYTES,
                max_request_size=LARGEST_RECORD,
                delivery_timeout_ms=timeout_ms,
                # The client wants delivery timeout >= linger + request timeout.
                request_timeout_ms=max(1, min(30_000, timeout_ms - settings.linger_ms)),
                reconnect_backoff_max_ms=1000,
                bootstrap_timeout_ms=10_000,
                max_block_ms=10_000,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
            for topic in topics:
                # Known beforehand, so that no send has to wait for metadata.
                self._client.partitions_for(topic)
        except KafkaError as error:
            raise BrokerUnreachable(settings.kafka_bootstrap_servers, error) from error
        self._send = self._client.send
        self._on_delivered = self._delivered

    def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes,
        timestamp_ms: int,
        headers: Headers | None = None,
    ) -> None:
        """Take one record; see `Producer`."""
        size = len(value) + RECORD_OVERHEAD
        if (
            self._sent - self._answered >= self._max_records
            or self._sent_bytes - self._answered_bytes + size > self._max_bytes
        ):
            raise BufferFull(f"{self._sent - self._answered} records wait for Kafka")
        failed: Callable[[BaseException], None] = partial(
            self._failed, topic, partition, key, value, timestamp_ms, headers, size
        )
        self._sent += 1
        self._sent_bytes += size
        try:
            future = self._send(topic, value, key, headers, partition, timestamp_ms)
        except KafkaError as error:
            # Refused at the door, for example larger than max_request_size.
            self._sent -= 1
            self._sent_bytes -= size
            self._failures.append(
                Failure(topic, partition, key, value, timestamp_ms, headers or [], repr(error))
            )
            return
        future._add_cb_eb(self._on_delivered, failed)

    def poll(self) -> list[Failure]:
        """Give the new failures; the client's thread does the rest."""
        if not self._failures:
            return []
        # kafka-python 3.0.12: one refused batch makes the idempotent client refuse all others.
        if self._client._transaction_manager.has_fatal_error():
            self.broken = "the idempotent client ends with the first refused batch"
        failures = []
        while self._failures:
            failures.append(self._failures.popleft())
        return failures

    def depth(self) -> Depth:
        """Records and bytes that wait."""
        return Depth(self._sent - self._answered, self._sent_bytes - self._answered_bytes)

    def flush(self, timeout: float) -> int:
        """Wait for the answers; see `Producer`."""
        with suppress(KafkaTimeoutError):
            self._client.flush(timeout)
        return self._sent - self._answered

    def close(self, timeout: float) -> list[Failure]:
        """Flush and end; the client fails what is left, so that each leftover is reported."""
        left = self.flush(timeout)
        sender = self._client._sender
        if left:
            # close() of kafka-python 3.0.12 raises where records are left, before it stops its
            # thread, and would leave their futures open for ever: abort them first.
            sender.force_close()
            sender.join(10)
        with suppress(KafkaTimeoutError):
            self._client.close(5)
        return self.poll()

    def _delivered(self, metadata: RecordMetadata) -> None:
        self._answered += 1
        self._answered_bytes += metadata.serialized_value_size + RECORD_OVERHEAD

    def _failed(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes,
        timestamp_ms: int,
        headers: Headers | None,
        size: int,
        error: BaseException,
    ) -> None:
        self._answered += 1
        self._answered_bytes += size
        self._failures.append(
            Failure(topic, partition, key, value, timestamp_ms, headers or [], repr(error))
        )
