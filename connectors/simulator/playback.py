"""Recordings behind the venues' protocols.

A client subscribes as on the real venue and gets what the recording holds for it, unchanged
but for Coinbase's ``sequence_num``, which is counted anew for each connection because it spans
channels that this client may not have asked for. Recorded snapshots are sent when a client
subscribes, all else when its time comes. REST answers with the recorded answer of the same path
and symbol, and with the trades played so far.
"""

import json
import re
from abc import abstractmethod
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

from aiohttp import web

from connectors.simulator.binance_protocol import BinanceProtocol
from connectors.simulator.clock import Clock
from connectors.simulator.coinbase_protocol import HEARTBEATS, CoinbaseProtocol
from connectors.simulator.faults import BOOK_KINDS, TRADE_KINDS, Fault, Faults
from connectors.simulator.ledger import Ledger
from connectors.simulator.recording import RecordedFrame, RecordedTrade, Recording
from connectors.simulator.venue import Limits, Server
from connectors.simulator.wire import Connection

SNAPSHOT_TRADES = 100
MAX_TRADES = 1000
_SEQUENCE = re.compile(r'"sequence_num":\d+')


class Playback(Server):
    """A venue's port that plays a recording."""

    def __init__(
        self, recording: Recording, ledger: Ledger, faults: Faults, clock: Clock, limits: Limits
    ) -> None:
        super().__init__(ledger, faults, clock, limits)
        self.recording = recording
        self.played: list[RecordedFrame] = []
        self.known: dict[str, dict[int, RecordedTrade]] = {}
        self._timeline = [frame for frame in recording.frames if not frame.snapshot]
        self._next = 0
        self._opened_market = False

    @abstractmethod
    def symbol_of(self, native_symbol: str) -> str:
        """``BTC-USD`` of the venue's own spelling."""

    @abstractmethod
    def play(self, frame: RecordedFrame) -> None:
        """Queue a frame for those who subscribed to it."""

    @abstractmethod
    def rest_trade(self, trade: RecordedTrade) -> dict[str, Any]:
        """A trade as the venue's REST tells it."""

    def shift(self, delta_us: int) -> None:
        """A recording knows no time but its own."""

    def market_now_us(self) -> int:
        """The recording's time."""
        return self.recording.start_us + self.clock.now_us - self.clock.start_us

    @property
    def symbols(self) -> list[str]:
        """Symbols with a recorded trade."""
        traded = {trade.native_symbol for frame in self.recording.frames for trade in frame.trades}
        return [self.symbol_of(native) for native in sorted(traded)]

    @property
    def finished(self) -> bool:
        """Whether the last frame was played."""
        return self._next == len(self._timeline)

    def start_fault(self, fault: Fault) -> None:
        """Recorded frames are not changed: ValueError for the faults that would."""
        if fault.kind in (*TRADE_KINDS, *BOOK_KINDS):
            raise ValueError(f"{fault.kind} is not possible with a recording")
        super().start_fault(fault)

    def advance(self, to_us: int) -> None:
        """Play the frames whose time has come."""
        self.faults.expire(to_us)
        elapsed = to_us - self.clock.start_us
        if not self._opened_market:
            self.open_market()
        silent = self.faults.active("silence") is not None
        while self._next < len(self._timeline):
            frame = self._timeline[self._next]
            if frame.offset_us > elapsed:
                return
            self._next += 1
            self.played.append(frame)
            self._learn(frame)
            if not silent:
                self.play(frame)

    def open_market(self) -> None:
        """The trades of the recorded snapshots were made before the recording began."""
        self._opened_market = True
        for frame in self.recording.frames:
            if frame.snapshot:
                self._learn(frame)

    def _learn(self, frame: RecordedFrame) -> None:
        for trade in frame.trades:
            known = self.known.setdefault(trade.native_symbol, {})
            if trade.trade_id in known:
                continue
            known[trade.trade_id] = trade
            self.trades += 1
            self.ledger.trade(
                self.name,
                self.symbol_of(trade.native_symbol),
                trade.native_symbol,
                trade.trade_id,
                trade.price,
                trade.size,
                trade.buy,
                trade.time_us,
            )

    def note_trades(self, conn: Connection, frame: RecordedFrame) -> None:
        """Remember for the ledger what a frame carries to a client."""
        for trade in frame.trades:
            conn.note(self.symbol_of(trade.native_symbol), trade.trade_id)

    def trades_of(self, native_symbol: str) -> list[RecordedTrade]:
        """The trades known so far, by id."""
        if not self._opened_market:
            self.open_market()
        known = self.known.get(native_symbol, {})
        return [known[trade_id] for trade_id in sorted(known)]

    def answer_trades(self, native_symbol: str, trades: list[RecordedTrade]) -> web.Response:
        """A REST answer with trades."""
        self.answered(self.symbol_of(native_symbol), [trade.trade_id for trade in trades])
        return web.json_response([self.rest_trade(trade) for trade in trades])

    async def recorded_answer(self, request: web.Request) -> web.Response:
        """The recorded answer of the same path, and of the same symbol where it names one."""
        symbol = request.query.get("symbol")
        for answer in self.recording.answers:
            if answer.path != request.path:
                continue
            if symbol is None or "symbol" not in answer.query or answer.query["symbol"] == [symbol]:
                body = select(answer.body, request.query)
                return web.Response(text=body, content_type="application/json")
        return web.json_response({"message": "not in the recording"}, status=404)


