"""Exactly once, proven by killing real processes between any two steps."""

import subprocess
import sys
import uuid

import psycopg2
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from connectors.kafka.admin import ensure_topics
from connectors.kafka.topics import Topic
from docker.local.settings import ROOT
from tests.integration.conftest import RunningStack

pytestmark = pytest.mark.integration

RECORDS = 12
KILLED = -9


@pytest.fixture
def topic(bootstrap: str) -> str:
    """A topic with numbered records, and one for results."""
    name = f"t{uuid.uuid4().hex[:10]}"
    ensure_topics(bootstrap, "", [Topic(name, 1, {}), Topic(f"{name}.out", 1, {})])
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for number in range(RECORDS):
        producer.send(name, b"%d" % number, b"c")
    producer.flush(10)
    producer.close()
    return name


def run(*words: str) -> int:
    """Exit status of one program of `crashing`."""
    command = [sys.executable, "-m", "tests.integration.crashing", *words]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode


def read_committed(bootstrap: str, topic: str) -> list[bytes]:
    """Values that a reader of committed transactions sees."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False
    )
    where = TopicPartition(topic, 0)
    consumer.assign([where])
    consumer.seek_to_beginning(where)
    end = consumer.end_offsets([where])[where]
    values = []
    while consumer.position(where) < end:
        values += [r.value for r in consumer.poll(timeout_ms=300).get(where, ())]
    consumer.close()
    return values


def test_results_are_there_once_whatever_step_the_process_dies_after(
    bootstrap: str, topic: str
) -> None:
    """Killed after each of the steps in turn; the last run goes to the end."""
    for step in ("polled", "begun", "produced", "offsets", "committed"):
        assert run("transaction", bootstrap, topic, step, "99") == KILLED, step
    assert run("transaction", bootstrap, topic, "never", "99") == 0
    assert read_committed(bootstrap, f"{topic}.out") == [b"paid %d" % n for n in range(RECORDS)]


def test_a_sum_in_postgresql_is_right_though_every_record_comes_again(
    stack: RunningStack, bootstrap: str, topic: str
) -> None:
    """Killed between guard, write and commit, and read from the start each time."""
    schema = f"s{uuid.uuid4().hex[:8]}"
    with psycopg2.connect(stack.database_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {schema}")
        cursor.execute(f"CREATE TABLE {schema}.totals (customer TEXT PRIMARY KEY, total BIGINT)")
    arguments = (str(RECORDS), stack.database_url, schema)
    for step in ("guarded", "written", "committed"):
        assert run("sink", bootstrap, topic, step, *arguments) == KILLED, step
    for _ in range(2):
        assert run("sink", bootstrap, topic, "never", *arguments) == 0
    with psycopg2.connect(stack.database_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT total FROM {schema}.totals")
        assert cursor.fetchall() == [(sum(range(RECORDS)),)]
        cursor.execute(f"SELECT last_offset FROM {schema}.sink_offsets")
        assert cursor.fetchall() == [(RECORDS - 1,)]
        cursor.execute(f"DROP SCHEMA {schema} CASCADE")
