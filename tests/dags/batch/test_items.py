"""Claims: leases, fences, and what dead workers left behind."""

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psutil
import pytest
from psycopg2.extensions import cursor as Cursor

from dags.batch import items
from dags.batch.identity import is_dead, worker_name
from dags.batch.items import Spent
from dags.batch.models import Outcome, StockStatus, WorkItem
from dags.batch.state import stock_may_change
from tests.dags.batch.parts import CODES, Bench
from tests.dags.conftest import BatchDatabase

pytestmark = pytest.mark.integration
SPENT = Spent(1, 10)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
CHANGES: dict[StockStatus, Callable[[Cursor, WorkItem], bool]] = {
    StockStatus.COMPLETED: lambda c, item: items.complete(c, item, Outcome.STORED, 1, 1, SPENT),
    StockStatus.FAILED: lambda c, item: items.fail(c, item, "PERMANENT", "x", "x", SPENT),
    StockStatus.PENDING: lambda c, item: (
        items.put_back(c, item)
        or items.forgive_failed(c, item.batch_execution_id, ["x"], LONG_AGO) > 0
    ),
}


class Claims:
    """An execution, and claims on its stocks."""

    def __init__(self, database: BatchDatabase) -> None:
        self.bench = Bench(database)
        self.execution = self.bench.engine.find(self.bench.engine.start_batch(CODES))

    def claim(self, worker: str, lease: float = 60, **more: object) -> WorkItem | None:
        """Claim a stock."""
        return self.bench.engine.database.run(
            lambda cursor: items.claim(cursor, self.execution.id, worker, lease, **more)  # type: ignore[arg-type]
        )

    def complete(self, item: WorkItem | None) -> bool:
        """Complete a claimed stock."""
        assert item
        return self.bench.engine.database.run(
            lambda cursor: items.complete(cursor, item, Outcome.STORED, 1, 1, SPENT)
        )


@pytest.fixture
def claims(database: BatchDatabase) -> Claims:
    """A new execution."""
    return Claims(database)


def test_a_claimed_stock_is_nobody_elses(claims: Claims) -> None:
    """Each worker gets another one, in the list's order, until none is left."""
    taken = [claims.claim(f"host:{number}:1:0") for number in range(5)]
    assert [item and item.stock_code for item in taken] == [*CODES, None]


def test_a_lease_that_ended_is_taken_over(claims: Claims) -> None:
    """And the one who was slow cannot finish it any more."""
    slow = claims.claim("east:1:1:0", lease=0.05)
    time.sleep(0.06)
    other = claims.claim("west:1:1:0")
    assert slow and other and slow.stock_code == other.stock_code
    assert not claims.complete(slow)
    assert claims.complete(other)
    assert not claims.complete(other)


def test_the_stock_of_a_dead_worker_is_taken_at_once(claims: Claims) -> None:
    """Its process has ended, so its lease means nothing."""
    left = claims.claim("east:1:1:0")
    again = claims.claim("east:2:1:0", dead=["east:1:1:0"])
    assert left and again and again.stock_code == left.stock_code
    assert again.lease_token == left.lease_token + 1


def test_a_claim_whose_answer_was_lost_is_taken_again(claims: Claims) -> None:
    """A worker that claims has nothing else, so what bears its name is free."""
    lost, again = claims.claim("east:1:1:0"), claims.claim("east:1:1:0")
    assert lost and again and lost.detail_id == again.detail_id


def test_nothing_is_claimed_of_a_paused_execution(claims: Claims) -> None:
    """Whoever comes a moment after the pause gets nothing."""
    claims.bench.engine.pause_batch(claims.execution.id)
    assert claims.claim("east:1:1:0") is None


def test_a_retry_is_not_due_before_its_delay(claims: Claims) -> None:
    """Others go first; the time until then is known."""
    database = claims.bench.engine.database
    first = claims.claim("east:1:1:0", code=CODES[0])
    assert first
    database.run(lambda cursor: items.put_back(cursor, first, SPENT, delay=30, retried=True))
    for code in CODES[1:]:
        item = claims.claim("east:1:1:0")
        assert item and item.stock_code == code
        claims.complete(item)
    assert claims.claim("east:1:1:0") is None
    left = database.run(lambda cursor: items.remaining(cursor, claims.execution.id, None))
    assert left.pending == 1
    assert left.due_in == pytest.approx(30, abs=1)


def test_renewing_tells_the_executions_state(claims: Claims) -> None:
    """And that a stock was lost."""
    database = claims.bench.engine.database
    item = claims.claim("east:1:1:0", lease=0.01)
    assert item
    assert database.run(lambda cursor: items.renew(cursor, item, 60)) == "running"
    claims.bench.engine.pause_batch(claims.execution.id)
    assert database.run(lambda cursor: items.renew(cursor, item, 60)) == "paused"
    claims.bench.engine.resume_batch(claims.execution.id)
    claims.claim("west:1:1:0", dead=["east:1:1:0"])
    assert database.run(lambda cursor: items.renew(cursor, item, 60)) is None


@pytest.mark.parametrize("new", StockStatus)
@pytest.mark.parametrize("old", StockStatus)
def test_the_tables_obey_the_state_machine(
    claims: Claims, old: StockStatus, new: StockStatus
) -> None:
    """A statement changes a stock's state just where the state machine allows it."""
    item = claims.claim("east:1:1:0", code=CODES[0])
    assert item
    with claims.bench.database.connection.cursor() as cursor:
        cursor.execute(
            "UPDATE batch_execution_details SET status = %s, error_code = 'x', end_time = now() "
            "WHERE id = %s",
            (old.value, item.detail_id),
        )
    if new is StockStatus.PROCESSING:
        changed = claims.claim("west:1:1:0", code=CODES[0]) is not None
    else:
        change = CHANGES[new]
        changed = claims.bench.engine.database.run(lambda cursor: change(cursor, item))
    assert changed is stock_may_change(old, new)


def test_a_name_tells_whether_its_process_lives() -> None:
    """By pid and start time: a reused pid is another process."""
    own = worker_name("east")
    assert own != worker_name("east")
    assert not is_dead(own)
    host, pid, started, number = own.split(":")
    assert is_dead(f"{host}:{pid}:{int(started) - 60}:{number}")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        name = f"a:b:{child.pid}:{int(psutil.Process(child.pid).create_time())}:0"
        assert not is_dead(name)
        child.kill()
        child.wait()
        assert is_dead(name)
