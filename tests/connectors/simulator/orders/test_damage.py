"""Damaged records: each kind is what its name says, and none is sound."""

import contextlib
import json
from random import Random

import pytest

from connectors.simulator.orders import damage

FIELDS = {
    "order_id": "a",
    "amount": "1.50",
    "category": "東京",
    "event_time": "2026-03-08T00:00:00Z",
}
KINDS = damage.kinds(FIELDS, "event_time")


@pytest.mark.parametrize("name", KINDS)
def test_damage_changes_the_record(name: str) -> None:
    """No kind gives back the object that it was given."""
    value = KINDS[name](FIELDS)
    # json.loads guesses at UTF-16, which a record may not be.
    with contextlib.suppress(ValueError, RecursionError):
        assert json.loads(value.decode("utf-8")) != FIELDS


def test_every_field_gets_every_wrong_type() -> None:
    """NULL, booleans, containers, NUL and the empty text in the place of each field."""
    for name in FIELDS:
        wrong = [each for each in KINDS if each.startswith(f"{name} is ")]
        assert len(wrong) >= 10


def test_a_choice_is_repeatable() -> None:
    """The same random numbers damage in the same way."""
    assert damage.damaged(Random(1), FIELDS, "event_time") == damage.damaged(
        Random(1), FIELDS, "event_time"
    )
