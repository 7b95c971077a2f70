"""A Binance that does what a test tells it: WebSocket and REST on one real port."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from aiohttp import WSMsgType, web

DAY = 1_767_225_600_000  # 2026-01-01, ms: far from the wall clock


class ScriptedBinance:
    """Market and server of one test. Trades of a symbol are known by id; times are ms.

    What `trade` makes is known to REST at once; `send` decides what the sockets see.
    """

    def __init__(self) -> None:
        self.url = ""
        self.sockets: list[web.WebSocketResponse] = []
        self.connections = 0
        self.rest_calls: list[tuple[str, int]] = []
        """(native symbol, fromId) of each call for old trades."""
        self.since: list[int] = []
        """startTime of each call that has one, ms."""
        self.rest_status = 200
        self.confirm = True
        self.book_id = 150
        """Last update of the book that REST gives."""
        self.before_confirm: list[str] = []
        """Frames sent between the request and its confirmation."""
        self.subscribed = asyncio.Event()
        self.rest_gate = asyncio.Event()
        """REST answers wait for it."""
        self.rest_gate.set()
        self.trades: dict[str, dict[int, str]] = defaultdict(dict)
        self.listed = ["BTCUSDT", "ETHUSDT"]
        self.refused: set[str] = set()
        """Natives whose streams are refused, with the whole request that names them."""
        self.requests: list[dict[str, object]] = []

    def trade(self, native: str, number: int, ms: int | None = None) -> str:
        """Make a trade; gives its frame."""
        when = DAY + number if ms is None else ms
        fields = f'"p":"{100 + number % 7}.5","q":"0.25","T":{when},"m":false'
        frame = (
            f'{{"stream":"{native.lower()}@trade","data":{{"e":"trade","E":{when},'
            f'"s":"{native}","t":{number},{fields},"M":true}}}}'
        )
        self.trades[native][number] = (
            f'{{"id":{number},"price":"{100 + number % 7}.5","qty":"0.25","quoteQty":"25",'
            f'"time":{when},"isBuyerMaker":false,"isBestMatch":true}}'
        )
        return frame

    def make(self, native: str, numbers: Iterable[int]) -> list[str]:
        """Make trades; gives their frames."""
        return [self.trade(native, number) for number in numbers]

    async def send(self, *frames: str) -> None:
        """Send frames on every open socket."""
        for socket in list(self.sockets):
            for frame in frames:
                await socket.send_str(frame)

    async def drop(self) -> None:
        """Cut every socket without a close frame."""
        self.subscribed.clear()
        for socket in self.sockets:
            transport = socket._req.transport if socket._req else None
            if transport is not None:
                transport.abort()
        self.sockets.clear()

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        self.sockets.append(socket)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            for frame in self.before_confirm:
                await socket.send_str(frame)
            asked = message.json()
            self.requests.append(asked)
            natives = {stream.split("@")[0].upper() for stream in asked["params"]}
            if asked["method"] == "SUBSCRIBE" and natives & self.refused:
                error = {"code": 2, "msg": "Invalid request: unknown stream"}
                await socket.send_str(json.dumps({"error": error, "id": asked["id"]}))
            elif self.confirm:
                await socket.send_str(json.dumps({"result": None, "id": asked["id"]}))
                self.subscribed.set()
        if socket in self.sockets:
            self.sockets.remove(socket)
        return socket

    async def _listing(self, _: web.Request) -> web.Response:
        filters = [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "stepSize": "0.00001000"},
        ]
        return web.json_response(
            {
                "symbols": [
                    {
                        "symbol": native,
                        "status": "TRADING",
                        "baseAsset": native.removesuffix("USDT"),
                        "quoteAsset": "USDT",
                        "filters": filters,
                    }
                    for native in self.listed
                ]
            }
        )

    async def _book(self, request: web.Request) -> web.Response:
        """A book that ends at `book_id`."""
        return web.json_response(
            {"lastUpdateId": self.book_id, "bids": [["68016.18", "1"]], "asks": []}
        )

    async def _old_trades(self, request: web.Request) -> web.Response:
        query = parse_qs(urlsplit(str(request.rel_url)).query)
        native, start = query["symbol"][0], int(query["fromId"][0])
        self.rest_calls.append((native, start))
        self.since += [int(value) for value in query.get("startTime", ())]
        await self.rest_gate.wait()
        if self.rest_status != 200:
            return web.Response(status=self.rest_status)
        known = self.trades[native]
        page = [known[number] for number in sorted(known) if number >= start][:1000]
        return web.Response(text=f"[{','.join(page)}]", content_type="application/json")


@asynccontextmanager
async def scripted_binance() -> AsyncIterator[ScriptedBinance]:
    """Serve a `ScriptedBinance` on a free port of the loopback address; ``url`` lacks a scheme."""
    exchange = ScriptedBinance()
    app = web.Application()
    app.router.add_get("/stream", exchange._socket)
    app.router.add_get("/api/v3/exchangeInfo", exchange._listing)
    app.router.add_get("/api/v3/depth", exchange._book)
    app.router.add_get("/api/v3/historicalTrades", exchange._old_trades)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    exchange.url = f"{host}:{port}"
    try:
        yield exchange
    finally:
        exchange.rest_gate.set()
        await runner.cleanup()
