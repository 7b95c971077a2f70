"""Whether a connection lives: by its frames, and by pings where frames do not come."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import NamedTuple, Protocol

from websockets.exceptions import ConnectionClosed


class Pinged(Protocol):
    """The part of a WebSocket that is asked whether the other side lives."""

    async def ping(self) -> Awaitable[float]:
        """Send a ping; what is returned is done once its pong has come."""


class Silence(NamedTuple):
    """A connection that brought no frame for longer than its limit."""

    seconds: float
    """Since the last frame."""
    answered: bool
    """A ping of this time was answered: the other side lives, and sends nothing."""


class Pulse:
    """Looks for silence. After half of the limit it pings, so that at the limit it is known
    whether the other side is gone or merely has nothing to say.

    Pongs alone do not count as life: a server may answer them for ever and send nothing.

    Args:
        websocket: The open connection.
        limit: Seconds without a frame that count as silence.
        now: Monotonic time.
    """

    def __init__(self, websocket: Pinged, limit: float, now: float) -> None:
        self._websocket = websocket
        self._limit = limit
        self._frames = 0
        self._last_frame = self._alive = now
        self._pong: asyncio.Future[float] | None = None

    async def look(self, frames: int, now: float) -> Silence | None:
        """Silence where the limit has passed; ``frames`` is how many have come so far."""
        if frames != self._frames:
            self._frames, self._last_frame = frames, now
            self.rest(now)
        elif now - self._alive > self._limit:
            return Silence(now - self._last_frame, self._answered())
        elif self._pong is None and now - self._alive > self._limit / 2:
            # The reader tells of the end; a ping that cannot even be written is not answered.
            with suppress(ConnectionClosed, TimeoutError):
                async with asyncio.timeout(self._limit / 4):
                    self._pong = asyncio.ensure_future(await self._websocket.ping())
        return None

    def rest(self, now: float) -> None:
        """Begin to count anew: a silence was found to be usual, or nobody reads just now."""
        self._alive, self._pong = now, None

    def _answered(self) -> bool:
        pong = self._pong
        # The end of a connection cancels or fails what it has not answered.
        return (
            pong is not None and pong.done() and not pong.cancelled() and pong.exception() is None
        )
