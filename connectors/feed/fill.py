"""Missing trades, asked for by REST: bounded pages, bounded concurrency, paced."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import aiohttp
from msgspec import Struct, field

from connectors.backoff import Pace, delays
from connectors.errors import retry_or_fatal
from connectors.events import Trade
from connectors.exchanges.base import DeadLetter, Instrument, ResponseError, Venue, Wanted
from connectors.feed.status import wall_clock

logger = logging.getLogger(__name__)

CONCURRENCY = 4
TRIES = 4
OUT_OF_REACH = "the venue's answer does not go back to the last known trade"

Page = Callable[[list[Trade]], Awaitable[None]]
"""What takes each page as it comes."""


class Filled(Struct):
    """What became of one request."""

    brought: int = 0
    """Trades of the range, before duplicates are removed."""
    rest_from: int | None = None
    """First id that was not reached (Binance) or the start (Coinbase); None: all was asked."""
    rest_to: int | None = None
    cause: str = ""
    """Why there is a rest."""
    dead: list[DeadLetter] = field(default_factory=list)
    oldest: Trade | None = None
    """The first trade of the range that came, by id."""
    reached: bool = False
    """A page went back to the last known trade, the one before the range."""


class GapFiller:
    """Fetches ranges of trades.

    Args:
        session: HTTP client; the caller closes it.
        venue: Which protocol.
        base: REST address.
        max_fill: Most trades per request of `fetch`.
    """

    def __init__(
        self, session: aiohttp.ClientSession, venue: Venue, base: str, max_fill: int
    ) -> None:
        self._session = session
        self._venue = venue
        self._base = base
        self._max_fill = max_fill
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._pace = Pace(venue.limits.rest_interval, venue.limits.rest_burst)
        self.source = f"{venue.name}-rest"

    async def fetch(
        self, instrument: Instrument, low: int, high: int | None, take: Page, since: int = 0
    ) -> Filled:
        """Ask for ids ``low``..``high`` (None: up to now) and hand each page to ``take``.

        ``since`` is the venue time of the last trade known before ``low``, 0 for unknown. Where
        ids are not consecutive, only a page that reaches back to that trade shows that nothing is
        missing: without one the rest is the range before the first trade that came.

        Never raises for what the venue or the network does: the rest and the cause tell.
        """
        filled = Filled()
        todo: Wanted | None = Wanted(low, high, since)
        async with self._slots:
            while todo is not None:
                filled.rest_from, filled.rest_to = todo.from_id, todo.to_id
                if filled.brought >= self._max_fill:
                    filled.cause = f"more than max_fill={self._max_fill} trades are missing"
                    return filled
                body, failure = await self._page(instrument, todo)
                if body is None:
                    filled.cause = failure
                    return filled
                try:
                    items = self._venue.parse_trades(body, instrument, wall_clock(), self.source)
                except ResponseError as error:
                    filled.cause = str(error)
                    return filled
                await take(self._wanted(filled, items, low, high))
                todo = self._venue.rest_of_range(items, todo)
        filled.rest_from = filled.rest_to = None
        if not filled.reached and self._venue.numbering != "consecutive":
            filled.rest_from, filled.rest_to = low, high
            if filled.oldest is not None:
                filled.rest_to = filled.oldest.trade_seq - 1
            filled.cause = OUT_OF_REACH
        return filled

    def _wanted(
        self, filled: Filled, items: list[Trade | DeadLetter], low: int, high: int | None
    ) -> list[Trade]:
        """The trades of a page that lie in the range; ``filled`` takes note of the page."""
        page = [item for item in items if isinstance(item, Trade)]
        filled.dead += [item for item in items if isinstance(item, DeadLetter)]
        filled.reached = filled.reached or any(trade.trade_seq < low for trade in page)
        wanted = [t for t in page if low <= t.trade_seq and not _beyond(t, high)]
        filled.brought += len(wanted)
        candidates = [*wanted, filled.oldest] if filled.oldest is not None else wanted
        filled.oldest = min(candidates, key=lambda trade: trade.trade_seq, default=None)
        return wanted

    async def _page(self, instrument: Instrument, wanted: Wanted) -> tuple[bytes | None, str]:
        """Body of one page, or None and why."""
        url = self._venue.trades_request(instrument, wanted, self._base)
        cause = ""
        for _, delay in zip(range(TRIES), delays(0.25, 4.0), strict=False):
            try:
                return await self.get(url), ""
            except (aiohttp.ClientError, OSError) as error:
                cause = f"{url}: {error or type(error).__name__}"
                if retry_or_fatal(error) is not None:
                    break
                await asyncio.sleep(max(delay, _retry_after(error)))
        logger.warning("gap fill failed: %s", cause)
        return None, cause

    async def get(self, url: str) -> bytes:
        """GET with the venue's pace; raises aiohttp.ClientError, TimeoutError."""
        await asyncio.sleep(self._pace.wait(time.monotonic()))
        async with self._session.get(url) as answer:
            answer.raise_for_status()
            return await answer.read()


def _beyond(trade: Trade, high: int | None) -> bool:
    return high is not None and trade.trade_seq > high


def _retry_after(error: BaseException) -> float:
    """Seconds the venue asks us to wait (header Retry-After), at most 60."""
    headers = getattr(error, "headers", None)
    text = headers.get("Retry-After", "") if headers else ""
    return min(60.0, float(text)) if text.isdigit() else 0.0
