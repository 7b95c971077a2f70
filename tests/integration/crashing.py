"""Programs that kill themselves: each step of the exactly-once helpers may be the last.

    python -m tests.integration.crashing transaction|sink BOOTSTRAP TOPIC STEP RECORDS [DSN SCHEMA]

Ends by SIGKILL after the first STEP of the middle record, or with status 0 once RECORDS are done.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from connectors.kafka.offset_sink import OffsetSink, upsert
from connectors.kafka.transactions import ExactlyOnce, Output

LIMIT = 40.0
"""Seconds after which the program gives up."""


def killer(step: str, after: int) -> Callable[[str], None]:
    """A function that kills this process when it hears of ``step`` for the n-th time."""
    heard = [0]

    def hear(name: str) -> None:
        if name == step:
            heard[0] += 1
            if heard[0] == after:
                os.kill(os.getpid(), signal.SIGKILL)

    return hear


def run_transaction(bootstrap: str, topic: str, step: str, wanted: int) -> None:
    """Copy ``topic`` into ``topic.out``, one record a transaction."""
    worker = ExactlyOnce(
        bootstrap,
        topic,
        f"{topic}-group",
        "worker-1",
        lambda record: [Output(f"{topic}.out", record.key, b"paid " + record.value)],
        killer(step, 2),
    )
    deadline = time.monotonic() + LIMIT
    done = 0
    while done < wanted and time.monotonic() < deadline:
        taken = worker.run_once(0.5, most=1)
        done += taken
        if not taken and _finished(worker, topic):
            break
    worker.close()


def _finished(worker: ExactlyOnce, topic: str) -> bool:
    """Whether the group's position is the end of the topic."""
    where = TopicPartition(topic, 0)
    consumer: Any = worker._consumer
    return bool(consumer.committed(where) == consumer.end_offsets([where])[where])


def run_sink(bootstrap: str, topic: str, step: str, dsn: str, schema: str) -> None:
    """Add the records' amounts to one row, reading all of the topic each time."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    where = TopicPartition(topic, 0)
    consumer.assign([where])
    consumer.seek_to_beginning(where)
    end = consumer.end_offsets([where])[where]
    with OffsetSink(f"{dsn}?options=-csearch_path%3D{schema}", "totals", killer(step, 2)) as sink:
        while consumer.position(where) < end:
            for record in consumer.poll(timeout_ms=500).get(where, ()):
                sink.apply(record, lambda cursor, record=record: _add(cursor, record))
    consumer.close()


def _add(cursor: Any, record: Any) -> None:
    cursor.execute("SELECT total FROM totals WHERE customer = 'c'")
    row = cursor.fetchone()
    total = (row[0] if row else 0) + int(record.value)
    upsert(cursor, "totals", ["customer"], {"customer": "c", "total": total})


if __name__ == "__main__":
    what, address, name, at, count, *rest = sys.argv[1:]
    if what == "transaction":
        run_transaction(address, name, at, int(count))
    else:
        run_sink(address, name, at, *rest)
