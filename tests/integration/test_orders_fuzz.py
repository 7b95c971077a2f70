"""Ten thousand records that somebody broke: each is an order or a dead letter, and no job stops."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from connectors.simulator.orders import damage
from flink_jobs.submit import submit
from tests.integration.job_stage import Stage, until

pytestmark = [pytest.mark.integration, pytest.mark.long]
RECORDS = 10_000
TOKENS = (b"\0", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"null", b"1e400", b"[" * 50)
STAMP = 1_772_928_000_000


def sound(random: Random, number: int) -> dict[str, Any]:
    """An order with an id that no mistake makes out of another."""
    return {
        "order_id": f"{random.getrandbits(64):016x}-{number}",
        "customer_id": f"cust-{number % 10}",
        "amount": f"{number % 500}.25",
        "category": "東京",
        "event_time": "2026-03-08T00:00:00.000Z",
    }


def flip(random: Random, value: bytes) -> bytes:
    """Some bytes changed."""
    found = bytearray(value)
    for _ in range(random.randint(1, 4)):
        found[random.randrange(len(found))] = random.randrange(256)
    return bytes(found)


def insert(random: Random, value: bytes) -> bytes:
    """A token where none belongs."""
    place = random.randrange(len(value))
    return value[:place] + random.choice(TOKENS) + value[place:]


def cut(random: Random, value: bytes) -> bytes:
    """A piece taken out."""
    place = random.randrange(len(value))
    return value[:place] + value[place + random.randint(1, 20) :]


WAYS: tuple[Callable[[Random, bytes], bytes], ...] = (flip, insert, cut)


def test_each_of_ten_thousand_fuzzed_records_is_a_row_or_a_dead_letter(
    stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows and dead letters add up to just the records written, and nothing was restarted."""
    stage = Stage(stack, monkeypatch, "orders_fuzz")
    random = Random(11)
    stage.generate("--start 2026-03-08T00:00:00Z --for 1s --rate 0.001 --speed max")
    certain = 0
    for number in range(RECORDS):
        fields = sound(random, number)
        if number % 4 == 0:
            _, value = damage.damaged(random, fields, "event_time")
            certain += 1
        else:
            value = random.choice(WAYS)(random, json.dumps(fields, ensure_ascii=False).encode())
        stage.publish("order-events", value, STAMP)
        stage.producer.poll(0)
    assert stage.producer.flush(60) == 0
    try:
        jobs = submit(stage.settings, ["--job", "orders", "--job", "customers"])

        def counted() -> tuple[int, int]:
            orders = sum(row["total_orders"] for row in stage.rows("customer_metrics"))
            return orders, len(stage.rows("order_dead_letters"))

        until(lambda: sum(counted()) >= RECORDS, "rows and dead letters", 120)
        orders, dead = counted()
        assert orders + dead == RECORDS
        assert dead >= certain
        assert orders > 100
        assert [stage.restarts(identity) for identity in jobs.values()] == [0, 0]
    finally:
        stage.end()
