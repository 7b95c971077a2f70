"""News of the batch on a real PostgreSQL: who hears what, and what happens to the slow."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest

from dags.batch.controller import BatchController
from dags.batch.database import connect
from dags.batch.engine import BatchEngine
from dags.batch.errors import DatabaseUnavailable, UnknownBatch
from dags.batch.live import Hub, TooManyWatchers, Trouble, Watcher
from dags.batch.models import Mode
from dags.batch.progress import ProgressManager
from tests.dags.conftest import BatchDatabase

pytestmark = pytest.mark.integration

PATIENCE = 10.0


def read(connection: Any, number: int) -> dict[str, Any] | None:
    """Progress of an execution of this schema."""
    try:
        return ProgressManager(connection).snapshot(number)
    except UnknownBatch:
        return None


@contextmanager
def hub_of(limit: int = 10) -> Iterator[Hub]:
    """A hub whose thread has ended before the test's schema is dropped."""
    hub = Hub(lambda: connect(autocommit=True), read, limit)
    yield hub
    for watcher in list(hub._watchers):
        hub.leave(watcher)
    if hub._thread:
        hub._thread.join(PATIENCE)


def start(*codes: str) -> int:
    """An execution on which nobody works."""
    engine = BatchEngine()
    return engine.find(engine.start_batch(codes, mode=Mode.SYMBOLS)).id


async def join(hub: Hub, only: int | None = None) -> Watcher:
    """A watcher that hears of all that happens from now on."""
    watcher = hub.join(only)
    assert await asyncio.to_thread(hub.wait, PATIENCE)
    return watcher


async def hear(watcher: Watcher, status: str) -> list[dict[str, Any]]:
    """All messages up to the first one with that status."""
    heard: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE):
        while not heard or heard[-1]["status"] != status:
            heard += [json.loads(message) for message in await watcher.take()]
    return heard


async def test_two_processes_hear_of_the_same_order(database: BatchDatabase) -> None:
    """Each API server has a hub of its own; both learn of what a third connection did."""
    number = start("7203")
    with hub_of() as one, hub_of() as other:
        watchers = [await join(one), await join(other)]
        BatchController(database.connection).pause(number, "ada")
        for watcher in watchers:
            assert (await hear(watcher, "paused"))[-1]["id"] == number


async def test_slow_watcher_gets_the_newest_state_only(database: BatchDatabase) -> None:
    """Twenty changes that it slept through are one message."""
    number = start("7203")
    controller = BatchController(database.connection)
    with hub_of() as hub:
        slow, quick = await join(hub), await join(hub)
        for _ in range(10):
            controller.pause(number, "ada")
            controller.resume(number, "ada")
        controller.stop(number, "ada")
        await hear(quick, "stopped")
        await asyncio.sleep(0)
        messages = await slow.take()
        assert [json.loads(message)["status"] for message in messages] == ["stopped"]


async def test_watcher_of_one_execution_hears_of_no_other(database: BatchDatabase) -> None:
    """What is told of others passes by."""
    wanted, other = start("7203"), start("6758")
    controller = BatchController(database.connection)
    with hub_of() as hub:
        watcher = await join(hub, wanted)
        controller.stop(other, "ada")
        controller.stop(wanted, "ada")
        assert {each["id"] for each in await hear(watcher, "stopped")} == {wanted}


async def test_watchers_are_limited(database: BatchDatabase) -> None:
    """One too many is refused; one that left makes room."""
    with hub_of(limit=1) as hub:
        first = hub.join()
        with pytest.raises(TooManyWatchers, match="close one"):
            hub.join()
        hub.leave(first)
        hub.join()


async def test_lost_connection_is_told_and_made_again(database: BatchDatabase) -> None:
    """The server ends the listener: its watchers are told, those who come back hear again."""
    number = start("7203")
    with hub_of() as hub:
        watcher = await join(hub)
        await asyncio.to_thread(end_listener, database)
        with pytest.raises(Trouble):
            async with asyncio.timeout(PATIENCE):
                while True:
                    await watcher.take()
        hub.leave(watcher)
        again = await join(hub)
        BatchController(database.connection).stop(number, "ada")
        assert (await hear(again, "stopped"))[-1]["id"] == number


def end_listener(database: BatchDatabase) -> None:
    """End the backend that listens, as a restart of the server would."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with database.connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'batch' AND pid <> pg_backend_pid()"
            )
            if cursor.rowcount:
                return
        time.sleep(0.05)
    pytest.fail("nobody listens")


async def test_foreign_notes_are_ignored(database: BatchDatabase) -> None:
    """Words, numbers of other schemas: the channel belongs to the whole database."""
    number = start("7203")
    with hub_of() as hub:
        watcher = await join(hub)
        with database.connection.cursor() as cursor:
            for payload in ("", "no number", "²", "999999"):
                cursor.execute("SELECT pg_notify('batch_progress', %s)", (payload,))
        BatchController(database.connection).stop(number, "ada")
        assert (await hear(watcher, "stopped"))[-1]["id"] == number


async def test_unreachable_database_is_told(database: BatchDatabase) -> None:
    """A hub that cannot connect says why instead of keeping silent."""

    def refuse() -> psycopg2.extensions.connection:
        raise DatabaseUnavailable("start it (`make up`)")

    hub = Hub(refuse, read)
    watcher = hub.join()
    with pytest.raises(Trouble, match="make up"):
        async with asyncio.timeout(PATIENCE):
            await watcher.take()
    hub.leave(watcher)
