"""`DataStreamProcessor`: connections to exchanges whose events go to an `EventEngine`.

For programs that want live events and no log. What the platform runs is `connectors.feed`, which
also fills gaps by REST and writes Kafka; both use the same adapters and the same connection.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Self

from websockets.asyncio.client import ClientConnection

from connectors.backoff import delays
from connectors.bursts import Bursts
from connectors.engine import EngineStopped, EventEngine
from connectors.errors import (
    ConfigurationError,
    FeedStale,
    ReconnectRequested,
    VenueRefused,
    retry_or_fatal,
)
from connectors.events import BookUpdate, Candle, Quote, StatusKind, Trade
from connectors.exchanges import registry
from connectors.exchanges.base import (
    Channel,
    DeadLetter,
    Instrument,
    Item,
    ReconnectRequest,
    SequenceGap,
    Subscribed,
    Subscription,
    Venue,
    VenueError,
)
from connectors.feed.connection import Sender, open_connection
from connectors.feed.status import status, wall_clock
from connectors.settings import Settings, load_settings

logger = logging.getLogger(__name__)

EVENTS = (Trade, Quote, BookUpdate, Candle)


class Connection:
    """What is known of the connection to one exchange; see `DataStreamProcessor.connections`."""

    def __init__(self, venue: Venue, ws_url: str) -> None:
        self.venue = venue
        self.ws_url = ws_url
        self.connected = False
        self.attempts = 0
        """Connects tried so far."""
        self.frames = 0
        self.events = 0
        self.dead_letters: dict[str, int] = {}
        """Frames, or parts of them, that were no events, by reason."""
        self.active: frozenset[Subscription] = frozenset()
        """Confirmed by the exchange."""
        self.last_error = ""
        self.task: asyncio.Task[None] | None = None
        self.websocket: ClientConnection | None = None


class DataStreamProcessor:
    """Keeps connections alive and emits what they bring; see `connectors.engine` for an example.

    A failed connect, the first one too, is tried again with growing waits; after each connect the
    subscriptions are made again. Frames that are no events are counted and logged, never fatal.
    Connects, cuts and holes are ``system`` events.

    Args:
        event_engine: Where events go.
        settings: Times; default: those of the environment.
    """

    def __init__(self, event_engine: EventEngine, settings: Settings | None = None) -> None:
        self.connections: dict[str, Connection] = {}
        """By exchange id."""
        self.subscriptions: dict[str, list[Subscription]] = {}
        """What is wanted, by exchange id."""
        self._engine = event_engine
        self._settings = settings or load_settings()
        self._bursts = Bursts(logger)

    def subscribe(
        self, exchange_id: str, symbols: Iterable[str], channels: Sequence[Channel] = ("trades",)
    ) -> None:
        """Want these channels of these symbols; takes effect with the next connect.

        Args:
            exchange_id: For example ``binance``.
            symbols: Normalised, for example ``BTC-USDT``.
            channels: Of ``trades``, ``quotes``, ``books``, ``candles``.

        Raises:
            ConfigurationError: For an unknown exchange or something that is no symbol.
        """
        venue = _venue(exchange_id)
        wanted = self.subscriptions.setdefault(exchange_id, [])
        for symbol in symbols:
            try:
                venue.native_symbol(symbol)
            except ValueError as error:
                raise ConfigurationError(f"{exchange_id}: {error}") from error
            for channel in channels:
                subscription = Subscription(channel, symbol)
                if subscription not in wanted:
                    wanted.append(subscription)

    async def connect_exchange(self, exchange_id: str, ws_url: str) -> Connection:
        """Start to keep a connection to an exchange alive, and return at once.

        Args:
            exchange_id: For example ``binance``; `subscribe` must have been called for it.
            ws_url: ``ws://`` or ``wss://`` address without path.

        Raises:
            ConfigurationError: Where the exchange is unknown, connected already, or without
                subscriptions.
        """
        venue = _venue(exchange_id)
        if not self.subscriptions.get(exchange_id):
            raise ConfigurationError(f"{exchange_id}: nothing to connect for; call subscribe first")
        if exchange_id in self.connections:
            raise ConfigurationError(f"{exchange_id} is connected already")
        connection = self.connections[exchange_id] = Connection(venue, ws_url)
        connection.task = asyncio.create_task(self._keep(connection))
        connection.task.add_done_callback(_log_end)
        return connection

    async def disconnect_exchange(self, exchange_id: str) -> None:
        """End a connection; its subscriptions stay for the next `connect_exchange`."""
        connection = self.connections.pop(exchange_id, None)
        if connection is not None and connection.task is not None:
            connection.task.cancel()
            await asyncio.gather(connection.task, return_exceptions=True)

    async def close(self) -> None:
        """End all connections."""
        for exchange_id in list(self.connections):
            await self.disconnect_exchange(exchange_id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _keep(self, connection: Connection) -> None:
        """Connect again and again; ends by cancellation, a fatal error, or a stopped engine."""
        with suppress(EngineStopped):
            await self._connect_for_ever(connection)

    async def _connect_for_ever(self, connection: Connection) -> None:
        name = connection.venue.name
        waits = delays(self._settings.backoff_base, self._settings.backoff_cap)
        while True:
            before = connection.events
            connection.attempts += 1
            try:
                await self._one(connection)
            except EngineStopped:
                raise
            except Exception as error:
                text = connection.last_error = f"{type(error).__name__}: {error}"
                if retry_or_fatal(error) is not None:
                    raise
            finally:
                was, connection.connected = connection.connected, False
                connection.active, connection.websocket = frozenset(), None
            if was:
                await self._tell(connection, "disconnected", text)
            if connection.events > before:
                waits = delays(self._settings.backoff_base, self._settings.backoff_cap)
            delay = next(waits)
            self._bursts.report(f"{name}|connect", f"{name}: {text}; next try in {delay:.1f} s")
            await asyncio.sleep(delay)

    async def _one(self, connection: Connection) -> None:
        """Connect, subscribe, read until it ends; always ends with an exception."""
        venue, settings = connection.venue, self._settings
        wanted = self.subscriptions[venue.name]
        source = f"{venue.name}-{connection.attempts}-{wall_clock() // 1_000_000}"
        parser = venue.parser(_instruments(venue, wanted), source)
        url = venue.ws_url(wanted, connection.ws_url)
        async with open_connection(url, venue.limits, settings.connect_timeout) as websocket:
            connection.connected, connection.websocket = True, websocket
            await self._tell(connection, "connected", url)
            silence = settings.silence or venue.limits.silence
            sender = Sender(websocket, venue.limits.messages_per_second)
            sending = asyncio.create_task(sender.send(*parser.subscribe_frames(wanted)))
            try:
                while True:
                    try:
                        frame = await asyncio.wait_for(websocket.recv(decode=False), silence)
                    except TimeoutError:
                        raise FeedStale(f"no frame for {silence:g} s") from None
                    connection.frames += 1
                    for item in parser.parse(frame, time.time_ns() // 1000):
                        await self._take(connection, item)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def _take(self, connection: Connection, item: Item) -> None:
        if isinstance(item, EVENTS):
            connection.events += 1
            if not self._engine.emit_nowait(item):
                await self._engine.emit_event(item)
        elif isinstance(item, DeadLetter):
            counts = connection.dead_letters
            counts[item.reason] = counts.get(item.reason, 0) + 1
            text = f"{connection.venue.name}: {item.reason}: {item.detail}"
            if self._bursts.report(f"{connection.venue.name}|{item.reason}", text):
                await self._tell(connection, "dead_letter", f"{item.reason}: {item.detail}")
        elif isinstance(item, Subscribed):
            connection.active = item.active
            if item.active >= set(self.subscriptions[connection.venue.name]):
                await self._tell(connection, "subscribed", f"{len(item.active)} streams")
        elif isinstance(item, SequenceGap):
            cause = f"frames {item.from_id}..{item.to_id} never came"
            await self._tell(connection, "resync", cause)
        elif isinstance(item, VenueError):
            raise VenueRefused(f"{item.code} {item.message}".strip())
        elif isinstance(item, ReconnectRequest):
            raise ReconnectRequested(item.message)

    async def _tell(self, connection: Connection, kind: StatusKind, cause: str) -> None:
        name = connection.venue.name
        source = f"{name}-{connection.attempts}"
        await self._engine.emit_event(status(name, source, kind, cause=cause))


def _instruments(venue: Venue, wanted: Iterable[Subscription]) -> list[Instrument]:
    """What a parser must know; tick and lot are not asked for, since nobody orders here."""
    symbols = dict.fromkeys(subscription.symbol for subscription in wanted)
    return [Instrument(s, venue.native_symbol(s), "0.00000001", "0.00000001") for s in symbols]


def _venue(exchange_id: str) -> Venue:
    try:
        return registry.venue(exchange_id)
    except KeyError as error:
        raise ConfigurationError(str(error.args[0])) from error


def _log_end(task: asyncio.Task[None]) -> None:
    """Say why a connection ended for good; without it the error were told to nobody."""
    if not task.cancelled() and task.exception() is not None:
        logger.error("connection given up: %s", task.exception())
