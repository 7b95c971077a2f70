"""What happens to the batch, told to everybody who watches, as it happens.

PostgreSQL says by NOTIFY which execution changed, so each API server learns of changes that any
worker on any host made. One thread a process listens; it reads the progress of what changed once
and hands it to all watchers of this process. A watcher that is slow gets the newest state of each
execution and none of those before.
"""

import asyncio
import json
import logging
import select
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any

import psycopg2

from dags.batch.errors import DatabaseUnavailable
from dags.batch.view import active_executions

CHANNEL = "batch_progress"
MAX_WATCHERS = 100
IDLE_SECONDS = 5.0
"""Without news the running executions are told this often: their end moves on by itself."""
PAUSE_SECONDS = 0.2
"""Rest between two rounds: many stocks that end together are one message."""
LEAVE_SECONDS = 0.5
"""How soon the thread notices that nobody watches any more."""
RETRY_SECONDS = 2.0
OPEN = ("running", "paused")

log = logging.getLogger(__name__)

Connect = Callable[[], Any]
"""Opens a connection in autocommit mode."""
Read = Callable[[Any, int], Mapping[str, Any] | None]
"""(connection, execution id) -> its progress; None if there is no such execution."""


class TooManyWatchers(Exception):
    """The process has as many watchers as it may."""


class Trouble(Exception):
    """There is no news to be had. The text names the remedy."""


class Watcher:
    """The newest message of each execution that its reader has not taken yet."""

    def __init__(self, only: int | None) -> None:
        self.only = only
        self._loop = asyncio.get_running_loop()
        self._fresh = asyncio.Event()
        self._messages: dict[int, str] = {}
        self._trouble: str | None = None

    async def take(self) -> list[str]:
        """Wait for news and take it all, oldest execution first. Trouble if there is none."""
        await self._fresh.wait()
        self._fresh.clear()
        if self._trouble is not None:
            raise Trouble(self._trouble)
        messages, self._messages = self._messages, {}
        return [messages[number] for number in sorted(messages)]

    def tell(self, number: int, message: str) -> None:
        """Give it the state of an execution; callable from any thread."""
        if self.only in (None, number):
            self._call(lambda: self._put(number, message))

    def fail(self, reason: str) -> None:
        """Tell it that there will be no news; callable from any thread."""
        self._call(lambda: self._end(reason))

    def _call(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:  # its loop has ended, and so has its reader
            log.debug("a watcher is gone")

    def _put(self, number: int, message: str) -> None:
        self._messages[number] = message
        self._fresh.set()

    def _end(self, reason: str) -> None:
        self._trouble = reason
        self._fresh.set()


class Hub:
    """All watchers of this process, and the thread that listens for them while there are any."""

    def __init__(self, connect: Connect, read: Read, limit: int = MAX_WATCHERS) -> None:
        self._connect = connect
        self._read = read
        self._limit = limit
        self._lock = threading.Lock()
        self._watchers: set[Watcher] = set()
        self._thread: threading.Thread | None = None
        self._listening = threading.Event()
        self._open: set[int] = set()

    def join(self, only: int | None = None) -> Watcher:
        """A watcher of one execution, or of all. TooManyWatchers beyond the limit.

        It is told what changes from now on. Give it back with `leave`.
        """
        watcher = Watcher(only)
        with self._lock:
            if len(self._watchers) >= self._limit:
                raise TooManyWatchers(f"{self._limit} pages watch already: close one")
            self._watchers.add(watcher)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=CHANNEL, daemon=True)
                self._thread.start()
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """The watcher gets no news any more."""
        with self._lock:
            self._watchers.discard(watcher)

    def wait(self, seconds: float = IDLE_SECONDS) -> bool:
        """Block until changes are heard of, so that what is read then is not old unnoticed."""
        return self._listening.wait(seconds)

    @property
    def watchers(self) -> int:
        """How many there are."""
        return len(self._watchers)

    def _run(self) -> None:
        while not self._deserted():
            try:
                with closing(self._connect()) as connection:
                    self._listen(connection)
            except (psycopg2.Error, DatabaseUnavailable, OSError) as error:
                reason = str(error).strip()
                log.warning("no news of the batch: %s", reason)
                self._listening.clear()
                for watcher in list(self._watchers):
                    watcher.fail(reason)
                time.sleep(RETRY_SECONDS)

    def _deserted(self) -> bool:
        """Whether nobody watches; then the thread has been taken off, and must end."""
        with self._lock:
            if self._watchers:
                return False
            self._thread = None
            return True

    def _listen(self, connection: Any) -> None:
        """Hand on news until nobody watches any more."""
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        self._listening.set()
        # What happened before was not told to us: what was open may have ended.
        changed = {*active_executions(connection), *self._open}
        while self._watchers:
            self._tell(connection, changed)
            time.sleep(PAUSE_SECONDS)
            if self._wait(connection):
                connection.poll()
                changed = set(_numbers(note.payload for note in connection.notifies))
                connection.notifies.clear()
            else:
                changed = set(active_executions(connection))
        self._listening.clear()

    def _wait(self, connection: Any) -> bool:
        """Whether there are notes before the time is over, or the last watcher has left."""
        deadline = time.monotonic() + IDLE_SECONDS
        while self._watchers and time.monotonic() < deadline:
            # Reading may have brought notes along: then the socket has nothing left to say.
            if connection.notifies or select.select([connection], [], [], LEAVE_SECONDS)[0]:
                return True
        return False

    def _tell(self, connection: Any, numbers: Iterable[int]) -> None:
        for number in sorted(numbers):
            progress = self._read(connection, number)
            if progress is None:
                continue
            (self._open.add if progress["status"] in OPEN else self._open.discard)(number)
            message = json.dumps(progress)
            for watcher in list(self._watchers):
                watcher.tell(number, message)


def _numbers(payloads: Iterable[str]) -> Iterable[int]:
    """Execution ids; what else may be sent on the channel is not for us."""
    return (int(payload) for payload in payloads if payload.isascii() and payload.isdigit())
