"""Subscriptions that share connections: their trades are held until one connection covers all."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from connectors.events import Trade
from connectors.exchanges.base import Instrument, Subscription
from connectors.feed.repair import Repair
from connectors.feed.state import FeedState, Stream


class Member(Protocol):
    """An open connection of a group."""

    source: str

    async def subscribe(
        self, subscriptions: Sequence[Subscription], instruments: Sequence[Instrument] = ()
    ) -> bool:
        """Ask for more; True when the venue has confirmed it or refused it, False where the
        connection has ended. TimeoutError where it says nothing."""

    async def ask(self, subscriptions: Sequence[Subscription]) -> None:
        """Ask for more, or once more for what was refused, without waiting for the answer."""

    async def unsubscribe(self, subscriptions: Sequence[Subscription]) -> None:
        """Ask for less."""


class Refusal(NamedTuple):
    """What a venue refused on one connection."""

    member: Member
    subscriptions: list[Subscription]
    text: str
    """In the venue's words."""


class Group:
    """What one connection can carry, and who carries it now.

    While no connection is live, trades are collected: after an outage the older ones, which only
    REST can bring, must come first. A connection that joins a live group holds nothing: what it
    brings twice is a duplicate.

    Args:
        state: The feed's.
        subscriptions: At most as many as the venue allows on one connection.
        refused: Told what the venue refuses of it.
    """

    def __init__(
        self,
        state: FeedState,
        subscriptions: Sequence[Subscription],
        refused: Callable[[Refusal], None],
    ) -> None:
        self.state = state
        self.subscriptions = list(subscriptions)
        self.wanted = frozenset(subscriptions)
        self.live: list[Member] = []
        self.members: list[Member] = []
        """All open connections; ``live`` are those that carry everything."""
        self.joining: dict[Subscription, str] = {}
        """What is being added, and the venue's words where it refused it."""
        self.settled = asyncio.Event()
        """It was live once, or the venue refused what was being added."""
        self.hold_full = asyncio.Event()
        self._refused = refused
        self._filling = asyncio.Lock()
        self._held = 0

    @property
    def streams(self) -> list[Stream]:
        """The symbols whose trades it carries, each once."""
        symbols = dict.fromkeys(one.symbol for one in self.subscriptions if one.channel == "trades")
        return [self.state.streams[symbol] for symbol in symbols]

    def hold(self, trade: Trade) -> None:
        """Keep a trade until the group is live; they outlive a connection that breaks."""
        if ("trades", trade.symbol) in self.state.gone:
            return
        self.state.streams[trade.symbol].held.append(trade)
        self._held += 1
        if self._held > self.state.settings.max_held:
            self.hold_full.set()

    async def go_live(self, member: Member) -> None:
        """Take a confirmed connection in: fill and publish what was held, if anything was."""
        state = self.state
        async with self._filling:
            was_live = bool(self.live)
            holding = {stream.symbol for stream in self.streams if stream.holding}
            await self._cover(
                [one for one in self.subscriptions if not was_live or one.symbol in holding]
            )
            self.live.append(member)
        self.settled.set()
        if self not in state.groups:
            state.groups.append(self)
        state.note_live()

    async def _cover(self, subscriptions: Iterable[Subscription]) -> None:
        """Publish what was held of these and expect their events from now on."""
        wanted = [one for one in subscriptions if one in self.wanted]
        symbols = {one.symbol for one in wanted}
        holding = [s for s in self.streams if s.holding and s.symbol in symbols]
        if holding:
            repair = Repair(self.state)
            await repair.fill_held(holding, self.hold_full)
            await self._release(holding)
            repair.after_hold()
        now = time.monotonic()
        for one in wanted:
            if one in self.wanted:
                self.state.staleness.watch((one.channel, one.symbol), now)

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
            stream.holding = ("trades", stream.symbol) in state.gone
        self._held = 0
        self.hold_full.clear()

    async def add(self, subscriptions: Sequence[Subscription], instrument: Instrument) -> None:
        """Carry more of a symbol: every open connection asks for it, the others flow on.

        Where none is open the next one brings it. `joining` says what the venue refused.

        Raises:
            TimeoutError: Where the venue says nothing.
        """
        self.subscriptions += subscriptions
        self.wanted |= frozenset(subscriptions)
        for one in subscriptions:
            self.joining.setdefault(one, "")
        asked = [member.subscribe(subscriptions, [instrument]) for member in self.members]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        if self.live:
            async with self._filling:
                await self._cover(subscriptions)

    async def remove(self, subscriptions: Sequence[Subscription]) -> None:
        """Carry less; the caller has told the state before."""
        mine = [one for one in subscriptions if one in self.wanted]
        if not mine:
            return
        self.subscriptions = [one for one in self.subscriptions if one not in mine]
        self.wanted = frozenset(self.subscriptions)
        for member in list(self.members):
            await member.unsubscribe(mine)

    def refuse(
        self, member: Member, subscriptions: Sequence[Subscription], text: str
    ) -> list[Subscription]:
        """The venue will not send these on a connection of ours; gives those to be judged still."""
        others = []
        for one in subscriptions:
            if one in self.joining:
                self.joining[one] = text or "no reason given"
                self.settled.set()
            else:
                others.append(one)
        if others:
            self._refused(Refusal(member, others, text))
        return others

    def join(self, member: Member) -> None:
        """A connection is open."""
        self.members.append(member)

    def leave(self, member: Member) -> None:
        """A connection has ended; without another one trades are held again."""
        if member in self.members:
            self.members.remove(member)
        if member in self.live:
            self.live.remove(member)
        if not self.live:
            for stream in self.streams:
                stream.holding = True
        self.state.note_live()


def split(
    subscriptions: Sequence[Subscription], limit: int, address: Callable[[Subscription], str]
) -> list[list[Subscription]]:
    """Parts of at most ``limit`` that have one address each.

    The channels of a symbol stay together where they fit and share their address.
    """
    by_symbol: dict[tuple[str, str], list[Subscription]] = {}
    for one in subscriptions:
        by_symbol.setdefault((address(one), one.symbol), []).append(one)
    parts: list[list[Subscription]] = []
    last: dict[str, list[Subscription]] = {}
    for (url, _), of_symbol in by_symbol.items():
        part = last.get(url)
        if part is None or len(part) + len(of_symbol) > limit:
            part = last[url] = []
            parts.append(part)
        part += of_symbol
    return parts
