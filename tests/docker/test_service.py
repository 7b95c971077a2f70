"""What all services have in common."""

import socket
from pathlib import Path

import pytest

from docker.local.kafka import Kafka
from docker.local.service import ServiceError
from docker.local.settings import load


def test_a_port_that_another_process_holds_is_refused(tmp_path: Path) -> None:
    """A foreign service must not answer for ours: the error names the port and the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = Kafka(load(market_streams_state=tmp_path, kafka_port=port))
        with pytest.raises(ServiceError, match=rf"port {port} is taken .* choose another"):
            service.start()
    assert service.process.find() is None
