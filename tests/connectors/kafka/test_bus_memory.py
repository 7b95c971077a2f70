"""The event bus over the transport in memory keeps the contract."""

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.kafka.bus import EventBus
from connectors.kafka.bus_memory import MemoryTransport
from tests.connectors.kafka.bus_contract import BusContract, Buses


@pytest.fixture
def buses() -> Iterator[Buses]:
    """Buses over one log."""
    transport, opened = MemoryTransport(), []

    def open_bus(**options: Any) -> EventBus:
        opened.append(EventBus(transport, **options))
        return opened[-1]

    def dead_letters() -> list[tuple[bytes, dict[str, str]]]:
        return [
            (record.value or b"", {name: value.decode() for name, value in record.headers})
            for record in transport.records("bus.dead-letters")
        ]

    yield Buses(open_bus, lambda: transport, dead_letters)
    for bus in opened:
        bus.stop(timeout=1)


class TestMemoryBus(BusContract):
    """All of the contract."""
