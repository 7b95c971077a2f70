"""Makes the topics of the contract; what exists is kept."""

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import (
    InvalidPartitionsError,
    KafkaError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
)

from connectors.kafka.security import check_access, unreachable
from connectors.kafka.topics import TOPICS, Topic

logger = logging.getLogger(__name__)

GROWTH = 10.0
"""Seconds within which a broker tells of new partitions."""


def ensure_topics(
    bootstrap: str,
    prefix: str = "",
    topics: Iterable[Topic] = TOPICS,
    security: Mapping[str, Any] | None = None,
) -> list[str]:
    """Create what is missing and add partitions where the contract has grown; data stays.

    Args:
        bootstrap: Address of a broker.
        prefix: Put before each name.
        topics: What must be there.
        security: Options of `connectors.kafka.security.kafka_python_security`.

    Returns:
        Full names of the topics that were created or grown.

    Raises:
        BrokerUnreachable: Where no broker answers within 5 s.
        ConfigurationError: Where it refuses our login, or we its certificate.
    """
    check_access(bootstrap, security)
    wanted = {prefix + topic.name: topic for topic in topics}
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=bootstrap, bootstrap_timeout_ms=5_000, **(security or {})
        )
    except (KafkaError, OSError) as error:
        raise unreachable(bootstrap, error) from error
    try:
        existing = set(admin.list_topics())
        created = _create(admin, {n: t for n, t in wanted.items() if n not in existing})
        # Those that another process has made meanwhile too: it may need fewer partitions.
        return created + _grow(admin, {n: t for n, t in wanted.items() if n not in created})
    except KafkaError as error:
        raise unreachable(bootstrap, error) from error
    finally:
        admin.close()


def _create(admin: KafkaAdminClient, missing: dict[str, Topic]) -> list[str]:
    """Create topics; another process that does the same at the same time is no fault."""
    created = []
    for name, topic in missing.items():
        try:
            admin.create_topics(
                {name: {"num_partitions": topic.partitions, "configs": topic.config}},
                wait_for_metadata=True,
            )
            created.append(name)
        except TopicAlreadyExistsError:
            continue
    return created


def _grow(admin: KafkaAdminClient, present: dict[str, Topic]) -> list[str]:
    """Add partitions where there are fewer than declared; never take any away."""
    if not present:
        return []
    grown = _too_small(admin, present)
    for name, partitions in grown.items():
        try:
            admin.create_partitions({name: partitions})
        except InvalidPartitionsError:  # another process was faster
            continue
    # A producer that opens before the broker tells of the new partitions has its records refused.
    deadline = time.monotonic() + GROWTH
    while grown and _too_small(admin, {name: present[name] for name in grown}):
        if time.monotonic() > deadline:
            raise KafkaTimeoutError(f"no new partitions of {', '.join(grown)} after {GROWTH:g} s")
        time.sleep(0.05)
    return list(grown)


def _too_small(admin: KafkaAdminClient, topics: Mapping[str, Topic]) -> dict[str, int]:
    """Partitions wanted, by topic, where there are fewer now."""
    return {
        described["name"]: topics[described["name"]].partitions
        for described in admin.describe_topics(list(topics))
        if len(described["partitions"]) < topics[described["name"]].partitions
    }
