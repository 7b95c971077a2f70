"""What a venue refuses or delists while a feed runs: whose fault it is; that symbol ends alone."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from connectors.exchanges.base import Subscription
from connectors.feed.group import Refusal
from connectors.feed.listing import is_listed
from connectors.feed.state import FeedState

logger = logging.getLogger(__name__)

REFUSALS = 3
"""How often in a row a listed symbol may be refused before it ends: a venue may be busy."""
IN_A_ROW = 60.0
"""Seconds between two refusals after which they are counted anew."""

LISTING_LOOK = 5.0
"""Seconds between two looks for silent symbols: some venues delist without a word."""
LISTING_EVERY = 600.0
"""Seconds after which the listing is asked again for a symbol that is still silent."""


class Refusals:
    """Judges refusals of one feed.

    Args:
        state: The feed's.
        give_up: Ends subscriptions, with the cause.
    """

    def __init__(
        self, state: FeedState, give_up: Callable[[Sequence[Subscription], str], Awaitable[None]]
    ) -> None:
        self._state = state
        self._give_up = give_up
        self._queue: asyncio.Queue[Refusal] = asyncio.Queue()
        self._tries: dict[Subscription, tuple[int, float]] = {}
        """How often each was refused in a row, and when last."""
        self.put = self._queue.put_nowait
        """Takes what was refused, from the read path."""

    async def run(self) -> None:
        """Judge each refusal by itself, and look for the silent ones, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_for_delisted())
            while True:
                tasks.create_task(self._settle(await self._queue.get()))

    async def _settle(self, refusal: Refusal) -> None:
        """Find out which symbol is refused for good, and end it; others on the request go on."""
        wanted = [one for one in refusal.subscriptions if one in self._state.subscriptions]
        symbols = list(dict.fromkeys(one.symbol for one in wanted))
        if len(symbols) > 1:
            # A request was refused as a whole: its halves tell whose fault it is.
            half = set(symbols[: len(symbols) // 2])
            for part in (
                [one for one in wanted if one.symbol in half],
                [one for one in wanted if one.symbol not in half],
            ):
                await refusal.member.ask(part)
            return
        for symbol in symbols:
            await self._judge(symbol, wanted, refusal)

    async def _judge(self, symbol: str, wanted: list[Subscription], refusal: Refusal) -> None:
        state, text = self._state, refusal.text
        if not await is_listed(state.venue, symbol, state.filler, state.rest_base):
            wanted = [one for one in state.subscriptions if one.symbol == symbol]
            cause = f"delisted: {text}"
        else:
            tries = self._count(wanted)
            if tries < REFUSALS:
                await asyncio.sleep(state.settings.backoff_base * 2**tries)
                await refusal.member.ask([one for one in wanted if one in state.subscriptions])
                return
            cause = f"rejected: {text}"
        await self._give_up(wanted, cause)

    def _count(self, refused: Sequence[Subscription]) -> int:
        now = time.monotonic()
        before = [self._tries.get(one, (0, now)) for one in refused]
        tries = 1 + max((count for count, last in before if now - last < IN_A_ROW), default=0)
        self._tries.update(dict.fromkeys(refused, (tries, now)))
        return tries

    async def _look_for_delisted(self) -> None:
        """Ask the listing for symbols that have gone silent, for ever."""
        state = self._state
        asked: dict[str, float] = {}
        while True:
            await asyncio.sleep(LISTING_LOOK)
            for symbol in sorted({symbol for _, symbol in state.staleness.stale}):
                now = time.monotonic()
                if symbol in asked and now - asked[symbol] < LISTING_EVERY:
                    continue
                asked[symbol] = now
                if not await is_listed(state.venue, symbol, state.filler, state.rest_base):
                    gone = [one for one in state.subscriptions if one.symbol == symbol]
                    await self._give_up(gone, "delisted: silent, and the venue lists it no more")
