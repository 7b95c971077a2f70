"""Binance's WebSocket protocol without a market (web-socket-streams.md, 2026-07).

``/ws``, ``/ws/<stream>`` and ``/stream?streams=a/b``; SUBSCRIBE, UNSUBSCRIBE,
LIST_SUBSCRIPTIONS, SET_PROPERTY and GET_PROPERTY ``combined``. As on the venue, a stream of an
unknown symbol is acknowledged and stays silent.
"""

import json
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from aiohttp import web

from connectors.simulator.binance_private import PATH, BinancePrivate
from connectors.simulator.clock import Clock
from connectors.simulator.faults import Faults
from connectors.simulator.ledger import Ledger
from connectors.simulator.venue import Limits, Server
from connectors.simulator.wire import TEXT, Connection, frame

MAX_STREAMS = 1024
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class RequestError(Exception):
    """A client's message that Binance refuses, with Binance's code and text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class BinanceProtocol(Server):
    """Connections and their streams; what is in the streams is for others to say."""

    name: ClassVar[str] = "binance"
    messages_per_second: ClassVar[int] = 5

    def __init__(self, ledger: Ledger, faults: Faults, clock: Clock, limits: Limits) -> None:
        super().__init__(ledger, faults, clock, limits)
        self.streams: dict[str, list[Connection]] = {}
        self.private = BinancePrivate()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """``/ws`` and ``/stream``, and the WebSocket API for the user data stream."""
        for path in ("/ws", "/ws/{stream:.+}", "/stream", PATH):
            router.add_get(path, self.websocket)

    def stream_opened(self, name: str) -> None:
        """The first client has subscribed to a stream."""

    def stream_closed(self, name: str) -> None:
        """The last client has left a stream."""

    def connected(self, conn: Connection, request: web.Request) -> None:
        """Subscribe to the streams that the address names."""
        if request.path == PATH:
            self.private.connected(conn)
            return
        conn.combined = request.path == "/stream"
        names = request.query.get("streams", request.match_info.get("stream", ""))
        try:
            self._subscribe(conn, [name for name in names.split("/") if name])
        except RequestError as error:
            self._refuse(conn, error)

    def left(self, conn: Connection) -> None:
        """Take a client off all streams."""
        self.private.left(conn)
        self._unsubscribe(conn, list(self._of(conn)))

    def subscribed_to_trades(self, conn: Connection) -> bool:
        """Whether a client has a ``@trade`` stream."""
        return any(name.endswith("@trade") for name in self._of(conn))

    def say_goodbye(self, conn: Connection, delay: float) -> None:
        """Send ``serverShutdown``, then cut the connection."""
        data = f'{{"e":"serverShutdown","E":{self.market_now_us() // 1000}}}'
        text = f'{{"stream":"!serverShutdown","data":{data}}}' if conn.combined else data
        conn.send(text.encode())
        conn.flush()
        self.later(delay, conn, "server shutdown")

    @staticmethod
    def _of(conn: Connection) -> set[str]:
        return conn.subscriptions.setdefault("streams", set())

    def received(self, conn: Connection, text: str) -> None:
        """Answer one request."""
        if self.private.serves(conn):
            self.private.received(conn, text, time.time_ns() // 1_000_000)
            return
        try:
            request = self._parse(text)
            result = self._execute(conn, request)
        except RequestError as error:
            self._refuse(conn, error)
            return
        conn.send(_json({"result": result, "id": request.get("id")}))

    @staticmethod
    def _refuse(conn: Connection, error: RequestError) -> None:
        conn.send(_json({"code": error.code, "msg": str(error)}))

    @staticmethod
    def _parse(text: str) -> dict[str, Any]:
        try:
            request = json.loads(text)
        except ValueError as error:
            raise RequestError(3, "Invalid JSON: expected value at line 1 column 1") from error
        if not isinstance(request, dict) or "method" not in request:
            raise RequestError(
                2, f"Invalid request: missing field `method` at line 1 column {len(text)}"
            )
        if request["method"] not in _METHODS:
            raise RequestError(
                2,
                f"Invalid request: unknown variant `{request['method']}`, expected one of "
                + ", ".join(f"`{method}`" for method in _METHODS),
            )
        if not isinstance(request.get("id"), int | str | None):
            raise RequestError(2, "Invalid request: request ID must be an unsigned integer")
        return request

    def _execute(self, conn: Connection, request: dict[str, Any]) -> object:
        method, params = request["method"], request.get("params", [])
        if method == "LIST_SUBSCRIPTIONS":
            return sorted(self._of(conn))
        if method in ("SET_PROPERTY", "GET_PROPERTY"):
            return self._property(conn, method, params)
        if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
            raise RequestError(2, "Invalid request: params must be an array of strings")
        if method == "SUBSCRIBE":
            self._subscribe(conn, params)
        else:
            self._unsubscribe(conn, params)
        return None

    @staticmethod
    def _property(conn: Connection, method: str, params: object) -> bool | None:
        if not isinstance(params, list) or params[:1] != ["combined"]:
            raise RequestError(0, "Unknown property")
        if method == "GET_PROPERTY":
            return conn.combined
        if len(params) != 2 or not isinstance(params[1], bool):
            raise RequestError(1, "Invalid value type: expected Boolean")
        conn.combined = params[1]
        return None

    def _subscribe(self, conn: Connection, names: Sequence[str]) -> None:
        if any("@" not in name and not name.startswith("!") for name in names):
            raise RequestError(2, "Invalid request: stream name must hold `@`")
        mine = self._of(conn)
        if len(mine.union(names)) > MAX_STREAMS:
            raise RequestError(2, f"Invalid request: more than {MAX_STREAMS} streams")
        for name in names:
            if name in mine:
                continue
            mine.add(name)
            if name not in self.streams:
                self.stream_opened(name)
            self.streams.setdefault(name, []).append(conn)
            self.note_subscribed()

    def _unsubscribe(self, conn: Connection, names: Sequence[str]) -> None:
        for name in names:
            if name not in self._of(conn):
                continue
            self._of(conn).discard(name)
            self.streams[name].remove(conn)
            if not self.streams[name]:
                del self.streams[name]
                self.stream_closed(name)

    def publish(self, name: str, data: str, listeners: Sequence[Connection]) -> None:
        """Queue one message of a stream, raw or in the combined envelope."""
        raw: bytes | None = None
        combined: bytes | None = None
        for conn in listeners:
            if conn.combined:
                if combined is None:
                    combined = frame(TEXT, f'{{"stream":"{name}","data":{data}}}'.encode())
                conn.send_frame(combined)
            else:
                if raw is None:
                    raw = frame(TEXT, data.encode())
                conn.send_frame(raw)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