def select(body: str, query: Mapping[str, str]) -> str:
    """A listing cut down to what was asked for: ``symbol``, ``symbols`` or ``product_ids``."""
    if "symbols" in query or "symbol" in query:
        wanted = json.loads(query["symbols"]) if "symbols" in query else [query["symbol"]]
        listing, name = "symbols", "symbol"
    elif "product_ids" in query:
        wanted = query.getall("product_ids")  # type: ignore[attr-defined]  # a MultiDict
        listing, name = "products", "product_id"
    else:
        return body
    content = json.loads(body)
    if listing not in content:
        return body
    content[listing] = [one for one in content[listing] if one[name] in wanted]
    return json.dumps(content)


class BinancePlayback(Playback, BinanceProtocol):
    """A recording of Binance's combined streams."""

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Trades of what was played; all else as recorded."""
        super().add_routes(router)
        router.add_get("/api/v3/trades", self.rest_trades)
        router.add_get("/api/v3/historicalTrades", self.rest_trades)
        router.add_get("/api/v3/{tail:.*}", self.recorded_answer)

    def symbol_of(self, native_symbol: str) -> str:
        """Looked up in the recorded listing; the native name where there is none."""
        return self._symbols.get(native_symbol, native_symbol)

    @cached_property
    def _symbols(self) -> dict[str, str]:
        return {
            one["symbol"]: f"{one['baseAsset']}-{one['quoteAsset']}"
            for answer in self.recording.answers
            if answer.path.endswith("/exchangeInfo")
            for one in json.loads(answer.body)["symbols"]
        }

    def subscribed_to_trades(self, conn: Connection) -> bool:
        """Recordings may hold aggregate trades instead."""
        return any(
            name.endswith(("@trade", "@aggTrade")) for name in conn.subscriptions.get("streams", ())
        )

    def play(self, frame: RecordedFrame) -> None:
        """Raw clients get the part behind ``"data":``."""
        listeners = self.streams.get(frame.key[0], ())
        if listeners:
            data = frame.text[frame.text.index('"data":') + 7 : -1]
            self.publish(frame.key[0], data, listeners)
            for conn in listeners:
                self.note_trades(conn, frame)

    def rest_trade(self, trade: RecordedTrade) -> dict[str, Any]:
        """Without ``quoteQty``, which recorded frames do not hold."""
        return {
            "id": trade.trade_id,
            "price": trade.price,
            "qty": trade.size,
            "time": trade.time_us // 1000,
            "isBuyerMaker": not trade.buy,
            "isBestMatch": True,
        }

    async def rest_trades(self, request: web.Request) -> web.Response:
        """Ascending from ``fromId``, or the newest."""
        native = request.query.get("symbol", "")
        limit = int(request.query.get("limit", "500"))
        trades = self.trades_of(native)
        if "fromId" in request.query:
            first = int(request.query["fromId"])
            return self.answer_trades(native, [t for t in trades if t.trade_id >= first][:limit])
        return self.answer_trades(native, trades[-limit:])


class CoinbasePlayback(Playback, CoinbaseProtocol):
    """A recording of Advanced Trade."""

    channels = ("market_trades", "level2", "ticker", HEARTBEATS, "candles")
    own_heartbeats = False

    @property
    def products(self) -> Collection[str]:
        """What the recording has frames of."""
        return {frame.key[1] for frame in self.recording.frames}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Trades of what was played; all else as recorded."""
        super().add_routes(router)
        router.add_get("/products/{product}/trades", self.rest_trades)
        router.add_get("/{tail:.+}", self.recorded_answer)

    def symbol_of(self, native_symbol: str) -> str:
        """Coinbase writes symbols as we do."""
        return native_symbol

    def snapshot(self, conn: Connection, channel: str, product: str) -> None:
        """The last trades; of other channels the recorded snapshot and what followed it."""
        if channel == "market_trades":
            trades = self.trades_of(product)[-SNAPSHOT_TRADES:]
            raw = [trade.raw for trade in reversed(trades)]
            event = json.dumps({"type": "snapshot", "trades": raw}, separators=(",", ":"))
            self.send(conn, channel, event)
            for trade in trades:
                conn.note(product, trade.trade_id, "snapshot")
            return
        for frame in self.recording.frames:
            if frame.snapshot and frame.key == (channel, product):
                self._replay(conn, frame)
        for frame in self.played:
            if frame.key == (channel, product) and channel != HEARTBEATS:
                self._replay(conn, frame)

    def _replay(self, conn: Connection, frame: RecordedFrame) -> None:
        text = _SEQUENCE.sub(f'"sequence_num":{conn.sequence}', frame.text, count=1)
        conn.sequence += 1
        conn.send(text.encode())

    def play(self, frame: RecordedFrame) -> None:
        """With the connection's own sequence number."""
        for conn in self.listeners.get(frame.key, ()):
            self._replay(conn, frame)
            self.note_trades(conn, frame)

    def rest_trade(self, trade: RecordedTrade) -> dict[str, Any]:
        """The Exchange API's form, with the recorded text of price, size and time."""
        raw = trade.raw
        return {
            "trade_id": trade.trade_id,
            "side": raw["side"].lower(),
            "size": raw["size"],
            "price": raw["price"],
            "time": raw["time"],
        }

    async def rest_trades(self, request: web.Request) -> web.Response:
        """Descending, below ``after`` or from the newest."""
        product = request.match_info["product"]
        limit = int(request.query.get("limit", str(MAX_TRADES)))
        trades = self.trades_of(product)
        if "after" in request.query:
            after = int(request.query["after"])
            trades = [trade for trade in trades if trade.trade_id < after]
        return self.answer_trades(product, trades[-limit:][::-1])


PLAYBACKS: dict[str, type[BinancePlayback] | type[CoinbasePlayback]] = {
    "binance": BinancePlayback,
    "coinbase": CoinbasePlayback,
}
