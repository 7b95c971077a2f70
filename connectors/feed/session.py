"""One connection's life: subscribe, wait for the confirmation, go live, read.

Trades of a symbol that no live connection carries yet are held (`connectors.feed.group`): after an
outage the older ones, which only REST can bring, must come first. Quotes, candles and books are
never held: nobody can bring old ones.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from connectors.errors import ConnectorError, FeedStale, VenueRefused
from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges.base import (
    BookBroken,
    Control,
    DeadLetter,
    Instrument,
    Item,
    ReconnectRequest,
    SequenceGap,
    Subscribed,
    Subscription,
    VenueError,
)
from connectors.feed.book_keeper import BookKeeper
from connectors.feed.connection import Sender
from connectors.feed.group import Group
from connectors.feed.pulse import Pulse, Silence
from connectors.feed.staleness import Cause
from connectors.feed.status import wall_clock
from connectors.kafka.serde import encode
from connectors.metrics import LAG_SAMPLES

logger = logging.getLogger(__name__)

WATCH_PERIOD = 0.1
"""Seconds between two looks at the connection."""


MOST_QUIET = 5.0
"""Times the limit of silence that a connection of thin symbols may say nothing."""

QUIET = 5.0
"""Seconds after which a live connection without data is relied on: the market is quiet."""


class Watcher(Protocol):
    """Who is told of a connection."""

    source: str
    settled: asyncio.Event
    renewal: asyncio.Event


class Session:
    """Runs one open connection until it ends; `run` always ends with an exception.

    Args:
        group: What it carries, and what outlives it.
        books: Takes its book updates.
        websocket: Open connection.
        leg: Its id, and who is told of it.
        since: Monotonic time at which the group was last live, or began: for ``subscribed``.
    """

    def __init__(
        self,
        group: Group,
        books: BookKeeper,
        websocket: ClientConnection,
        leg: Watcher,
        since: float,
    ) -> None:
        state = group.state
        self._group = group
        self._state = state
        self._books = books
        self._leg = leg
        self.source = leg.source
        self.frames = 0
        """Frames read; the hot path counts them here, `FeedState.refresh_stats` adds them up."""
        self.renewal_cause = ""
        self._controls = 0
        self._websocket = websocket
        self._sender = Sender(websocket, state.venue.limits.messages_per_second)
        self._since = since
        self._parser = state.venue.parser(state.instruments, self.source)
        self._parse = self._parser.parse
        self._publisher = state.publisher
        self._put = state.publisher.put
        self._trades_topic = state.publisher.trades_topic
        self._stats = state.stats
        self._streams = state.streams
        self._trade_clock = state.clocks["trades"]
        self._gone = state.gone
        self._asked: set[Subscription] = set()
        self._doubtful: set[Subscription] = set()
        """Refused, perhaps because of another one on the same request: settled elsewhere."""
        self._active: frozenset[Subscription] = frozenset()
        self._confirmed = asyncio.Event()
        """All that is asked for is confirmed, nothing is doubtful; or the connection has ended."""
        self._ended = False
        self._live_since: float | None = None
        self._end: ConnectorError | None = None

    async def run(self) -> None:
        """Subscribe and read until the connection ends."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                tasks.create_task(self._go_live())
                tasks.create_task(self._watch())
                tasks.create_task(self._keep_alive())
        finally:
            self._ended = True
            self._confirmed.set()

    @property
    def received_data(self) -> bool:
        """Whether this connection brought any market event."""
        return self.frames > self._controls

    async def _read(self) -> None:
        receive = self._websocket.recv
        handle = self.handle
        publisher = self._publisher
        patience = self._state.settings.buffer_patience
        time_ns = time.time_ns
        while True:
            frame = await receive(decode=False)
            handle(frame, time_ns() // 1000)
            if publisher.blocked:
                await publisher.wait_for_space(patience)
            if self._end is not None:
                raise self._end

    def handle(self, frame: bytes, ts_recv: int) -> None:
        """Publish what one frame holds. The hot path: no await, no task, no queue."""
        stats = self._stats
        publisher = self._publisher
        lag = 0
        for item in self._parse(frame, ts_recv):
            if (
                type(item) is Trade
                and not (stream := self._streams[item.symbol]).holding
                and not publisher.sheds_trades
            ):
                when = item.ts_event
                lag = ts_recv - when
                if stream.tracker.accept(item.trade_seq, when):
                    stream.trades += 1
                    clock = self._trade_clock
                    if when > clock.pending:
                        clock.pending = when
                    self._put(self._trades_topic, stream.key, encode(item), when // 1000)
                else:
                    stats.duplicates += 1
            else:
                lag = self._handle_other(item, ts_recv)
        stats.lags[self.frames & (LAG_SAMPLES - 1)] = lag
        self.frames += 1

    def _handle_other(self, item: Item, ts_recv: int) -> int:
        """Anything but a live trade; gives its lag in µs, 0 where it has none."""
        if isinstance(item, Trade):
            if self._streams[item.symbol].holding:
                self._group.hold(item)
            else:
                self._state.shed_trade(item, time.monotonic())
            return ts_recv - item.ts_event
        if isinstance(item, Quote):
            if not (self._gone and ("quotes", item.symbol) in self._gone):
                self._state.publish_latest(item)
            return ts_recv - item.ts_event
        if isinstance(item, BookUpdate):
            if not (self._gone and ("books", item.symbol) in self._gone):
                self._books.take(item, self)
            return ts_recv - item.ts_event
        if isinstance(item, Candle):
            return self._publish_candle(item)
        if isinstance(item, DeadLetter):
            self._state.dead_letter(item, self.source, ts_recv, time.monotonic())
        else:
            self._control(item)
        return 0

    def _publish_candle(self, candle: Candle) -> int:
        """Publish a candle that was asked for; gives its lag in µs."""
        if Subscription("candles", candle.symbol) not in self._group.wanted:
            self._stats.unrouted += 1
            return 0
        self._state.publish_latest(candle)
        return candle.ts_recv - candle.ts_event

    def _control(self, item: Control) -> None:
        self._controls += 1
        if isinstance(item, Subscribed):
            self._active = item.active
            self._check()
        elif isinstance(item, VenueError):
            self._refused(item)
        elif isinstance(item, ReconnectRequest):
            self._renew(item.message)
        elif isinstance(item, BookBroken):
            if ("books", item.symbol) not in self._gone:
                self._books.broken(item.symbol, item.cause, self)
        elif isinstance(item, SequenceGap):
            # Trades show by their own ids what is missing; books break their chain.
            cause = f"frames {item.from_id}..{item.to_id} of the connection never came"
            self._state.tell("resync", cause=cause, source=self.source)

    def _check(self) -> None:
        if not self._doubtful and self._asked <= self._active:
            self._confirmed.set()

    def _refused(self, error: VenueError) -> None:
        """What the venue names ends alone; an error that names nothing ends the connection."""
        text = f"{error.code} {error.message}".strip()
        if not error.rejected:
            self._end = VenueRefused(text)
            return
        named = [one for one in error.rejected if one in self._asked]
        logger.warning("%s: refused: %s", self.source, text)
        if named:
            self._asked.difference_update(named)
            self._doubtful.update(self._group.refuse(self, named, text))
            self._check()

    def _renew(self, cause: str) -> None:
        """Ask to be replaced; this connection is read until the other one is live."""
        if not self._leg.renewal.is_set():
            self.renewal_cause = cause
            logger.info("%s: to be renewed: %s", self.source, cause)
            self._leg.renewal.set()

    async def _go_live(self) -> None:
        """Subscribe, wait for the confirmation, join the group."""
        state, group = self._state, self._group
        try:
            await self.subscribe(group.subscriptions)
        except TimeoutError as error:
            raise VenueRefused(str(error)) from None
        seconds = time.monotonic() - self._since
        cause = f"{len(group.subscriptions)} streams"
        state.tell("subscribed", seconds=seconds, cause=cause, source=self.source)
        await group.go_live(self)
        self._live_since = time.monotonic()
        logger.info("%s: live after %.1f s", self.source, self._live_since - self._since)

    async def subscribe(
        self, subscriptions: Sequence[Subscription], instruments: Sequence[Instrument] = ()
    ) -> bool:
        """Ask for more and wait; see `connectors.feed.group.Member`."""
        state = self._state
        self._parser.learn(instruments)
        await self.ask(subscriptions)
        try:
            async with asyncio.timeout(state.settings.confirm_timeout):
                await self._confirmed.wait()
        except TimeoutError:
            seconds = state.settings.confirm_timeout
            raise TimeoutError(f"subscriptions not confirmed within {seconds:g} s") from None
        return not self._ended

    async def ask(self, subscriptions: Sequence[Subscription]) -> None:
        """Ask for more; see `connectors.feed.group.Member`."""
        new = [one for one in subscriptions if one not in self._asked]
        if new:
            self._asked.update(new)
            self._doubtful.difference_update(new)
            self._confirmed.clear()
            with suppress(ConnectionClosed):  # the reader tells of the end
                await self._sender.send(*self._parser.subscribe_frames(new))
            if not self._state.venue.confirms:
                self._active |= frozenset(new)
        self._check()

    async def unsubscribe(self, subscriptions: Sequence[Subscription]) -> None:
        """Ask for less; see `connectors.feed.group.Member`."""
        asked = [one for one in subscriptions if one in self._asked]
        self._asked.difference_update(asked)
        self._doubtful.difference_update(subscriptions)
        if asked:
            with suppress(ConnectionClosed):
                await self._sender.send(*self._parser.unsubscribe_frames(asked))
        self._check()

    async def resubscribe_book(self, symbol: str) -> None:
        """Ask for the book's snapshot once more; other streams flow on."""
        one = [Subscription("books", symbol)]
        frames = [*self._parser.unsubscribe_frames(one), *self._parser.subscribe_frames(one)]
        with suppress(ConnectionClosed):  # the reader tells of the end
            await self._sender.send(*frames)

    async def _keep_alive(self) -> None:
        """Send the venue's own pings, where it wants them."""
        period = self._state.venue.limits.keepalive
        while period is not None:
            await asyncio.sleep(period)
            frame = self._parser.keepalive_frame()
            if frame is not None:
                await self._sender.send(frame)

    async def _watch(self) -> None:
        """Look for silence, age, and the moment from which this connection can be relied on."""
        state = self._state
        limits = state.venue.limits
        silence = state.settings.silence or limits.silence
        opened = time.monotonic()
        pulse = Pulse(self._websocket, silence, opened)
        while True:
            await asyncio.sleep(WATCH_PERIOD)
            now = time.monotonic()
            if self._publisher.blocked:
                pulse.rest(now)
            elif (found := await pulse.look(self.frames, now)) is not None:
                self._judge(found)
                pulse.rest(now)
            if now - opened > (state.settings.renew or limits.renew):
                self._renew(f"connection is {now - opened:.0f} s old")
            if self._live_since is not None and not self._leg.settled.is_set():
                quiet = now - self._live_since > QUIET
                if quiet or self.received_data:
                    self._leg.settled.set()

    def _judge(self, silence: Silence) -> None:
        """Return where a silence is usual; else tell of it and raise FeedStale.

        A connection of thin symbols may be silent for long while its pings are answered, but not
        for ever: some servers answer pings and have forgotten their client.
        """
        state, seconds = self._state, silence.seconds
        short = seconds < MOST_QUIET * (state.settings.silence or state.venue.limits.silence)
        usual = all(state.staleness.is_usual(one, seconds) for one in self._group.wanted)
        if silence.answered and short and usual:
            return
        cause: Cause = "venue" if silence.answered else "connection"
        words = "pings are answered" if silence.answered else "not even a ping is answered"
        words = f"{cause}: no frame for {seconds:.1f} s, {words}"
        state.tell("stale", cause=words, seconds=seconds, source=self.source)
        raise FeedStale(words)


def new_source(venue: str, number: int) -> str:
    """Id of the n-th connection, unique over restarts: ``binance-2-1763847723``."""
    return f"{venue}-{number}-{wall_clock() // 1_000_000}"
