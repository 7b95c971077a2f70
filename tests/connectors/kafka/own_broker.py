"""A broker that a test may stop and start; the one of the stack serves others too."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docker.local.kafka import Kafka
from tests.integration.conftest import own_settings


@contextmanager
def own_broker() -> Iterator[Kafka]:
    """A running broker on a free port, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="market-streams-broker-") as folder:
        kafka = Kafka(own_settings(Path(folder)))
        kafka.start()
        try:
            yield kafka
        finally:
            kafka.stop()


def address(kafka: Kafka) -> str:
    """What clients take as bootstrap server."""
    return kafka.settings.bootstrap
