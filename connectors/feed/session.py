"""One connection's life: HOLD (subscribe, collect, fill) and then LIVE.

While holding, trades are collected and not published: after a reconnect the older ones, which
only REST can bring, must come first. When all subscriptions are confirmed and the range since the
last known id was asked for, the collected trades go out by (ts_event, trade_seq) without
duplicates, and the session is live. Quotes and books are never held: nobody can bring old ones.
"""

import asyncio
import logging
import time
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from connectors.errors import ConnectorError, FeedStale, ReconnectRequested, VenueRefused
from connectors.events import BookUpdate, Candle, Quote, Trade
from connectors.exchanges.base import (
    BookBroken,
    Control,
    DeadLetter,
    Item,
    ReconnectRequest,
    SequenceGap,
    Subscribed,
    Subscription,
    VenueError,
)
from connectors.feed.book_keeper import BookKeeper
from connectors.feed.connection import Sender
from connectors.feed.repair import Repair
from connectors.feed.state import FeedState
from connectors.feed.status import wall_clock
from connectors.kafka.serde import encode
from connectors.metrics import LAG_SAMPLES

logger = logging.getLogger(__name__)

WATCH_PERIOD = 0.1
"""Seconds between two looks at what is missing."""


class Session:
    """Runs one open connection until it ends; `run` always ends with an exception.

    Args:
        state: What outlives the connection.
        books: Takes its book updates.
        websocket: Open connection.
        source: Its id, carried by the events.
        since: Monotonic time at which the feed was last live, or began: for ``subscribed``.
    """

    def __init__(
        self,
        state: FeedState,
        books: BookKeeper,
        websocket: ClientConnection,
        source: str,
        since: float,
    ) -> None:
        self._state = state
        self._books = books
        self.source = source
        self._events_before = state.total_events()
        self._held_any = False
        self._websocket = websocket
        self._sender = Sender(websocket, state.venue.limits.messages_per_second)
        self._since = since
        self._parser = state.venue.parser(state.instruments, source)
        self._parse = self._parser.parse
        self._publisher = state.publisher
        self._put = state.publisher.put
        self._trades_topic = state.publisher.trades_topic
        self._stats = state.stats
        self._streams = state.streams
        self._trade_clock = state.clocks["trades"]
        self._holding = True
        self._confirmed = asyncio.Event()
        self._hold_full = asyncio.Event()
        self._end: ConnectorError | None = None
        self._repair = Repair(state)

    async def run(self) -> None:
        """Subscribe and read until the connection ends."""
        state = self._state
        state.live = False
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            tasks.create_task(self._go_live())
            tasks.create_task(self._watch(tasks))
            tasks.create_task(self._keep_alive())

    @property
    def received_data(self) -> bool:
        """Whether this connection brought any market event."""
        return self._held_any or self._state.total_events() > self._events_before

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
        lag = 0
        for item in self._parse(frame, ts_recv):
            if type(item) is Trade and not self._holding:
                stream = self._streams[item.symbol]
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
        stats.lags[stats.frames & (LAG_SAMPLES - 1)] = lag
        stats.frames += 1

    def _handle_other(self, item: Item, ts_recv: int) -> int:
        """Anything but a live trade; gives its lag in µs, 0 where it has none."""
        if isinstance(item, Trade):
            self._held_any = True
            self._state.held.append(item)
            if len(self._state.held) > self._state.settings.max_held:
                self._hold_full.set()
            return ts_recv - item.ts_event
        if isinstance(item, Quote):
            self._state.publish_latest(item)
            return ts_recv - item.ts_event
        if isinstance(item, BookUpdate):
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
        if Subscription("candles", candle.symbol) not in self._state.wanted:
            self._stats.unrouted += 1
            return 0
        self._streams[candle.symbol].candles += 1
        self._state.clocks["candles"].event(candle.ts_event)
        self._publisher.event(candle, "candle")
        return candle.ts_recv - candle.ts_event

    def _control(self, item: Control) -> None:
        if isinstance(item, Subscribed):
            if item.active >= self._state.wanted:
                self._confirmed.set()
        elif isinstance(item, VenueError):
            self._end = VenueRefused(f"{item.code} {item.message}".strip())
        elif isinstance(item, ReconnectRequest):
            self._end = ReconnectRequested(item.message)
        elif isinstance(item, BookBroken):
            self._books.broken(item.symbol, item.cause, self)
        elif isinstance(item, SequenceGap):
            # Trades show by their own ids what is missing; books break their chain.
            cause = f"frames {item.from_id}..{item.to_id} of the connection never came"
            self._state.tell("resync", cause=cause)

    async def _go_live(self) -> None:
        """From HOLD to LIVE."""
        state = self._state
        await self._sender.send(*self._parser.subscribe_frames(state.subscriptions))
        if not state.venue.confirms:
            self._confirmed.set()
        try:
            async with asyncio.timeout(state.settings.confirm_timeout):
                await self._confirmed.wait()
        except TimeoutError:
            raise VenueRefused(
                f"subscriptions not confirmed within {state.settings.confirm_timeout:g} s"
            ) from None
        seconds = time.monotonic() - self._since
        state.tell("subscribed", seconds=seconds, cause=f"{len(state.subscriptions)} streams")
        await self._repair.fill_held(self._hold_full)
        await self._release()
        self._repair.after_hold()
        for subscription in state.subscriptions:
            state.staleness.watch((subscription.channel, subscription.symbol), time.monotonic())
        logger.info("%s: live after %.1f s", self.source, time.monotonic() - self._since)

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

    async def _release(self) -> None:
        """Publish the held trades in order; those that come meanwhile follow, then LIVE."""
        state = self._state
        while state.held:
            batch, state.held = state.held, []
            batch.sort(key=lambda trade: (trade.ts_event, trade.trade_seq))
            for index, trade in enumerate(batch):
                if self._publisher.blocked:
                    state.held[:0] = batch[index:]
                    await self._publisher.wait_for_space()
                    break
                state.publish_trade(trade)
        self._holding = False
        state.live = True
        self._stats.connected = 1

    async def _watch(self, tasks: asyncio.TaskGroup) -> None:
        """Look for silence, stale streams and missing trades."""
        state = self._state
        limits = state.venue.limits
        silence = state.settings.silence or limits.silence
        opened = last_change = time.monotonic()
        frames = state.stats.frames
        while True:
            await asyncio.sleep(WATCH_PERIOD)
            now = time.monotonic()
            if self._stats.frames != frames or self._publisher.blocked:
                frames, last_change = self._stats.frames, now
            elif now - last_change > silence:
                state.tell("stale", cause="no frame at all", seconds=now - last_change)
                raise FeedStale(f"no frame for {silence:g} s although the socket is open")
            if now - opened > limits.renew:
                raise ReconnectRequested(f"connection is {limits.renew:g} s old: renewed")
            if not self._holding:
                self._repair.report_stale(now)
                self._repair.ask_overdue(tasks)


def new_source(venue: str, number: int) -> str:
    """Id of the n-th connection, unique over restarts: ``binance-2-1763847723``."""
    return f"{venue}-{number}-{wall_clock() // 1_000_000}"
