"""Active and standby: of several processes for one (venue, shard) only one may publish.

The owner holds a PostgreSQL advisory lock; PostgreSQL frees it when the owner's connection ends,
so a process that was killed is followed within about a second, and one that only lost the database
stops publishing before another can begin: it looks at its connection each `CHECK` seconds, and a
standby that has just got the lock waits `HAND_OVER` seconds first.

No password is in the address: libpq reads the file that PGPASSFILE names.
"""

import asyncio
import logging
import time
import zlib
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from connectors.errors import ConfigurationError

logger = logging.getLogger(__name__)

CLASS_ID = 0x6D73
"""First half of the advisory lock's key: ours; the second is the partition's."""
POLL = 0.25
"""Seconds between two tries of a standby."""
CHECK = 0.5
"""Seconds between two looks of the owner at its connection."""
HAND_OVER = 2.0
"""Seconds that a new owner waits before it reads the log: longer than `CHECK` and a round trip."""
STATEMENT_TIMEOUT = 1.0
"""Seconds after which a database that does not answer counts as lost."""
LAST_FLUSH = 0.5
"""Seconds that an owner that has lost the lock has for what is under way to Kafka: the lock may be
another's since `CHECK` + `STATEMENT_TIMEOUT`, and all three end within `HAND_OVER`. What is left
then is not sent: the new owner does not find it in the log and asks REST for it."""


def lock_key(topic_prefix: str, exchange: str, shard: int) -> int:
    """Second half of the lock's key: one per partition and prefix, 32 bits, signed."""
    value = zlib.crc32(f"{topic_prefix}|{exchange}|{shard}".encode())
    return value - (1 << 32) if value >= 1 << 31 else value


class Stop(asyncio.Event):
    """Ends a feed; set by `at_once` where another process may publish soon."""

    patience: float | None = None
    """Most seconds for what is under way to Kafka; None: what the settings say."""

    def at_once(self, patience: float) -> None:
        """Set it, with little time."""
        self.patience = patience
        self.set()


class OwnershipLost(Exception):
    """The connection that held the lock is gone: another process may publish now."""


class Ownership:
    """The advisory lock of one partition.

    Args:
        url: libpq address of the database.
        key: From `lock_key`.
    """

    def __init__(self, url: str, key: int) -> None:
        self._url = url
        self._key = key
        self._connection: Connection | None = None

    async def acquire(self) -> bool:
        """Wait, as long as it takes, until the lock is ours; True where another had it before."""
        waited = False
        while True:
            state = await asyncio.to_thread(self._try)
            if state:
                return waited
            if not waited:
                logger.info("standby: another process has the partition")
            waited = True
            await asyncio.sleep(POLL)

    def _try(self) -> bool:
        """Try once. ConfigurationError where the database cannot be reached at the first try."""
        first = self._connection is None
        try:
            connection = self._connection or self._connect()
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", (CLASS_ID, self._key))
                row = cursor.fetchone()
            self._connection = connection
            return bool(row and row[0])
        except psycopg2.Error as error:
            self.release()
            if first and not isinstance(error, psycopg2.OperationalError):
                raise ConfigurationError(f"STANDBY_DATABASE_URL: {error}") from error
            logger.warning("standby: no database (%s)", str(error).strip())
            return False

    def _connect(self) -> Connection:
        connection = psycopg2.connect(
            self._url,
            connect_timeout=5,
            options=f"-c statement_timeout={round(STATEMENT_TIMEOUT * 1000)}",
            keepalives_idle=2,
            keepalives_interval=1,
            keepalives_count=2,
            tcp_user_timeout=2000,
        )
        connection.autocommit = True
        return connection

    async def watch(self) -> None:
        """Return never; OwnershipLost when the lock's connection is gone or does not answer."""
        while True:
            await asyncio.sleep(CHECK)
            try:
                async with asyncio.timeout(STATEMENT_TIMEOUT):
                    await asyncio.to_thread(self._look)
            except (psycopg2.Error, TimeoutError) as error:
                raise OwnershipLost(str(error).strip() or "the database did not answer") from error

    def _look(self) -> None:
        if self._connection is None:
            raise psycopg2.OperationalError("no connection")
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def release(self) -> None:
        """Give the lock up; PostgreSQL frees it with the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


async def run_as_owner(
    ownership: Ownership,
    work: Callable[[asyncio.Event], Coroutine[Any, Any, int]],
    stop: asyncio.Event,
) -> int:
    """Run ``work`` whenever the lock is ours, until ``stop`` is set; gives the sum of its results.

    ``work`` begins by reading the tail of the log, so it goes on where the former owner ended.
    Where the lock is lost its event, a `Stop`, is set: it publishes nothing any more, ends, and the
    process stands by again.
    """
    total = 0
    while not stop.is_set():
        if not await _before(stop, ownership.acquire()):
            break
        started = time.monotonic()
        await _before(stop, asyncio.sleep(HAND_OVER))
        if stop.is_set():
            break
        logger.info("owner of the partition after %.1f s", time.monotonic() - started)
        total += await _owned(ownership, work, stop)
        ownership.release()
    ownership.release()
    return total


async def _owned(
    ownership: Ownership,
    work: Callable[[asyncio.Event], Coroutine[Any, Any, int]],
    stop: asyncio.Event,
) -> int:
    ending = Stop()
    task = asyncio.create_task(work(ending))
    watch = asyncio.create_task(ownership.watch())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, watch, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if watch.done():
            logger.warning("the partition is lost: %s", watch.exception())
            ending.at_once(LAST_FLUSH)
        ending.set()
        return await task
    finally:
        for each in (watch, stopped, task):
            each.cancel()
        await asyncio.gather(watch, stopped, task, return_exceptions=True)


async def _before(stop: asyncio.Event, waiting: Coroutine[Any, Any, object]) -> bool:
    """Whether ``waiting`` ended before ``stop`` was set; errors of it are raised."""
    task = asyncio.create_task(waiting)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False
