"""Any venue, scripted: its WebSocket and REST on one real port, after its sample's protocol.

async with scripted(load("okx")) as venue:
    venue.rows = [Row(3, 1_700_000_000_000)]      # what REST knows
    ... connect to venue.adapter.ws_url(subscriptions, venue.ws), GET from venue.rest ...
    await venue.send(sample.trade_frame())        # to every socket
    await venue.drop()                            # without a close frame
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web

from connectors.exchanges import registry
from tests.connectors.exchanges.sample import Row, Sample


class ScriptedVenue:
    """One venue of one test: confirms requests, answers keep-alives, serves listings and trades."""

    def __init__(self, sample: Sample) -> None:
        """Speak the protocol of ``sample``."""
        self.sample = sample
        self.adapter = registry.venue(sample.venue)
        self.ws = self.rest = ""
        self.sockets: list[web.WebSocketResponse] = []
        self.connections = 0
        self.asked = asyncio.Event()
        """Set by the first text frame that comes."""
        self.requests: list[str] = []
        """Every text frame that came, in order."""
        self.rest_calls: list[str] = []
        self.rest_status = 200
        self.confirm = True
        self.rows: list[Row] = []

    async def send(self, *frames: bytes) -> None:
        """Send frames on every open socket; Upbit's are binary."""
        for socket in list(self.sockets):
            for frame in frames:
                if self.sample.venue == "upbit":
                    await socket.send_bytes(frame)
                else:
                    await socket.send_str(frame.decode())

    async def drop(self) -> None:
        """Cut every socket without a close frame."""
        for socket in self.sockets:
            transport = socket._req.transport if socket._req else None
            if transport is not None:
                transport.abort()
        self.sockets.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any path: a WebSocket where one is asked for, otherwise REST."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        url = str(request.url)
        self.rest_calls.append(url)
        if self.rest_status != 200:
            return web.Response(status=self.rest_status)
        first = self.sample.instruments[0]
        listing = self.adapter.instruments_request([first.symbol], self.rest).split("?")[0]
        is_listing = request.path == "/" + listing.split("/", 3)[3]
        body = self.sample.listing if is_listing else self.sample.page(url, self.rows)
        return web.Response(body=body, content_type="application/json")

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        self.sockets.append(socket)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            self.requests.append(message.data)
            self.asked.set()
            if message.data.encode() == self.sample.parser().keepalive_frame():
                await socket.send_str((self.sample.pong or b"").decode())
            elif self.confirm and self.sample.answers is not None:
                for answer in self.sample.answers(json.loads(message.data)):
                    await socket.send_str(json.dumps(answer))
        if socket in self.sockets:
            self.sockets.remove(socket)
        return socket


@asynccontextmanager
async def scripted(sample: Sample) -> AsyncIterator[ScriptedVenue]:
    """Serve a venue on a free port of the loopback address."""
    venue = ScriptedVenue(sample)
    app = web.Application()
    app.router.add_get("/{path:.*}", venue.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    venue.ws, venue.rest = f"ws://{host}:{port}", f"http://{host}:{port}"
    try:
        yield venue
    finally:
        await runner.cleanup()
