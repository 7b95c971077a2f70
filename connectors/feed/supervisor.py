"""Keeps one feed running: instruments, connect, session, again and again, clean end."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from connectors.backoff import Pace, delays
from connectors.errors import ConfigurationError, ProducerFailed, VenueRefused
from connectors.exchanges.base import Channel, Instrument, Subscription, Venue
from connectors.feed.beats import HeartbeatWriter
from connectors.feed.book_keeper import BookKeeper
from connectors.feed.changes import Connections
from connectors.feed.control import Control, announced
from connectors.feed.fill import GapFiller
from connectors.feed.listing import look_up
from connectors.feed.repair import watch
from connectors.feed.reports import Reports, open_reporter
from connectors.feed.session import new_source
from connectors.feed.standby import Stop
from connectors.feed.state import FeedState
from connectors.feed.status import first_error
from connectors.feed.tail import read_trackers
from connectors.kafka.clients import open_producer
from connectors.kafka.publisher import Publisher
from connectors.kafka.topics import TOPICS
from connectors.metrics import FeedStats, serve_metrics
from connectors.settings import Settings
from connectors.symbols import nearest

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Feed:
    """One writer: one venue, its connections, its partitions.

        await Feed(venue, ["BTC-USDT"], ["trades"], settings).run(stop)

    Args:
        venue: The protocol.
        symbols: Normalised, for example ``BTC-USDT``.
        channels: Of ``trades``, ``quotes``, ``books``, ``candles``: those the venue has.
        settings: Everything else.
    """

    def __init__(
        self,
        venue: Venue,
        symbols: Sequence[str],
        channels: Sequence[str],
        settings: Settings,
    ) -> None:
        known: list[Channel] = [name for name in venue.channels if name in channels]
        if len(known) < len(channels):
            unknown = ", ".join(
                f"{name}{nearest(name, venue.channels)}" for name in channels if name not in known
            )
            raise ConfigurationError(
                f"--channels: {venue.name} has no {unknown}; "
                f"it has {', '.join(sorted(venue.channels))}"
            )
        self.stats = FeedStats(venue.name)
        self.state: FeedState | None = None
        self._venue = venue
        self._symbols = list(symbols)
        self._channels = sorted(known)
        self.lines: Connections | None = None
        """While it runs: what may be changed."""
        self._port: int | None = None
        self._announced: Path | None = None
        self._settings = settings
        self._connections = 0
        self._connect_pace = connect_pace(venue.limits.connects_per_minute)

    async def run(self, stop: asyncio.Event) -> int:
        """Run until ``stop`` is set; gives how many records Kafka did not take at the end.

        Raises:
            ConfigurationError, BrokerUnreachable: What cannot work; the text names the remedy.
        """
        settings = self._settings
        timeout = aiohttp.ClientTimeout(total=15, connect=settings.connect_timeout)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            filler = GapFiller(
                http, self._venue, settings.trades_base(self._venue.name), settings.max_fill
            )
            instruments = await _until(stop, self._instruments(filler))
            if instruments is None:
                return 0
            wanted = [Subscription(c, one.symbol) for c in self._channels for one in instruments]
            self._reports = Reports(self.stats, open_reporter(settings, self._venue.name))
            try:
                return await self._publish(stop, instruments, wanted, filler)
            finally:
                if self._announced is not None:
                    self._announced.unlink(missing_ok=True)
                await self._reports.close()

    async def _publish(
        self,
        stop: asyncio.Event,
        instruments: list[Instrument],
        subscriptions: list[Subscription],
        filler: GapFiller,
    ) -> int:
        """Run with one Kafka client after the other; gives how many records were left."""
        left = 0
        ended = False
        while not ended:
            state = await self._open(instruments, subscriptions, filler)
            cut = asyncio.create_task(_cut(stop, state.publisher))
            try:
                await _until(stop, self._run_tasks(state))
                ended = True
            except ProducerFailed as error:
                # What the log has tells the next producer where to go on; REST brings
                # what this one could not deliver.
                logger.error("Kafka client failed (%s): a new one takes over", error)
            finally:
                instruments, subscriptions = state.instruments, state.subscriptions
                await _finished(cut, stop)
                left += await self._close(state)
        return left

    async def _open(
        self,
        instruments: list[Instrument],
        subscriptions: list[Subscription],
        filler: GapFiller,
    ) -> FeedState:
        """Kafka's side: producer, publisher, and what a former process had published."""
        settings = self._settings
        names = [settings.topic(topic.name) for topic in TOPICS]
        producer = await asyncio.to_thread(open_producer, settings, names)
        publisher = Publisher(producer, settings, self._venue.name, self.stats)
        trackers = await asyncio.to_thread(
            read_trackers,
            settings,
            publisher.trades_topic,
            publisher.partition,
            self._venue.numbering,
        )
        state = FeedState(
            self._venue,
            settings,
            instruments,
            subscriptions,
            publisher,
            self.stats,
            filler,
            trackers,
        )
        if self.state is None:
            control = Control(self._venue.name, lambda: self.lines, asyncio.get_running_loop())
            self._port = serve_metrics(
                self.stats, settings.metrics_port, self._refresh, {"/subscriptions": control}
            )
            if self._port is not None:
                logger.info("metrics: http://127.0.0.1:%d/metrics", self._port)
        if self._port is not None:
            self._announced = announced(settings, self._venue.name, self._port)
        self.state = state
        state.emit = self._reports.attach(publisher)
        self._books = BookKeeper(state)
        return state

    def _refresh(self) -> None:
        if self.state is not None:
            self.state.refresh_stats()

    async def _instruments(self, filler: GapFiller) -> list[Instrument]:
        """What the venue lists, asked until it answers."""
        venue, base = self._venue, self._settings.rest_base(self._venue.name)
        for delay in delays(self._settings.backoff_base, self._settings.backoff_cap):
            try:
                return await look_up(venue, self._symbols, filler, base)
            except ConfigurationError as error:
                raise ConfigurationError(f"--symbols: {error}") from error
            except VenueRefused as error:
                logger.warning("no instruments yet (%s), next try in %.1f s", error, delay)
                await asyncio.sleep(delay)
        raise AssertionError("delays never end")

    async def _run_tasks(self, state: FeedState) -> None:
        pace, copies = self._connect_pace, self._settings.connections
        self.lines = Connections(
            state, self._books, pace, self._next_source, copies, self._channels
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(state.publisher.run())
                tasks.create_task(HeartbeatWriter(state).run())
                tasks.create_task(self._books.run())
                tasks.create_task(watch(state))
                tasks.create_task(self.lines.run())
        finally:
            self.lines = None

    def _next_source(self) -> str:
        """Id of the next connection."""
        self._connections += 1
        places = 1 if self.lines is None else self.lines.places
        self.stats.reconnects = max(0, self._connections - places)
        return new_source(self._venue.name, self._connections)

    async def _close(self, state: FeedState) -> int:
        state.live = False
        self.stats.connected = 0
        state.tell("disconnected", cause="the connector ends")
        await self._reports.drained()
        HeartbeatWriter(state).write_last()
        left = await state.publisher.close(self._settings.flush_timeout)
        state.refresh_stats()
        names = "trades quotes books duplicates filled gaps conflated reconnects delivery_errors"
        counted = " ".join(f"{name}={getattr(self.stats, name)}" for name in names.split())
        logger.info("%s: ended %s dead_letters=%s", state.source, counted, self.stats.dead_letters)
        return left


async def _cut(stop: asyncio.Event, publisher: Publisher) -> None:
    """Where the partition is another's soon, publish no more, before sockets are closed slowly."""
    await stop.wait()
    if isinstance(stop, Stop) and stop.patience is not None:
        await publisher.cut(stop.patience)


async def _finished(cut: asyncio.Task[None], stop: asyncio.Event) -> None:
    """Wait for `_cut` where it is under way."""
    if not stop.is_set():
        cut.cancel()
    await asyncio.gather(cut, return_exceptions=True)


def connect_pace(per_minute: float) -> Pace:
    """At most ``per_minute`` connects in any minute, a tenth of them at once."""
    burst = 1 + int(per_minute // 10)
    return Pace(60.0 / max(1.0, per_minute - burst + 1), burst)


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Result of ``work``, or None where ``stop`` was set first (``work`` is then cancelled)."""
    task = asyncio.create_task(work)
    waiter = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        return None
    except BaseExceptionGroup as error:
        raise first_error(error) from None
    finally:
        waiter.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
