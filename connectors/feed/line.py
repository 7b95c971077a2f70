"""One place for a connection: connects for ever, and renews without a pause.

A planned renewal makes the new connection before it breaks the old one: the old one goes only
when the new one is live and carries data. What both bring is published once.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator

from connectors.backoff import Pace, delays
from connectors.errors import BufferStuck, retry_or_fatal
from connectors.feed.book_keeper import BookKeeper
from connectors.feed.connection import open_connection
from connectors.feed.group import Group
from connectors.feed.reports import failure
from connectors.feed.session import Session
from connectors.feed.status import first_error, text_of

logger = logging.getLogger(__name__)

OVERLAP = 1.0
"""Seconds for which both connections are read: what the old one still has on its way arrives."""


class Leg:
    """One connection of a line, from connecting to its end."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.settled = asyncio.Event()
        """Live, and carries data."""
        self.renewal = asyncio.Event()
        """It is to be replaced."""
        self.session: Session | None = None
        self.task: asyncio.Task[BaseException]

    @property
    def received_data(self) -> bool:
        """Whether any market event came."""
        return self.session is not None and self.session.received_data


class Line:
    """Keeps one connection of a group.

    Args:
        group: What it carries.
        books: Takes the book updates.
        pace: Of all connects of the feed.
        new_source: Gives the id of the next connection.
    """

    def __init__(
        self, group: Group, books: BookKeeper, pace: Pace, new_source: Callable[[], str]
    ) -> None:
        self._group = group
        self._state = group.state
        self._books = books
        self._pace = pace
        self._new_source = new_source
        self._since = time.monotonic()
        self._legs: set[Leg] = set()
        self._ends = False
        """The feed ends: nobody takes the place of a connection that is closed."""

    async def run(self) -> None:
        """Connections, one after the other; ends only by a fatal error."""
        try:
            await self._run()
        finally:
            self._ends = True
            tasks = [leg.task for leg in self._legs]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        waits = self._new_waits()
        current = self._start()
        while True:
            await _first_of(current.task, current.renewal)
            if current.task.done():
                if current.received_data:
                    waits = self._new_waits()
                await self._after(current, waits)
                current = self._start()
                continue
            successor = self._start()
            await _first_of(successor.task, successor.settled, current.task)
            if successor.settled.is_set():
                await asyncio.wait({current.task, successor.task}, timeout=OVERLAP)
                await self._end(current, "renewed")
                current = successor
            elif successor.task.done():
                # The old connection still lives: try again after a pause.
                await self._after(successor, waits)
            else:
                self._tell_end(current, current.task.result())
                current = successor

    def _start(self) -> Leg:
        leg = Leg(self._new_source())
        leg.task = asyncio.create_task(self._connect(leg))
        self._legs.add(leg)
        return leg

    async def _connect(self, leg: Leg) -> BaseException:
        """Connect and run one session; gives why it ended."""
        state, settings = self._state, self._state.settings
        venue = state.venue
        state.source = leg.source
        try:
            await asyncio.sleep(self._pace.wait(time.monotonic()))
            url = venue.ws_url(self._group.subscriptions, settings.ws_base(venue.name))
            async with open_connection(url, venue.limits, settings.connect_timeout) as websocket:
                state.tell("connected", cause=url, source=leg.source)
                session = leg.session = Session(
                    self._group, self._books, websocket, leg, self._since
                )
                state.sessions.add(session)
                self._group.join(session)
                await session.run()
            raise AssertionError("a session ends with an error")
        except Exception as error:
            return first_error(error)
        finally:
            self._leave(leg)

    def _leave(self, leg: Leg) -> None:
        session = leg.session
        if session is None:
            return
        state = self._state
        state.sessions.discard(session)
        state.frames_before += session.frames
        if session in self._group.live:
            self._since = time.monotonic()
        self._group.leave(session)
        if not self._ends:
            self._books.left(session, [one for one in self._group.live if isinstance(one, Session)])

    async def _after(self, leg: Leg, waits: Iterator[float]) -> None:
        """Say why a connection ended and wait before the next one; raises what is fatal."""
        state = self._state
        error = leg.task.result()
        self._tell_end(leg, error)
        if isinstance(error, BufferStuck):
            state.open_gaps(str(error))
            logger.warning("%s; the socket is closed until there is room", error)
            await state.publisher.wait_for_room()
        at_once = leg.renewal.is_set() and leg.received_data
        delay = 0.0 if at_once else next(waits)
        logger.warning("%s: %s; next try in %.1f s", leg.source, text_of(error), delay)
        await asyncio.sleep(delay)

    def _tell_end(self, leg: Leg, error: BaseException) -> None:
        self._legs.discard(leg)
        self._state.tell("disconnected", cause=text_of(error), source=leg.source)
        self._state.emit(failure(self._state.venue.name, leg.source, error))
        fatal = retry_or_fatal(error)
        if fatal is not None:
            raise fatal

    async def _end(self, leg: Leg, cause: str) -> None:
        """Close a connection that is no longer needed."""
        leg.task.cancel()
        await asyncio.gather(leg.task, return_exceptions=True)
        self._legs.discard(leg)
        reason = leg.session.renewal_cause if leg.session else ""
        self._state.tell("disconnected", cause=f"{cause}: {reason}", source=leg.source)
        logger.info("%s: %s (%s)", leg.source, cause, reason)

    def _new_waits(self) -> Iterator[float]:
        settings = self._state.settings
        return delays(settings.backoff_base, settings.backoff_cap)


async def _first_of(*things: asyncio.Event | asyncio.Task[BaseException]) -> None:
    """Return when one of the tasks has ended or one of the events is set."""
    own = [asyncio.create_task(one.wait()) for one in things if isinstance(one, asyncio.Event)]
    tasks = [one for one in things if isinstance(one, asyncio.Task)]
    try:
        await asyncio.wait([*own, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in own:
            one.cancel()
