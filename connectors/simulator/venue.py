"""What the simulated venues share: connections, delivery of trades through the faults, REST guard.

A venue is moved by ``advance`` (simulated time) and ``flush`` (write what is queued), both
called by the engine; ``tend`` does what happens by the wall clock: pings, idle clients.
"""

import asyncio
import heapq
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler

from connectors.simulator.booklog import BookLog, Point
from connectors.simulator.clock import Clock
from connectors.simulator.faults import Fault, Faults, Kind
from connectors.simulator.instruments import Instrument
from connectors.simulator.ledger import Ledger
from connectors.simulator.market import Market, SymbolMarket
from connectors.simulator.wire import Connection

GRACE_SECONDS = 0.5
"""How long more than the allowed bytes may be unread: one snapshot can be larger than that."""
BLOCKED_BYTES = 256_000
"""Unread bytes beyond which a clock that runs fast waits for the client."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a venue drops its clients; seconds of the wall clock, bytes."""

    ping_every: float = 20.0
    pong_within: float = 60.0
    max_unread: int = 1_000_000
    subscribe_within: float = 5.0
    connection_lasts: float = 86_400.0


class TradeText(NamedTuple):
    """A trade as the venue writes it."""

    trade_id: int
    time_us: int
    price: str
    size: str
    buy: bool


