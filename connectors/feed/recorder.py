"""Records the raw frames of a venue, connection after connection, into `FrameFile`s.

Where the venue's books need a snapshot by REST (`connectors.feed.snapshots`), it is recorded too.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp

from connectors.backoff import delays
from connectors.errors import ConfigurationError, retry_or_fatal
from connectors.exchanges.base import Instrument, Parser, Subscription, Venue
from connectors.feed.connection import open_connection
from connectors.feed.fill import GapFiller
from connectors.feed.group import split
from connectors.feed.recording import WORDS, FrameFile
from connectors.feed.snapshots import Snapshots
from connectors.feed.status import first_error, wall_clock
from connectors.settings import Settings

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
"""What a kill can cost."""


class Recorder:
    """Records one venue until it is stopped; a connection that breaks is opened again.

    Args:
        venue: The protocol.
        symbols: Normalised.
        channels: Of those the venue has.
        settings: Addresses and times.
        folder: Where the files go.
        max_bytes: Compressed bytes per file.
    """

    def __init__(
        self,
        venue: Venue,
        symbols: Sequence[str],
        channels: Sequence[str],
        settings: Settings,
        folder: Path,
        max_bytes: int,
    ) -> None:
        self.frames = 0
        self.paths: list[Path] = []
        self._connections = 0
        self._venue = venue
        self._symbols = list(symbols)
        self._channels = list(channels)
        self._subscriptions = [Subscription(c, s) for c in channels for s in symbols]  # type: ignore[arg-type]
        self._settings = settings
        self._folder = folder
        self._max_bytes = max_bytes

    async def run(self, stop: asyncio.Event) -> int:
        """Record until ``stop`` is set; gives the number of frames.

        ConfigurationError for symbols that the venue does not list.
        """
        url, body = await self._listing()
        venue = self._venue
        instruments = venue.parse_instruments(body, self._symbols)
        head: list[dict[str, object]] = [
            {
                "t": "header",
                "exchange": venue.name,
                "snapshots": True,
                "config": {WORDS[channel]: self._symbols for channel in self._channels},
            },
            {"t": "http", "url": url, "data": body.decode(), "ts": wall_clock() / 1_000_000},
        ]
        file = FrameFile(self._folder, venue.name, head, self._max_bytes)
        self.paths = file.paths
        work = asyncio.create_task(self._record(file, instruments))
        waiter = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, waiter}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            waiter.cancel()
            await asyncio.gather(work, return_exceptions=True)
            file.close()
        return self.frames

    async def _listing(self) -> tuple[str, bytes]:
        venue = self._venue
        try:
            url = venue.instruments_request(self._symbols, self._settings.rest_base(venue.name))
            timeout = aiohttp.ClientTimeout(total=15)
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as answer:
                answer.raise_for_status()
                body = await answer.read()
            venue.parse_instruments(body, self._symbols)
        except (ValueError, aiohttp.ClientError, OSError) as error:
            raise ConfigurationError(f"{venue.name} lists no such symbols ({error})") from error
        return url, body

    async def _record(self, file: FrameFile, instruments: Sequence[Instrument]) -> None:
        """Keep as many connections as the venue's limits and addresses ask for."""
        venue = self._venue
        parts = split(
            self._subscriptions, venue.limits.subscriptions, lambda one: venue.ws_url([one], "")
        )
        timeout = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            base = self._settings.rest_base(venue.name)
            snapshots = Snapshots(venue, instruments, GapFiller(http, venue, base, 0), base, file)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_flush(file))
                tasks.create_task(snapshots.run())
                for part in parts:
                    tasks.create_task(self._keep(file, instruments, part, snapshots))

    async def _keep(
        self,
        file: FrameFile,
        instruments: Sequence[Instrument],
        part: Sequence[Subscription],
        snapshots: Snapshots,
    ) -> None:
        """One connection after the other for a part of the subscriptions."""
        waits = delays(self._settings.backoff_base, self._settings.backoff_cap)
        while True:
            self._connections += 1
            conn, before = f"{self._venue.name}-{self._connections}", self.frames
            try:
                await self._connection(file, instruments, part, conn, snapshots)
            except Exception as error:
                first = first_error(error)
                file.add("disconnect", conn, wall_clock(), str(first).encode())
                if retry_or_fatal(first) is not None:
                    raise first from None
                logger.warning("%s: %s; connecting again", conn, first)
            if self.frames > before:
                waits = delays(self._settings.backoff_base, self._settings.backoff_cap)
            await asyncio.sleep(next(waits))

    async def _connection(
        self,
        file: FrameFile,
        instruments: Sequence[Instrument],
        part: Sequence[Subscription],
        conn: str,
        snapshots: Snapshots,
    ) -> None:
        venue, settings = self._venue, self._settings
        parser = venue.parser(instruments, conn)
        url = venue.ws_url(part, settings.ws_base(venue.name))
        silence = settings.silence or venue.limits.silence
        async with open_connection(url, venue.limits, settings.connect_timeout) as websocket:
            file.add("connect", conn, wall_clock(), url.encode())
            snapshots.restart(part)

            async def send(frame: bytes) -> None:
                file.add("send", conn, wall_clock(), frame)
                await websocket.send(frame, text=True)
                await asyncio.sleep(1.0 / venue.limits.messages_per_second)

            async def read() -> None:
                while True:
                    async with asyncio.timeout(silence):
                        frame = await websocket.recv(decode=False)
                    now = wall_clock()
                    file.add("recv", conn, now, frame)
                    self.frames += 1
                    if snapshots.open:
                        snapshots.look(parser.parse(frame, now))

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(read())
                for frame in parser.subscribe_frames(part):
                    await send(frame)
                tasks.create_task(_keep_alive(parser, venue.limits.keepalive, send))


async def _flush(file: FrameFile) -> None:
    """Bring lines to the disk, for ever."""
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        file.flush()


async def _keep_alive(
    parser: Parser, period: float | None, send: Callable[[bytes], Awaitable[None]]
) -> None:
    """The venue's own pings, where it wants them."""
    while period is not None:
        await asyncio.sleep(period)
        frame = parser.keepalive_frame()
        if frame is not None:
            await send(frame)
