"""`Producer` by confluent-kafka (librdkafka)."""

import logging
import time
from functools import partial
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connectors.errors import BufferFull, ConfigurationError
from connectors.kafka.producers import BATCH_BYTES, Depth, Failure, Headers
from connectors.kafka.security import librdkafka_security, unreachable
from connectors.kafka.topics import LARGEST_RECORD
from connectors.settings import Settings

CONNECT_TIMEOUT = 10.0

logger = logging.getLogger(__name__)


def librdkafka_config(settings: Settings) -> dict[str, Any]:
    """The options that make the promise; a bare loop in the benchmark uses the same."""
    return {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        **librdkafka_security(settings),
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "lz4",
        "linger.ms": settings.linger_ms,
        "batch.size": BATCH_BYTES,
        "message.max.bytes": LARGEST_RECORD,
        "message.timeout.ms": round(settings.delivery_timeout * 1000),
        "queue.buffering.max.messages": settings.buffer_records,
        "queue.buffering.max.kbytes": settings.buffer_bytes // 1024,
        # After an outage the feed should go on at once: not after the default of 10 s.
        "reconnect.backoff.max.ms": 1000,
        # The Python client then calls back for failed records only, not for each one.
        "delivery.report.only.error": True,
        "statistics.interval.ms": 1000,
    }


class ConfluentProducer:
    """librdkafka: bounded by count and bytes, retries by itself until ``delivery_timeout``."""

    def __init__(self, settings: Settings) -> None:
        self._bootstrap = settings.kafka_bootstrap_servers
        self._failures: list[Failure] = []
        self._bytes = 0
        self._last_error = ""
        self.broken = ""
        self._client = Producer(
            {
                **librdkafka_config(settings),
                "on_delivery": self._failed,
                "stats_cb": self._statistics,
                "error_cb": self._broker_error,
                # Its own lines repeat every try: `_broker_error` says what matters once.
                "logger": logging.getLogger(f"{__name__}.client"),
            }
        )
        self._connect()
        # One C call per record: bound once, not looked up each time.
        self._produce = self._client.produce

    def _connect(self) -> None:
        """Wait for the first answer; librdkafka goes on trying where a login is refused."""
        deadline = time.monotonic() + CONNECT_TIMEOUT
        while True:
            try:
                self._client.list_topics(timeout=1)
                return
            except KafkaException as error:
                self._client.poll(0)
                cause = self._last_error or error.args[0].str()
                found = unreachable(self._bootstrap, cause)
                if isinstance(found, ConfigurationError) or time.monotonic() > deadline:
                    raise found from error

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
        try:
            if headers is None:
                self._produce(topic, value, key, partition, timestamp=timestamp_ms)
            else:
                # Rare records: librdkafka does not give headers and time back with a failure.
                record = Failure(topic, partition, key, value, timestamp_ms, headers, "")
                self._produce(
                    topic,
                    value,
                    key,
                    partition,
                    on_delivery=partial(self._failed_whole, record),
                    timestamp=timestamp_ms,
                    headers=list(headers),
                )
        except BufferError as error:
            raise BufferFull(str(error)) from None
        except KafkaException as error:
            # Refused at the door, for example larger than message.max.bytes.
            reason = error.args[0].str()
            self._failures.append(
                Failure(topic, partition, key, value, timestamp_ms, headers or [], reason)
            )

    def poll(self) -> list[Failure]:
        """Serve librdkafka's callbacks; see `Producer`."""
        self._client.poll(0)
        if not self._failures:
            return []
        failures, self._failures = self._failures, []
        return failures

    def depth(self) -> Depth:
        """Records now; bytes as of librdkafka's last statistics (each second)."""
        records = len(self._client)
        return Depth(records, self._bytes if records else 0)

    def flush(self, timeout: float) -> int:
        """Wait for the answers; see `Producer`."""
        return int(self._client.flush(timeout))

    def close(self, timeout: float) -> list[Failure]:
        """Flush, then purge what is left, so that each leftover is reported."""
        if self.flush(timeout):
            self._client.purge()
            self._client.flush(5)
        return self.poll()

    def _failed(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            return
        self._failures.append(
            Failure(
                message.topic() or "",
                message.partition() or 0,
                _as_bytes(message.key()),
                _as_bytes(message.value()),
                message.timestamp()[1],
                [],
                error.str(),
            )
        )

    def _failed_whole(self, record: Failure, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failures.append(record._replace(error=error.str()))

    def _statistics(self, text: str) -> None:
        self._bytes = msgspec.json.decode(text, type=_Statistics).msg_size

    def _broker_error(self, error: KafkaError) -> None:
        # librdkafka repeats the same error for each broker and try: say each text once.
        text = error.str()
        if error.fatal():
            self.broken = text
        if text != self._last_error:
            self._last_error = text
            logger.warning("kafka: %s", text)


class _Statistics(msgspec.Struct):
    msg_size: int = 0


def _as_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
