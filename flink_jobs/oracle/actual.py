"""The windows that did come out: from PostgreSQL and from the topics.

Same shape as :mod:`flink_jobs.oracle.expected`: ``{key: row}``.
"""

import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg2
from kafka import KafkaConsumer, TopicPartition
from psycopg2 import sql

from flink_jobs.oracle.expected import Key, Rows, keyed

_IDLE_MS = 1000


def _milliseconds(moment: datetime) -> int:
    since_epoch = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return round(since_epoch.total_seconds() * 1000)


def _plain(name: str, value: Any) -> Any:
    """A database or JSON value as the oracle writes it: times in ms, exact decimals."""
    if isinstance(value, datetime):
        return _milliseconds(value)
    if isinstance(value, str) and (name.startswith("window_") or name.endswith("_at")):
        return _milliseconds(datetime.fromisoformat(value.rstrip("Z")).replace(tzinfo=UTC))
    return value


def postgres_rows(database_url: str, schema: str, model: str) -> Rows:
    """All rows of the table ``schema.model``."""
    with psycopg2.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, model)))
        names = [column.name for column in cursor.description or ()]
        rows = [
            {name: _plain(name, value) for name, value in zip(names, values, strict=True)}
            for values in cursor.fetchall()
        ]
    connection.close()
    return keyed(model, rows)


def topic_rows(bootstrap: str, topic: str, model: str) -> Rows:
    """The last value of each key of a model's topic; tombstones remove their key."""
    latest: dict[bytes, bytes | None] = {}
    for record in records(bootstrap, topic):
        latest[bytes(record.key)] = record.value
    rows = [
        json.loads(value, parse_float=Decimal) for value in latest.values() if value is not None
    ]
    return keyed(model, ({name: _plain(name, cell) for name, cell in row.items()} for row in rows))


def logged_trades(bootstrap: str, topic: str) -> Counter[Key]:
    """How often each (exchange, symbol, trade_seq) is in the log of trades."""
    events = (json.loads(record.value) for record in records(bootstrap, topic))
    return Counter(
        (event["exchange"], event["symbol"], event["trade_seq"])
        for event in events
        if event["event_type"] == "trade"
    )


def watermark_ms(bootstrap: str, topic: str, delay_ms: int) -> int:
    """The watermark that the jobs must have reached: the slowest partition's last time - delay.

    Every record of the topic counts, heartbeats too, for they are what moves time. Partitions
    that never had a record are idle for ever and are left out.
    """
    newest: dict[int, int] = {}
    for record in records(bootstrap, topic):
        newest[record.partition] = max(newest.get(record.partition, 0), record.timestamp)
    return min(newest.values(), default=0) - delay_ms - 1


def records(bootstrap: str, topic: str) -> Any:
    """Everything that is in the topic now, from the first offset to the present end."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, consumer_timeout_ms=_IDLE_MS
    )
    try:
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise LookupError(f"no topic {topic} on {bootstrap}")
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(part) < ends[part] for part in partitions):
            for batch in consumer.poll(timeout_ms=_IDLE_MS, max_records=5000).values():
                yield from batch
    finally:
        consumer.close()