class Server(ABC):
    """A venue's port: its connections and their care, whatever feeds them."""

    name: ClassVar[str]
    messages_per_second: ClassVar[int]
    checksums: ClassVar[bool] = False
    """Whether book updates carry a checksum."""
    trades = 0
    sent = 0

    def __init__(self, ledger: Ledger, faults: Faults, clock: Clock, limits: Limits) -> None:
        self.ledger = ledger
        self.faults = faults
        self.clock = clock
        self.limits = limits
        self.connections: dict[str, Connection] = {}
        self.last_subscribed = 0.0
        self._opened = 0

    @abstractmethod
    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the venue's paths."""

    @abstractmethod
    def connected(self, conn: Connection, request: web.Request) -> None:
        """A client has connected; its address may name streams."""

    @abstractmethod
    def received(self, conn: Connection, text: str) -> None:
        """A client has sent a message."""

    @abstractmethod
    def left(self, conn: Connection) -> None:
        """Forget a client that is gone."""

    @abstractmethod
    def subscribed_to_trades(self, conn: Connection) -> bool:
        """Whether a client gets trades."""

    @abstractmethod
    def advance(self, to_us: int) -> None:
        """Let the market happen up to a simulated time; queue the frames."""

    @abstractmethod
    def shift(self, delta_us: int) -> None:
        """Move the start of time, before anything has happened."""

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether no more trades will be made or are held back."""

    @property
    @abstractmethod
    def symbols(self) -> list[str]:
        """What is listed: ``BTC-USDT``."""

    def market_now_us(self) -> int:
        """The venue's own time, µs."""
        return self.clock.now_us

    @property
    def subscribers(self) -> int:
        """Connections that get trades."""
        return sum(self.subscribed_to_trades(conn) for conn in self.connections.values())

    def application(self) -> web.Application:
        """The venue's WebSocket and REST server."""
        application = web.Application(middlewares=[self._guard])
        self.add_routes(application.router)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        websocket = request.headers.get("Upgrade", "").lower() == "websocket"
        if not websocket and self.faults.active("rest_down"):
            return web.json_response({"message": "Service Unavailable"}, status=503)
        return await handler(request)

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        """Serve one client until it leaves or is dropped."""
        socket = web.WebSocketResponse(autoping=False, compress=False, timeout=1.0)
        if not socket.can_prepare(request).ok:
            return web.json_response({"message": "Upgrade to WebSocket expected"}, status=400)
        await socket.prepare(request)
        self._opened += 1
        conn = Connection(f"{self.name}-{self._opened}", request, socket)
        self.connections[conn.name] = conn
        try:
            self.connected(conn, request)
            self._flush(conn)
            await self._serve(conn)
        finally:
            self.connections.pop(conn.name, None)
            self.left(conn)
        return socket

    async def _serve(self, conn: Connection) -> None:
        while True:
            kind, data = await conn.receive()
            if kind not in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG):
                return
            if conn.too_fast(time.monotonic(), self.messages_per_second):
                self.drop(conn, "too many messages", code=1008)
                return
            if conn.half_open:
                continue
            if kind is WSMsgType.PING:
                slow = self.faults.active("slow_pong")
                delay = 0.0 if slow is None else 5.0 if slow.delay is None else slow.delay
                conn.pong(bytes(data), delay)
            elif kind is WSMsgType.PONG:
                conn.pong_received(bytes(data))
            else:
                text = data if isinstance(data, str) else bytes(data).decode(errors="replace")
                self.received(conn, text)
                self._flush(conn)

    def drop(self, conn: Connection, reason: str, code: int | None = None) -> None:
        """Part with a client: abruptly, or with a close frame where a code is given."""
        self.ledger.fault("dropped", self.name, conn=conn.name, reason=reason)
        if code is None:
            conn.abort()
        else:
            self._flush(conn)
            conn.close(code, reason)
        self.connections.pop(conn.name, None)
        self.left(conn)

    def start_fault(self, fault: Fault) -> None:
        """Do what a fault asks, now. ValueError where the venue's protocol does not have it."""
        if fault.kind == "checksum" and not self.checksums:
            raise ValueError(f"{self.name} sends no checksums")
        if fault.kind == "silence":
            self.send_pending()
        self.faults.start(fault, self.clock.now_us, connections=len(self.connections))
        if fault.kind == "disconnect":
            for conn in tuple(self.connections.values()):
                self.drop(conn, "fault: disconnect")
        elif fault.kind == "half_open":
            for conn in tuple(self.connections.values()):
                self._flush(conn)
                conn.half_open = True
        elif fault.kind == "shutdown":
            for conn in tuple(self.connections.values()):
                self.say_goodbye(conn, 5.0 if fault.delay is None else fault.delay)

    def send_pending(self) -> None:
        """Queue what is batched and not yet queued; nothing where nothing is batched."""
        return

    @abstractmethod
    def say_goodbye(self, conn: Connection, delay: float) -> None:
        """Announce, as the venue does, that the server goes down; then cut the connection."""

    def later(self, delay: float, conn: Connection, reason: str) -> None:
        """Cut a connection in ``delay`` seconds of the wall clock, where it is still there."""

        def cut() -> None:
            if conn.name in self.connections:
                self.drop(conn, reason)

        asyncio.get_running_loop().call_later(delay, cut)

    def note_subscribed(self) -> None:
        """Remember when a client last changed what it gets."""
        self.last_subscribed = time.monotonic()

    def answered(self, symbol: str, ids: list[int], via: str = "rest") -> None:
        """REST answered with these trades."""
        self.sent += len(ids)
        self.ledger.sent(self.name, symbol, f"{self.name}-rest", via, ids)

    def flush(self) -> None:
        """Write what is queued; drop clients that leave too much unread."""
        now = time.monotonic()
        for conn in tuple(self.connections.values()):
            self._flush(conn)
            if conn.unread <= self.limits.max_unread:
                conn.too_much_since = None
            elif conn.too_much_since is None:
                conn.too_much_since = now
            elif now - conn.too_much_since > GRACE_SECONDS:
                self.drop(conn, f"{conn.unread} bytes unread")

    def _flush(self, conn: Connection) -> None:
        slow = None if self.faults.quiet else self.faults.active("slow")
        delay = 0.0 if slow is None else 1.0 if slow.delay is None else slow.delay
        if conn.waits(time.monotonic(), delay):
            return
        if conn.open and not conn.half_open:
            for (symbol, via), ids in conn.sent.items():
                self.sent += len(ids)
                self.ledger.sent(self.name, symbol, conn.name, via, ids)
        conn.sent.clear()
        conn.flush()

    def blocked(self, now: float, patience: float = 10.0) -> bool:
        """Whether a client keeps a fast clock waiting; it is dropped after ``patience`` s."""
        waiting = False
        for conn in tuple(self.connections.values()):
            if conn.unread <= BLOCKED_BYTES:
                conn.blocked_since = None
            elif conn.blocked_since is None:
                conn.blocked_since, waiting = now, True
            elif now - conn.blocked_since > patience:
                self.drop(conn, f"{conn.unread} bytes unread for {patience:.0f} s")
            else:
                waiting = True
        return waiting

    def tend(self, now: float) -> None:
        """Pings and ages of the connections, several times a second; ``now`` is monotonic."""
        for conn in tuple(self.connections.values()):
            if not conn.ping_due(now, self.limits.ping_every, self.limits.pong_within):
                self.drop(conn, "no pong")
            elif now - conn.opened > self.limits.connection_lasts:
                self.drop(conn, "connection reached its age", code=1001)


