"""One WebSocket connection to a venue."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

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


async def send_all(
    websocket: ClientConnection, frames: Iterable[bytes], messages_per_second: float
) -> None:
    """Send text frames, no faster than the venue allows."""
    pause = 0.0
    for frame in frames:
        if pause:
            await asyncio.sleep(pause)
        await websocket.send(frame, text=True)
        pause = 1.0 / messages_per_second
