"""Subscriptions that share connections: their trades are held until one connection covers all."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from connectors.events import Trade
from connectors.exchanges.base import Subscription
from connectors.feed.repair import Repair
from connectors.feed.state import FeedState, Stream


class Member(Protocol):
    """An open connection of a group."""

    source: str


class Group:
    """What one connection can carry, and who carries it now.

    While no connection is live, trades are collected: after an outage the older ones, which only
    REST can bring, must come first. A connection that joins a live group holds nothing: what it
    brings twice is a duplicate.

    Args:
        state: The feed's.
        subscriptions: At most as many as the venue allows on one connection.
    """

    def __init__(self, state: FeedState, subscriptions: Sequence[Subscription]) -> None:
        self.state = state
        self.subscriptions = list(subscriptions)
        self.wanted = frozenset(subscriptions)
        self.live: list[Member] = []
        self.hold_full = asyncio.Event()
        self._filling = asyncio.Lock()
        self._held = 0

    @property
    def streams(self) -> list[Stream]:
        """The symbols, each once."""
        symbols = dict.fromkeys(one.symbol for one in self.subscriptions)
        return [self.state.streams[symbol] for symbol in symbols]

    @property
    def has_trades(self) -> bool:
        """Whether trades are among the subscriptions."""
        return any(one.channel == "trades" for one in self.subscriptions)

    def hold(self, trade: Trade) -> None:
        """Keep a trade until the group is live; they outlive a connection that breaks."""
        self.state.streams[trade.symbol].held.append(trade)
        self._held += 1
        if self._held > self.state.settings.max_held:
            self.hold_full.set()

    async def go_live(self, member: Member) -> None:
        """Take a confirmed connection in: fill and publish what was held, if anything was."""
        state = self.state
        async with self._filling:
            holding = [stream for stream in self.streams if stream.holding]
            if holding:
                repair = Repair(state)
                if self.has_trades:
                    await repair.fill_held(holding, self.hold_full)
                await self._release(holding)
                repair.after_hold()
                now = time.monotonic()
                for channel, symbol in self.subscriptions:
                    state.staleness.watch((channel, symbol), now)
            self.live.append(member)
        state.note_live()

    async def _release(self, streams: list[Stream]) -> None:
        """Publish the held trades in order; those that come meanwhile follow, then live."""
        state = self.state
        while any(stream.held for stream in streams):
            batch = [trade for stream in streams for trade in stream.held]
            for stream in streams:
                stream.held = []
            batch.sort(key=lambda trade: (trade.ts_event, trade.trade_seq))
            for index, trade in enumerate(batch):
                if state.publisher.blocked:
                    for rest in batch[index:]:
                        state.streams[rest.symbol].held.append(rest)
                    await state.publisher.wait_for_space()
                    break
                state.publish_trade(trade)
        for stream in streams:
            stream.holding = False
        self._held = 0
        self.hold_full.clear()

    def leave(self, member: Member) -> None:
        """A connection has ended; without another one trades are held again."""
        if member in self.live:
            self.live.remove(member)
        if not self.live:
            for stream in self.streams:
                stream.holding = True
        self.state.note_live()


def split(subscriptions: Sequence[Subscription], limit: int) -> list[list[Subscription]]:
    """Parts of at most ``limit``; the channels of a symbol stay together where they fit."""
    by_symbol: dict[str, list[Subscription]] = {}
    for one in subscriptions:
        by_symbol.setdefault(one.symbol, []).append(one)
    parts: list[list[Subscription]] = []
    for of_symbol in by_symbol.values():
        if not parts or len(parts[-1]) + len(of_symbol) > limit:
            parts.append([])
        parts[-1] += of_symbol
    return parts
