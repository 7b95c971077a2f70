"""The start of a job over a log whose oldest records are gone, on the real broker."""

from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from flink_jobs import topics
from flink_jobs.catalog import Topic
from flink_jobs.errors import JobError
from flink_jobs.start import after_lost_head

pytestmark = pytest.mark.integration
NAME = "jobs-start.market.trades"
START = 1_772_000_000_000


@pytest.fixture
def log(stack: Any) -> AdminClient:
    """A topic of two partitions with ten records each, one a second."""
    admin = AdminClient({"bootstrap.servers": stack.bootstrap})
    admin.create_topics([NewTopic(NAME, 2, 1, config={"retention.ms": "-1"})])[NAME].result()
    producer = Producer({"bootstrap.servers": stack.bootstrap})
    for number in range(20):
        stamp = START + number // 2 * 1000
        producer.produce(NAME, b"{}", partition=number % 2, timestamp=stamp)
    assert producer.flush(10) == 0
    return admin


def test_a_log_that_lost_its_head_tells_its_oldest_time(stack: Any, log: AdminClient) -> None:
    """Whole: nothing to heed. Cut: the newest time among the partitions' oldest records."""
    assert topics.head_lost(stack.bootstrap, [NAME]) is None
    cut = [TopicPartition(NAME, 0, 3), TopicPartition(NAME, 1, 7)]
    for done in log.delete_records(cut).values():
        done.result()
    oldest = topics.head_lost(stack.bootstrap, [NAME])
    assert oldest == START + 7000
    assert after_lost_head(oldest, [], 5) == "2026-02-25T06:13:32+00:00"


def test_topics_are_made_once(stack: Any) -> None:
    """A second call finds what the first has made."""
    wanted = {"jobs-start.made": Topic(3, {"cleanup.policy": "compact"})}
    assert topics.ensure(stack.bootstrap, wanted) == ["jobs-start.made"]
    assert topics.ensure(stack.bootstrap, wanted) == []


def test_a_broker_that_does_not_answer_is_told_with_the_remedy() -> None:
    """No stack, but the address and what to do."""
    with pytest.raises(JobError, match="make up"):
        topics.ensure("127.0.0.1:1", {})