class Venue(Server):
    """A venue with a simulated market."""

    def __init__(
        self,
        market: Market,
        ledger: Ledger,
        faults: Faults,
        clock: Clock,
        limits: Limits,
        skew_us: int = 0,
    ) -> None:
        super().__init__(ledger, faults, clock, limits)
        self.market = market
        self.skew_us = skew_us
        self._to_us = clock.now_us
        self._held: list[tuple[int, int, SymbolMarket, TradeText]] = []
        self.book_logs = {one.instrument.symbol: BookLog(one) for one in market.symbols}

    @abstractmethod
    def texts(self, instrument: Instrument, price: int, size: int) -> tuple[str, str]:
        """Price and size as the venue's stream writes them."""

    @abstractmethod
    def offer(self, symbol: SymbolMarket, trades: Sequence[TradeText]) -> None:
        """Queue trades for those who subscribed to them."""

    @abstractmethod
    def offer_broken(self, symbol: SymbolMarket, trade: TradeText, kind: Kind) -> None:
        """Queue one trade's frame, broken; it does not count as sent."""

    @abstractmethod
    def quote(self, symbol: SymbolMarket) -> None:
        """The best prices of a symbol may have changed."""

    @abstractmethod
    def end_slice(self, to_us: int) -> None:
        """A slice of time is over: send what is sent in batches or at intervals."""

    @property
    def symbols(self) -> list[str]:
        """The symbols of the market, the most traded first."""
        return [symbol.instrument.symbol for symbol in self.market.symbols]

    @property
    def finished(self) -> bool:
        """Whether the limit of trades is reached and nothing is held back."""
        return self.market.exhausted and not self._held

    def shift(self, delta_us: int) -> None:
        """Move the market's start."""
        self.market.shift(delta_us)
        self._to_us += delta_us

    def advance(self, to_us: int) -> None:
        """Make and deliver what happens up to a time; slices end at each 50 ms at the latest."""
        self.faults.expire(self._to_us)
        self._to_us = to_us
        held = self._held
        venue_us = to_us + self.skew_us
        while held and held[0][0] <= venue_us:
            _, _, symbol, trade = heapq.heappop(held)
            if not self.faults.active("silence", symbol.instrument.symbol):
                self.offer(symbol, (trade,))
        for symbol, made in self.market.until(venue_us):
            trades = [
                TradeText(
                    t.trade_id,
                    t.time_us,
                    *self.texts(symbol.instrument, t.price, t.size),
                    t.buy,
                )
                for t in made
            ]
            instrument = symbol.instrument
            for t in trades:
                self.ledger.trade(
                    self.name,
                    instrument.symbol,
                    instrument.native_symbol,
                    t.trade_id,
                    t.price,
                    t.size,
                    t.buy,
                    t.time_us,
                )
            self.trades += len(trades)
            if self.faults.quiet:
                self.quote(symbol)
                self.offer(symbol, trades)
            else:
                self._through_faults(symbol, trades)
        self.end_slice(to_us)

    def note_book(self, symbol: SymbolMarket, time_us: int) -> Point:
        """Remember a book that is told now, with the time that its frame carries."""
        return self.book_logs[symbol.instrument.symbol].note(time_us)

    def market_now_us(self) -> int:
        """The venue's own time: end of the slice that is being made, plus the venue's skew."""
        return max(self._to_us, self.clock.now_us) + self.skew_us

    def silent(self, symbol: SymbolMarket) -> bool:
        """Whether a silence concerns a symbol now."""
        return (
            not self.faults.quiet
            and self.faults.active("silence", symbol.instrument.symbol) is not None
        )

    def _through_faults(self, symbol: SymbolMarket, trades: Sequence[TradeText]) -> None:
        if not self.silent(symbol):
            self.quote(symbol)
        name = symbol.instrument.symbol
        for trade in trades:
            clock_us = trade.time_us - self.skew_us
            kind, delay = self.faults.fate(name, trade.trade_id, clock_us)
            if kind == "silence":
                continue
            if kind in ("malformed", "truncate"):
                self.offer_broken(symbol, trade, kind)
                continue
            if kind in ("disorder", "duplicate"):
                due = trade.time_us + delay
                heapq.heappush(self._held, (due, trade.trade_id, symbol, trade))
            if kind != "disorder":
                self.offer(symbol, (trade,))
