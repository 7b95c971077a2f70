"""Waiting for the end of a pause, and for a slot."""

import asyncio
import threading

import pytest

from dags.batch import trigger
from dags.batch.controller import BatchController
from dags.batch.slots import slot
from dags.batch.trigger import PauseTrigger, StatusBoard
from tests.dags.batch.market import add_execution, add_stock
from tests.dags.conftest import BatchDatabase

pytestmark = [pytest.mark.airflow, pytest.mark.integration]


@pytest.fixture
def paused(database: BatchDatabase, monkeypatch: pytest.MonkeyPatch) -> int:
    """A paused execution, asked for often, on a board of its own."""
    monkeypatch.setattr(trigger, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(trigger, "BOARD", StatusBoard())
    add_stock(database.connection, "7203")
    execution = add_execution(database.connection, ["7203"])
    BatchController(database.connection).pause(execution, by="ada")
    return execution


@pytest.mark.parametrize(("order", "status"), [("resume", "running"), ("stop", "stopped")])
async def test_fires_at_the_end_of_the_pause(
    database: BatchDatabase, paused: int, order: str, status: str
) -> None:
    """Not before; whatever ends it. All who wait share one connection."""
    waiting = [PauseTrigger("batch_1") for _ in range(20)]
    events = [asyncio.ensure_future(anext(one.run())) for one in waiting]
    done, _ = await asyncio.wait(events, timeout=0.4)
    assert not done
    with database.connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'batch'")
        assert cursor.fetchone() == (2,)  # the board's and the test's own
    getattr(BatchController(database.connection), order)(paused, by="ada")
    found = await asyncio.wait_for(asyncio.gather(*events), 5)
    assert [event.payload for event in found] == [{"status": status}] * 20


async def test_a_lost_database_ends_no_pause(database: BatchDatabase, paused: int) -> None:
    """Its connection is cut while it waits; it goes on waiting."""
    event = asyncio.ensure_future(anext(PauseTrigger("batch_1").run()))
    await asyncio.sleep(0.2)
    with database.connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'batch' AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone() == (1,)
    await asyncio.sleep(0.3)
    assert not event.done()
    BatchController(database.connection).resume(paused, by="ada")
    assert (await asyncio.wait_for(event, 5)).payload == {"status": "running"}


def test_serialized(paused: int) -> None:
    """The triggerer makes it again from a class name and arguments."""
    path, arguments = PauseTrigger("batch_1").serialize()
    assert (path, arguments) == ("dags.batch.trigger.PauseTrigger", {"batch_id": "batch_1"})


def test_slots(database: BatchDatabase) -> None:
    """The third of three waits until one of two slots is free."""
    third = threading.Event()

    def wait() -> None:
        with slot(1, 2, lambda: False) as taken:
            assert taken
            third.set()

    waiting = threading.Thread(target=wait)
    with slot(1, 2, lambda: False) as first:
        with slot(1, 2, lambda: False) as second, slot(2, 1, lambda: False) as other:
            assert first and second and other
            waiting.start()
            assert not third.wait(0.7)
        assert third.wait(5)
    waiting.join()


def test_who_is_told_to_end_waits_no_longer(database: BatchDatabase) -> None:
    """A task that gets SIGTERM while it waits for a slot."""
    with slot(1, 1, lambda: False), slot(1, 1, lambda: True) as taken:
        assert not taken
