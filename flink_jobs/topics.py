"""Topics that the runner makes: those of models, of alerts and of late rows."""

import time
from collections.abc import Iterable, Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from flink_jobs.catalog import Topic
from flink_jobs.errors import JobError

TIMEOUT_MS = 10_000
"""How long a broker may take to answer first."""


def ensure(servers: str, topics: Mapping[str, Topic]) -> list[str]:
    """Make the topics that are missing; names of those made. JobError if the broker refuses."""
    try:
        admin = KafkaAdminClient(bootstrap_servers=servers, bootstrap_timeout_ms=TIMEOUT_MS)
    except KafkaError as error:
        raise _no_broker(servers, error) from None
    try:
        missing = sorted(set(topics) - set(admin.list_topics()))
        for name in missing:
            _create(admin, name, topics[name])
        return missing
    finally:
        admin.close()


def cluster_id(servers: str) -> str:
    """Identity of the Kafka cluster: offsets hold for it alone. JobError if it does not answer."""
    try:
        admin = KafkaAdminClient(bootstrap_servers=servers, bootstrap_timeout_ms=TIMEOUT_MS)
    except KafkaError as error:
        raise _no_broker(servers, error) from None
    try:
        return str(admin.describe_cluster()["cluster_id"])
    finally:
        admin.close()


def head_lost(servers: str, names: Iterable[str], seconds: float = 10) -> int | None:
    """Time of the oldest records still there, in ms, if older ones have been deleted.

    Of all partitions that lost their head the newest such time; None if none did. A partition
    that has been emptied tells nothing and is left out.
    """
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=servers, group_id=None, bootstrap_timeout_ms=TIMEOUT_MS
        )
    except KafkaError as error:
        raise _no_broker(servers, error) from None
    try:
        partitions = [
            TopicPartition(name, number)
            for name in names
            for number in consumer.partitions_for_topic(name) or ()
        ]
        first = consumer.beginning_offsets(partitions) if partitions else {}
        end = consumer.end_offsets(partitions) if partitions else {}
        cut = {p for p in partitions if 0 < first[p] < end[p]}
        return _first_times(consumer, cut, seconds)
    finally:
        consumer.close()


def _first_times(consumer: KafkaConsumer, cut: set[TopicPartition], seconds: float) -> int | None:
    """The newest among the first records' times of these partitions."""
    found: dict[TopicPartition, int] = {}
    deadline = time.monotonic() + seconds
    while (open_ones := cut - set(found)) and time.monotonic() < deadline:
        consumer.assign(sorted(open_ones))
        consumer.seek_to_beginning()
        for partition, records in consumer.poll(timeout_ms=500, max_records=1).items():
            found[partition] = records[0].timestamp
    if cut - set(found):
        raise JobError(f"no answer from {sorted(cut - set(found))[0]} within {seconds:g} s")
    return max(found.values(), default=None)


def _no_broker(servers: str, error: KafkaError) -> JobError:
    return JobError(
        f"no Kafka broker at {servers}: {error}\n"
        "  to do: start one (`make up`), or set KAFKA_BOOTSTRAP_SERVERS"
    )


def _create(admin: KafkaAdminClient, name: str, topic: Topic) -> None:
    new = NewTopic(name, topic.partitions, 1, topic_configs=topic.config)
    try:
        admin.create_topics([new])
    except TopicAlreadyExistsError:
        return  # another submission was faster
    except KafkaError as error:
        raise JobError(f"cannot make the topic {name}: {error}") from None
