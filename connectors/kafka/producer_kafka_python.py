"""`Producer` by kafka-python."""

from collections import deque
from contextlib import suppress

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.producer.future import FutureRecordMetadata

from connectors.errors import BufferFull
from connectors.kafka.producers import BATCH_BYTES, Depth, Failure, Headers, Record
from connectors.kafka.security import check_access, kafka_python_security, unreachable
from connectors.kafka.topics import LARGEST_RECORD
from connectors.settings import Settings

RECORD_OVERHEAD = 128
"""Estimate of what one waiting record costs beside its key and value, bytes."""

_Waiting = tuple[FutureRecordMetadata, Record]


class KafkaPythonProducer:
    """kafka-python 3: its buffer has no bound of its own, so waiting records are kept here.

    Its answers arrive in its own thread, which marks a record's future as done; `poll` takes the
    done ones off the front, so nothing of ours runs in that thread.
    """

    def __init__(self, settings: Settings, topics: list[str]) -> None:
        self._max_records = settings.buffer_records
        self._max_bytes = settings.buffer_bytes
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._failures: list[Failure] = []
        self.broken = ""
        timeout_ms = round(settings.delivery_timeout * 1000)
        security = kafka_python_security(settings)
        check_access(settings.kafka_bootstrap_servers, security)
        try:
            self._client = KafkaProducer(
                bootstrap_servers=settings.kafka_bootstrap_servers,
                **security,
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
            bootstrap = settings.kafka_bootstrap_servers
            raise unreachable(bootstrap, error) from error
        self._send = self._client.send

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
        if self._is_full(len(value)):
            self._reap()
            if self._is_full(len(value)):
                raise BufferFull(f"{len(self._waiting)} records wait for Kafka")
        record = (topic, partition, key, value, timestamp_ms, headers)
        try:
            future = self._send(topic, value, key, headers, partition, timestamp_ms)
        except KafkaError as error:
            # Refused at the door, for example larger than max_request_size.
            self._fail(record, error)
            return
        self._waiting.append((future, record))
        self._waiting_bytes += len(value) + RECORD_OVERHEAD

    def _is_full(self, size: int) -> bool:
        return (
            len(self._waiting) >= self._max_records
            or self._waiting_bytes + size + RECORD_OVERHEAD > self._max_bytes
        )

    def poll(self) -> list[Failure]:
        """Forget what was answered; give the new failures."""
        self._reap()
        if not self._failures:
            return []
        # kafka-python 3.0.12: one refused batch makes the idempotent client refuse all others.
        if self._client._transaction_manager.has_fatal_error():
            self.broken = "the idempotent client ends with the first refused batch"
        failures, self._failures = self._failures, []
        return failures

    def depth(self) -> Depth:
        """Records and bytes that wait."""
        return Depth(len(self._waiting), self._waiting_bytes)

    def flush(self, timeout: float) -> int:
        """Wait for the answers; see `Producer`."""
        with suppress(KafkaTimeoutError):
            self._client.flush(timeout)
        self._reap()
        return len(self._waiting)

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

    def _reap(self) -> None:
        """Take answered records off the front; a partition's answers come in order."""
        waiting = self._waiting
        while waiting and waiting[0][0].is_done:
            future, record = waiting.popleft()
            self._waiting_bytes -= len(record[3]) + RECORD_OVERHEAD
            if future.exception is not None:
                self._fail(record, future.exception)

    def _fail(self, record: Record, error: BaseException) -> None:
        topic, partition, key, value, timestamp_ms, headers = record
        self._failures.append(
            Failure(topic, partition, key, value, timestamp_ms, headers or [], repr(error))
        )
