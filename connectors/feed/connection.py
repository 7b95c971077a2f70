"""One WebSocket connection to a venue."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

from connectors.backoff import Pace
from connectors.exchanges.base import Limits

MAX_FRAME = 32 * 1024 * 1024
"""Largest frame taken, bytes: Coinbase's book snapshots have several megabytes."""

MAX_QUEUED_FRAMES = 256
"""Frames that may wait unread in the client before it stops reading from the socket."""

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@asynccontextmanager
async def open_connection(
    url: str, limits: Limits, open_timeout: float
) -> AsyncIterator[ClientConnection]:
    """Connect, and close at the end.

    Compression is off: it would cost more time per frame than decoding it.

    Args:
        url: ``ws://`` or ``wss://`` address.
        limits: When to ping.
        open_timeout: For the handshake, seconds.

    Raises:
        OSError, InvalidHandshake: As websockets does; see `connectors.errors.retry_or_fatal`.
    """
    local = urlsplit(url).hostname in LOOPBACK
    async with connect(
        url,
        compression=None,
        open_timeout=open_timeout,
        ping_interval=limits.ping_interval,
        ping_timeout=limits.ping_timeout,
        close_timeout=2,
        max_size=MAX_FRAME,
        max_queue=MAX_QUEUED_FRAMES,
        proxy=None if local else True,
    ) as websocket:
        yield websocket


class Sender:
    """Sends text frames of one connection, no faster than the venue allows."""

    def __init__(self, websocket: ClientConnection, messages_per_second: float) -> None:
        self._websocket = websocket
        self._pace = Pace(1.0 / messages_per_second, burst=1)

    async def send(self, *frames: bytes) -> None:
        """Send ``frames`` in order, each when its turn has come."""
        for frame in frames:
            await asyncio.sleep(self._pace.wait(time.monotonic()))
            await self._websocket.send(frame, text=True)
