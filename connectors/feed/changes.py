"""The connections of a feed, and what changes them while it runs.

A symbol that is added joins a connection that has room for it, by a subscribe message; where none
has, it gets one of its own. A symbol that is removed, or that the venue refuses or has delisted,
ends alone. The others see nothing of either: no new connection, no pause, no hold.

The trades of an added symbol are held until the venue has confirmed it and REST has brought what
the log lacks: the rule of a restart, with the ids that the log's tail told at the start or that
were known when it was removed.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from connectors.backoff import Pace
from connectors.errors import ConfigurationError, ConnectorError, VenueRefused
from connectors.exchanges.base import Channel, Subscription
from connectors.feed.book_keeper import BookKeeper
from connectors.feed.group import Group, split
from connectors.feed.line import Line
from connectors.feed.listing import look_up
from connectors.feed.refusals import Refusals
from connectors.feed.state import FeedState
from connectors.symbols import nearest

logger = logging.getLogger(__name__)


class Row(NamedTuple):
    """One symbol of a feed."""

    symbol: str
    native_symbol: str
    channels: list[str]
    connections: list[str]
    """Ids of those that carry it now."""
    live: bool
    """Its trades are not held."""


class Connections:
    """Groups of subscriptions and the lines that carry them.

    Args:
        state: The feed's.
        books: Takes the book updates.
        pace: Of all connects.
        new_source: Gives the id of the next connection.
        copies: Connections of each group.
        channels: What an added symbol gets unless it is said.
    """

    def __init__(
        self,
        state: FeedState,
        books: BookKeeper,
        pace: Pace,
        new_source: Callable[[], str],
        copies: int,
        channels: Sequence[Channel],
    ) -> None:
        self.places = 0
        """Lines that were ever begun."""
        self._state = state
        self._books = books
        self._pace = pace
        self._new_source = new_source
        self._copies = copies
        self._channels = list(channels)
        self._lines: dict[Group, list[asyncio.Task[None]]] = {}
        self._refusals = Refusals(state, self._give_up)
        self._changing = asyncio.Lock()
        venue = state.venue
        parts = split(state.subscriptions, venue.limits.subscriptions, self._address)
        self._groups = [self._group(part) for part in parts]
        state.groups = list(self._groups)
        self.places = len(self._groups) * copies

    def _group(self, subscriptions: Sequence[Subscription]) -> Group:
        return Group(self._state, subscriptions, self._refusals.put)

    def _address(self, subscription: Subscription) -> str:
        return self._state.venue.ws_url([subscription], "")

    async def run(self) -> None:
        """Keep all connections, for ever; ends only by a fatal error."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for group in self._groups:
                self._begin(group)
            tasks.create_task(self._refusals.run())

    def _begin(self, group: Group) -> None:
        lines = [
            Line(group, self._books, self._pace, self._new_source) for _ in range(self._copies)
        ]
        self._lines[group] = [self._tasks.create_task(line.run()) for line in lines]

    def rows(self) -> list[Row]:
        """What is subscribed now, by symbol."""
        state = self._state
        channels: dict[str, list[str]] = {}
        carriers: dict[str, dict[str, None]] = {}
        for channel, symbol in sorted(state.subscriptions):
            channels.setdefault(symbol, []).append(channel)
        for group in self._groups:
            for one in group.subscriptions:
                names = carriers.setdefault(one.symbol, {})
                names.update(dict.fromkeys(member.source for member in group.live))
        rows = []
        for symbol, has in sorted(channels.items()):
            stream = state.streams[symbol]
            sources = list(carriers.get(symbol, ()))
            live = bool(sources) and not ("trades" in has and stream.holding)
            rows.append(Row(symbol, stream.instrument.native_symbol, has, sources, live))
        return rows

    async def add(self, symbol: str, channels: Sequence[str] = ()) -> bool:
        """Subscribe a symbol; False where its connection is not live yet and goes on trying.

        Raises:
            ConfigurationError: Where the venue has no such symbol or channel, or it is there.
            VenueRefused: Where the venue refuses it or does not answer; nothing has changed then.
        """
        state = self._state
        async with self._changing:
            wanted = self._new(symbol, self._known(channels))
            base = state.rest_base
            (instrument,) = await look_up(state.venue, [symbol], state.filler, base)
            state.add(instrument, wanted)
            try:
                limit = state.venue.limits.subscriptions
                for part in split(wanted, limit, self._address):
                    group = self._with_room(part)
                    if group is None:
                        await self._with_own(part)
                    else:
                        await group.add(part, instrument)
                self._check_joined(symbol)
            except (TimeoutError, ConnectorError) as error:
                await self._drop(wanted, f"rejected: {error}")
                raise VenueRefused(f"{symbol}: {error}") from error
            finally:
                for group in self._groups:
                    group.joining.clear()
            for channel in sorted(one.channel for one in wanted):
                state.tell("subscribed", state.streams[symbol], channel=channel, cause="added")
            return all(row.live for row in self.rows() if row.symbol == symbol)

    def _check_joined(self, symbol: str) -> None:
        for group in self._groups:
            for one, text in group.joining.items():
                if one.symbol == symbol and text:
                    raise VenueRefused(f"{one.channel}: {text}")

    async def remove(self, symbol: str, channels: Sequence[str] = ()) -> list[str]:
        """Unsubscribe a symbol or some of its channels; gives which.

        Raises:
            ConfigurationError: Where it is not subscribed.
        """
        async with self._changing:
            there = [one for one in self._state.subscriptions if one.symbol == symbol]
            if not there:
                known = {one.symbol for one in self._state.subscriptions}
                raise ConfigurationError(f"{symbol} is not subscribed{nearest(symbol, known)}")
            names = self._known(channels) if channels else [one.channel for one in there]
            gone = [one for one in there if one.channel in names]
            if not gone:
                raise ConfigurationError(f"{symbol} has no {', '.join(names)} here")
            await self._drop(gone, "removed")
            return [one.channel for one in gone]

    def _known(self, channels: Sequence[str]) -> list[Channel]:
        venue = self._state.venue
        unknown = [name for name in channels if name not in venue.channels]
        if unknown:
            hints = ", ".join(f"{name}{nearest(name, venue.channels)}" for name in unknown)
            has = ", ".join(sorted(venue.channels))
            raise ConfigurationError(f"{venue.name} has no channel {hints}; it has {has}")
        return [name for name in venue.channels if name in (channels or self._channels)]

    def _new(self, symbol: str, channels: Sequence[Channel]) -> list[Subscription]:
        there = set(self._state.subscriptions)
        wanted = [Subscription(channel, symbol) for channel in sorted(channels)]
        new = [one for one in wanted if one not in there]
        if not new:
            raise ConfigurationError(f"{symbol} is subscribed already")
        return new

    def _with_room(self, part: Sequence[Subscription]) -> Group | None:
        limit = self._state.venue.limits.subscriptions
        for group in self._groups:
            if (
                group.subscriptions
                and self._address(group.subscriptions[0]) == self._address(part[0])
                and len(group.subscriptions) + len(part) <= limit
            ):
                return group
        return None

    async def _with_own(self, part: Sequence[Subscription]) -> None:
        """A connection for what fits on no other; waits until it is live, or gives it time."""
        settings = self._state.settings
        group = self._group(part)
        group.joining.update(dict.fromkeys(part, ""))
        self._groups.append(group)
        self.places += self._copies
        self._begin(group)
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.connect_timeout + settings.confirm_timeout):
                await group.settled.wait()

    async def _drop(self, subscriptions: Sequence[Subscription], cause: str) -> None:
        """End subscriptions, and the connections that are left with none."""
        state = self._state
        state.drop(subscriptions)
        for channel, symbol in subscriptions:
            if channel == "books":
                self._books.forget(symbol)
            state.tell("unsubscribed", state.streams[symbol], channel=channel, cause=cause)
        for group in list(self._groups):
            await group.remove(subscriptions)
            if not group.subscriptions:
                await self._end(group)

    async def _end(self, group: Group) -> None:
        self._groups.remove(group)
        if group in self._state.groups:
            self._state.groups.remove(group)
        sources = [member.source for member in group.members]
        tasks = self._lines.pop(group, [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for source in sources:
            self._state.tell("disconnected", cause="nothing is left on it", source=source)
        self._state.note_live()

    async def _give_up(self, subscriptions: Sequence[Subscription], cause: str) -> None:
        state = self._state
        async with self._changing:
            left = [one for one in subscriptions if one in state.subscriptions]
            if left:
                symbols = ", ".join(sorted({one.symbol for one in left}))
                logger.error("%s: %s ends: %s", state.venue.name, symbols, cause)
                await self._drop(left, cause)
