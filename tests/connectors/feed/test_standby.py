"""The key of a partition's lock."""

from connectors.feed.standby import CHECK, HAND_OVER, STATEMENT_TIMEOUT, lock_key
from connectors.kafka.topics import WRITERS


def test_each_partition_has_a_lock_of_its_own() -> None:
    """Stable over processes, apart for every writer and prefix, within 32 signed bits."""
    keys = {lock_key(prefix, *writer) for prefix in ("", "demo.") for writer in WRITERS}
    assert len(keys) == 2 * len(WRITERS)
    assert all(-(2**31) <= key < 2**31 for key in keys)
    assert lock_key("", "binance", 0) == 1_311_861_449


def test_an_owner_notices_before_another_begins() -> None:
    """A lost database is seen within the time that a new owner waits."""
    assert CHECK + STATEMENT_TIMEOUT < HAND_OVER
