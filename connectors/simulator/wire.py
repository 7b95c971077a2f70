"""One client's WebSocket, from the server's side.

aiohttp does the handshake and reads; data frames are made here and written to the transport
many at a time, which is what lets one process send tens of thousands of frames a second.
"""

import asyncio
import os
import struct
import time
from collections import deque
from typing import Any

from aiohttp import WSMsgType, web

TEXT = 0x81
PING = 0x89
PONG = 0x8A
CLOSE = 0x88


def frame(opcode: int, payload: bytes) -> bytes:
    """An unmasked, final WebSocket frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((opcode, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", opcode, 126, size) + payload
    return struct.pack("!BBQ", opcode, 127, size) + payload


class Connection:
    """A client: what it subscribed to, what waits to be written, whether it still answers.

    ``sent`` collects the trades written since the last flush, by (symbol, via), for the ledger.
    """

    def __init__(self, name: str, request: web.Request, socket: web.WebSocketResponse) -> None:
        assert request.transport is not None
        self.name = name
        self.socket = socket
        self.transport = request.transport
        self.opened = time.monotonic()
        self.subscriptions: dict[str, set[str]] = {}
        self.sequence = 0
        self.combined = False
        self.blocked_since: float | None = None
        self.too_much_since: float | None = None
        self.sent: dict[tuple[str, str], list[int]] = {}
        self.frames = 0
        self.half_open = False
        """The socket stays, but nothing that is sent arrives and nothing received counts."""
        self._out: list[bytes] = []
        self._cut = False
        """The last write ended within a frame."""
        self._written = self.opened
        self._pings: dict[bytes, float] = {}
        self._last_ping = self.opened
        self._received: deque[float] = deque()

    @property
    def open(self) -> bool:
        """Whether frames can still be written."""
        return not self.transport.is_closing()

    @property
    def unread(self) -> int:
        """Bytes that the client has left unread, beyond what the kernel holds."""
        return self.transport.get_write_buffer_size()

    def send(self, payload: bytes) -> None:
        """Queue one text frame for the next flush."""
        self._out.append(frame(TEXT, payload))
        self.frames += 1

    def send_frame(self, raw: bytes) -> None:
        """Queue a frame that is shared between connections."""
        self._out.append(raw)
        self.frames += 1

    def note(self, symbol: str, trade_id: int, via: str = "ws") -> None:
        """Remember for the ledger that a trade was queued in a valid frame."""
        self.sent.setdefault((symbol, via), []).append(trade_id)

    def waits(self, now: float, delay: float) -> bool:
        """Whether a slow line keeps what is queued; bursts go out ``delay`` seconds apart.

        A burst ends in the midst of a frame: the rest of it comes with the next one.
        """
        if not delay:
            return False
        if now - self._written < delay:
            return True
        self._written = now
        data = b"".join(self._out)
        if self._cut or len(data) < 2:
            self._cut = False
            return False
        self._cut = True
        if self.open and not self.half_open:
            self.transport.write(data[: len(data) // 2])
        self._out = [data[len(data) // 2 :]]
        return True

    def flush(self) -> None:
        """Write what is queued."""
        self._cut = False
        if self._out:
            if self.open and not self.half_open:
                self.transport.write(b"".join(self._out))
            self._out.clear()

    def ping_due(self, now: float, every: float, timeout: float) -> bool:
        """Send a ping when it is time; False where an earlier one was not answered in time."""
        if self.half_open:
            return True
        if any(now - at > timeout for at in self._pings.values()):
            return False
        if now - self._last_ping >= every:
            self._last_ping = now
            payload = str(int(time.time() * 1000)).encode() + os.urandom(2).hex().encode()
            self._pings[payload] = now
            self._out.append(frame(PING, payload))
        return True

    def pong_received(self, payload: bytes) -> None:
        """A pong answers its ping and all before it; one with another payload answers none."""
        answered = self._pings.get(payload)
        if answered is not None:
            self._pings = {key: at for key, at in self._pings.items() if at > answered}

    def too_fast(self, now: float, per_second: int) -> bool:
        """Count one incoming message; True where there were more than allowed in a second."""
        self._received.append(now)
        while now - self._received[0] > 1.0:
            self._received.popleft()
        return len(self._received) > per_second

    def pong(self, payload: bytes, delay: float = 0.0) -> None:
        """Answer a client's ping, late if so wished."""

        def write() -> None:
            if self.open and not self.half_open:
                self.flush()
                self.transport.write(frame(PONG, payload))

        if delay > 0:
            asyncio.get_running_loop().call_later(delay, write)
        else:
            write()

    def close(self, code: int, reason: str) -> None:
        """Close as the protocol wants; the TCP connection follows a second later."""
        self._out.append(frame(CLOSE, struct.pack("!H", code) + reason.encode()[:120]))
        self.flush()
        asyncio.get_running_loop().call_later(1.0, self.transport.close)

    def abort(self) -> None:
        """Cut the connection without a word; what was not read is lost."""
        self._out.clear()
        self.transport.abort()

    async def receive(self) -> tuple[WSMsgType, Any]:
        """The next message of the client."""
        message = await self.socket.receive()
        return message.type, message.data
