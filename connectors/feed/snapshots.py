"""Books by REST beside a recording: without them nobody could rebuild a book from its updates.

A snapshot is taken when the first update of a symbol has come on a connection, and again until it
can be joined with what came (`connectors.feed.books`), at each new connection and each new file.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence

import aiohttp

from connectors.events import BookUpdate
from connectors.exchanges.base import Instrument, Item, ResponseError, Subscription, Venue
from connectors.feed.books import BookSync
from connectors.feed.fill import GapFiller
from connectors.feed.recording import FrameFile
from connectors.feed.status import wall_clock

logger = logging.getLogger(__name__)

RETRY = 1.0
"""Seconds before a snapshot that could not be had or joined is asked for again."""
LOOK = 0.2
"""Seconds between two looks at what is wanted."""


class Snapshots:
    """Takes the snapshots of one recorder.

    Args:
        venue: The protocol.
        instruments: All that is recorded.
        filler: REST, at the venue's pace.
        rest_base: Its address.
        file: Where the answers go.
    """

    def __init__(
        self,
        venue: Venue,
        instruments: Iterable[Instrument],
        filler: GapFiller,
        rest_base: str,
        file: FrameFile,
    ) -> None:
        self.open: dict[str, BookSync] = {}
        """Books that wait for a snapshot; frames need to be looked at only while there are any."""
        self._venue = venue
        self._instruments = {one.symbol: one for one in instruments}
        self._filler = filler
        self._rest_base = rest_base
        self._file = file
        self._books: set[str] = set()
        self._begun: set[str] = set()
        self._files = len(file.paths)

    def restart(self, subscriptions: Sequence[Subscription]) -> None:
        """A connection has begun: its books need new snapshots."""
        for channel, symbol in subscriptions:
            instrument = self._instruments[symbol]
            if channel == "books" and self._venue.book_request(instrument, self._rest_base):
                self._books.add(symbol)
                self._want(symbol)

    def _want(self, symbol: str) -> None:
        self.open[symbol] = BookSync(by_rest=True)
        self._begun.discard(symbol)

    def look(self, items: Iterable[Item]) -> None:
        """Take note of a frame's updates."""
        for item in items:
            if isinstance(item, BookUpdate) and (sync := self.open.get(item.symbol)) is not None:
                sync.take(item)
                self._begun.add(item.symbol)

    async def run(self) -> None:
        """Bring what is wanted, for ever."""
        while True:
            await asyncio.sleep(LOOK)
            if len(self._file.paths) != self._files:
                self._files = len(self._file.paths)
                for symbol in self._books:
                    self._want(symbol)
            missed = False
            for symbol in sorted(self._begun & self.open.keys()):
                missed = not await self._bring(symbol, self.open[symbol]) or missed
            if missed:
                await asyncio.sleep(RETRY)

    async def _bring(self, symbol: str, sync: BookSync) -> bool:
        """Record one snapshot; False where it is to be asked for again."""
        instrument = self._instruments[symbol]
        url = self._venue.book_request(instrument, self._rest_base) or ""
        try:
            body = await self._filler.get(url)
            now = wall_clock()
            book = self._venue.parse_book(body, instrument, now, "rest")
        except (aiohttp.ClientError, OSError, ResponseError) as error:
            logger.warning("%s: no book of %s yet (%s)", url, symbol, error)
            return False
        self._file.answer(url, body, now)
        if sync.join(book) is None:
            return False
        if self.open.get(symbol) is sync:
            del self.open[symbol]
        return True
