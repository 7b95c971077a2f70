"""Kraken's WebSocket protocol v2 without a market (docs.kraken.com, spot-websocket-v2, 2026).

One path, ``/v2``. A status frame greets; ``subscribe`` and ``unsubscribe`` are answered once per
symbol, before the snapshot; ``ping`` is answered by ``pong``; a heartbeat follows each second in
which a subscriber got nothing else.
"""

import json
from abc import abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar, NamedTuple

from aiohttp import web

from connectors.simulator.clock import Clock
from connectors.simulator.faults import Faults
from connectors.simulator.instruments import rfc3339_micros
from connectors.simulator.ledger import Ledger
from connectors.simulator.venue import Limits, Server
from connectors.simulator.wire import Connection

OPTIONS: dict[str, tuple[str, tuple[object, ...]]] = {
    "book": ("depth", (10, 25, 100, 500, 1000)),
    "ohlc": ("interval", (1,)),
    "ticker": ("event_trigger", ("trades", "bbo")),
    "trade": ("", ("",)),
}
"""Per channel: the parameter that makes streams differ and its values, the default first."""


class Stream(NamedTuple):
    """One channel of one symbol, with the value of its option."""

    channel: str
    symbol: str
    option: object


class KrakenProtocol(Server):
    """Connections and their streams; what the streams carry is for others to say."""

    name: ClassVar[str] = "kraken"
    messages_per_second: ClassVar[int] = 50
    checksums: ClassVar[bool] = True

    def __init__(self, ledger: Ledger, faults: Faults, clock: Clock, limits: Limits) -> None:
        super().__init__(ledger, faults, clock, limits)
        self.listeners: dict[Stream, list[Connection]] = {}
        self._streams: dict[str, dict[tuple[str, str], Stream]] = {}
        self._beats: dict[str, tuple[int, float]] = {}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """The WebSocket at ``/v2``."""
        router.add_get("/v2", self.websocket)

    @property
    @abstractmethod
    def pairs(self) -> Collection[str]:
        """What is listed: ``BTC/USD``."""

    @abstractmethod
    def snapshot(self, conn: Connection, stream: Stream) -> None:
        """Send what a new subscriber gets after the acknowledgement."""

    def stream_closed(self, stream: Stream) -> None:
        """The last client has left a stream."""

    def connected(self, conn: Connection, request: web.Request) -> None:
        """Greet with the system's status; nothing is subscribed by the address."""
        self._streams[conn.name] = {}
        self._status(conn, "online")

    def _status(self, conn: Connection, system: str) -> None:
        number = int(conn.name.rpartition("-")[2])
        data = {
            "version": "2.0.10",
            "system": system,
            "api_version": "v2",
            "connection_id": 13_834_774_380_200_032_777 + number,
        }
        conn.send(_json({"channel": "status", "type": "update", "data": [data]}))

    def left(self, conn: Connection) -> None:
        """Take a client off all streams."""
        for stream in self._streams.pop(conn.name, {}).values():
            self._remove(stream, conn)
        self._beats.pop(conn.name, None)

    def subscribed_to_trades(self, conn: Connection) -> bool:
        """Whether a client has the trades of any pair."""
        return any(channel == "trade" for channel, _ in self._streams.get(conn.name, ()))

    def say_goodbye(self, conn: Connection, delay: float) -> None:
        """Kraken tells of its maintenance, then closes with 1001, going away."""
        self._status(conn, "maintenance")
        self.drop(conn, "server shutdown", code=1001)

    def tend(self, now: float) -> None:
        """Also send heartbeats to subscribers who got nothing else for a second."""
        super().tend(now)
        if self.faults.active("silence", ""):
            return
        for conn in tuple(self.connections.values()):
            frames, since = self._beats.get(conn.name, (-1, now))
            if conn.frames != frames:
                self._beats[conn.name] = conn.frames, now
            elif now - since >= 1.0 and self._streams.get(conn.name):
                conn.send(b'{"channel":"heartbeat"}')
                self._beats[conn.name] = conn.frames, now

    def received(self, conn: Connection, text: str) -> None:
        """Answer one request."""
        came = rfc3339_micros(self.market_now_us())
        try:
            request = json.loads(text)
        except ValueError:
            request = None
        if not isinstance(request, dict) or "method" not in request:
            self._answer(conn, "", None, came, error="Malformed request", success=False)
            return
        method, number = str(request["method"]), request.get("req_id")
        if method == "ping":
            self._answer(conn, "pong", number, came)
        elif method in ("subscribe", "unsubscribe"):
            self._change(conn, method, request.get("params"), number, came)
        else:
            self._answer(conn, method, number, came, error="Method not found", success=False)

    def _answer(
        self, conn: Connection, method: str, number: object, came: str, **fields: object
    ) -> None:
        answer: dict[str, object] = {"method": method, **fields} if method else dict(fields)
        answer |= {"time_in": came, "time_out": rfc3339_micros(self.market_now_us())}
        if number is not None:
            answer["req_id"] = number
        conn.send(_json(answer))

    def _change(
        self, conn: Connection, method: str, params: Any, number: object, came: str
    ) -> None:
        problem = _problem(params)
        if problem:
            self._answer(conn, method, number, came, error=problem, success=False)
            return
        name, values = OPTIONS[params["channel"]]
        option = params.get(name, values[0]) if name else ""
        for symbol in params["symbol"]:
            stream = Stream(params["channel"], symbol, option)
            error = self._refusal(conn, method, stream)
            if error:
                fields = {"error": error, "success": False, "symbol": symbol}
                self._answer(conn, method, number, came, **fields)
                continue
            result = {"channel": stream.channel, "symbol": symbol}
            wanted = params.get("snapshot", True) is not False
            if method == "subscribe":
                result |= {name: option} if name else {}
                result["snapshot"] = wanted
            self._answer(conn, method, number, came, result=result, success=True)
            self._apply(conn, method, stream, wanted)

    def _refusal(self, conn: Connection, method: str, stream: Stream) -> str:
        mine = self._streams[conn.name]
        if stream.symbol not in self.pairs:
            return f"Currency pair not supported {stream.symbol}"
        known = stream[:2] in mine
        if method == "subscribe":
            return "Already subscribed" if known else ""
        return "" if known else "Subscription Not Found"

    def _apply(self, conn: Connection, method: str, stream: Stream, snapshot: bool) -> None:
        mine = self._streams[conn.name]
        self.note_subscribed()
        if method == "unsubscribe":
            self._remove(mine.pop(stream[:2]), conn)
            return
        mine[stream[:2]] = stream
        self.listeners.setdefault(stream, []).append(conn)
        if snapshot and not self.faults.active("silence", stream.symbol.replace("/", "-")):
            self.snapshot(conn, stream)

    def _remove(self, stream: Stream, conn: Connection) -> None:
        listeners = self.listeners[stream]
        listeners.remove(conn)
        if not listeners:
            del self.listeners[stream]
            self.stream_closed(stream)


def _problem(params: object) -> str:
    """What is wrong with the parameters of a request; empty where nothing is."""
    if not isinstance(params, dict) or params.get("channel") not in OPTIONS:
        return "Channel field invalid"
    symbols = params.get("symbol")
    if not isinstance(symbols, list) or not all(isinstance(one, str) for one in symbols):
        return "Symbol(s) field invalid"
    if not symbols:
        return "Symbol(s) not provided"
    name, values = OPTIONS[params["channel"]]
    if name and params.get(name, values[0]) not in values:
        return f"Subscription {name} not supported"
    return ""


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
