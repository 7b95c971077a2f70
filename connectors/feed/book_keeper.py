"""The order books of a feed: which connection speaks for each, and how a broken one is mended.

A break concerns one symbol: its snapshot is asked for anew (REST, or a new subscription), outside
the read path, while everything else flows on.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

import aiohttp

from connectors.backoff import delays
from connectors.books import OrderBook
from connectors.events import BookUpdate
from connectors.exchanges.base import ResponseError
from connectors.feed.books import BookSync, Break
from connectors.feed.state import FeedState
from connectors.feed.status import wall_clock

logger = logging.getLogger(__name__)


class Speaker(Protocol):
    """A connection that books come from."""

    source: str

    async def resubscribe_book(self, symbol: str) -> None:
        """Ask the venue for the symbol's book once more."""


class _Kept:
    """One symbol's book."""

    __slots__ = ("book", "crossed", "empty", "mending", "speaker", "sync", "told_broken")

    def __init__(self, by_rest: bool) -> None:
        self.sync = BookSync(by_rest)
        self.book = OrderBook()
        self.speaker: Speaker | None = None
        self.mending = False
        self.crossed = False
        self.empty = False
        self.told_broken = False
        """Readers were told to trust it no more, and not yet that it is whole again."""


class BookKeeper:
    """Takes book updates of all connections and publishes a chain per symbol.

    Args:
        state: The feed's.
    """

    def __init__(self, state: FeedState) -> None:
        self._state = state
        self._books: dict[str, _Kept] = {}
        self._to_mend: asyncio.Queue[str] = asyncio.Queue()
        state.book_dropped = self.dropped

    def _kept(self, symbol: str) -> _Kept:
        kept = self._books.get(symbol)
        if kept is None:
            state = self._state
            instrument = state.streams[symbol].instrument
            url = state.venue.book_request(instrument, state.rest_base)
            kept = self._books[symbol] = _Kept(url is not None)
        return kept

    def take(self, update: BookUpdate, speaker: Speaker) -> None:
        """Publish an update that continues its book; never waits."""
        symbol = update.symbol
        kept = self._kept(symbol)
        sync = kept.sync
        if kept.speaker is not speaker and not self._may_speak(kept, update, speaker):
            return
        event = sync.take(update)
        if event is not None:
            self._publish(kept, event)
            return
        if sync.broken is not None:
            broken, sync.broken = sync.broken, None
            self._tell_broken(symbol, broken)
            self._mend(symbol, kept)
        elif sync.by_rest and not sync.live:
            self._mend(symbol, kept)

    def _may_speak(self, kept: _Kept, update: BookUpdate, speaker: Speaker) -> bool:
        """Whether a connection other than the one that spoke last is listened to.

        Where REST brings snapshots numbers are the venue's: all may speak. Otherwise each
        connection counts for itself, and a new one takes over with its snapshot.
        """
        if kept.sync.by_rest:
            return True
        if kept.speaker is None or update.is_snapshot:
            kept.speaker = speaker
            return True
        return False

    def forget(self, symbol: str) -> None:
        """The book is wanted no more."""
        self._books.pop(symbol, None)

    def broken(self, symbol: str, cause: str, speaker: Speaker) -> None:
        """A parser found a book broken, by its checksum for example."""
        kept = self._kept(symbol)
        if kept.speaker is None or kept.speaker is speaker:
            self._lose(symbol, kept, cause)

    def dropped(self, symbol: str) -> None:
        """An update was given up because Kafka is slow: what follows it is of no use to anybody.

        The book is asked for anew once there is room.
        """
        publisher = self._state.publisher
        publisher.count_dropped("books", len(publisher.backlog.forget_book(symbol)))
        self._lose(symbol, self._kept(symbol), "an update was dropped because Kafka is slow")

    def _lose(self, symbol: str, kept: _Kept, cause: str) -> None:
        if kept.sync.live:
            self._tell_broken(symbol, Break(cause, kept.sync.sequence + 1, None))
        kept.sync.reset()
        self._mend(symbol, kept)

    def left(self, speaker: Speaker, others: list[Speaker]) -> None:
        """A connection has ended; another one that lives must say its books anew."""
        for symbol, kept in self._books.items():
            if kept.sync.by_rest:
                if not others:
                    kept.sync.reset()
            elif kept.speaker is speaker:
                kept.speaker = others[0] if others else None
                if others:
                    self._lose(symbol, kept, f"connection {speaker.source} ended")
                else:
                    kept.sync.reset()

    def _publish(self, kept: _Kept, event: BookUpdate) -> None:
        stats = self._state.stats
        kept.book.apply(event)
        crossed, empty = kept.book.is_crossed, kept.book.is_empty
        stats.books_crossed += crossed and not kept.crossed
        stats.books_empty += empty and not kept.empty
        kept.crossed, kept.empty = crossed, empty
        self._state.publish_latest(event)
        if kept.told_broken and kept.sync.live:
            kept.told_broken = False
            self._tell_whole(event.symbol)

    def _tell_broken(self, symbol: str, broken: Break) -> None:
        state = self._state
        stream = state.streams[symbol]
        cause, from_id, to_id = broken
        state.stats.book_resyncs += 1
        state.tell("resync", stream, channel="books", cause=cause, from_id=from_id, to_id=to_id)
        self._kept(symbol).told_broken = True
        if state.staleness.mark_book(("books", symbol), time.monotonic()):
            cause = "book: it is broken and waits for a snapshot"
            state.tell("stale", stream, channel="books", cause=cause, seconds=0.0)

    def _tell_whole(self, symbol: str) -> None:
        state = self._state
        change = state.staleness.recover(("books", symbol), time.monotonic())
        if change is not None:
            stream, cause = state.streams[symbol], change.cause
            state.tell("recovered", stream, channel="books", seconds=change.seconds, cause=cause)

    def _mend(self, symbol: str, kept: _Kept) -> None:
        if not kept.mending:
            kept.mending = True
            self._to_mend.put_nowait(symbol)

    async def run(self) -> None:
        """Bring the snapshots that are wanted, each symbol by itself, for ever."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                symbol = await self._to_mend.get()
                kept = self._books.get(symbol)
                if kept is not None:
                    tasks.create_task(self._bring(symbol, kept))

    async def _bring(self, symbol: str, kept: _Kept) -> None:
        settings = self._state.settings
        try:
            for delay in delays(settings.backoff_base, settings.backoff_cap):
                while self._state.publisher.sheds_books:  # noqa: ASYNC110 - set by its tick
                    await asyncio.sleep(0.05)
                if self._books.get(symbol) is not kept:
                    return
                if kept.sync.by_rest:
                    await self._join(symbol, kept)
                elif kept.speaker is not None:
                    await kept.speaker.resubscribe_book(symbol)
                    await _happens(lambda: kept.sync.live, settings.confirm_timeout)
                if kept.sync.live or (kept.speaker is None and not kept.sync.by_rest):
                    return
                await asyncio.sleep(delay)
        finally:
            kept.mending = False

    async def _join(self, symbol: str, kept: _Kept) -> None:
        """One try to bring a snapshot by REST and to join it."""
        state = self._state
        instrument = state.streams[symbol].instrument
        url = state.venue.book_request(instrument, state.rest_base) or ""
        try:
            body = await state.filler.get(url)
            source = state.filler.source
            snapshot = state.venue.parse_book(body, instrument, wall_clock(), source)
        except (aiohttp.ClientError, OSError, ResponseError) as error:
            logger.warning("%s: no book of %s yet (%s)", url, symbol, error)
            return
        if self._books.get(symbol) is not kept:
            return
        for event in kept.sync.join(snapshot) or ():
            self._publish(kept, event)


async def _happens(condition: Callable[[], bool], seconds: float) -> None:
    """Return when it holds, or after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.05)  # set by the read path, which must stay free of events
