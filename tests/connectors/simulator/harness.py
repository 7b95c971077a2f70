"""A running simulator and a real WebSocket client against it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import websockets

from connectors.simulator.simulator import Running, Settings, serve

START_US = 1_780_000_000_000_000
DEADLINE = 15.0


async def until(condition: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
    """Poll until a condition holds; fails with ``what`` after a deadline."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not condition():
        if loop.time() > end:
            pytest.fail(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.01)


class Client:
    """A client that keeps all frames it receives, decoded where they are JSON."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.texts: list[str] = []
        self.frames: list[dict[str, Any]] = []
        self.broken: list[str] = []
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for text in self.socket:
            assert isinstance(text, str)
            self.texts.append(text)
            try:
                self.frames.append(json.loads(text))
            except ValueError:
                self.broken.append(text)

    async def send(self, message: object) -> None:
        """Send text as it is, anything else as JSON."""
        await self.socket.send(message if isinstance(message, str) else json.dumps(message))

    async def closed(self) -> websockets.ConnectionClosed:
        """Wait for the end of the connection and tell how it came."""
        try:
            await asyncio.wait_for(self.socket.wait_closed(), DEADLINE)
        except TimeoutError:
            pytest.fail("the connection was not closed")
        await asyncio.gather(self.task, return_exceptions=True)
        return self.socket.protocol.close_exc

    async def wait(self, condition: Callable[[dict[str, Any]], object], what: str) -> Any:
        """The first frame that meets a condition."""
        found: list[dict[str, Any]] = []

        def look() -> object:
            found[:] = [one for one in self.frames if condition(one)][:1]
            return found

        await until(look, what)
        return found[0]

    def binance_trades(self) -> list[dict[str, Any]]:
        """The sound trades among the frames, raw or combined, in order of arrival."""
        data = [one.get("data", one) for one in self.frames]
        return [
            one
            for one in data
            if one.get("e") == "trade" and _is_price(one.get("p")) and "t" in one
        ]

    def coinbase_trades(self, kinds: tuple[str, ...] = ("update",)) -> list[dict[str, Any]]:
        """The sound trades among the frames, in the order in which they happened."""
        return [
            trade
            for frame in self.frames
            if frame.get("channel") == "market_trades"
            for event in frame["events"]
            if event["type"] in kinds
            for trade in reversed(event["trades"])
            if _is_price(trade.get("price"))
        ]


def _is_price(text: object) -> bool:
    return isinstance(text, str) and text.replace(".", "", 1).isdigit()


class Exchange:
    """A running simulator: addresses, REST, control, its ledger."""

    def __init__(self, running: Running, http: aiohttp.ClientSession, ledger: Path | None) -> None:
        self.engine = running.engine
        self.addresses = running.addresses
        self._http = http
        self._ledger = ledger
        self.clients: list[Client] = []

    async def connect(self, venue: str, path: str = "", **options: Any) -> Client:
        """Connect a WebSocket client."""
        url = self.addresses[venue]["ws"] + path
        client = Client(await websockets.connect(url, max_size=None, **options))
        self.clients.append(client)
        return client

    async def binance(self, *streams: str) -> Client:
        """A client of combined streams, acknowledged."""
        client = await self.connect("binance", "/stream")
        await client.send({"method": "SUBSCRIBE", "params": streams, "id": 1})
        await client.wait(lambda frame: frame.get("id") == 1, "acknowledgement")
        return client

    async def coinbase(self, channel: str, *products: str) -> Client:
        """A client of one channel, acknowledged."""
        client = await self.connect("coinbase")
        await client.send({"type": "subscribe", "channel": channel, "product_ids": products})
        await client.wait(lambda frame: frame["channel"] == "subscriptions", "acknowledgement")
        return client

    async def get(self, venue: str, path: str, **query: str) -> tuple[int, Any]:
        """Status and decoded body of a REST request."""
        url = self.addresses[venue]["rest"] + path
        async with self._http.get(url, params=query) as response:
            return response.status, await response.json()

    async def control(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and decoded body of a control request."""
        url = self.addresses["control"]["http"] + path
        async with self._http.request(method, url, json=body) as response:
            return response.status, await response.json()

    async def fault(self, kind: str, exchange: str, **details: object) -> None:
        """Start a fault over HTTP."""
        status, body = await self.control(
            "POST", "/faults", {"kind": kind, "exchange": exchange, **details}
        )
        assert status == 200, body

    async def finished(self) -> None:
        """Wait until all trades are made and each client has had time to get all frames."""
        await until(lambda: self.engine.finished, "all trades made")
        end = self.engine.clock.now_us + 200_000
        await until(lambda: self.engine.clock.now_us > end, "last batches sent")
        for client in self.clients:
            if client.socket.state is websockets.State.OPEN:
                await (await client.socket.ping())  # its pong comes after all data

    def ledger(self) -> list[dict[str, Any]]:
        """The ledger's lines so far."""
        assert self._ledger is not None
        self.engine.ledger.flush(force=True)
        return [json.loads(line) for line in self._ledger.read_text().splitlines()]


@asynccontextmanager
async def exchange(ledger: Path | None = None, **settings: Any) -> AsyncIterator[Exchange]:
    """A simulator in this process, stopped at the end; starts at ``START_US`` by default."""
    options: dict[str, Any] = {"start_us": START_US, "symbols": 3, "ledger": ledger, **settings}
    async with serve(Settings(**options)) as running, aiohttp.ClientSession() as http:
        here = Exchange(running, http, ledger)
        try:
            yield here
        finally:
            for client in here.clients:
                await client.socket.close()
                client.task.cancel()


def sent_ids(lines: list[dict[str, Any]], exchange_name: str, *via: str) -> list[int]:
    """Ids of a venue's ``sent`` lines, in order; all ways of sending where none is named."""
    return [
        trade_id
        for line in lines
        if line["t"] == "sent" and line["exchange"] == exchange_name
        if not via or line["via"] in via
        for trade_id in line["ids"]
    ]


def recordings() -> Path:
    """The folder of recorded frames; skips the test where it is absent."""
    default = Path(__file__).parents[4] / "shared" / "recordings"
    folder = Path(os.environ.get("MARKET_STREAMS_RECORDINGS", default))
    if not folder.is_dir():
        pytest.skip(f"no recorded frames in {folder} (set MARKET_STREAMS_RECORDINGS)")
    return folder
