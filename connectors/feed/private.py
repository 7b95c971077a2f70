"""The private channel: our own orders and balances to ``market.orders`` and ``market.positions``.

Nobody can bring back what happened while the connection was down, so each outage is told as a
``gap`` of the channel ``orders`` without ids; readers then ask the venue for their open orders.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

import aiohttp

from connectors.backoff import delays
from connectors.errors import ConfigurationError, ReconnectRequested, VenueRefused, retry_or_fatal
from connectors.events import SCHEMA_VERSION, Heartbeat, OrderEvent, PositionUpdate, StatusKind
from connectors.exchanges.base import (
    DeadLetter,
    Instrument,
    ReconnectRequest,
    ResponseError,
    Subscribed,
    Venue,
    VenueError,
)
from connectors.exchanges.binance_private import PATH, PrivateItem, PrivateParser, subscribe_frame
from connectors.feed.connection import open_connection
from connectors.feed.heartbeat import HeartbeatClock
from connectors.feed.status import status, wall_clock
from connectors.kafka import topics
from connectors.kafka.clients import open_producer
from connectors.kafka.publisher import Publisher
from connectors.metrics import FeedStats
from connectors.settings import Settings

logger = logging.getLogger(__name__)

TOPICS = (topics.ORDERS, topics.POSITIONS)
"""What this feed writes, and moves by heartbeats."""
REFUSED_FOR_GOOD = {"-2014", "-2015", "-1022", "-1002"}
"""Binance's codes for a wrong key, a wrong signature, or a missing right: no try will help."""


class PrivateFeed:
    """Runs the private channel of one account until it is stopped.

    Args:
        venue: Binance; for its listing, limits and name.
        symbols: Pairs whose orders are wanted.
        settings: Addresses, key and secret.
    """

    def __init__(self, venue: Venue, symbols: Sequence[str], settings: Settings) -> None:
        self._key = settings.binance_api_key.get_secret_value()
        self._secret = settings.binance_api_secret.get_secret_value()
        if not (self._key and self._secret):
            raise ConfigurationError("set BINANCE_API_KEY and BINANCE_API_SECRET")
        self.stats = FeedStats(venue.name)
        self.events = 0
        self._venue = venue
        self._symbols = list(symbols)
        self._settings = settings
        self._clocks = {topic.name: HeartbeatClock(settings.heartbeat_margin) for topic in TOPICS}
        self._source = f"{venue.name}-private"
        self._live = False
        self._was_live = False

    async def run(self, stop: asyncio.Event) -> int:
        """Run until ``stop`` is set; gives how many records Kafka did not take at the end."""
        settings = self._settings
        instruments = await self._instruments()
        names = [settings.topic(topic.name) for topic in topics.TOPICS]
        producer = await asyncio.to_thread(open_producer, settings, names)
        publisher = Publisher(producer, settings, self._venue.name, self.stats)
        work = [
            asyncio.create_task(publisher.run()),
            asyncio.create_task(self._beat(publisher)),
            asyncio.create_task(self._connect_for_ever(publisher, instruments)),
        ]
        waiter = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait({waiter, *work}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (waiter, *work):
                task.cancel()
            await asyncio.gather(waiter, *work, return_exceptions=True)
            self._tell(publisher, "disconnected", "the connector ends")
            left = await publisher.close(settings.flush_timeout)
        return left

    async def _instruments(self) -> list[Instrument]:
        venue = self._venue
        try:
            url = venue.instruments_request(self._symbols, self._settings.rest_base(venue.name))
            timeout = aiohttp.ClientTimeout(total=15)
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as answer:
                answer.raise_for_status()
                return venue.parse_instruments(await answer.read(), self._symbols)
        except (ResponseError, ValueError, aiohttp.ClientError, OSError) as error:
            raise ConfigurationError(f"--symbols: {error}") from error

    async def _connect_for_ever(
        self, publisher: Publisher, instruments: Sequence[Instrument]
    ) -> None:
        waits, number = delays(self._settings.backoff_base, self._settings.backoff_cap), 0
        while True:
            number += 1
            self._source = f"{self._venue.name}-private-{number}-{wall_clock() // 1_000_000}"
            try:
                await self._connection(publisher, PrivateParser(instruments, self._source))
            except Exception as error:
                was_live, self._live = self._live, False
                cause = f"{type(error).__name__}: {error}"
                self._tell(publisher, "disconnected", cause)
                if retry_or_fatal(error) is not None:
                    raise
                if was_live:
                    waits = delays(self._settings.backoff_base, self._settings.backoff_cap)
                logger.warning("%s: %s; connecting again", self._source, cause)
            await asyncio.sleep(next(waits))

    async def _connection(self, publisher: Publisher, parser: PrivateParser) -> None:
        settings, limits = self._settings, self._venue.limits
        url = settings.binance_ws_api_url.rstrip("/") + PATH
        async with (
            asyncio.timeout(limits.renew),
            open_connection(url, limits, settings.connect_timeout) as websocket,
        ):
            self._tell(publisher, "connected", url)
            request = subscribe_frame(self._key, self._secret, time.time_ns() // 1_000_000)
            await websocket.send(request, text=True)
            while True:
                frame = await websocket.recv(decode=False)
                now = wall_clock()
                for item in parser.parse(frame, now):
                    self._handle(publisher, item, now)
                if publisher.blocked:
                    await publisher.wait_for_space()

    def _handle(self, publisher: Publisher, item: PrivateItem, ts_recv: int) -> None:
        if isinstance(item, (OrderEvent, PositionUpdate)):
            kind = str(item.__struct_config__.tag)
            self._clocks[topics.TOPIC_OF_EVENT[kind].name].event(item.ts_event)
            publisher.event(item, kind)
            self.events += 1
        elif isinstance(item, DeadLetter):
            source = self._source
            publisher.dead_letter(item.raw, item.reason, item.detail, source, ts_recv, item.symbol)
            self._tell(publisher, "dead_letter", f"{item.reason}: {item.detail}")
        elif isinstance(item, Subscribed):
            self._tell(publisher, "subscribed", "user data stream")
            if self._was_live:
                self._tell(publisher, "gap", "orders of the outage are unknown: ask for them")
            self._live = self._was_live = True
            logger.info("%s: live", self._source)
        elif isinstance(item, VenueError):
            if item.code in REFUSED_FOR_GOOD:
                raise ConfigurationError(
                    f"BINANCE_API_KEY, BINANCE_API_SECRET: {item.code} {item.message}"
                )
            raise VenueRefused(f"{item.code} {item.message}")
        elif isinstance(item, ReconnectRequest):
            raise ReconnectRequested(item.message)

    async def _beat(self, publisher: Publisher) -> None:
        """Heartbeats of the two topics while the channel is live, each second."""
        while True:
            await asyncio.sleep(1.0)
            for topic in TOPICS:
                at = self._clocks[topic.name].tick(time.monotonic(), quiet=not self._live)
                if at is not None:
                    head = (self._venue.name, "*", "*", at, wall_clock(), self._source)
                    beat = Heartbeat(*head, "venue", SCHEMA_VERSION, last_trade_ids=None)
                    publisher.heartbeat(beat, topic)

    def _tell(self, publisher: Publisher, kind: StatusKind, cause: str) -> None:
        name = self._venue.name
        event = status(name, self._source, kind, channel="orders", cause=cause)
        publisher.event(event, "status")
