"""Where records go, and what the ledger says of them."""

import base64
import json

from connectors.simulator.orders.stream import Record, stream
from connectors.simulator.orders.world import Settings
from connectors.simulator.orders.writer import PARTITIONS, line, partitions

RECORDS = list(stream(Settings(0, 600, rate=1, corrupt=0.1)))


def first(kind: str) -> Record:
    """A record of a kind."""
    return next(record for record in RECORDS if record.kind == kind)


def test_a_heartbeat_goes_into_every_partition() -> None:
    """Windows wait for the slowest partition, so each needs its own."""
    beat = next(r for r in RECORDS if r.kind == "heartbeat" and r.topic == "order-events")
    assert partitions(beat) == [0, 1, 2]


def test_a_key_has_one_partition() -> None:
    """Records of a customer keep their order; all partitions are used."""
    used: dict[str, set[int]] = {}
    for record in RECORDS:
        if record.kind == "event" and record.topic == "order-events":
            used.setdefault(record.key, set()).update(partitions(record))
    assert all(len(each) == 1 for each in used.values())
    assert set.union(*used.values()) == set(range(PARTITIONS["order-events"]))


def test_the_ledger_keeps_fields_of_sound_and_bytes_of_corrupted_records() -> None:
    """Whoever checks the reader knows what it must find, to the byte."""
    sound = first("event")
    assert json.loads(line(sound))["fields"] == sound.fields
    corrupted = json.loads(line(first("corrupt")))
    assert base64.b64decode(corrupted["value"]) == first("corrupt").value
    assert corrupted["note"]
