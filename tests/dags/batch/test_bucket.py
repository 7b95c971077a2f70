"""The token bucket in a row of PostgreSQL."""

import threading
import time

import pytest

from dags.batch.bucket import TokenBucket, configure
from dags.batch.database import Database
from dags.batch.pace import Pacer
from tests.dags.batch.parts import rows
from tests.dags.conftest import BatchDatabase

pytestmark = pytest.mark.integration


def bucket_with(
    database: BatchDatabase, rate: float, burst: int, wait: float = 60, wait_max: float = 900
) -> TokenBucket:
    """A full bucket."""
    own = Database(database.settings)
    own.run(lambda cursor: configure(cursor, rate, burst))
    return TokenBucket(own, wait, wait_max)


def test_calls_are_promised_at_the_rate(database: BatchDatabase) -> None:
    """The burst at once, then one after the other."""
    bucket = bucket_with(database, rate=10, burst=3)
    waits = [bucket.take().wait for _ in range(6)]
    assert waits[:3] == [0, 0, 0]
    for number, wait in enumerate(waits[3:], 1):
        assert wait == pytest.approx(number / 10, abs=0.05)


def test_many_workers_keep_the_rate_together(database: BatchDatabase) -> None:
    """Eight workers, 44 calls, burst 20, 20 a second: (44 - 20) / 20 seconds."""
    bucket_with(database, rate=20, burst=20)
    made: list[float] = []

    def call() -> None:
        bucket = TokenBucket(Database(database.settings))
        pacer = Pacer(bucket, lambda: False)
        while len(made) < 44:
            pacer.throttle()
            made.append(time.monotonic())
        bucket.database.close()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made[43] - made[0] == pytest.approx(1.2, abs=0.25)


def test_a_token_that_was_not_used_comes_back(database: BatchDatabase) -> None:
    """The next one may have it at once."""
    bucket = bucket_with(database, rate=0.1, burst=1)
    pacer = Pacer(bucket, lambda: False)
    pacer.reserve()
    pacer.give_back()
    pacer.give_back()
    assert bucket.take().wait == 0
    assert bucket.take().wait > 5


def test_a_429_holds_everybody_back(database: BatchDatabase) -> None:
    """The pause doubles up to its limit, the rate is halved down to an eighth."""
    bucket = bucket_with(database, rate=8, burst=20, wait=60, wait_max=200)
    pauses = [bucket.push_back(bucket.take()) for _ in range(5)]
    assert pauses == [60, 120, 200, 200, 200]
    assert rows(database, "SELECT rate, base_rate FROM rate_limits") == [(1, 8)]
    assert bucket.take().wait == pytest.approx(202, abs=3)


def test_one_storm_counts_once(database: BatchDatabase) -> None:
    """Workers whose calls were out already when the first 429 came do not double the pause."""
    bucket = bucket_with(database, rate=8, burst=20)
    tickets = [bucket.take() for _ in range(5)]
    assert [bucket.push_back(ticket) for ticket in tickets] == [60, 0, 0, 0, 0]
    assert bucket.void(tickets[4])
    assert not bucket.void(bucket.take())


def test_an_answer_ends_the_storm(database: BatchDatabase) -> None:
    """But only to a call that was promised after it."""
    bucket = bucket_with(database, rate=8, burst=20)
    before = bucket.take()
    bucket.push_back(bucket.take())
    bucket.succeeded(before)
    assert rows(database, "SELECT throttled FROM rate_limits") == [(1,)]
    bucket.succeeded(bucket.take())
    assert rows(database, "SELECT throttled FROM rate_limits") == [(0,)]


def test_the_rate_comes_back(database: BatchDatabase) -> None:
    """After twice the pause."""
    bucket = bucket_with(database, rate=100, burst=1, wait=0.1)
    bucket.push_back(bucket.take())
    bucket.take()
    assert rows(database, "SELECT rate FROM rate_limits") == [(50,)]
    time.sleep(0.25)
    bucket.take()
    assert rows(database, "SELECT rate FROM rate_limits") == [(100,)]


def test_a_new_batch_sets_the_rate(database: BatchDatabase) -> None:
    """Also of a bucket that exists; tokens do not exceed the new burst."""
    bucket = bucket_with(database, rate=100, burst=50)
    bucket.refused()
    bucket_with(database, rate=2, burst=3)
    assert rows(database, "SELECT rate, base_rate, burst, tokens, refused FROM rate_limits") == [
        (2, 2, 3, 3, 0)
    ]


def test_refusals_in_a_row_are_counted(database: BatchDatabase) -> None:
    """From their first one on; an answer starts anew."""
    bucket = bucket_with(database, rate=8, burst=20)
    first, second = bucket.refused(), bucket.refused()
    assert (first.number, second.number) == (1, 2)
    assert first.since == second.since
    bucket.succeeded(bucket.take())
    assert bucket.refused().number == 1
